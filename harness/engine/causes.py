"""Failing ends put together by their cause: the fewest causes that explain all of them.

An end shows several symptoms of one bug, and one bug shows in several ends. A cause is a symptom; an end belongs to it
where it has that symptom. Which causes there are is a set cover: first those that explain an end alone, then always the
one that explains most of what is left. Kin: the minimal candidates of model-based diagnosis (de Kleer, Reiter).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ..values.rare import rare
from ..values.schedule import Injection, Schedule
from . import races
from .findings import Failure
from .sites import Sites
from .symptoms import Symptom, Symptoms

Key = races.Key
Size = Callable[[Schedule], tuple[object, ...]]
_SideKey = tuple[str, Key]


@dataclass(slots=True)
class Group:
    """Failures of one cause.

    Attributes:
        key: what they share.
        failures: the best example first.
        also: groups that were put to this one, since the same schedule makes the same effect come twice there, by
            another call of the process that an error left.
    """

    key: Key
    failures: list[Failure] = field(default_factory=list)
    also: "list[Group]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _End:
    """A failure, and the keys of its symptoms; `sides` and `others` tell with which right end they were compared."""

    failure: Failure
    keys: tuple[Key, ...]
    sides: frozenset[_SideKey]
    others: frozenset[_SideKey]


def key_of(symptom: Symptom, sites: Sites) -> Key:
    """Return the key that two symptoms of one cause have in common.

    How a set is half done, and which part of it, is chance: that depends on where the process died. What counts is the
    place in the agent's code, and whether an effect came twice, was left over, was claimed and is not there, or is half
    done.
    """
    if symptom.unchecked and symptom.at is not None:
        return "unchecked", sites.key(symptom.at.place), symptom.at.effect
    if symptom.raised is not None:
        return "raised", symptom.raised.type, sites.key(symptom.raised.place)
    if symptom.at is None:
        return "promise", symptom.promise
    kind: str = symptom.way if symptom.way in ("twice", "not ended", "untrue") else "half done"
    if symptom.way == "twice" and symptom.change is None:
        kind = "sent again"
    return "left over" if symptom.promise == "no_leftovers" else kind, sites.key(symptom.at.place) or symptom.at.effect


class Causes:
    """Groups failures by cause; remembers each failure's key, since groups are made anew at every confirmation.

    Args:
        sites: tells how many callers a place needs.
        size: of two examples, the smaller one is shown.
    """

    def __init__(self, sites: Sites, size: Size) -> None:
        self._sites, self._size = sites, size
        self._ends: dict[int, tuple[object, Symptoms, _End]] = {}
        self._known: set[Key] = set()
        self._raced: dict[str, Key] = {}

    def groups(self, failures: Iterable[Failure]) -> list[Group]:
        """Return the failures by their cause, the group with the best example first.

        A failure is in one group, and in one more for each effect that came twice. An end that is wrong by itself is a
        better example than one in which only a further process shows what is wrong. A race comes before all of them.
        """
        failures = sorted(failures, key=self._rank)
        for failure in failures:
            self._see(failure)
        self._raced = races.raced(failures)
        ends = [self._end(failure) for failure in failures]
        groups: dict[Key, Group] = {}
        for end in ends:
            for key in _doubled(end.keys):  # what is done twice here is no reason for what is done twice there
                groups.setdefault(key, Group(key)).failures.append(end.failure)
        for family in (_half_done, _left_over):
            # Each family by itself: with one cover for all, a lock that stays behind in every end hid a page that was
            # torn in some.
            keys = [(end, found) for end in ends if (found := family(end.keys))]
            chosen = _cover([found for _, found in keys])
            parts: dict[Key, set[frozenset[Injection]]] = {key: set() for key in chosen}
            for end, found in keys:
                key = _belongs_to(end, [key for key in found if key in chosen], parts)
                parts[key].add(frozenset(end.failure.schedule.injections))
                groups.setdefault(key, Group(key)).failures.append(end.failure)
        self._known = set(groups)
        both = self._seen_from_both_sides(list(groups.values()), {id(end.failure): end for end in ends})
        return self._in_both_processes(both)

    def explains(self, failure: Failure) -> bool:
        """Return whether the causes that were found last explain one more failure."""
        self._see(failure)
        if failure.is_race and races.race_of(failure, self._raced) is None:
            return False
        keys = self._end(failure).keys
        rest = [found for family in (_half_done, _left_over) if (found := family(keys))]
        return self._known.issuperset(_doubled(keys)) and all(self._known & set(found) for found in rest)

    def _see(self, failure: Failure) -> None:
        for process in failure.judgement.executions:
            self._sites.see(process)

    def _end(self, failure: Failure) -> "_End":
        # Where a place needs more callers by now, ends that had one key may have two.
        version, symptoms = (self._sites.version, *sorted(self._raced)), failure.symptoms
        known = self._ends.get(id(failure))
        if known is None or known[0] != version or known[1] is not symptoms:
            known = self._ends[id(failure)] = version, symptoms, self._described(failure, symptoms)
        return known[2]

    def _described(self, failure: Failure, symptoms: Symptoms) -> "_End":
        own = sorted(symptoms.own, key=lambda symptom: symptom.gravity)
        keys = {symptom: key_of(symptom, self._sites) for symptom in (*own, *symptoms.other)}
        sides = frozenset((symptom.side, keys[symptom]) for symptom in own)
        others = frozenset((symptom.side, keys[symptom]) for symptom in symptoms.other)
        return _End(failure, self._explained(failure, own, keys), sides, others)

    def _explained(self, failure: Failure, own: Sequence[Symptom], keys: Mapping[Symptom, Key]) -> tuple[Key, ...]:
        """Return the keys that can explain an end: those of its symptoms, or its race where all belong to one."""
        race = races.race_of(failure, self._raced)
        if race is not None:
            return (race,)
        raced = {symptom: key for symptom in own if (key := races.explaining(symptom, self._raced)) is not None}
        rest = [keys[symptom] for symptom in own if symptom not in raced]
        return tuple(dict.fromkeys(rest or raced.values()))

    def _rank(self, failure: Failure) -> tuple[object, ...]:
        """Return the sort key of examples, the best first; one in a new process needs no worker."""
        told = failure.symptoms.asked, failure.judgement.goes_on
        return not failure.is_race, len(failure.schedule.injections), *told, self._size(failure.schedule)

    def _in_both_processes(self, groups: list[Group]) -> list[Group]:
        """Put what comes twice in the process that goes on to what comes twice in a new one, of the same schedule.

        The calls that lead there may differ, since the one remembers and the other does not; the token is one.
        """
        kept: list[Group] = []
        for group in groups:
            known = next((one for one in kept if _comes_twice_as(one, group)), None)
            if known is None:
                kept.append(group)
            else:
                rare("one effect comes twice in both processes, by different calls")
                known.also.append(group)
                more = [failure for failure in group.failures if failure not in known.failures]
                known.failures = sorted([*known.failures, *more], key=self._rank)
        return kept

    def _seen_from_both_sides(self, groups: list[Group], ends: dict[int, "_End"]) -> list[Group]:
        """Put groups together that are one half-done set.

        One end of such a set is nearer to the state before the run, another to the state after it. Every end of the one
        group shows the other's key from the other side, and an end of the other shows the one's.
        """
        kept: list[Group] = []
        for group in groups:
            for known in kept:
                if _shows(group, known, ends, all) and _shows(known, group, ends, any):
                    known.failures = sorted([*known.failures, *group.failures], key=self._rank)
                    break
            else:
                kept.append(group)
        return kept


def _comes_twice_as(one: Group, other: Group) -> bool:
    """Return whether the same effect comes twice in both, by the same schedule, in a new process and in the old."""
    new, old = one.failures[0], other.failures[0]
    in_both = old.judgement.goes_on and not new.judgement.goes_on and new.schedule == old.schedule
    twice = one.key[0] == other.key[0] == "twice"
    return in_both and twice and _innermost(one.key) == _innermost(other.key)


def _innermost(key: Key) -> object:
    """Return the place of an effect without the calls that lead there, or the effect where it has no place."""
    return key[1][0] if isinstance(key[1], tuple) and key[1] else key[1]


def _doubled(keys: Sequence[Key]) -> tuple[Key, ...]:
    return tuple(key for key in keys if key[0] == "twice")


def _half_done(keys: Sequence[Key]) -> tuple[Key, ...]:
    return tuple(key for key in keys if key[0] not in ("twice", "left over"))


def _left_over(keys: Sequence[Key]) -> tuple[Key, ...]:
    """Return the symptoms of things left over; none where work is half done: then nobody has cleaned up yet."""
    return () if _half_done(keys) else tuple(key for key in keys if key[0] == "left over")


def _cover(ends: Sequence[Sequence[Key]]) -> set[Key]:
    """Return the fewest keys such that each end has one, or nearly so."""
    # What explains an end alone is in every cover. Then greedily: the smallest cover is NP-hard to find.
    chosen = {keys[0] for keys in ends if len(keys) == 1}
    while left := [keys for keys in ends if not chosen & set(keys)]:
        counts = Counter(key for keys in left for key in keys)
        # a promise of somebody else's names no place: it explains what nothing else does
        placed = {key: count for key, count in counts.items() if key[0] != "promise"} or counts
        chosen.add(max(placed, key=placed.__getitem__))
    return chosen


def _belongs_to(end: _End, keys: Sequence[Key], parts: dict[Key, set[frozenset[Injection]]]) -> Key:
    """Return the key under which a part of this schedule stands already, else that of the gravest symptom."""
    injections = end.failure.schedule.injections
    # Two faults that contain a failing schedule of one fault are the same bug with something beside it.
    smaller = [frozenset(part) for size in range(1, len(injections)) for part in combinations(injections, size)]
    return next((key for key in keys if not parts[key].isdisjoint(smaller)), keys[0])


def _shows(one: Group, other: Group, ends: dict[int, _End], each: Callable[[Iterable[bool]], bool]) -> bool:
    found = {side for failure in other.failures for side in ends[id(failure)].sides if side[1] == other.key}
    return each(bool(found & ends[id(failure)].others) for failure in one.failures)
