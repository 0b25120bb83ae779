"""The seams that lead an agent to the twins of a test, and that the test's own process has to put in place."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...values.sources import Twin


@contextmanager
def seams(mailboxes: Mapping[str, tuple[str, int]], twins: "Sequence[Twin]", *, exploring: bool) -> Iterator[None]:
    """Lead mail to the mailboxes, and while exploring what is started by a command to the twin that it means.

    `mailboxes` has host and port of each mail server by the name that the agent knows.
    """
    with ExitStack() as undo:
        if mailboxes:
            from . import mail

            undo.callback(mail.install(mailboxes))
        if exploring and twins:
            from ...values.sources import commands_of

            if commands := commands_of(twins):
                from . import http, mcp_stdio

                undo.callback(mcp_stdio.install(commands, http.carried))
        yield
