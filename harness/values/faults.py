"""A fault is one small declaration: a name, where it can fire, and what it does there."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from .actions import Action
from .edits import Edits
from .errors import ChaosError, shown, unknown_fault
from .media import media, medium_of
from .points import Effect, Phase, Point
from .schedule import SWAP, Injection

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to an agent.

    Attributes:
        name: ``family.what_happens``; unique among all that is installed.
        at: globs of ``kind.verb`` where it can fire.
        when: the phases of the effect.
        once: whether it comes once (the next try works).
        lasting: whether it also comes lasting (until the process ends).
        survives_restart: whether, lasting, it is still there for the next process, which may fail; the one after it is
            healthy.
        actions: yields one action for each variant; none where the fault does not apply.
        doc: the first line of its documentation.
        by_default: whether it is tried where nobody selects faults: it would accuse what is commonly accepted.
        told: by phase what happened, as a clause for people: ``the answer to {call} was lost``. It may name `{doing}`,
            `{call}` and `{target}` of the point, and `{edits}`; without one, `doc` is told.
        edits: what it does, where that is drawn and the token names it; None for a fault that has variants.
    """

    name: str
    at: tuple[str, ...]
    when: tuple[Phase, ...]
    once: bool
    lasting: bool
    actions: Callable[[Effect], Iterable[Action]]
    doc: str
    survives_restart: bool = False
    by_default: bool = True
    told: Mapping[Phase, str] = field(default_factory=dict, hash=False)
    edits: Edits | None = None

    def says(self, injection: Injection, *, short: bool = False) -> str:
        """Return an injection of it as a clause for people: ``the answer to POST api.mail.test/mails was lost``.

        With `short`, for a reader who knows already what was called: ``the answer to the first POST was lost``.
        """
        point, medium = injection.point, medium_of(injection.point.kind)
        doing = medium.says_doing(point.verb, point.target)
        call = medium.says_call(point.verb, "" if short and medium.call else point.target).strip()
        if (short or point.n > 1) and medium.call and not call.startswith("the "):
            call = f"the {ordinal(point.n)} {call}"
        doing += f" for the {ordinal(point.n)} time" if point.n > 1 else ""
        told = self.told.get(injection.when)
        if told:
            edits = self.edits.told(injection.edits) if self.edits and injection.edits else "something was edited"
            return told.format(doing=doing, call=call, target=point.target, edits=edits)
        phase = {"before": "before", "middle": "in the middle of", "after": "after"}[injection.when]
        return f"{phase} {doing}: {self.doc[:1].lower()}{self.doc[1:].rstrip('.')}"

    @property
    def rereads(self) -> bool:
        """Return whether it fires at an agent's read of its own write, a point only if such a fault is tried."""
        return any(glob.endswith(".read") for glob in self.at)

    def applies(self, effect: Effect) -> bool:
        """Return whether this fault can fire at the effect's kind of point."""
        return matches(self.at, effect.point)

    def at_kind(self, kind: str, family: str = "") -> "Fault":
        """Return the twin of a fault, such as an ``http.*`` one, at another kind of point that the same seam carries.

        It is called ``family.*``, or where there is no other family ``kind.*``.
        """
        own, _, what = self.name.partition(".")
        at = tuple(glob.replace(f"{own}.", f"{kind}.", 1) for glob in self.at)
        return replace(self, name=f"{family or kind}.{what}", at=at)


def ordinal(number: int) -> str:
    """Return an ordinal number, in words where these are usual: ``first``, ``second``, ``22nd``."""
    words = ("first", "second", "third", "fourth", "fifth")
    if number <= len(words):
        return words[number - 1]
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def with_twins(found: Iterable[Fault]) -> list[Fault]:
    """Return these faults, and those of a medium also under the kinds that share them: ``http.*`` at models, tools."""
    faults = list(found)
    heirs = [(medium.kind, f"{medium.faults_of}.") for medium in media().values() if medium.faults_of]
    return [*faults, *(fault.at_kind(kind) for kind, own in heirs for fault in faults if fault.name.startswith(own))]


def matches(globs: Iterable[str], point: Point) -> bool:
    """Return whether a point's ``kind.verb`` is one of these globs."""
    return any(fnmatchcase(f"{point.kind}.{point.verb}", glob) for glob in globs)


def check_injection(injection: Injection, known: Mapping[str, Fault]) -> None:
    """Raise ChaosError for a typed injection that no agent can meet: what it names, or how it is to come.

    An interleaving (`order.swap`) is no fault and always known; it comes before or after an effect, once.
    """
    name, when = injection.fault, injection.when
    fault = known.get(name)
    if fault is None and name != SWAP:
        raise unknown_fault(name, known, "--chaos-replay")
    if injection.lasting and not (fault and fault.lasting):
        raise ChaosError("bad-token", f"{name} cannot last (--chaos-replay)", f"type it without ~lasting: {name}@…")
    if injection.edits or (fault and fault.edits):
        _check_edits(injection, fault)
    phases = fault.when if fault else ("before", "after")
    if when not in phases or (fault and not fault.applies(Effect(injection.point))):
        raise ChaosError(
            "bad-token",
            f"{name} cannot strike {when} {injection.point} (--chaos-replay)",
            f"it strikes {', '.join(phases)} {', '.join(fault.at) if fault else 'any effect'}",
        )


def _check_edits(injection: Injection, fault: Fault | None) -> None:
    name, edits = injection.fault, injection.edits
    if fault is None or fault.edits is None:
        hint = f"its variants have numbers: {name}.2@…; without one it is the first"
        raise ChaosError("bad-token", f"{shown(edits)} is no variant of {name} (--chaos-replay)", hint)
    if (refusal := fault.edits.refusal(edits, None)) is not None:
        raise ChaosError("bad-token", f"{name}: {refusal[0]} (--chaos-replay)", refusal[1])


def fault(
    name: str,
    *,
    at: str | tuple[str, ...],
    when: Phase | tuple[Phase, ...] = "before",
    once: bool = True,
    lasting: bool = False,
    survives_restart: bool = False,
    by_default: bool = True,
    told: str | Mapping[Phase, str] = "",
    edits: Edits | None = None,
) -> Callable[[Callable[[Effect], Iterator[Action]]], Fault]:
    """Declare a fault. Decorates a generator that yields one `Action` for each variant at an `Effect`.

    A glob in `at` without a dot means every verb of that kind. `told` says what happened as a clause for people, in
    each phase or by phase: ``the answer to {call} was lost``; without one, the docstring's first line is told. A fault
    with `edits` yields one action, that of `Effect.edits`, and nothing where they are "".
    """
    globs = (at,) if isinstance(at, str) else at

    def declare(actions: Callable[[Effect], Iterator[Action]]) -> Fault:
        if not _NAME.fullmatch(name):
            raise TypeError(f"fault {name!r}: a name is family.what_happens, in small letters, digits and _")
        if not actions.__doc__:
            raise TypeError(f"fault {name!r} has no docstring: say in one line what happens")
        doc = actions.__doc__.strip().splitlines()[0]
        phases = (when,) if isinstance(when, str) else tuple(when)
        at_verbs = tuple(g if "." in g else f"{g}.*" for g in globs)
        clauses = dict.fromkeys(phases, told) if isinstance(told, str) else dict(told)
        for clause in clauses.values():
            _check_clause(name, clause)
        return Fault(name, at_verbs, phases, once, lasting, actions, doc, survives_restart, by_default, clauses, edits)

    return declare


def _check_clause(name: str, clause: str) -> None:
    try:
        clause.format(doing="", call="", target="", edits="")
    except (LookupError, ValueError):
        raise TypeError(
            f"fault {name!r}: told={clause!r} may name {{doing}}, {{call}}, {{target}} and {{edits}}"
        ) from None
