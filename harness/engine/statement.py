"""Say what an exploration proved, and under which model; never "no bugs"."""

from ..boundary.interrupts import Interrupted
from ..values.exploration import Exploration
from ..values.hosts import told_of
from .auditing import Audit
from .setting import Setting


def statement(
    result: Exploration,
    setting: Setting,
    *,
    cut_at: int,
    reduced: bool,
    audit: Audit | None = None,
    reused: int = 0,
    sampled: int = 0,
) -> str:
    """Return one paragraph: what was covered, how, and what is not known.

    `cut_at` is the number of crashes after which no further one was tried, 0 where there was no such end; `reused` that
    of runs and recoveries in a process that had carried out another schedule before, `sampled` of those that were lived
    again in a fresh one.
    """
    found = len(result.violations)
    parts = [
        f"{result.points} points, {result.schedules} schedules judged in {result.executions} executions",
        f"{result.worlds} distinct worlds" if reduced else "no schedule merged with another",
        _covered(result, setting, cut_at, reduced),
        f"{found} violation{'' if found == 1 else 's'}",
        f"{len(result.unintercepted)} unintercepted, {len(result.drifted)} drifted, {len(result.masked)} masked",
    ]
    if audit is not None and audit.audited:
        more = f"in {audit.executions} more executions"
        parts.append(f"{audit.audited} merged schedules run truly {more}, {audit.mismatches} mismatches")
    if reused:
        parts.append(f"{reused} in used processes, {sampled} of them again in fresh ones")
    parts += _beside(result, setting)
    parts += _left(result)
    return "; ".join(parts)


def _beside(result: Exploration, setting: Setting) -> list[str]:
    """Return what came side by side, and what was reached that nobody looks into."""
    parts = []
    if result.orders:
        parts.append(f"{result.orders} other order{'' if result.orders == 1 else 's'} of effects side by side")
    if result.concurrent:
        parts.append(f"{' and '.join(result.concurrent)} side by side, in one order")
    if result.inside:
        count = len(result.inside)
        parts.append(f"inside {count} subprocess{'' if count == 1 else 'es'} not looked at, before and after are")
    if setting.fronts:
        kind = setting.proxies.kind if setting.proxies is not None else ""
        through = f" (slow and silent through {kind})" if kind else ""
        parts.append("real connections: " + ", ".join(front.network.name for front in setting.fronts) + through)
    if setting.hosts:
        parts.append("network permitted: " + ", ".join(sorted(setting.hosts)))
    if result.unheld:
        parts.append("not held back from the network: " + ", ".join(result.unheld))
    parts += told_of(result.asked)
    return parts


def _left(result: Exploration) -> list[str]:
    """Return what was left out, and what is not known."""
    parts = []
    if result.skipped:
        parts.append("left out: " + ", ".join(f"{count} by {rule}" for rule, count in sorted(result.skipped.items())))
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


def interruption(problem: BaseException) -> str:
    """Say what interrupted an exploration."""
    if isinstance(problem, Interrupted):
        return problem.why
    if isinstance(problem, KeyboardInterrupt):
        return "Ctrl-C"
    text = str(problem).strip().partition("\n")[0].rstrip(".")
    kind = type(problem).__name__
    return f"{kind}: {text}".rstrip(": ") if isinstance(problem, Exception) else text or kind


def _covered(result: Exploration, setting: Setting, cut_at: int, reduced: bool) -> str:
    exact = not (result.unintercepted or result.drifted or result.flaky or result.skipped or result.errors)
    exact = exact and not (result.concurrent or result.inside or result.asked or result.unheld)
    word = "exhaustive: " if exact and setting.shard[1] == 1 and not setting.hosts else ""
    part = "" if setting.shard[1] == 1 else f"shard {setting.shard[0]} of {setting.shard[1]} of "
    faults = "every selected fault" if result.skipped == {} else "selected faults"
    if setting.depth > 1:
        faults += " alone and after another"
    if setting.kill is None:
        return f"{word}{part}{faults}{'' if setting.depth > 1 else ' alone'}, crashes not selected"
    if setting.depth == 1:
        faults = "every single fault" if result.skipped == {} else "single faults"
    if not reduced:
        return f"{word}{part}{faults}, up to 2 crashes"
    if result.closed:
        return f"{word}{part}{faults} and any number of crashes (closed)"
    if result.skipped or result.drifted:
        return f"{part}{faults} and crashes, not all of them (not closed)"
    return f"{word}{part}{faults} and up to {cut_at} crashes (not closed)"
