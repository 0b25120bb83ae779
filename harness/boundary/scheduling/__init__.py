"""The cooperative scheduler of threads and tasks, and the virtual time: which actor goes on, and when."""
