"""Records, guardians, and what the next session does."""
