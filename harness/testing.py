"""Contract tests for extensions: each raises AssertionError with one sentence where a promise is not kept.

What comes with Rollproof keeps the same promises, by the same functions.
"""

import json
import pickle
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from importlib import import_module
from typing import get_args

from .values import legality
from .values.actions import Action, Fail, Kill, Respond
from .values.causes import Cause
from .values.errors import ChaosError
from .values.exploration import Cell, Exploration, Finding
from .values.faults import Fault
from .values.history import History, Invariant, Violation, of_function
from .values.http import Asked, HttpRequest, HttpResponse, ModelAnswer, ToolCall
from .values.media import media
from .values.media.medium import Medium
from .values.points import ActorKind, Effect, Phase, Point
from .values.replaying import ReplayCommand
from .values.report import Report, ReportedExploration, Writer, reported
from .values.schedule import Schedule
from .values.sources import ModelService, Service, WorldSource
from .values.world import Change, Entry, Row, World

NO_HISTORY = History((), World(), World(), (), ())
"""The history of a schedule in which no process ran: enough for an invariant that looks at the world alone."""

_ANSWERS = (
    ModelAnswer('{"a": "one"}', asked=Asked({"properties": {"a": {"enum": ["one"]}}})),
    ModelAnswer('{"a": [1, 2], "b": "c"}'),
    ModelAnswer("", (ToolCall("save", '{"a": 1}'), ToolCall("mail", "{}")), "tool_calls", streamed=True),
)
_REQUEST = HttpRequest(
    "POST",
    "https://api.anthropic.com/v1/messages",
    body=b'{"messages": [{"role": "user", "content": "{\\"a\\": 2, \\"b\\": \\"d\\"}"}]}',
)
_Case = World | tuple[World, History]


def sample_effects() -> Iterator[Effect]:
    """Yield effects of each kind of points, of the main thread and of a task, with a request and several answers."""
    for medium in media().values():
        for verb in medium.verbs:
            for answer in _ANSWERS:
                point = Point(medium.kind, verb, "shared/a.json")
                yield Effect(point, 100, answer, request=_REQUEST)
                yield Effect(point, 100, answer, "task", request=_REQUEST)


def check_fault(fault: Fault, *effects: Effect) -> None:
    """Check a fault: its name, its sentence, its tokens, and that it fires at `effects`, always in the same way.

    Without `effects`, it has to fire at one of `sample_effects`. What is refused when a fault is installed, an action
    that its medium cannot carry out or a place that no medium has, is refused here, too.
    """
    _check_name(fault)
    samples = (replace(effect, when=when) for effect in sample_effects() for when in fault.when)
    met = [effect for effect in effects or samples if fault.applies(effect)]
    assert not effects or len(met) == len(effects), f"{fault.name} is for {fault.at}, and not for each of these effects"
    met = [one for effect in met for one in _chosen(fault, effect)]
    first, again = ([list(fault.actions(effect)) for effect in met] for _ in range(2))
    assert any(first), f"{fault.name} strikes nowhere: it yields nothing at any of {len(met)} effects"
    for one, other in zip(first, again, strict=True):
        assert repr(one) == repr(other), f"{fault.name} yields {one}, and then {other}: a fault never chooses"
        for action in one:
            _check_action(fault, action)
    try:
        legality.check_fault(fault)
    except ChaosError as problem:
        raise AssertionError(str(problem)) from None


def _chosen(fault: Fault, effect: Effect) -> Iterator[Effect]:
    """Yield an effect; where the fault has edits, with each of those that can come there."""
    if fault.edits is None or effect.edits:
        yield effect
        return
    assert not list(fault.actions(effect)), f"{fault.name} chooses edits by itself: it strikes where the plan has none"
    for edits in (one for by_place in fault.edits.at(effect) for of_place in by_place for one in of_place):
        token = f"{fault.name}.{edits}@{effect.point}:{effect.when}"
        assert str(Schedule.parse(token)) == token, f"{token} does not read back"
        assert fault.edits.told(edits), f"{fault.name} has no words for {edits}"
        refusal = fault.edits.refusal(edits, effect)
        assert refusal is None, f"{fault.name} refuses {edits}, which it offers: {refusal}"
        yield replace(effect, edits=edits)


def _check_name(fault: Fault) -> None:
    family, _, what = fault.name.partition(".")
    assert family.isidentifier(), f"{fault.name!r}: a name is family.what_happens"
    assert what.isidentifier(), f"{fault.name!r}: a name is family.what_happens"
    _check_sentence(fault.name, fault.doc)
    assert fault.when, f"{fault.name} has no moment: when="
    assert fault.once or fault.lasting, f"{fault.name} comes neither once nor lasting"
    for when in fault.when:
        for last in ("", "~lasting"):
            token = f"{fault.name}.2{last}@recover/file.write:shared/a b%23.json#3:{when}"
            assert str(Schedule.parse(token)) == token, f"{token} does not read back"


def _check_action(fault: Fault, action: object) -> None:
    assert isinstance(action, Action), f"{fault.name} yields {action!r}, which is no action: Kill, Fail, Respond, …"
    try:
        pickle.loads(pickle.dumps(action))
    except Exception as problem:
        raise AssertionError(f"{fault.name}: {action!r} cannot be sent to the agent's process: {problem}") from None
    if isinstance(action, Respond) and isinstance(action.body, Mapping):
        try:
            json.dumps(action.body)
        except (TypeError, ValueError) as problem:
            raise AssertionError(f"{fault.name}: the body of {action!r} is no JSON: {problem}") from None


def _check_sentence(name: str, doc: str) -> None:
    assert doc.endswith("."), f"{name}: the first line of its docstring is a sentence: {doc!r}"


def check_invariant(invariant: Invariant | Callable[[World], object], *, catches: _Case, leaves_alone: _Case) -> None:
    """Check an invariant: its name, its sentence, that it is broken in one case and holds, not vacuously, in another.

    A case is a world, or a pair of a world and a history. A function for `chaos.invariant` can be checked, too.
    """
    checked = invariant if isinstance(invariant, Invariant) else of_function(invariant)
    assert checked.name.isidentifier(), f"{checked.name!r}: a name reads after 'it must hold that', with _ for spaces"
    if checked is invariant:
        _check_sentence(checked.name, checked.doc)
    found = _found(checked, catches)
    assert found, f"{checked.name} holds where it is to be broken"
    again = [violation.diff for violation in _found(checked, catches)]  # a message may have addresses of objects in it
    assert [violation.diff for violation in found] == again, f"{checked.name} finds something else the second time"
    for violation in found:
        assert violation.message, f"{checked.name} does not say what is wrong"
        wrong = [change for change in violation.diff if not isinstance(change, Change)]
        assert not wrong, f"{checked.name}: {wrong} in a diff is no Change"
    kept = _found(checked, leaves_alone)
    assert not kept, f"{checked.name} is broken where it is to hold: {kept[0].message}"


def _found(invariant: Invariant, case: _Case) -> list[Violation]:
    """Return the violations of the invariant in a case; a test's own function raises AssertionError instead."""
    world, history = case if isinstance(case, tuple) else (case, NO_HISTORY)
    assert invariant.applies(world, history), f"{invariant.name} has nothing to judge there: it is vacuous"
    try:
        found = list(invariant.check(world, history))
    except AssertionError as broken:
        return [Violation(str(broken) or type(broken).__name__)]
    wrong = [one for one in found if not isinstance(one, Violation)]
    assert not wrong, f"{invariant.name} yields {wrong}, which is no Violation"
    return found


def world(
    files: Mapping[str, bytes] | None = None,
    *,
    private_files: Mapping[str, bytes] | None = None,
    tables: Mapping[str, list[Row]] | None = None,
    private_tables: Mapping[str, list[Row]] | None = None,
    resources: Mapping[str, list[Row]] | None = None,
) -> World:
    """Return a world of files by path, and of rows by the name of their table or collection."""
    return World(_entries(files), tables or {}, resources or {}, _entries(private_files), private_tables or {})


def _entries(files: Mapping[str, bytes] | None) -> dict[str, Entry]:
    return {path: Entry("file", 0o644, content) for path, content in (files or {}).items()}


def check_source(source: WorldSource, change: Callable[[], object]) -> None:
    """Check a source: `change` changes what it stands for, visibly, and any earlier state can be put back."""
    assert isinstance(source, WorldSource), f"{source!r} lacks one of save, restore, describe"
    before = _saved(source)
    told = _described(source, before)
    change()
    after = _saved(source)
    assert after != before, "save() returns the same bytes after a change that is to be seen"
    assert _described(source, after) != told, "describe() tells nothing of the change: nobody would see what differs"
    assert _described(source, before) == told, "describe() does not tell the state that it is given, but another one"
    for state, name in ((before, "an earlier"), (before, "the same"), (after, "a later")):
        source.restore(state)
        assert _saved(source) == state, f"restore() of {name} state does not bring back what save() returned"


def _saved(source: WorldSource) -> bytes:
    state, again = source.save(), source.save()
    assert isinstance(state, bytes), f"save() returns {type(state).__name__}, not bytes"
    assert state == again, "save() returns other bytes for the same state: sort what has no order"
    return state


def _described(source: WorldSource, state: bytes) -> dict[str, list[Row]]:
    found = {name: [dict(row) for row in rows] for name, rows in source.describe(state).items()}
    assert all(isinstance(name, str) for name in found), "describe() names collections by texts"
    return found


def check_twin(twin: Service, request: HttpRequest, *, changes: bool = True) -> None:
    """Check a twin with a request that it carries out and that changes its state.

    ``changes=False`` is for a twin without a state, as a model has none.
    """
    assert isinstance(twin, Service), f"{twin!r} lacks one of the methods of rollproof.Service"
    assert not twin.base_url.endswith("/"), f"the base URL ends with a slash: {twin.base_url}"
    assert request.url.startswith(twin.base_url), f"{request.url} is not below {twin.base_url}"
    verb, target = twin.verb(request), twin.target(request)
    assert verb.isidentifier(), f"verb() is one word, not {verb!r}"
    assert target.partition("/")[0] == request.host, f"target() begins with the host {request.host}, not {target!r}"
    if changes:
        check_source(twin, lambda: twin.handle(request))
    _check_answers(twin, request)
    _check_refusals(twin, request)
    twin.set_run(1)
    assert (twin.verb(request), twin.target(request)) == (verb, target), "a point has another name in another run"
    twin.set_run(0)
    if isinstance(twin, ModelService):
        _check_model(twin, twin.handle(request))


def _check_answers(twin: Service, request: HttpRequest) -> None:
    before, asked = twin.save(), len(twin.requests)
    answer = twin.handle(request)
    assert isinstance(answer, HttpResponse), f"handle() returns {answer!r}, which is no HttpResponse"
    assert answer.status < 400, f"the request is to be carried out, and is answered {answer.status}: {answer.body!r}"
    assert len(twin.requests) == asked + 1, "a request that was handled does not stand in requests"
    after = twin.save()
    twin.restore(before)
    assert twin.handle(request) == answer, "from the same state the same request gets another answer"
    assert twin.save() == after, "from the same state the same request leads to another state"
    seen, all_of_it = twin.describe(after), twin.full_state(after)
    assert set(seen) <= set(all_of_it), "full_state() leaves out what describe() tells"


def _check_refusals(twin: Service, request: HttpRequest) -> None:
    before = twin.save()
    for status in (401, 429, 500, 503):
        refusal = twin.refuse(request, status, {"retry-after": "7"})
        # Some providers have a status of their own: Slack refuses a key with 200, GitHub a limit with 403.
        known = {status, 200, 403} if status == 429 else {status, 200}
        assert refusal.status in known, f"refuse() with {status} answers {refusal.status}"
        assert refusal.headers.get("retry-after") == "7", "refuse() loses the headers that it is given"
        said = twin.refuse(request, status, {}, "Out of tea").body
        assert b"Out of tea" in said, f"refuse() does not give the reason that it is given: {said[:200]!r}"
    assert twin.save() == before, "refuse() acts: a request that is refused changes nothing"


def _check_model(twin: ModelService, response: HttpResponse) -> None:
    said = twin.read_answer(response)
    assert said is not None, "read_answer() finds nothing said in the twin's own answer"
    other = said.with_text("Something else.")
    assert twin.read_answer(twin.write_answer(response, other)) == other, "write_answer() does not say what it is given"


def check_medium(medium: Medium) -> None:
    """Check a medium: its names make tokens, and what it says of actions, Ctrl-C and cancellations fits together.

    What its adapter does shows only in an exploration: a process of the agent dies, raises or is cancelled there.
    """
    places = [(verb, when) for verb, phases in medium.verbs.items() for when in phases]
    assert places, f"{medium.kind} has no verb with a phase"
    for verb, when in places:
        token = f"process.kill@{medium.kind}.{verb}:shared/a#1:{when}"
        try:
            assert str(Schedule.parse(token)) == token, f"{token} does not read back"
        except ChaosError as problem:
            raise AssertionError(f"{medium.kind}.{verb} makes no token: {problem}") from None
    _check_abilities(medium, [f"{verb}:{when}" for verb, when in places])
    for verb, when in places:
        _check_place(medium, verb, when)
    unknown = sorted({*medium.moves} - {*medium.verbs})
    assert not unknown, f"{medium.kind} moves with {', '.join(unknown)}, which is no verb of it"
    known = medium.faults_of in ("", *media())
    assert known, f"{medium.kind} has the faults of {medium.faults_of!r}, and no medium is called so"
    if medium.adapter:
        _check_adapter(medium)


def _check_abilities(medium: Medium, places: Sequence[str]) -> None:
    for ability in medium.abilities:
        name = getattr(ability.action, "__name__", repr(ability.action))
        assert ability.action in get_args(Action), f"{medium.kind}: {name} is no action"
        missing = sorted(set(ability.only) - {each.name for each in fields(ability.action)})
        assert not missing, f"{medium.kind}: {name} has no attribute {', '.join(missing)}"
        idle = [glob for glob in ability.at if not any(fnmatchcase(place, glob) for place in places)]
        assert not idle, f"{medium.kind}: {name} is at {', '.join(idle)}, and no phase is called so"
    idle = [glob for glob in medium.uninterrupted if not any(fnmatchcase(place, glob) for place in places)]
    assert not idle, f"{medium.kind}: no Ctrl-C at {', '.join(idle)}, and no phase is called so"


def _check_place(medium: Medium, verb: str, when: Phase) -> None:
    where = f"{when} {medium.kind}.{verb}"
    killed = not medium.in_process or medium.can(Kill(), verb, when)
    assert killed, f"no process can be killed {where}: crashes would not be tried there"
    interrupted = when != "middle" and medium.interrupts(verb, when)
    raised = not interrupted or medium.can(Fail(KeyboardInterrupt()), verb, when)
    assert raised, f"a Ctrl-C is to come {where}, where nothing can be raised: uninterrupted="
    cancelled = any(medium.cancels(by, when) for by in get_args(ActorKind))
    raised = not cancelled or medium.can(Fail(CancelledError()), verb, when)
    assert raised, f"a task is to be cancelled {where}, where nothing can be raised: cancelled="


def _check_adapter(medium: Medium) -> None:
    module, _, function = medium.adapter.partition(":")
    try:
        found = getattr(import_module(module), function, None)
    except ImportError as problem:
        raise AssertionError(f"the adapter of {medium.kind} cannot be imported: {problem}") from None
    assert callable(found), f"the adapter of {medium.kind}, {medium.adapter}, is no function of that module"


def check_writer(write: Writer, read: Callable[[], object]) -> None:
    """Check a writer: it writes any report, each time the whole, and changes none; `read` returns its text."""
    found = []
    for report in (sample_report(), sample_report(explorations=0), sample_report()):
        kept = deepcopy(report)
        write(report)
        assert report == kept, "the writer changes the report, which others are handed, too"
        found.append(read())
    assert found[0] != found[1], "a report without any exploration is written as one that has some: the old one stays"
    assert found[0] == found[2], "the same report is written in another way the second time: it is written anew, whole"


def sample_report(explorations: int = 2) -> Report:
    """Return a report of violations with a cause and a place, with a cause alone, and with none; not all is ASCII."""
    found = [_exploration(f"tests/test_it.py::test_{n}") for n in range(explorations)]
    return {"version": 2, "seed": 7, "explorations": found}


def _exploration(test: str) -> ReportedExploration:
    effect = "http.post:api.mail.test/mails"
    token = Schedule.parse(f"process.kill@{effect}#1:after")
    causes = (
        Cause("all_or_nothing", "twice", effect, "agent.py", 12, "send", "mail(“Grüße”)"),
        Cause("recovery_succeeds", "raised", exception="OSError"),
        None,
    )
    diff = ("+ api.mail.test/mails: {'to': 'Zoë <z@mail.test>'}",)
    findings = [Finding((c.promise if c else "mine",), token, "sent twice\n& <late>", diff, 2, cause=c) for c in causes]
    cell = Cell(f"{effect}#1", "process.kill", "violated", ("all_or_nothing",), token, 2)
    explored = Exploration(test, points=3, schedules=9, statement="…", violations=tuple(findings), cells=(cell,))
    return reported(explored, ReplayCommand(test))
