"""The difference of two worlds, and how it is told."""
