"""An invariant: nobody is overdrawn."""

from collections.abc import Iterable, Iterator

from rollproof import Change, History, Invariant, Row, Violation, World, invariant


def _accounts(world: World) -> list[Row]:
    return [row for name, rows in world.resources.items() if name.endswith("/accounts") for row in rows]


@invariant("nobody_is_overdrawn", applies=lambda after, history: bool(_accounts(after)))
def nobody_is_overdrawn(after: World, history: History) -> Iterator[Violation]:
    """No account has less than nothing."""
    for account in _accounts(after):
        if account["cents"] < 0:
            yield Violation(f"{account['name']} is overdrawn", (Change("~", account["name"], str(account["cents"])),))


def pytest_chaos_invariants() -> Iterable[Invariant]:
    """Let Rollproof check it in every exploration."""
    return [nobody_is_overdrawn]
