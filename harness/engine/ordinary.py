"""One run without a fault, in the test's own process: an ordinary test. Libraries are loaded only for twins."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..values.errors import ChaosError, exits_well

if TYPE_CHECKING:
    from ..values.network import Reach
    from ..values.sources import Twin

Problem = Callable[[Exception | None], ChaosError | None]
_SAID = "one run without a fault (no --chaos)"


def run_once(
    run: Callable[[], Any],
    twins: "Sequence[Twin]",
    reach: "Callable[[], Reach]",
    elsewhere: Callable[[], ChaosError | None],
) -> tuple[Any, str]:
    """Return the result of the function, awaited where it must be, and the text that describes the run.

    `reach` says what of the network is open to it.

    Raises:
        ChaosError: what a twin here, or one on a real port (`elsewhere`), could not answer, whatever the agent made of
            it; and where it died of a host that it could not reach.
    """
    with ExitStack() as undo:
        reached = reach()
        here, asked = _answer(twins, reached, undo) if twins or reached.offline else (_nothing, {})
        try:
            result = run()
            if inspect.isawaitable(result):
                from ..boundary.process.ordinary import in_a_loop

                result = in_a_loop(result)
        except (Exception, SystemExit) as problem:
            _raise(here(problem if isinstance(problem, Exception) else None) or elsewhere())
            if not exits_well(problem):
                raise
            result = None
        _raise(here(None) or elsewhere())
    return result, _said(asked)


def _answer(twins: "Sequence[Twin]", reach: "Reach", undo: ExitStack) -> tuple[Problem, dict[str, None]]:
    """Answer by the twins until `undo`; returns a function that finds their error, and the hosts asked for."""
    # Imported here: a test without twins does not pay for it.
    from ..boundary.media import http
    from ..boundary.media.refusing import Refusing
    from ..twins.answering import Directly
    from ..values.sources import commands_of

    directly = Directly(twins, reach)
    refusing = Refusing(directly, twins, reach)
    undo.callback(http.install(refusing, refusing.permits))
    undo.enter_context(refusing.in_force())
    if commands := commands_of(twins):
        from ..boundary.media import mcp_stdio

        undo.callback(mcp_stdio.install(commands, refusing))

    def problem(died_of: Exception | None) -> ChaosError | None:
        return directly.problem or refusing.problem or (None if died_of is None else refusing.needed(died_of))

    return problem, refusing.asked


def _nothing(died_of: Exception | None) -> None:
    return None


def _said(asked: dict[str, None]) -> str:
    if not asked:
        return _SAID
    from ..values.hosts import told_of

    return "; ".join([_SAID, *told_of(asked)])


def _raise(problem: ChaosError | None) -> None:
    if problem is not None:
        raise problem from None
