"""What happens between an agent and a server of tools. Each of ``http.*`` appears here too, as ``mcp.*``."""

from collections.abc import Iterator

from rollproof.values.actions import Action, Misanswer
from rollproof.values.faults import fault
from rollproof.values.points import Effect


@fault(
    "mcp.restarted",
    at=("mcp.call", "mcp.list", "stdio.call", "stdio.list"),
    when=("before", "after"),
    told={
        "before": "the server of tools was restarted before it acted on {call}",
        "after": "the server of tools was restarted after it had acted on {call}",
    },
)
def restarted(effect: Effect) -> Iterator[Action]:
    """The server was started again and knows no session, before it acts, or after it and before it answers.

    Over HTTP it says so (404), or the stream ends without a result. A subprocess ends.
    """
    yield Misanswer("forgets" if effect.when == "before" else "acts and forgets")


@fault(
    "mcp.lost_answer",
    at="mcp.call",
    when="after",
    lasting=True,
    told="the result of {call} was lost after the tool had acted",
)
def lost_answer(effect: Effect) -> Iterator[Action]:
    """The tool did its work, and the stream ends without its result (the ambiguous one)."""
    yield Misanswer("acts and says nothing")


@fault(
    "mcp.unknown_tool", at=("mcp.call", "stdio.call"), lasting=True, told="the server no longer knew the tool of {call}"
)
def unknown_tool(effect: Effect) -> Iterator[Action]:
    """The list of tools has changed: the server no longer knows this one."""
    yield Misanswer("unknown tool")


@fault(
    "mcp.tool_error",
    at=("mcp.call", "stdio.call"),
    lasting=True,
    told="{call} came back as an error, and the tool had done nothing",
)
def tool_error(effect: Effect) -> Iterator[Action]:
    """The tool fails and has done nothing: a result with isError."""
    yield Misanswer("tool error")


@fault(
    "mcp.wrong_result",
    at=("mcp.call", "stdio.call"),
    when="after",
    lasting=True,
    told="the tool had acted, and the result of {call} did not match its schema",
)
def wrong_result(effect: Effect) -> Iterator[Action]:
    """The tool did its work, and its result does not match its output schema."""
    yield Misanswer("wrong result")
