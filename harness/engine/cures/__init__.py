"""Changes that are tried against a cause: one module each, which says where it can help, and what it changes."""
