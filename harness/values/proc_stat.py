"""The status of a process, or of one of its threads, from the file ``stat`` of its folder in ``/proc``."""

from dataclasses import dataclass

_real_open = open  # agents' processes replace it


@dataclass(frozen=True, slots=True)
class ProcStat:
    """One process or thread.

    Attributes:
        state: the kernel's letter: "R" and "D" compute or wait for a disk, "Z" and "X" have ended.
        parent, group, session: pids.
        used: ticks of a processor's time.
        start: when it started, in ticks since boot.
    """

    state: str
    parent: int
    group: int
    session: int
    used: int
    start: int


def proc_stat(folder: str) -> ProcStat:
    """Return what ``/proc/<folder>/stat`` tells; `folder` is a pid, or ``<pid>/task/<thread>``.

    Raises:
        OSError: nobody has this pid, or there is no ``/proc``.
    """
    with _real_open(f"/proc/{folder}/stat", "rb", 0) as file:
        fields = file.read().rpartition(b")")[2].split()  # the name of a program may have blanks and brackets in it
    parent, group, session, *_, user, system = map(int, fields[1:13])
    return ProcStat(fields[0].decode(), parent, group, session, user + system, int(fields[19]))
