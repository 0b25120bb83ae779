"""Tests of the network under an agent, against the embedded and the real Toxiproxy server."""
