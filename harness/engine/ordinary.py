"""One run without a fault, in the test's own process: an ordinary test. What twins need is loaded with them."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..values.errors import ChaosError, exits_well

if TYPE_CHECKING:
    from ..values.network import Reach
    from ..values.sources import Twin

Problem = Callable[[], ChaosError | None]


def run_once(run: Callable[[], Any], twins: "Sequence[Twin]", reach: "Callable[[], Reach]", elsewhere: Problem) -> Any:
    """Return what the function returns, awaited where it must be; `reach` says what of the network is open to it.

    Raises:
        ChaosError: what a twin here, or one on a real port (`elsewhere`), could not answer, whatever the agent made of
            it.
    """
    with ExitStack() as undo:
        here = _answer(twins, reach(), undo) if twins else _nothing
        try:
            result = run()
            if inspect.isawaitable(result):
                from ..boundary.ordinary import in_a_loop

                result = in_a_loop(result)
        except (Exception, SystemExit) as problem:
            _raise(here() or elsewhere())
            if not exits_well(problem):
                raise
            result = None
        _raise(here() or elsewhere())
    return result


def _answer(twins: "Sequence[Twin]", reach: "Reach", undo: ExitStack) -> Problem:
    """Let the twins answer until `undo`; returns what tells the first request that they could not."""
    from ..boundary import http
    from ..twins.answering import Directly
    from ..values.sources import commands_of

    directly = Directly(twins, reach)
    undo.callback(http.install(directly, reach.permits))
    if commands := commands_of(twins):
        from ..boundary import mcp_stdio

        undo.callback(mcp_stdio.install(commands, directly))
    return lambda: directly.problem


def _nothing() -> None:
    return None


def _raise(problem: ChaosError | None) -> None:
    if problem is not None:
        raise problem from None
