"""What cannot happen is refused: at its declaration as far as it is known then, and else where it is planned."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rollproof.values.actions import (
    Action,
    Damage,
    Deliver,
    Disconnect,
    Disturb,
    Exit,
    Fail,
    Kill,
    Misanswer,
    Respond,
    Say,
)
from rollproof.values.errors import ChaosError
from rollproof.values.faults import Fault, fault
from rollproof.values.http import ModelAnswer
from rollproof.values.legality import actions, check_fault
from rollproof.values.media import media, medium_of, use
from rollproof.values.media.medium import Ability, Medium
from rollproof.values.points import Effect, Phase, Point

from .exploring import options

PHASES: tuple[Phase, ...] = ("before", "middle", "after")
ACTIONS: list[Action] = [
    Kill(),
    Fail(OSError()),
    Disconnect("reset"),
    Respond(500),
    Say(ModelAnswer("no")),
    Exit(1),
    Deliver(),
    Misanswer("forgets"),
    Disturb("reset"),
    Damage("flipped", 0.5),
]


def does(what: object, at: str | tuple[str, ...], when: Phase | tuple[Phase, ...] = "before") -> Fault:
    """Return a fault that does just this."""

    @fault("mine.does_it", at=at, when=when)
    def declared(effect: Effect) -> Iterator[Any]:
        """Do it."""
        yield what

    return declared


def code(refused: Callable[[], object]) -> str:
    """Return the code of what is refused; "" where nothing is."""
    try:
        refused()
    except ChaosError as problem:
        return problem.code
    return ""


@pytest.mark.parametrize("known", options().known.values(), ids=lambda known: known.name)
def test_all_that_comes_with_rollproof_can_be_done(known: Fault) -> None:
    """Each fault's actions are legal wherever it can strike, under each of its names."""
    check_fault(known)


@pytest.mark.parametrize("kind", media())
def test_what_no_adapter_carries_out_is_refused(kind: str) -> None:
    """Each action, at each verb and phase: either the medium says that it can, or the declaration is refused."""
    medium = medium_of(kind)
    assert medium.verbs
    for verb, phases in medium.verbs.items():
        for when in PHASES:
            for action in ACTIONS:
                can = when in phases and medium.can(action, verb, when)
                declared = does(action, f"{kind}.{verb}", when)
                assert code(lambda declared=declared: check_fault(declared)) == ("" if can else "bad-action"), (
                    verb,
                    when,
                    action,
                )


@pytest.mark.parametrize(
    ("what", "at", "when", "texts"),
    [
        (Respond(500), "file.remove", "before", ["before file.remove", "Kill, Fail", "before http.*"]),
        (Exit(3), ("process.run", "file.write"), "middle", ["middle", "file.write", "process.run"]),
        (Disconnect("refused"), "mail.send", "before", ["before mail.send: Kill, Fail", "before mail.connect"]),
        (Damage("cut", 0.5), "sqlite.read", "before", ["how: flipped"]),
        (Fail(OSError()), "net.exchange", "after", ["KeyboardInterrupt"]),
        (Kill(), "file.remove", "middle", ["the phases there: before, after"]),
        ("500", "http", "before", ["it is no action"]),
        (Respond(500), ("*", "file.remove"), "before", ["before file.remove"]),
        (Exit(3), "*", "middle", ["before process.run"]),
        (Misanswer("forgts"), "mcp.call", "before", ["how: forgets or acts and forgets or acts and says nothing"]),
    ],
)
def test_the_refusal_says_what_can_be_done(what: object, at: Any, when: Phase, texts: list[str]) -> None:
    """It names the fault, what can be done there, and where such a thing can be done."""
    with pytest.raises(ChaosError, match=r"mine\.does_it") as refused:
        check_fault(does(what, at, when))
    assert refused.value.code == "bad-action"
    assert [text for text in texts if text not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("at", "nearest"), [("file.remov", "file.remove"), ("fil", "file"), ("http.pots", "http.post")]
)
def test_a_place_that_no_medium_has(at: str, nearest: str) -> None:
    """A typo would be a fault that never applies."""
    with pytest.raises(ChaosError, match=f"nearest: {nearest}") as refused:
        check_fault(does(Kill(), at))
    assert refused.value.code == "unknown-medium"


def test_a_fault_for_any_kind_is_left_out_where_it_cannot_be() -> None:
    """``at="*"`` means wherever it can be; it is planned there, and nowhere else."""
    everywhere = does(Respond(500), "*")
    check_fault(everywhere)
    assert actions(everywhere, Effect(Point("http", "post", "a"))) == [Respond(500)]
    assert actions(everywhere, Effect(Point("file", "write", "a"))) == []


def test_phases_may_be_a_list() -> None:
    """As the globs of places may: a fault is a value, and can be looked up."""
    listed = fault("file.does_it", at=["file.write"], when=["before", "after"])  # type: ignore[arg-type]

    @listed
    def declared(effect: Effect) -> Iterator[Action]:
        """Fail."""
        yield Fail(OSError())

    check_fault(declared)
    assert declared.when == ("before", "after")


def test_what_shows_only_at_a_real_effect_is_refused_when_planned() -> None:
    """A fault that looks at the target yields nothing at a made-up one."""

    @fault("mine.looks", at="file.remove")
    def looks(effect: Effect) -> Iterator[Action]:
        """Answer 500 for one file."""
        if effect.point.target == "shared/a.txt":
            yield Respond(500)

    check_fault(looks)
    assert actions(looks, Effect(Point("file", "remove", "shared/b.txt"))) == []
    assert code(lambda: actions(looks, Effect(Point("file", "remove", "shared/a.txt")))) == "bad-action"


def test_a_medium_is_added_and_forgotten() -> None:
    """What a plugin adds is looked up like every other one; a kind that is there already is refused."""
    abilities = Ability(Kill, ("push:before",)), Ability(Fail, ("push:before",))
    queue = Medium("queue", {"push": ("before", "after")}, abilities, cancelled={"task": ("before",)})
    cancel, pushed = options().known["process.cancel"], Effect(Point("queue", "push", "a"), by="task")
    assert code(lambda: check_fault(does(Kill(), "queue.push"))) == "unknown-medium"
    try:
        use([queue])
        check_fault(does(Kill(), "queue.push"))
        assert code(lambda: check_fault(does(Kill(), "queue.push", "after"))) == "bad-action"
        assert [type(action) for action in actions(cancel, pushed)] == [Fail]  # it says itself who can be cancelled
        assert code(lambda: use([Medium("file")])) == "same-name"
    finally:
        use([])
    assert medium_of("queue") == Medium("queue")
