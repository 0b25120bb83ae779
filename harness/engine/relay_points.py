"""The points of one process that relays in front of real services see: numbered, looked at, and disturbed here.

No wrapper in the agent's process takes part, so the client may be libpq, or a program in another language.
"""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..boundary.process.fork_server import end_group
from ..boundary.resolved import Plan, ResolvedInjection
from ..network.proxies import Proxies, Toxic, toxic_for
from ..values.actions import Action, Disturb, Fail, Kill
from ..values.media import medium_of
from ..values.media.net import NET
from ..values.media.served import SERVED
from ..values.network import Network
from ..values.places import Place
from ..values.points import Effect, Phase, Point
from ..values.protocol import Carried, ConnectionClosed, Proceed, RelayStop
from .process_runs import ProcessRun


class Lookout(NamedTuple):
    """Is told of each point that is reached, of its phases, and of what fires."""

    reached: Callable[[Point], None]
    look: Callable[[Point, Phase, int], None]
    fired: Callable[[ResolvedInjection], None]


class RelayPoints:
    """The points of one process that relays see, and the faults that fire there.

    Args:
        plan: the injections of the process; those at points that no relay sees are not looked at.
        earlier: points that are numbered on.
        lookout: is told of points and faults.
        most: how many exchanges the process may have before it counts as endless.
        proxies: carry out the actions that Toxiproxy can; None where there is no network.
    """

    def __init__(
        self,
        process: ProcessRun,
        plan: Sequence[ResolvedInjection],
        earlier: Sequence[Point],
        lookout: Lookout,
        most: int,
        proxies: Proxies | None,
    ) -> None:
        self._proxies = proxies
        self._process, self._plan, self._lookout, self._most = process, Plan(plan), lookout, most
        self._counts = Counter((p.kind, p.verb, p.target) for p in earlier if not medium_of(p.kind).in_process)
        self._announced: Counter[str] = Counter()
        self._connected_at: dict[str, Place] = {}
        self._at: dict[tuple[str, int], Point] = {}
        self._open: set[tuple[str, int]] = set()
        self._under_way: dict[tuple[str, int], tuple[ProcessRun, ResolvedInjection]] = {}  # what relays are to do
        self.exchanges = 0
        self.killed = self.endless = False

    def follow(self, other: "RelayPoints") -> None:
        """Take over the connections of the same process from its earlier tracer; their disturbances are over."""
        self._announced, self._connected_at = other._announced, other._connected_at
        self._at, self._open, self._under_way = other._at, other._open, other._under_way
        if self._proxies is not None:
            self._proxies.clear()

    def prepare(self) -> None:
        """Start the Toxiproxy server before the process begins, if the plan needs it."""
        if self._proxies is not None and any(map(_toxic, self._plan.resolved)):
            self._proxies.start()

    def connecting(self, name: str, place: Place) -> ResolvedInjection | None:
        """Handle the message of a Python client that is about to connect: its own connect can really fail."""
        self._connected_at[name] = place  # of what is exchanged no more is known
        point = self._arrive(NET.kind, "connect", name)
        resolved = self._act(point, "before")
        if resolved is None:
            self._announced[name] += 1
        return resolved

    def reached(self, network: Network, stop: RelayStop) -> Proceed:
        """Handle a connection that a relay has stopped; returns the reply by which it goes on."""
        name, key = network.name, (network.name, stop.connection)
        if self.killed:
            # Sent before the relay saw that its client is dead: no point of the process.
            return Proceed(stop.number, dead=True)
        if stop.when == "before":
            if stop.verb == "connect" and self._announced[name]:
                self._announced[name] -= 1
                # The process has announced this connection itself (`connecting`): it is no second point.
                self._at[key] = Point(NET.kind, "connect", name, self._counts[NET.kind, "connect", name])
                return Proceed(stop.number, via=self._detour(network, key))
            self._at[key] = self._arrive(NET.kind, stop.verb, name)
            self._note_company(key)
        else:
            self._open.discard(key)
        point = self._at[key]
        resolved, action = self._act(point, stop.when, stop.size), None
        if resolved is not None:
            # Due, but not fired: the connection may be over when the relay comes to it, and only the relay sees that.
            self._under_way[name, stop.number] = self._process, resolved
            action = resolved.action if isinstance(resolved.action, Disturb) else self._instead(resolved.action)
        # To stop in the middle, the relay must know before it sends how much of the request may go on.
        share = self._cut_at(point) if stop.when == "before" else 0.0
        if action is not None:
            self._open.discard(key)
        via = self._detour(network, key) if stop.verb == "connect" and stop.when == "before" else ()
        return Proceed(stop.number, action, share, self.killed, self._is_made(key, action, stop.when), via)

    def _detour(self, network: Network, key: tuple[str, int]) -> tuple[str, int] | tuple[()]:
        """Return the proxy that this connection goes through, where one will be needed."""
        wanted = any(
            resolved.injection.point.target == network.name and _toxic(resolved) for resolved in self._plan.resolved
        )
        return self._proxies.lead(key, network.upstream) if wanted and self._proxies is not None else ()

    def _is_made(self, key: tuple[str, int], action: Disturb | None, when: Phase) -> bool:
        """Carry the action out by Toxiproxy; returns whether it can."""
        toxic = toxic_for(action, self._at[key], when)
        return toxic is not None and self._proxies is not None and self._proxies.apply(key, toxic)

    def told(self, name: str, message: Carried | ConnectionClosed) -> None:
        """Handle a relay's message on the outcome of an action, or on the end of a connection."""
        if isinstance(message, ConnectionClosed):
            self._closed(name, message.connection)
            return
        process, resolved = self._under_way.pop((name, message.number), (self._process, None))
        if resolved is not None and message.done:
            self._fires(process, resolved)
        elif resolved is not None and resolved.position not in process.fired:  # a lasting one may have fired before
            process.comes_too_late(resolved.position)

    def _closed(self, name: str, connection: int) -> None:
        """Note that a connection has ended: nothing on it is unanswered any more."""
        # A TLS connection can end within its handshake, before it is a point: its announcement is used up all the same.
        if (name, connection) not in self._at and self._announced[name]:
            self._announced[name] -= 1
        self._open.discard((name, connection))

    def requested(self, verb: str, target: str) -> tuple[Point, ResolvedInjection | None]:
        """Name the point of a request to a twin on a real port, before it acts.

        Returns the point and a fault's injection.

        Crashes and broken connections are tried where the relay sees them; at this point only faults of the answer are.
        """
        point = self._arrive(SERVED.kind, verb, target)
        self._process.effects.setdefault(point, Effect(point, by="thread"))
        return point, self._due(point, "before") or self._due(point, "after")

    def _arrive(self, kind: str, verb: str, name: str) -> Point:
        self._counts[kind, verb, name] += 1
        point = Point(kind, verb, name, self._counts[kind, verb, name])
        self._process.relayed.append((self._process.last, point))
        self._lookout.reached(point)
        self._process.places[point] = self._connected_at.get(name, ())
        if verb == "exchange":
            self.exchanges += 1
            if self.exchanges > self._most:
                self.endless = True
                self._kill()
        return point

    def _note_company(self, key: tuple[str, int]) -> None:
        """Note an exchange that begins while another one is unanswered: the order of the two is one of several."""
        if self._open - {key} and "connections" not in self._process.concurrent:
            self._process.concurrent.append("connections")
        self._open.add(key)

    def _act(self, point: Point, when: Phase, size: int = 0) -> ResolvedInjection | None:
        """Kill, or return the injection that the relay or the process carries out; either confirms it when it has."""
        self._lookout.look(point, when, size)
        resolved = self._due(point, when)
        if resolved is not None and isinstance(resolved.action, Kill):
            self._kill()
            self._fires(self._process, resolved)
        elif resolved is not None and isinstance(resolved.action, (Disturb, Fail)):
            return resolved
        return None

    def _due(self, point: Point, when: Phase) -> ResolvedInjection | None:
        return self._plan.due(point, when, lambda action: True, self._process.due.add)

    def _fires(self, process: ProcessRun, resolved: ResolvedInjection) -> None:
        if process.fires(resolved.position):
            self._lookout.fired(resolved)

    def _instead(self, action: Action) -> Disturb:
        """Return the disturbance that stands for an error of the client's system: a relay cannot raise there.

        A Ctrl-C interrupts all processes of the agent, while they wait.
        """
        if isinstance(action, Fail) and isinstance(action.error, KeyboardInterrupt):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGINT)
            return Disturb("silent")
        return Disturb("refused")

    def _cut_at(self, point: Point) -> float:
        """Return the share of the request that goes on before a fault in its middle fires; 0 where none will."""
        for resolved in self._plan.resolved:
            if resolved.injection.point == point and resolved.injection.when == "middle":
                return (
                    resolved.action.share if isinstance(resolved.action, Disturb) else 0.0
                ) or 0.5  # a middle, in any case
        return 0.0

    def _kill(self) -> None:
        """Kill all processes of the agent, now."""
        self.killed = True
        end_group(self._process.pid)


def _toxic(resolved: ResolvedInjection) -> Toxic | None:
    return toxic_for(resolved.action, resolved.injection.point, resolved.injection.when)


def in_order(own: Sequence[Point], relayed: Sequence[tuple[Point | None, Point]]) -> tuple[Point, ...]:
    """Return the points that the process saw and those that the relays saw, in the order in which they came.

    `relayed` has the latter, each with the last one of the process that was looked at before it.
    """
    merged = list(own)
    # Backwards, so that those behind the same point of the process keep their order.
    for last, point in reversed(relayed):
        merged.insert(merged.index(last) + 1 if last in merged else 0, point)
    return tuple(merged)
