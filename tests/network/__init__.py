"""Agents over real sockets."""
