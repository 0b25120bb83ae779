"""The ends of the runs that a fault struck, in one sentence."""

from rollproof.values.exploration import counted
from rollproof.values.report import ReportedExploration
from rollproof.values.struck import RecoverySeconds, ReportedStruck


def in_words(exploration: ReportedExploration) -> str:
    """Return how struck runs ended, how long that took and what it cost; "" for none, as in an older result."""
    struck = exploration.get("struck")
    if struck is None or not any(struck["ends"].values()):
        return ""
    ends = ", ".join(f"{count} {end}" for end, count in struck["ends"].items() if count)
    parts = [ends, *_recovery(struck["recovery_s"]), *_again(struck)]
    return "; ".join(parts)


def _recovery(seconds: RecoverySeconds) -> list[str]:
    """Return the virtual time of the recoveries; nothing where none came to an end."""
    median, p95, longest = (f"{one:g} s" for one in (seconds["median"], seconds["p95"], seconds["max"]))
    if not seconds["max"]:
        return []
    if median == longest:
        return [f"recovery {median} of virtual time"]
    return [f"recovery {median} of virtual time (median), 95 % within {p95}, all within {longest}"]


def _again(struck: ReportedStruck) -> list[str]:
    calls, tokens = struck["model_calls_again"], struck["tokens_again"]
    return [f"{counted(calls, 'model call')} again, {counted(tokens, 'token')}"] if calls else []
