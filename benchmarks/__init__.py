"""Comparable measurements; each prints a ratio against an alternative in the same run."""
