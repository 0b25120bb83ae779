"""A medium is one kind of point, as a value: whatever the harness must know of it is looked up here.

An adapter in `boundary` (or, for what only relays see, in `engine`) brings an agent's effects to the gate; everything
else asks the medium and never compares kinds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

from ..actions import Action
from ..points import ActorKind, Phase, Point

AROUND: tuple[Phase, ...] = ("before", "after")
AWAITED: Mapping[ActorKind, tuple[Phase, ...]] = MappingProxyType({"task": AROUND, "awaited": ("after",)})
"""Cancelled like a request: a task that awaits it, before and after; what a thread does for a task is done anyway."""


@dataclass(frozen=True, slots=True)
class Ability:
    """An action that a medium can carry out.

    Attributes:
        action: the class of the action.
        at: globs of ``verb:phase``, such as ``*:before``.
        only: by the name of one of the action's attributes, its possible values; a class stands for its instances. An
            attribute that is not named may have any value.
    """

    action: type[Action]
    at: tuple[str, ...]
    only: Mapping[str, tuple[object, ...]] = field(default_factory=dict, hash=False)

    def is_at(self, verb: str, when: Phase) -> bool:
        """Return whether the action can be carried out at this phase of this verb."""
        return any(fnmatchcase(f"{verb}:{when}", glob) for glob in self.at)

    def covers(self, action: Action, verb: str, when: Phase) -> bool:
        """Return whether just this action, with its attributes, can be carried out at this phase of this verb."""
        if not isinstance(action, self.action) or not self.is_at(verb, when):
            return False
        return all(_is_one_of(getattr(action, name), known) for name, known in self.only.items())


def _is_one_of(value: object, known: tuple[object, ...]) -> bool:
    return any(isinstance(value, one) if isinstance(one, type) else value == one for one in known)


@dataclass(frozen=True, slots=True)
class Medium:
    """One kind of point.

    Attributes:
        kind: the first word of its points: ``kind.verb:target``.
        verbs: what an agent can do there, each verb with the phases that it has.
        abilities: which actions of faults its adapter can carry out, and where.
        answered: whether somebody else answers; then targets begin with a host, and crossings count as calls.
        lasts_for: what a lasting fault covers after its point: the whole medium, one host, or one target.
        cancelled: who can be cancelled here, with the phases at which a cancellation reaches them.
        uninterrupted: globs of ``verb:phase`` where no Ctrl-C can come.
        touches_outside: whether its effects change or ask anything outside the process; a sleep does not.
        leaves_clean: whether its effects leave a process as it was, if no descriptor is left.
        in_process: whether the agent's process itself crosses its points; if not, the parent sees them.
        cancels_caller: whether the task that sends a request is a library's, so that its caller is cancelled instead.
        runs_programs: whether another program does the work: in real time, and whatever it likes between two phases.
        changes: what an effect can change outside: what services keep, its target on the disk, or anything there.
        moves: verbs that change more on the disk than their target.
        commits: whether a change shows only with a later effect, such as the commit of a transaction.
        takes_keys: whether a POST can create what an idempotency key tells apart.
        calls_tools: the verb whose target is a host and the name of the tool that is called; "" for none.
        faults_of: the kind whose faults come here too, under the name of this kind; "" for none.
        adapter: ``package.module:function`` of a plugin, called with the `Gate` once in the process that those of the
            agent are forked from; it puts the gate before the effects of this medium. "" for those of Rollproof.
        doing: by verb, or ``*`` for all others, what an agent does there, for people: ``writing {target}``.
        done: by verb, how an effect went of which its adapter says nothing more: ``removed``.
        call: the same as a thing that can be answered: ``{VERB} {target}``; "" where that is what it does.
    """

    kind: str
    verbs: Mapping[str, tuple[Phase, ...]] = field(default_factory=dict, hash=False)
    abilities: tuple[Ability, ...] = ()
    answered: bool = False
    lasts_for: Literal["kind", "host", "target"] = "kind"
    cancelled: Mapping[ActorKind, tuple[Phase, ...]] = field(default_factory=dict, hash=False)
    uninterrupted: tuple[str, ...] = ()
    touches_outside: bool = True
    leaves_clean: bool = False
    in_process: bool = True
    cancels_caller: bool = False
    runs_programs: bool = False
    changes: Literal["services", "target", "anything"] = "services"
    moves: tuple[str, ...] = ()
    commits: bool = False
    takes_keys: bool = False
    calls_tools: str = ""
    faults_of: str = ""
    adapter: str = ""
    doing: Mapping[str, str] = field(default_factory=dict, hash=False)
    call: str = ""
    done: Mapping[str, str] = field(default_factory=dict, hash=False)

    def says_doing(self, verb: str, target: str) -> str:
        """Return the agent's action there, in words: ``writing shared/report.md``."""
        told = self.doing.get(verb) or self.doing.get("*") or "{verb} of {target}"
        return told.format(verb=verb, VERB=verb.upper(), target=target)

    def says_call(self, verb: str, target: str) -> str:
        """Return the agent's action there as a noun, which can have an answer: ``POST api.mail.test/mails``."""
        told = self.call.format(verb=verb, VERB=verb.upper(), target=target)
        return told or self.says_doing(verb, target)

    def can(self, action: Action, verb: str, when: Phase) -> bool:
        """Return whether this action can be carried out at this phase of this verb."""
        return any(ability.covers(action, verb, when) for ability in self.abilities)

    def actions_at(self, verb: str, when: Phase) -> Iterator[type[Action]]:
        """Yield the classes of the actions that can be carried out at this phase of this verb."""
        yield from dict.fromkeys(ability.action for ability in self.abilities if ability.is_at(verb, when))

    def tool(self, point: Point) -> str:
        """Return the name of the tool that is called at a point of this medium; "" for none."""
        return point.target.partition("/")[2] if self.calls_tools and point.verb == self.calls_tools else ""

    def interrupts(self, verb: str, when: Phase) -> bool:
        """Return whether a Ctrl-C can come at this phase of this verb."""
        return not any(fnmatchcase(f"{verb}:{when}", glob) for glob in self.uninterrupted)

    def cancels(self, by: ActorKind, when: Phase) -> bool:
        """Return whether a cancellation can reach the actor at a point of this medium, in this phase."""
        return when in self.cancelled.get(by, ())
