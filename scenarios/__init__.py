"""The built-in scenarios: stories of agents that must not leave anything half done, one story a file."""
