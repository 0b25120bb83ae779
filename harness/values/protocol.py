"""The messages between the test's process, the agent's processes, the relays and the servers of twins.

A run of one process of the agent; ``→`` is a message, ``⇄`` one that waits for its reply::

    test's process (tracer)              agent's process (gate)             relay, one a service
    RunBegins ──────────────────────────────────────────────────────────────→
    RunRequest ─────────────────────────→
                 ←───────── PointAnnounced   a point is reached; told before anything happens there
                 ←⇄───────── PhaseReached    traced runs: stands still while the parent looks
                 ←───────── PointOutcome     traced runs: how an effect went that has no phase after it
                 ←─────── InjectionFired     a fault of the plan fires here
                 ←⇄────────── TwinRequest    the twin lives in the parent; the reply is its answer, or a Refusal
                 ←⇄─────── ConnectRequest    about to connect to a relay
                 ←⇄───────── PendingQuery    RelayPendingQuery ⇄ RelayPending asks each relay
                 ←⇄───────── DebuggerAsks    a replay in the debugger; the reply is what the person types
                 ←───────── Note, FileDamaged, SubprocessStarted
                 ←⇄─────────────────────────────────────── RelayStop   a connection stands still; the reply is Proceed
                 ←──────────────────────────────────────── ConnectionClosed
                 ←───────────── RunEnded     it may wait for another RunRequest, or for FinishRequest
    SettleRequest ⇄ SettleDone ───────────────────────────────────────────────→ and the servers of twins

A server of a twin asks `ServedRequest`, and gets `ServedReply`, at any time.

The messages that come at each point are named tuples: these are pickled three times as fast as records with slots.
"""

import io
import os
import stat
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .actions import Disturb
from .http import HttpRequest, HttpResponse
from .places import Place, Raised
from .points import ActorKind, InFlight, Phase, Point
from .reads import EVERYTHING, Footprint


class PointAnnounced(NamedTuple):
    """A point is reached. Sent before anything happens there: a process that is killed there could not send it.

    The first five fields are those of the point; `place` is the number of the place in the agent's code, `frames` the
    place itself where it is a new one; `within` are the names of the steps and graph nodes that it is inside of, the
    outermost first.
    """

    kind: str
    verb: str
    target: str
    n: int
    task: str
    place: int
    frames: Place | None
    within: tuple[str, ...]


class PhaseReached(NamedTuple):
    """A phase of a point is reached. The process waits until the parent has looked at the outside.

    `by` is the kind of actor at it; `outcome` how the effect went, for people: "" before it, and where its medium says
    no more than that it is done.
    """

    point: Point
    when: Phase
    clock: float
    size: int = 0
    by: ActorKind = "main"
    outcome: str = ""


class PointOutcome(NamedTuple):
    """The outcome, for people, of an effect that does not come to its end, or whose end the agent is told otherwise."""

    point: Point
    outcome: str


class TwinRequest(NamedTuple):
    """A request for a twin. `position` is the position in the plan of a fault that changes the answer, or None."""

    point: Point
    request: HttpRequest
    clock: float
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The parent's reply to a request that no twin can answer; ends the exploration."""

    code: str
    message: str
    hint: str


class InjectionFired(NamedTuple):
    """The state of the planned injection at this position.

    It is "due" when its point and phase are there, and "fired" when its action was carried out, which only the one that
    did so says. An interleaving that is impossible is "in vain".
    """

    position: int
    clock: float
    stage: Literal["due", "fired", "in vain"] = "fired"


@dataclass(frozen=True, slots=True)
class Note:
    """A fact that the claim must mention.

    `kind` is "unintercepted", "unwatched", "concurrent", "unheld", "unordered", "unsupported", "maps_memory",
    "unbounded" or "name"; of hosts that nobody declared, with the agent's line: "forbidden" and, of a declared one,
    "unseen" and "websocket" for what is an error, "asked" for what is none while the agent goes on, "needed" where it
    did not, "looked_up" for a name alone.
    """

    kind: str
    text: str
    place: Place = ()


@dataclass(frozen=True, slots=True)
class FileDamaged:
    """The process is about to damage a file where it lies, from `before` to `after`."""

    path: str
    before: bytes
    after: bytes

    def put_back(self) -> bool:
        """Make the file whole if the damage still stands at this path; says whether it did."""
        return self._replace(self.after, self.before)

    def repeat(self) -> bool:
        """Damage the file, for the first time or again; says whether that could be."""
        return self._replace(self.before, self.after)

    def _replace(self, found: bytes, wanted: bytes) -> bool:
        """Write in place, under the same times and mode; what was appended since stays."""
        try:
            with _open_whatever_its_mode(self.path) as file:
                status, content = os.fstat(file.fileno()), file.read()
                cut = len(self.after) < len(self.before)
                if content != found and (cut or not content.startswith(found)):
                    return False
                file.seek(0)
                file.write(wanted)
                if cut:
                    file.truncate()
            os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError:
            return False
        return True


def _open_whatever_its_mode(path: str) -> io.FileIO:
    """Open a file for writing, also one that its owner may only read; its mode stays."""
    try:
        return open(path, "r+b", buffering=0)
    except PermissionError:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, mode | stat.S_IRUSR | stat.S_IWUSR)
        try:
            return open(path, "r+b", buffering=0)
        finally:
            os.chmod(path, mode)


@dataclass(frozen=True, slots=True)
class SubprocessStarted:
    """The agent starts another process at this place; told with the pid 0 before that can do anything, then again."""

    pid: int
    place: Place


@dataclass(frozen=True, slots=True)
class DebuggerAsks:
    """The debugger of a process that has stopped has printed `text`.

    The reply is the next line that the person types where it `waits` for one, and "" otherwise.
    """

    text: str
    waits: bool


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """The process is about to connect to the relay of this name; the reply is an `ResolvedInjection` or None."""

    name: str
    clock: float
    place: Place = ()


@dataclass(frozen=True, slots=True)
class PendingQuery:
    """Asks whether an answer of the network is pending. The reply is a bool."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The agent's function has ended by itself: `kind` is "returned" or "raised".

    `pristine` says that it is as it was before, and waits for another request; `raised` where the exception came from.
    `waits` says that it waits to be called again, as it is; `leaves` that something is to be done before its end.
    """

    kind: str
    value: bytes
    error: str
    traceback: str
    clock: float
    calls: int
    polls: int
    late_modules: tuple[str, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    pristine: bool = False
    footprint: Footprint = EVERYTHING
    raised: Raised | None = None
    waits: bool = False
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class RelayStop:
    """A relay has stopped a connection in this phase, and waits for `Proceed`.

    An *exchange* begins with the first bytes of a client after the connection was made or after bytes of the server;
    its `when` is "before" while they are held, "middle" when a part of them went on, and "after" when the
    first bytes of the server's answer have come and are held. What a server says before any client is the "after" of
    the verb "connect". `size` is the number of the client's bytes in this exchange so far.
    """

    number: int
    connection: int
    verb: Literal["connect", "exchange"]
    when: Phase
    size: int = 0


@dataclass(frozen=True, slots=True)
class Proceed:
    """The reply to a `RelayStop`: how the connection goes on.

    Attributes:
        action: what happens to the connection now; None for nothing.
        share: of the exchange's request that goes on before "middle" has come; 0 for all of it, and no middle.
        dead: whether the client died here; what is held of it is lost.
        made: whether a proxy behind the relay carries the action out.
        via: where to connect to instead of the service itself; empty for no detour.
    """

    number: int
    action: Disturb | None = None
    share: float = 0.0
    dead: bool = False
    made: bool = False
    via: tuple[str, int] | tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """The outcome of the action that the `Proceed` of this number told a relay.

    It is not `done` where the connection was over by then.
    """

    number: int
    done: bool = True


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """A connection has ended."""

    connection: int


@dataclass(frozen=True, slots=True)
class RunBegins:
    """A process of the agent begins: from now on relays stop connections in each phase."""


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """A request to wait until all connections have ended, and to close those that do not; the reply is `SettleDone`.

    After that connections go on unasked again. `dead` says that the client was killed: what it sent and is held, or was
    not yet read, is lost.
    """

    dead: bool


@dataclass(frozen=True, slots=True)
class SettleDone:
    """All connections have ended."""


@dataclass(frozen=True, slots=True)
class RelayPendingQuery:
    """Asks a relay whether an answer is pending. The reply is `RelayPending`."""


@dataclass(frozen=True, slots=True)
class RelayPending:
    """`busy`: a service works on an answer, or an answer is on its way."""

    busy: bool


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request that came to a twin over a real port."""

    number: int
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class ServedReply:
    """The twin's reply to a `ServedRequest`."""

    number: int
    response: HttpResponse
