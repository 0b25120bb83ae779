"""The values that travel through the harness: frozen, comparable, standard library only."""
