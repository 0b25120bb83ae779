"""The commands of ``rollproof``, a module each: `main` takes the words after its name and returns the exit code."""
