"""Volatile values: learned from fault-free runs, masked, and renamed in the fingerprints of worlds."""
