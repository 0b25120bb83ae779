"""Media: one module for each way in which an agent touches the outside; each effect passes the gate."""
