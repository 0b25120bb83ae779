"""What stands between an agent and the outside."""
