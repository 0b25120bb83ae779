"""The meaning of a green result, in sentences for people who know neither agent nor Rollproof; never "no bugs".

Each function reads an exploration in the form of the JSON result, so that results of several runs, joined, are told
in the same words. `noticed` alone reads the engine's result: what it tells stands in JSON as sentences only.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import drawn
from .exploration import Exploration, counted, some_of
from .families import errors_in
from .hosts import told_of
from .schedule import SWAP

_Found = Mapping[str, Any]
NOT_SELECTED = "not selected"
"""Begins why nothing was tried of a family that the selection of faults leaves out."""
_LEFT_OUT = {
    "after_a_failure": "{} behind a failure that was known already: not recovered from.",
    "budget": "{} left out: --chaos-budget ran out.",
    "first_finding": "{} left out: it ended at its first finding.",
    "grows": "{} in which only more of the same has grown: not recovered from.",
    "max_crashes": "{} behind too many crashes: not recovered from.",
    "max_orders": "{} left out: of effects side by side only so many orders are tried.",
    "max_worlds": "{} left out: only so many are followed.",
}
_OF_CRASH_STATES = ("after_a_failure", "grows", "max_crashes", "max_worlds")
_IMPOSSIBLE = "held_in_vain"
"""Of the counts of what was left out, that of orders which cannot come: these were tried."""
_KILL = "process.kill"
AT_SELECTED = "at the selected points"
"""Stands in the model of an exploration whose faults were placed at some of the points alone."""
CLOSED_THERE = "and any number of crashes at these alone"
"""Ends the model where, of such an exploration, no new state of the outside came."""
_ON_REQUEST = "Tried only where they are selected by name: "


def proved(found: _Found) -> list[str]:
    """Return the sentences on what was proved; none if the exploration did not end, or if nothing happened in it."""
    if found["interrupted"] or not found["schedules"]:
        return []
    if not found["model"]:
        return [] if found["drifted"] else ["One schedule was carried out, truly, and nothing else."]
    sentences = [*_counted(found)]
    if found["closed"] and not missing_shards(found):
        states = f"{counted(found['worlds'], 'state')} to recover from{', by part' if found['shards'] else ''}"
        until = f"until no new state of the outside came: {states}"
        sentences.append(f"The process was killed at each of these places, and again in each recovery, {until}.")
    if held := sorted(name for name, verdict in found["verdicts"].items() if verdict == "holds"):
        sentences.append(f"These promises held each time: {', '.join(held)}.")
    if sets := drawn.in_words(found.get("drawn", drawn.reported_drawn(drawn.NONE))):
        sentences.append(f"{sets}.")
    if found["audited"]:
        also = "Merged schedules that were carried out by themselves as well, to see that they end alike"
        sentences.append(f"{also}: {found['audited']}.")
    return sentences


def _counted(found: _Found) -> Iterator[str]:
    """Yield the sentences that a statement has, too, in the same numbers and under the same model."""
    part = f"the part {', '.join(found['shards'])} of " if missing_shards(found) else ""
    yield _hit(found)
    yield f"Tried was {part}{found['model']}."


def _hit(found: _Found) -> str:
    faults = {cell["fault"] for cell in found["cells"]} - {SWAP}
    places = f"{counted(found['points'], 'place')} where the agent touches the outside"
    were = "was" if found["points"] == 1 else "were"
    were = f"; those that were selected {were}" if AT_SELECTED in found["model"] else f" {were}"
    hit = f"{places}{were} hit by {counted(len(faults), 'fault')}"
    carried_out = f"{counted(found['schedules'], 'schedule')} in {counted(found['executions'], 'execution')}"
    alike = ", or is the same to every recovery as one that was" if any(c["merged"] for c in found["cells"]) else ""
    return f"{hit}: {carried_out}; each was carried out{alike}."


def not_proved(found: _Found) -> list[str]:
    """Return the sentences on what was not looked at or decided, as far as JSON has it in numbers and lists."""
    return [sentence for part in (_not_tried, _not_seen, _not_decided, _not_meant) for sentence in part(found)]


def noticed(exploration: Exploration) -> list[str]:
    """Return the sentences on what runs did and nobody looked at, which the JSON result has in no other form."""
    side_by_side = f"Side by side, and tried in one order only: {', '.join(exploration.concurrent)}."
    return [
        *([f"{exploration.only_at[:1].upper()}{exploration.only_at[1:]}."] if exploration.only_at else []),
        *([side_by_side] if exploration.concurrent else []),
        *(f"A program that changed what is watched was not looked into: {point}." for point in exploration.inside),
        *(f"The agent {asked}." for asked in told_of(exploration.asked)),
        *(
            f"A real host may be reached directly, without faults, and is not put back: {host}."
            for host in exploration.permitted
        ),
        *(f"Not held back from the network: {what}." for what in exploration.unheld),
        *(f"Left to the machine, and perhaps otherwise the next time: {what}." for what in exploration.unordered),
        *(f"{what} grows with each restart, so further crashes were not tried." for what in exploration.growing),
        *(
            [f"{_ON_REQUEST}{', '.join(exploration.on_request)}."]
            if exploration.on_request and exploration.model
            else []
        ),
    ]


def noticed_in(found: _Found) -> list[str]:
    """Return those sentences of `not_proved` in a result that `noticed` gave."""
    told = {*not_proved(found)}
    return [sentence for sentence in found["not_proved"] if sentence not in told]


def beside_lists(found: _Found) -> tuple[list[str], list[str]]:
    """Return `proved` and `not_proved` for a view that has the statement, and each of the lists in full."""
    proved, not_proved = found["proved"], found["not_proved"]
    told = {*(_counted(found) if proved else ()), *_listed(found)}
    return [one for one in proved if one not in told], [one for one in not_proved if one not in told]


def gaps(found: _Found) -> list[str]:
    """Return those sentences of `not_proved` that are gaps, as in a statement; the others say what was not meant."""
    seen = [sentence for sentence in noticed_in(found) if not sentence.startswith(_ON_REQUEST)]
    return [*_not_tried(found), *_not_seen(found), *seen]


def is_exhaustive(found: _Found) -> bool:
    """Return whether nothing was unseen, left untried, or decided by anything but the harness."""
    counts = ("interrupted", "unintercepted", "drifted", "flaky", "skipped", "errors", "not_explored")
    seen = [sentence for sentence in noticed_in(found) if not sentence.startswith(_ON_REQUEST)]
    return not any(found[name] for name in counts) and not missing_shards(found) and not seen and not is_open(found)


def missing_shards(found: _Found) -> list[str]:
    """Return the names of the parts of the same whole that are not in it."""
    there = found["shards"]
    wholes = {int(name.partition("/")[2]) for name in there}
    names = [f"{part}/{count}" for count in sorted(wholes) for part in range(1, count + 1)]
    return [name for name in names if name not in there]


def _not_tried(found: _Found) -> Iterable[str]:
    if found["interrupted"]:
        yield f"Interrupted by {found['interrupted']}: all that comes after that."
    if missing := missing_shards(found):
        yield f"Parts of the same tests that are not in this result: {', '.join(missing)} (rollproof merge joins them)."
    for rule, count in sorted(found["skipped"].items()):
        if rule != _IMPOSSIBLE:
            thing = "crash state" if rule in _OF_CRASH_STATES else "schedule"
            yield _LEFT_OUT.get(rule, f"{{}} left out by {rule}.").format(counted(count, thing))
    for family, why in sorted(found["not_tried"].items()):
        if not why.startswith(NOT_SELECTED):
            yield f"{family[:1].upper()}{family[1:]}: {why}."
    if is_open(found):
        yield "Further crashes: new states of the outside still came (not closed)."


def is_open(found: _Found) -> bool:
    """Return whether crashes are left that were not tried."""
    closed = all(found["shards"].values()) if found["shards"] else found["closed"]
    open_ended = bool(found["model"]) and not closed and not found["model"].endswith(CLOSED_THERE)
    return open_ended and _KILL in {cell["fault"] for cell in found["cells"]}


def _not_seen(found: _Found) -> Iterable[str]:
    if count := found["drifted"]:
        yield f"{counted(count, 'schedule')} whose point was not reached."
    if count := found["unintercepted"]:
        yield f"{counted(count, 'effect')} of the agent that nothing saw coming: no fault was tried there."
    yield from _listed(found)


def _listed(found: _Found) -> Iterator[str]:
    if found["unwatched"]:
        yield f"Written and not watched, so not compared: {some_of(found['unwatched'])}."
    if found["masked"]:
        yield f"Masked, as it differs between two runs without a fault: {some_of(found['masked'])}."
    yield from (f"{text}." for text in found["not_explored"])


def _not_decided(found: _Found) -> Iterable[str]:
    verdicts = sorted(found["verdicts"].items())
    if idle := [name for name, verdict in verdicts if verdict == "vacuous"]:
        yield f"Promises that had nothing to judge: {', '.join(idle)}."
    if unknown := [name for name, verdict in verdicts if verdict == "unknown"]:
        yield f"Promises that could not be judged: {', '.join(unknown)}."
    if count := len(errors_in(found["errors"])):
        yield f"{counted(count, 'error')} of the harness or of a check, each told in full."
    if count := len(found["flaky"]):
        yield f"{counted(count, 'failure')} that did not repeat."


def _not_meant(found: _Found) -> Iterable[str]:
    left_out = sorted(found["not_tried"].items())
    if others := [family for family, why in left_out if why.startswith(NOT_SELECTED)]:
        yield f"Not selected: {', '.join(others)}."
    rows = found["grid"]["families"]
    if nowhere := [row["name"] for row in rows if not row["tried"] + row["merged"] + row["not_tried"]]:
        there = AT_SELECTED if AT_SELECTED in found["model"] else "as the agent does nothing where they could be put"
        yield f"Not applicable, {there}: {', '.join(nowhere)}."
