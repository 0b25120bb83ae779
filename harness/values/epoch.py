"""Seconds since the epoch that virtual times begin at."""

MADE = 1_768_464_000
"""2026-01-15 08:00 UTC, when what a twin makes was made: an hour before the first process, whose agent looks back."""
