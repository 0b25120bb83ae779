"""Names that locks, staging folders and temporary files have, as glob patterns; users add their own."""

LEFTOVER_NAMES = (
    "*.lock",
    "*.lck",
    ".lock",
    "lock",
    "*.pid",
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.swp",
    "*.staging",
    "tmp*",
    ".tmp*",
    "*.tmp.*",
    "*.tmp-*",
    "*.new",
    "~*",
    "staging*",
    ".staging*",
)
