"""The public API as a user types it; checked by mypy, never run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rollproof import (
    Ability,
    Action,
    Change,
    Chaos,
    ChaosError,
    Damage,
    Deliver,
    Disconnect,
    Disturb,
    Effect,
    Exit,
    Exploration,
    Fail,
    History,
    HttpRequest,
    HttpResponse,
    Kill,
    Medium,
    Misanswer,
    ModelAnswer,
    ModelService,
    Point,
    Report,
    Respond,
    Row,
    Say,
    Service,
    Violation,
    World,
    WorldSource,
    Writer,
    fault,
    invariant,
    step,
)
from rollproof.testing import check_fault, check_invariant, check_source, check_twin, check_writer, world


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
    chaos.llm(cassette=Path("tests/cassettes/plan.json"), base_url="http://cassettes.test/v1")
    chaos.llm({"Say": "text"}, cassette="tests/cassettes/act.json")
    model = chaos.serve(chaos.llm({"Say": "text"}, base_url="http://gateway.test/v1"))
    with chaos.step("pay"), step("book"):
        pass
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
def slow(effect: Effect) -> Iterator[Action]:
    """The disk is slow."""
    yield Fail(TimeoutError())


QUEUE = Medium("queue", {"push": ("before", "after")}, (Ability(Fail, ("*:before",)),), adapter="mine.queue:install")


@invariant("nothing_empty")
def nothing_empty(after: World, history: History) -> Iterator[Violation]:
    """Nothing is empty."""
    yield from (Violation(path, (Change("~", path),)) for path, content in after.files.items() if not content)


@fault("mine.anything", at=("http", "llm.chat", "net.*"), when=("before", "after"), lasting=True)
def anything(effect: Effect) -> Iterator[Action]:
    """Every action there is."""
    asked, point = effect.request, effect.point
    if asked is not None and isinstance(effect.answer, ModelAnswer):
        yield Say(effect.answer.with_text(f"{asked.method} {asked.url} {len(asked.body)} {point.kind}"))
    yield Respond(409, {"retry-after": "1"}, reason="There is one already.")
    yield Respond(418, body={"error": ["teapot"]})
    yield Respond(418, body=b"short and stout")
    yield from (Kill(), Disconnect("reset"), Exit(1), Deliver(copies=2), Misanswer("forgets"))
    yield from (Disturb("slow", seconds=2.0), Damage("flipped", 0.5))


class Shop:
    """A twin."""

    base_url, kind = "https://shop.test", "http"

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def save(self) -> bytes:
        """Return the state."""
        return b""

    def restore(self, state: bytes) -> None:
        """Put a state back."""

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Tell a state."""
        return {}

    full_state = describe

    def set_run(self, run: int) -> None:
        """Do nothing."""

    def verb(self, request: HttpRequest) -> str:
        """Return one word."""
        return "buy"

    def target(self, request: HttpRequest) -> str:
        """Return the host."""
        return request.host

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Sell."""
        return HttpResponse.of_json(200, {"sold": True})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Sell nothing."""
        return HttpResponse(status, headers, reason.encode())


def the_doors(chaos: Chaos, model: ModelService, path: Path) -> None:
    """Declare what is one's own, and check it."""
    shop: Shop = chaos.twin(Shop())
    service: Service = shop
    source: WorldSource = service
    chaos.watch(source)
    chaos.network("store", object())
    named: Shop = chaos.twin("shop", where="here")
    request = HttpRequest("POST", named.base_url)
    check_twin(model, request, changes=False)
    check_twin(shop, request)
    check_source(source, lambda: shop.handle(request))
    check_fault(slow, Effect(Point("file", "write", "a"), size=3))
    check_fault(anything)
    check_invariant(nothing_empty, catches=world({"a": b""}), leaves_alone=(world(tables={"a.db:t": []}), HISTORY))

    def write(report: Report) -> None:
        for exploration in report["explorations"]:
            for violation in exploration["violations"]:
                path.write_text(f"{violation['id']} {violation['cause'] and violation['cause']['line']}")
        raise ChaosError("no-place", "there is no place")

    writer: Writer = write
    check_writer(writer, path.read_bytes)


HISTORY = History((), World(), World(), (), ())
