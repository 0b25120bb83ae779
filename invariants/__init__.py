"""The promises that are checked without being asked; one module a family."""
