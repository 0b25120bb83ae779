"""The faults that come with Rollproof; one module a family."""
