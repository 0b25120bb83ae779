"""A real network under the agent: the client side of Toxiproxy, and an embedded server that speaks its HTTP API."""
