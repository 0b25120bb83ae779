"""Tests of the room `world`."""
