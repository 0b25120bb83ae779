"""Say what an exploration proved, and under which model; never "no bugs"."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ..boundary.process.interrupts import Interrupted
from ..values.drawn import in_words, reported_drawn
from ..values.exploration import Exploration, counted
from ..values.green import AT_SELECTED, CLOSED_THERE
from ..values.hosts import told_of
from ..values.schedule import SWAP, Schedule
from ..values.sources import remarks_of
from .auditing import Audit
from .config import ExplorationConfig
from .process_runs import ProcessRun

_LEFT_OUT = {
    "after_a_failure": "crash states in which a failure was known already",
    "first_finding": "behind the first finding",
    "grows": "crash states in which more of the same has grown",
    "max_crashes": "crash states behind too many crashes",
    "max_orders": "more orders than are tried",
    "max_worlds": "crash states more than are followed",
}
"""What was left out, by the name of the rule that did it."""
_SHOWN = 3


class Ran(NamedTuple):
    """The way in which an exploration was carried out.

    Attributes:
        cut_at: the number of crashes after which no further one was tried; 0 where there was no such end.
        reduced: whether schedules were merged with others.
        reused: how many runs and recoveries had a process that had carried out another schedule before.
        sampled: how many of those were run again in a fresh one.
    """

    cut_at: int
    reduced: bool
    audit: Audit | None = None
    reused: int = 0
    sampled: int = 0


def claim(result: Exploration, config: ExplorationConfig, ran: Ran) -> str:
    """Return the statement, one paragraph: what was covered, under which model, and what is not known."""
    audit, reduced = ran.audit, ran.reduced
    parts = [
        f"{counted(result.points, 'point')}, {result.schedules} schedules judged in {result.executions} executions",
        counted(result.worlds, "distinct world") if reduced else "no schedule merged with another",
        _word(result, config) + _part(config) + covered(result, config, ran),
        counted(len(result.violations), "violation"),
        f"{_unseen(result.unintercepted)}, {len(result.drifted)} drifted, {len(result.masked)} masked",
    ]
    if audit is not None and audit.audited:
        more = f"in {counted(audit.executions, 'more execution')}, {audit.mismatches} ended otherwise"
        parts.append(f"{counted(audit.audited, 'merged schedule')} also run unmerged {more}")
    if ran.reused:
        parts.append(f"{ran.reused} in used processes, {ran.sampled} of them again in fresh ones")
    if config.retry and result.verdicts.get("clean_retry") == "vacuous":
        parts.append("nothing was rolled back, so running the task again after a rollback was not tried")
    parts += filter(None, [in_words(reported_drawn(result.drawn))])
    parts += _beside(result, config)
    parts += _left(result)
    return "; ".join(parts)


def _beside(result: Exploration, config: ExplorationConfig) -> list[str]:
    """Return the parts of the statement on concurrency, subprocesses and the network."""
    parts = []
    if result.orders:
        parts.append(f"{counted(result.orders, 'other order')} of effects side by side")
    if result.concurrent:
        parts.append(f"{' and '.join(result.concurrent)} side by side, in one order")
    if result.inside:
        count = len(result.inside)
        parts.append(f"inside {count} subprocess{'' if count == 1 else 'es'} not looked at, before and after are")
    if config.relays:
        kind = config.proxies.kind if config.proxies is not None else ""
        through = f" (slow and silent through {kind})" if kind else ""
        twins = {server.name for server in config.servers}
        for what, served in (("real connections", False), ("twins on real ports", True)):
            names = [f.network.name for f in config.relays if (f.network.name in twins) is served]
            parts += [f"{what}: {', '.join(names)}{through}"] if names else []
    if config.hosts:
        parts.append("network permitted: " + ", ".join(sorted(config.hosts)))
    if result.unordered:
        parts.append("left to the machine: " + ", ".join(result.unordered))
    if result.unheld:
        parts.append("not held back from the network: " + ", ".join(result.unheld))
    parts += told_of(result.asked)
    parts += remarks_of(config.twins)
    parts += result.not_explored
    return parts


def _left(result: Exploration) -> list[str]:
    """Return the parts of the statement on what was left out."""
    parts = [result.only_at] if result.only_at else []
    # An interleaving that is impossible was tried, not left out; so was what came when its connection was over.
    left = {rule: count for rule, count in sorted(result.skipped.items()) if rule not in ("held_in_vain", "too_late")}
    if left:
        told = (f"{count} {_LEFT_OUT.get(rule, f'by {rule}')}" for rule, count in left.items())
        parts.append("left out: " + ", ".join(told))
    if count := result.skipped.get("held_in_vain"):
        parts.append(f"{counted(count, 'other order')} could not come")
    if count := result.skipped.get("too_late"):
        parts.append(f"{counted(count, 'fault')} came when the connection was over")
    for family, (tried, planned) in result.not_tried.items():
        parts.append(f"{tried} of {planned} {family} tried")
    if result.growing:
        grows = f"grows with each restart: {', '.join(result.growing)}"
        parts.append(f"{grows} (so further crashes were not tried: limit it, or leave it out with ignore=)")
    if result.flaky:
        parts.append(f"{len(result.flaky)} did not repeat")
    if result.unwatched:
        parts.append(f"{len(result.unwatched)} unwatched writes")
    return parts


def _unseen(effects: Sequence[str]) -> str:
    """Return the number of effects that no wrapper saw, and the first of them, in words."""
    told = f" ({', '.join(effects[:_SHOWN])}{', …' if effects[_SHOWN:] else ''})" if effects else ""
    return f"{counted(len(effects), 'effect')} unseen{told}"


def why_not_reached(schedule: Schedule, processes: Iterable[ProcessRun], not_reached: Collection[str]) -> str:
    """Return why an injection of a replay did not fire: its point was not reached, or no other actor could go first."""
    reached = {point for process in processes for point in process.points}
    held = any(str(i) in not_reached and i.fault == SWAP and i.point in reached for i in schedule.injections)
    return f"drifted: {'this order cannot come, nobody else passed' if held else 'the point was not reached'}"


def interruption(problem: BaseException) -> str:
    """Return the reason of an interruption, in words."""
    if isinstance(problem, Interrupted):
        return problem.why
    if isinstance(problem, KeyboardInterrupt):
        return "Ctrl-C"
    text = str(problem).strip().partition("\n")[0].rstrip(".")
    kind = type(problem).__name__
    return f"{kind}: {text}".rstrip(": ") if isinstance(problem, Exception) else text or kind


def covered(result: Exploration, config: ExplorationConfig, ran: Ran) -> str:
    """Return which faults and how many crashes were tried, in words; of a shard as if it were the whole."""
    at = f" {AT_SELECTED}" if config.points else ""
    faults = ("every selected fault" if result.skipped == {} else "selected faults") + at
    if config.depth > 1:
        faults += " alone and after another"
    if config.kill is None:
        return f"{faults}{'' if config.depth > 1 else ' alone'}, crashes not selected"
    if config.depth == 1:
        faults = ("every single fault" if result.skipped == {} else "single faults") + at
    if not ran.reduced:
        return f"{faults}, up to 2 crashes"
    if result.closed:
        return f"{faults} and any number of crashes (closed)"
    if config.points and not (result.skipped or result.drifted or ran.cut_at):
        return f"{faults}, {CLOSED_THERE}"
    if result.skipped or result.drifted:
        return f"{faults} and crashes, not all of them (not closed)"
    return f"{faults} and up to {ran.cut_at} crashes (not closed)"


def _part(config: ExplorationConfig) -> str:
    part, parts = config.shard
    return "" if parts == 1 else f"shard {part} of {parts} of "


def _word(result: Exploration, config: ExplorationConfig) -> str:
    """Return "exhaustive", where nothing was unseen, left untried, or decided by anything but the harness.

    Crashes are left untried where it is not closed, whatever the reason: a limit of their number, or brute force.
    """
    exact = not (result.unintercepted or result.drifted or result.flaky or result.skipped or result.errors)
    exact = exact and not (result.concurrent or result.inside or result.asked)
    exact = exact and not (result.unheld or result.unordered or result.not_explored)
    exact = exact and not (config.hosts or config.points)
    exact = exact and (result.closed or config.kill is None)
    return "exhaustive: " if exact and config.shard[1] == 1 else ""
