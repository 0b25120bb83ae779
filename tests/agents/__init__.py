"""Agents on frameworks of others, as their documentation shows them, explored unmodified."""
