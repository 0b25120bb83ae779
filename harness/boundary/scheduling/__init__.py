"""The cooperative scheduler of threads and tasks, and the virtual time: who goes on, and when."""
