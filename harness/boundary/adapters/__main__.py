"""``python -m rollproof.boundary.adapters`` prints docs/adapters.md."""

from .listing import listing

if __name__ == "__main__":
    print(listing(), end="")
