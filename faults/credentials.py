"""What happens to a key while the agent uses it."""

from collections.abc import Iterator

from rollproof.values.actions import Action, Respond
from rollproof.values.faults import fault
from rollproof.values.points import Effect


@fault(
    "credentials.revoked",
    at=("http", "llm", "mcp", "served"),
    once=False,
    lasting=True,
    told="the service refused the key from {call} on (401)",
)
def revoked(effect: Effect) -> Iterator[Action]:
    """From this request on the service answers 401; before recovery the key works again."""
    yield Respond(401)


@fault(
    "credentials.revoked_for_good",
    at=("http", "llm", "mcp", "served"),
    once=False,
    lasting=True,
    survives_restart=True,
    told="the service refused the key from {call} on (401), also in the first recovery",
)
def revoked_for_good(effect: Effect) -> Iterator[Action]:
    """From this request on the service answers 401, to the first recovery too; then the key works again."""
    yield Respond(401)
