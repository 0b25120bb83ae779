"""Stateful stand-ins of outside services: plain Python in the parent process, so that they outlive a killed agent."""
