"""One process of the agent: how it is forked, run and ended; pids, output, and places in the code."""
