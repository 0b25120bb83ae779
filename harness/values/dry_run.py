"""The schedules that an exploration would try, counted and not tried: plain data, which a worker can send."""

from typing import TypedDict


class DryRun(TypedDict):
    """The points of a fault-free run, and the schedules that would be tried.

    Attributes:
        label: tells the exploration apart within its test; "" for the first without a name.
        points: how many places there are where the run touches the outside.
        faults: for each point with any, in the order of the run, how many schedules of each fault there are.
        orders: how many other orders of effects side by side would be tried.
        second: how many schedules have a second fault behind one of these, at most, where no recovery has more points
            than the run.
        only_at: which points were selected, in words; "" for all.
        pinned: the token of the one schedule that would be carried out; "" where the test is not pinned.
        executions: how many processes the errors take at most, without what each state that they leave takes.
        each_s: seconds of real time that a fault-free run took.
        draws: how many faults a drawn set has at most, and for how many seconds sets are drawn; None for no sets.
        budget_s: the seconds after which the exploration would be ended; None for no end.
    """

    test: str
    label: str
    points: int
    faults: dict[str, dict[str, int]]
    orders: int
    second: int
    only_at: str
    pinned: str
    executions: int
    each_s: float
    draws: tuple[int, float] | None
    budget_s: float | None


def singles_of(found: DryRun) -> int:
    """Return how many schedules of one fault there are."""
    return 1 if found["pinned"] else sum(sum(counts.values()) for counts in found["faults"].values())
