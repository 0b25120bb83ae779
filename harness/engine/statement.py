"""Say what an exploration proved, and under which model; never "no bugs"."""

from ..values.exploration import Exploration


def statement(result: Exploration, *, crashes: bool, cut_at: int, reduced: bool, mismatches: int) -> str:
    """Return one paragraph: what was covered, how, and what is not known."""
    found = len(result.violations)
    parts = [
        f"{result.points} points, {result.schedules} schedules judged in {result.executions} executions",
        f"{result.worlds} distinct worlds" if reduced else "no schedule merged with another",
        _covered(result, crashes, cut_at, reduced),
        f"{found} violation{'' if found == 1 else 's'}",
        f"{len(result.unintercepted)} unintercepted, {len(result.drifted)} drifted, {len(result.masked)} masked",
    ]
    if result.audited:
        parts.append(f"{result.audited} merged schedules run truly, {mismatches} mismatches")
    if result.skipped:
        parts.append("left out: " + ", ".join(f"{count} by {rule}" for rule, count in sorted(result.skipped.items())))
    if result.flaky:
        parts.append(f"{len(result.flaky)} did not repeat")
    if result.unwatched:
        parts.append(f"{len(result.unwatched)} unwatched writes")
    return "; ".join(parts)


def _covered(result: Exploration, crashes: bool, cut_at: int, reduced: bool) -> str:
    exact = not (result.unintercepted or result.drifted or result.flaky or result.skipped or result.errors)
    word = "exhaustive: " if exact else ""
    if not crashes:
        return f"{word}every selected fault alone, crashes not selected"
    if not reduced:
        return f"{word}every single fault, up to 2 crashes"
    if result.closed:
        return f"{word}every single fault and any number of crashes (closed)"
    return f"{word}every single fault and up to {cut_at} crashes (not closed)"
