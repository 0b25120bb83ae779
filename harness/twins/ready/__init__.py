"""Ready-made services, one module each: its function of the same name makes the twin for ``chaos.twin("name", …)``."""
