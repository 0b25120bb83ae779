"""The plugin as a user meets it: whole pytest runs in a folder of their own."""
