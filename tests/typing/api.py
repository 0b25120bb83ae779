"""The public API as a user types it; checked by mypy, never run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rollproof import Chaos, Exploration, History, Violation, World, fault, invariant
from rollproof.values.points import Effect
from rollproof.values.strikes import Fail, Strike


async def agent() -> str:
    """Act."""
    return "done"


def book(state: dict[str, list[dict[str, Any]]], flight: str) -> dict[str, str]:
    """Book a seat."""
    state["bookings"].append({"flight": flight})
    return {"booking": flight}


def test_with_everything(chaos: Chaos, tmp_path: Path) -> None:
    """Use every call of the fixture."""
    chaos.watch(tmp_path / "shared", name="drive", ignore=["*.log"], anything=True)
    chaos.private(str(tmp_path / "own"), ignore=("cache",), anything=True)
    mail = chaos.api("https://api.mail.test", token="secret", settled=lambda mail: bool(mail.get("cancelled")))
    chaos.llm({"Plan": "text", "Act": ["first", {"tool_calls": [{"name": "search", "arguments": {"q": "x"}}]}]})
    mailbox = chaos.mailbox("smtp.mail.test", login=("agent", "secret"))
    tools = chaos.mcp({"book": book, "fly": ({"type": "object"}, book)}, base_url="https://tools.test/mcp", token="x")
    chaos.mcp({"book": book}, command=["npx", "-y", "@travel/server"])
    chaos.llm(lambda request: {"text": str(request["model"])}, base_url="http://models.test/v1")
    model = chaos.serve(chaos.llm({"Say": "text"}, base_url="http://gateway.test/v1"))
    post, shop = chaos.serve(mail), chaos.network("shop", "127.0.0.1:5432")
    where: tuple[str, str, int] = (post.url, shop.host, shop.port)
    assert where
    assert model.url

    @chaos.invariant
    def one_mail(world: World) -> None:
        """At most one mail goes out."""
        assert len(world.resources["api.mail.test/mails"]) <= 1

    result: Exploration = chaos.explore(
        run=agent, recover=lambda: None, allow=lambda world: not world.files, retry=False, errors="handled", name="x"
    )
    chaos.explore(run=agent, errors="restart")
    chaos.explore(run=agent, recover=lambda: None, errors="worker")
    points: int = result.points
    assert points
    assert mail.resources("mails")
    assert mail.requests
    assert mailbox.messages[0]["subject"]
    assert tools.rows("bookings")[0]["flight"]


@fault("storage.slow", at="file", when="before")
def slow(effect: Effect) -> Iterator[Strike]:
    """The disk is slow."""
    yield Fail(TimeoutError())


@invariant("nothing_empty")
def nothing_empty(after: World, history: History) -> Iterator[Violation]:
    """Nothing is empty."""
    yield from (Violation(path) for path, content in after.files.items() if not content)
