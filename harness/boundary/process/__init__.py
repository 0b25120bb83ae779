"""One process of the agent: forked, run, ended; who is alive, what it prints, whose line acts."""
