"""An error of the network instead of an answer."""


class TransportFault(Exception):
    """On its way into a client library's own exception; `reason` as in `Disconnect`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreachable(TransportFault):
    """A host that nobody declared cannot be reached, as if the network were down; `line` is the agent's."""

    def __init__(self, host: str, line: str) -> None:
        super().__init__("refused")
        self.host, self.line = host, line


def unreachable_in(problem: BaseException) -> Unreachable | None:
    """Return the refusal that an exception came of, however often it was translated; None where it came of none."""
    waiting: list[BaseException | None] = [problem]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, Unreachable):
            return one
        seen.add(id(one))
        waiting += [one.__context__, one.__cause__]
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return None
