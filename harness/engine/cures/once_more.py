"""One more recovery after the last one."""

from collections.abc import Iterator

from ...values import kinds
from .remedy import Case, Plain, Remedy


def remedies(case: Case) -> Iterator[Remedy]:
    """Yield one more recovery, if the last one returned."""
    own = [process for process in case.judgement.executions if process.role == "recover"]
    if own and own[-1].outcome.kind == "returned":
        yield Remedy(kinds.NOT_TAKEN_UP, "with one more recovery", Plain(), frozenset(), once_more=True)
