"""Events reach the readers of their type, in their order, and nobody else."""

from rollproof.values.events import CrashStateFound, Events, Judged, PointReached, Reader
from rollproof.values.schedule import Schedule


def test_an_event_reaches_the_readers_of_its_type_in_their_order() -> None:
    """One reader may read several types, and one type may have several readers."""
    told: list[str] = []
    both = Reader((CrashStateFound, Judged), lambda event: told.append(f"both {type(event).__name__}"))
    one = Reader((Judged,), lambda event: told.append(f"one {type(event).__name__}"))
    events = Events([both, one])
    events.tell(Judged(Schedule(), ()))
    events.tell(CrashStateFound(1, Schedule()))
    assert told == ["both Judged", "one Judged", "both CrashStateFound"]


def test_what_nobody_reads_is_not_wanted() -> None:
    """The engine asks before it makes an event of which there are many."""
    events = Events([Reader((Judged,), lambda event: None)])
    assert events.wants(Judged)
    assert not events.wants(PointReached)
