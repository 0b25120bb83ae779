"""The contract tests for extensions find what is wrong with one: each breaks one promise of a right one."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from rollproof.testing import check_fault, check_invariant, check_medium, check_source, check_twin, check_writer, world
from rollproof.twins.rest import RestTwin
from rollproof.values.actions import Action, Fail, Kill, Misanswer, Respond
from rollproof.values.faults import Fault, fault
from rollproof.values.history import Invariant, Violation, invariant
from rollproof.values.http import HttpRequest, HttpResponse
from rollproof.values.media import media
from rollproof.values.media.medium import AROUND, AWAITED, Ability, Medium
from rollproof.values.points import Effect, Point
from rollproof.values.report import Report

NUMBERS = count()
GOOD, BAD = world({"shared/a": b"x"}), world({"shared/a": b""})
MAIL = HttpRequest("POST", "https://api.mail.test/mails", {"content-type": "application/json"}, b'{"to": "a"}')


@fault("disk.slow", at="file.write")
def slow(effect: Effect) -> Iterator[Action]:
    """The disk is slow."""
    yield Fail(TimeoutError())


@invariant("nothing_empty")
def nothing_empty(after: Any, history: Any) -> Iterator[Violation]:
    """Nothing is empty."""
    yield from (Violation(f"{path} is empty") for path, content in after.files.items() if not content)


def fault_yielding(*actions: Any) -> Fault:
    """Return a fault that yields these."""
    return replace(slow, actions=lambda effect: iter(actions))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(slow, name="disk"), "a name is family.what_happens"),
        (replace(slow, doc="Slow"), "is a sentence"),
        (replace(slow, once=False), "neither once nor lasting"),
        (fault_yielding(), "strikes nowhere"),
        (fault_yielding("kill"), "which is no action"),
        (fault_yielding(Fail(OSError(lambda: None))), "cannot be sent"),
        (fault_yielding(Respond(400, body={"a": {1}})), "is no JSON"),
        (fault_yielding(Respond(400)), "cannot be done there"),
        (replace(slow, actions=lambda effect: [Fail(OSError(next(NUMBERS)))]), "never chooses"),
    ],
)
def test_a_wrong_fault(wrong: Fault, said: str) -> None:
    """The right one passes."""
    check_fault(slow)
    with pytest.raises(AssertionError, match=said):
        check_fault(wrong)


def test_a_fault_that_is_for_other_points() -> None:
    """Effects that are named must be struck."""
    with pytest.raises(AssertionError, match="not for each of these effects"):
        check_fault(slow, Effect(Point("http", "post", "a")))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (replace(nothing_empty, name="nothing empty"), "_ for spaces"),
        (replace(nothing_empty, doc="Nothing"), "is a sentence"),
        (replace(nothing_empty, check=lambda after, history: []), "holds where it is to be broken"),
        (
            replace(nothing_empty, check=lambda after, history: [Violation("always")]),
            "is to hold: always",
        ),
        (replace(nothing_empty, applies=lambda after, history: False), "vacuous"),
        (replace(nothing_empty, check=lambda after, history: ["a"]), "which is no Violation"),
        (replace(nothing_empty, check=lambda after, history: [Violation("")]), "does not say what is wrong"),
    ],
)
def test_a_wrong_invariant(wrong: Invariant, said: str) -> None:
    """The right one passes."""
    check_invariant(nothing_empty, catches=BAD, leaves_alone=GOOD)
    with pytest.raises(AssertionError, match=said):
        check_invariant(wrong, catches=BAD, leaves_alone=GOOD)


def test_a_function_of_the_world_is_an_invariant() -> None:
    """As for `chaos.invariant`: it raises AssertionError."""

    def nothing_is_empty(found: Any) -> None:
        """No file is empty."""
        assert all(found.files.values())

    check_invariant(nothing_is_empty, catches=BAD, leaves_alone=GOOD)


class Shelf:
    """A source that is right: a list of words."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def add(self) -> None:
        """Change it."""
        self.words.append("a")

    def save(self) -> bytes:
        """Return the state."""
        return json.dumps(self.words).encode()

    def restore(self, state: bytes) -> None:
        """Put a state back."""
        self.words = json.loads(state)

    def describe(self, state: bytes) -> dict[str, list[dict[str, Any]]]:
        """Tell what is in a state."""
        return {"shelf": [{"word": word} for word in json.loads(state)]}


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("save", lambda self: str(self.words), "returns str, not bytes"),
        ("save", lambda self: b"[]", "the same bytes after a change"),
        ("restore", lambda self, state: None, "does not bring back"),
        ("restore", lambda self, state: self.words.extend(json.loads(state)), "does not bring back"),
        ("describe", lambda self, state: {}, "tells nothing of the change"),
        ("describe", lambda self, state: {"shelf": [{"word": w} for w in self.words]}, "but another one"),
    ],
)
def test_a_wrong_source(name: str, wrong: Callable[..., Any], said: str) -> None:
    """The right one passes."""
    right = Shelf()
    check_source(right, right.add)
    shelf = type("Wrong", (Shelf,), {name: wrong})()
    with pytest.raises(AssertionError, match=said):
        check_source(shelf, shelf.add)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("target", lambda self, request: "mails", "begins with the host"),
        ("verb", lambda self, request: "post it", "one word"),
        ("verb", lambda self, request: f"post{self._run}", "another name in another run"),
        ("refuse", lambda self, *args: HttpResponse(500), "answers 500"),
        ("refuse", lambda self, request, status, headers, reason="": HttpResponse(status, headers), "the reason"),
        ("full_state", lambda self, state: {}, "leaves out what describe"),
        (
            "handle",
            lambda self, request: _other_each_time(self, request, next(NUMBERS)),
            "another answer",
        ),
    ],
)
def test_a_wrong_twin(name: str, wrong: Callable[..., Any], said: str) -> None:
    """The right one passes."""
    check_twin(RestTwin("https://api.mail.test"), MAIL)
    with pytest.raises(AssertionError, match=said):
        check_twin(type("Wrong", (RestTwin,), {name: wrong})("https://api.mail.test"), MAIL)


def _other_each_time(twin: RestTwin, request: HttpRequest, number: int) -> HttpResponse:
    return replace(RestTwin.handle(twin, request), headers={"date": str(number)})


def test_what_is_no_twin() -> None:
    """It is named."""
    with pytest.raises(AssertionError, match="lacks one of the methods"):
        check_twin(Shelf(), MAIL)  # type: ignore[arg-type]


def test_a_wrong_writer(tmp_path: Path) -> None:
    """One that writes once, one that adds, and one that changes what it is handed; the right one passes."""
    path = tmp_path / "it.json"

    def right(report: Report) -> None:
        path.write_text(json.dumps(report))

    def once(report: Report) -> None:
        if not path.exists():
            right(report)

    def adding(report: Report) -> None:
        with path.open("a") as file:
            file.write(json.dumps(report))

    def changing(report: Report) -> None:
        report["explorations"].clear()
        right(report)

    check_writer(right, path.read_bytes)
    for wrong, said in ((changing, "changes the report"), (once, "the old one stays"), (adding, "written anew, whole")):
        path.unlink(missing_ok=True)
        with pytest.raises(AssertionError, match=said):
            check_writer(wrong, path.read_bytes)


QUEUE = Medium("queue", {"push": AROUND}, (Ability(Kill, ("*",)), Ability(Fail, ("*",))), cancelled=AWAITED)


@pytest.mark.parametrize("medium", [QUEUE, *media().values()], ids=lambda medium: medium.kind)
def test_a_medium(medium: Medium) -> None:
    """One of one's own, and each that comes with Rollproof, keeps what is promised of a medium."""
    check_medium(medium)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"verbs": {}}, "no verb with a phase"),
        ({"kind": "the queue"}, "makes no token"),
        ({"abilities": (Ability(Fail, ("*",)),)}, "no process can be killed before queue.push"),
        ({"abilities": (Ability(Kill, ("*",)),)}, "a Ctrl-C is to come before queue.push"),
        ({"abilities": (Ability(Kill, ("*",)),), "uninterrupted": ("*",)}, "a task is to be cancelled before"),
        ({"abilities": (*QUEUE.abilities, Ability(Misanswer, ("*",), {"who": ()}))}, "has no attribute who"),
        ({"abilities": (*QUEUE.abilities, Ability(Respond, ("pop:before",)))}, "is at pop:before"),
        ({"abilities": (*QUEUE.abilities, Ability(int, ("*",)))}, "int is no action"),
        ({"uninterrupted": ("pop:*",)}, "no Ctrl-C at pop"),
        ({"moves": ("pop",)}, "moves with pop"),
        ({"faults_of": "qeueu"}, "no medium is called so"),
        ({"adapter": "no_such_module:install"}, "cannot be imported"),
        ({"adapter": "json:no_such_function"}, "is no function"),
    ],
)
def test_a_wrong_medium(changed: dict[str, Any], said: str) -> None:
    """Each says something that its adapter, or a token, cannot keep."""
    with pytest.raises(AssertionError, match=said):
        check_medium(replace(QUEUE, **changed))
