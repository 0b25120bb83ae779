"""Agents on frameworks that take long to install and to start: `make nightly` explores them."""
