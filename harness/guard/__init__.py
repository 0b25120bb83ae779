"""Watched and private paths are as before, whatever ends the test's process: records, and the guardian."""
