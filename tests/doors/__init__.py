"""Tests of the doors for extensions, each with a package as a stranger writes it."""
