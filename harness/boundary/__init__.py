"""The wrappers between an agent and the outside; installed in a child process only, never in the test's own."""
