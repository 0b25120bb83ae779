"""Refuse faults that cannot happen: an action that its medium cannot carry out there, a place that no medium has.

A fault is looked at when it is installed, at a made-up effect for each place where it can fire; an action that shows
only at a real effect is refused when it is planned. A fault for any kind of point (``at="*"``) is left out where a
medium cannot carry it out; one that names a kind is refused there.
"""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from typing import get_args

from .actions import Action, Say
from .errors import ChaosError, nearest, shown
from .faults import Fault
from .http import ModelAnswer, ToolCall
from .media import media, medium_of
from .media.medium import Ability, Medium
from .points import ActorKind, Effect, Phase, Point

OF_DECLARATIONS = frozenset({"bad-action", "unknown-medium"})
"""Codes of what is wrong with a declaration."""
_SIZE = 100  # bytes: enough to be torn
_SAID = (
    ModelAnswer('{"a": [1, "b"], "c": "d"}', streamed=True),
    ModelAnswer("", (ToolCall("look", '{"a": 1, "b": "c"}'), ToolCall("act", "{}")), "tool_calls"),
)
_Place = tuple[Medium, str, Phase]


def actions(fault: Fault, effect: Effect) -> list[Action]:
    """Return the actions of a fault at an effect, one for each variant.

    Raises:
        ChaosError: ``bad-action`` for one that the medium cannot carry out there.
    """
    point, found = effect.point, list(fault.actions(effect))
    if point.kind not in media():
        return found  # a typed token may name what is not there; it is not reached then
    medium = medium_of(point.kind)
    illegal = [action for action in found if not medium.can(action, point.verb, effect.when)]
    if illegal and not _is_for_any_kind(fault, point):
        raise _bad_action(fault, illegal[0], (medium, point.verb, effect.when))
    return [action for action in found if action not in illegal]


def check_fault(fault: Fault) -> None:
    """Refuse a fault of which it is known ahead that it cannot happen.

    Raises:
        ChaosError: ``unknown-medium`` for a glob of `at` that matches no point, ``bad-action`` for an action that
            cannot be carried out there, or a phase that no point there has.
    """
    _check(fault, tuple(media().values()))


@cache
def _check(fault: Fault, known: tuple[Medium, ...]) -> None:
    """Check a fault once for all tests, as long as the media are the same."""
    for glob in fault.at:
        if not any(fnmatchcase(place, glob) for place in _named_places()):
            raise _unknown_medium(fault, glob)
    places = [place for place in _places() if fault.applies(Effect(Point(place[0].kind, place[1], "x")))]
    for when in fault.when:
        if not any(place[2] == when for place in places):
            text = f"{_called(fault)} is to come {when} {', '.join(fault.at)}, and no point there has such a phase"
            phases = ", ".join(dict.fromkeys(place[2] for place in places))
            raise ChaosError("bad-action", text, f"the phases there: {phases}")
    _check_actions(fault, [place for place in places if place[2] in fault.when])


def _check_actions(fault: Fault, places: Sequence[_Place]) -> None:
    refused: ChaosError | None = None
    possible = False
    for medium, verb, when in places:
        for action in _tried(fault, medium, verb, when):
            if medium.can(action, verb, when):
                possible = True
                continue
            problem = _bad_action(fault, action, (medium, verb, when))
            if not _is_for_any_kind(fault, Point(medium.kind, verb, "x")):
                raise problem
            refused = refused or problem
    if refused is not None and not possible:
        raise refused


def _tried(fault: Fault, medium: Medium, verb: str, when: Phase) -> Iterator[Action]:
    """Yield the actions of a fault at made-up effects; one that needs more shows it when it is planned."""
    answers = (None, *_SAID) if Say in medium.actions_at(verb, when) else (None,)  # a model answers there
    for answer, by in product(answers, get_args(ActorKind)):
        effect = Effect(Point(medium.kind, verb, "x"), _SIZE, answer, by, when)
        try:
            yield from list(fault.actions(effect))
        except Exception:
            return


def _is_for_any_kind(fault: Fault, point: Point) -> bool:
    """Return whether a fault is at a point because it is for any kind, and not since it names this one."""
    named = [glob for glob in fault.at if fnmatchcase(f"{point.kind}.{point.verb}", glob)]
    return all("*" in glob.partition(".")[0] for glob in named)


def _places() -> list[_Place]:
    return [(m, verb, when) for m in media().values() for verb, phases in m.verbs.items() for when in phases]


def _named_places() -> Iterable[str]:
    return dict.fromkeys(f"{medium.kind}.{verb}" for medium, verb, _ in _places())


def _called(fault: Fault) -> str:
    """Return the name of a fault and where it is declared."""
    code = getattr(fault.actions, "__code__", None)
    return fault.name if code is None else f"{fault.name} ({code.co_filename}:{code.co_firstlineno})"


def _unknown_medium(fault: Fault, glob: str) -> ChaosError:
    near = nearest(glob.removesuffix(".*"), [*_named_places(), *media()])
    hint = f"nearest: {', '.join(near)}\nall of them: {', '.join(f'{kind}.*' for kind in media())}"
    return ChaosError("unknown-medium", f"{_called(fault)} is at {shown(glob)}, and no point is called so", hint)


def _bad_action(fault: Fault, action: object, place: _Place) -> ChaosError:
    medium, verb, when = place
    text = f"{_called(fault)} does {shown(action)} {when} {medium.kind}.{verb}, which cannot be done there"
    can = ", ".join(one.__name__ for one in medium.actions_at(verb, when))
    lines = [f"what can be done {when} {medium.kind}.{verb}: {can or 'nothing'}"]
    if not isinstance(action, Action):
        return ChaosError("bad-action", f"{text}: it is no action", lines[0])
    known = [(one, ability) for one in media().values() for ability in one.abilities if ability.action is type(action)]
    where = dict.fromkeys(text for one, ability in known for text in _written(one, ability))
    lines.append(f"{type(action).__name__} can be done {', '.join(where) or 'nowhere'}")
    return ChaosError("bad-action", text, "\n".join(lines))


def _written(medium: Medium, ability: Ability) -> Iterator[str]:
    """Yield the places at which an ability is found, in words."""
    values = {name: [getattr(one, "__name__", str(one)) for one in known] for name, known in ability.only.items()}
    only = ", ".join(f"{name}: {' or '.join(known)}" for name, known in values.items())
    for verb, _, when in (glob.partition(":") for glob in ability.at):
        yield f"{when or 'anywhere in'} {medium.kind}.{verb}" + (f" ({only})" if only else "")
