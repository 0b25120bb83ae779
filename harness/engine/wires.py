"""What the relays in front of real services see of one process: it is numbered, looked at and struck here.

No wrapper in the agent's process takes part, so the client may be libpq, or a program in another language.
"""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..boundary.armed import Armed, Plan
from ..boundary.nursery import end_group
from ..network.proxies import Proxies, Toxic, toxic_for
from ..values.media import medium_of
from ..values.media.net import NET
from ..values.media.served import SERVED
from ..values.network import Carried, Closed, GoOn, Moment, Network
from ..values.places import Place
from ..values.points import Effect, Point, When
from ..values.strikes import Disturb, Fail, Kill, Strike
from .lives import Lived


class Lookout(NamedTuple):
    """Is told what comes: a point that is reached, each of its moments, the position of what strikes."""

    reached: Callable[[Point], None]
    look: Callable[[Point, When, int], None]
    fired: Callable[[int], None]


class Wires:
    """The points that the relays see in one process.

    Args:
        plan: what strikes; injections at other points are not looked at.
        earlier: points that are numbered on.
        lookout: is told what comes.
        most: how many exchanges the process may have before it counts as endless.
        proxies: make what they can make; None where there is no network.
    """

    def __init__(
        self,
        lived: Lived,
        plan: Sequence[Armed],
        earlier: Sequence[Point],
        lookout: Lookout,
        most: int,
        proxies: Proxies | None,
    ) -> None:
        self._proxies = proxies
        self._lived, self._plan, self._lookout, self._most = lived, Plan(plan), lookout, most
        self._counts = Counter((p.kind, p.verb, p.target) for p in earlier if not medium_of(p.kind).in_process)
        self._announced: Counter[str] = Counter()
        self._connected_at: dict[str, Place] = {}
        self._at: dict[tuple[str, int], Point] = {}
        self._open: set[tuple[str, int]] = set()
        self._under_way: dict[tuple[str, int], tuple[Lived, int]] = {}  # what relays were told to do
        self.exchanges = 0
        self.killed = self.endless = False

    def follow(self, other: "Wires") -> None:
        """Know the connections of the same process that others had seen to; what disturbed them is over."""
        self._announced, self._connected_at = other._announced, other._connected_at
        self._at, self._open, self._under_way = other._at, other._open, other._under_way
        if self._proxies is not None:
            self._proxies.clear()

    def prepare(self) -> None:
        """Get ready what the plan needs, before the process begins."""
        if self._proxies is not None and any(map(_toxic, self._plan.armed)):
            self._proxies.start()

    def connecting(self, name: str, place: Place) -> Armed | None:
        """The process itself says that it is about to connect: a client in Python, whose connect can really fail."""
        self._connected_at[name] = place  # of what is exchanged no more is known
        point = self._arrive(NET.kind, "connect", name)
        armed = self._strike(point, "before")
        if armed is None:
            self._announced[name] += 1
        return armed

    def reached(self, network: Network, moment: Moment) -> GoOn:
        """A connection stands still at a moment; returns how it goes on."""
        name, key = network.name, (network.name, moment.connection)
        if self.killed:
            return GoOn(moment.number, dead=True)
        if moment.when == "before":
            if moment.verb == "connect" and self._announced[name]:
                self._announced[name] -= 1
                self._at[key] = Point(NET.kind, "connect", name, self._counts[NET.kind, "connect", name])
                return GoOn(moment.number, via=self._detour(network, key))
            self._at[key] = self._arrive(NET.kind, moment.verb, name)
            self._note_company(key)
        else:
            self._open.discard(key)
        point = self._at[key]
        armed, strike = self._strike(point, moment.when, moment.size), None
        if armed is not None:
            self._under_way[name, moment.number] = self._lived, armed.position
            strike = armed.strike if isinstance(armed.strike, Disturb) else self._instead(armed.strike)
        share = self._cut_at(point) if moment.when == "before" else 0.0
        if strike is not None:
            self._open.discard(key)
        via = self._detour(network, key) if moment.verb == "connect" and moment.when == "before" else ()
        return GoOn(moment.number, strike, share, self.killed, self._is_made(key, strike, moment.when), via)

    def _detour(self, network: Network, key: tuple[str, int]) -> tuple[str, int] | tuple[()]:
        """Return the proxy that this connection goes through, where one will be needed."""
        wanted = any(armed.injection.point.target == network.name and _toxic(armed) for armed in self._plan.armed)
        return self._proxies.lead(key, network.upstream) if wanted and self._proxies is not None else ()

    def _is_made(self, key: tuple[str, int], strike: Disturb | None, when: When) -> bool:
        """Let a proxy make the strike, if it can."""
        toxic = toxic_for(strike, self._at[key], when)
        return toxic is not None and self._proxies is not None and self._proxies.strike(key, toxic)

    def told(self, name: str, message: Carried | Closed) -> None:
        """A relay says what became of a strike, or that a connection is over."""
        if isinstance(message, Closed):
            self._closed(name, message.connection)
            return
        lived, position = self._under_way.pop((name, message.number), (self._lived, -1))
        if message.done:
            self._fires(lived, position)
        else:
            lived.declines(position)

    def _closed(self, name: str, connection: int) -> None:
        """A connection has ended; nothing is unanswered on it any more. One of TLS may end before it was one."""
        if (name, connection) not in self._at and self._announced[name]:
            self._announced[name] -= 1
        self._open.discard((name, connection))

    def requested(self, verb: str, target: str) -> tuple[Point, Armed | None]:
        """A twin on a real port has a request, and has not acted; returns what it does other than it would.

        Where an agent can die is what relays see; this is another moment only for the answer.
        """
        point = self._arrive(SERVED.kind, verb, target)
        self._lived.effects.setdefault(point, Effect(point, by="thread"))
        return point, self._due(point, "before") or self._due(point, "after")

    def _arrive(self, kind: str, verb: str, name: str) -> Point:
        self._counts[kind, verb, name] += 1
        point = Point(kind, verb, name, self._counts[kind, verb, name])
        self._lived.wired.append((self._lived.last, point))
        self._lookout.reached(point)
        self._lived.places[point] = self._connected_at.get(name, ())
        if verb == "exchange":
            self.exchanges += 1
            if self.exchanges > self._most:
                self.endless = True
                self._kill()
        return point

    def _note_company(self, key: tuple[str, int]) -> None:
        """Note an exchange that begins while another one is unanswered: the order of the two is one of several."""
        if self._open - {key} and "connections" not in self._lived.concurrent:
            self._lived.concurrent.append("connections")
        self._open.add(key)

    def _strike(self, point: Point, when: When, size: int = 0) -> Armed | None:
        """Kill, or return what the relay or the process itself carries out, which says when it did."""
        self._lookout.look(point, when, size)
        armed = self._due(point, when)
        if armed is not None and isinstance(armed.strike, Kill):
            self._kill()
            self._fires(self._lived, armed.position)
        elif armed is not None and isinstance(armed.strike, (Disturb, Fail)):
            return armed
        return None

    def _due(self, point: Point, when: When) -> Armed | None:
        return self._plan.due(point, when, lambda strike: True, self._lived.due.add)

    def _fires(self, lived: Lived, position: int) -> None:
        if position in lived.due:
            self._lookout.fired(position)
        lived.fires(position)

    def _instead(self, strike: Strike) -> Disturb:
        """Return what happens to a connection where an error should come from the client's own system.

        Who presses Ctrl-C interrupts all processes of the agent, while they wait.
        """
        if isinstance(strike, Fail) and isinstance(strike.error, KeyboardInterrupt):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._lived.pid, signal.SIGINT)
            return Disturb("silent")
        return Disturb("refused")

    def _cut_at(self, point: Point) -> float:
        """Return the share of the request that goes on before a fault in its middle strikes; 0 where none will."""
        for armed in self._plan.armed:
            if armed.injection.point == point and armed.injection.when == "middle":
                return (
                    armed.strike.share if isinstance(armed.strike, Disturb) else 0.0
                ) or 0.5  # a middle, in any case
        return 0.0

    def _kill(self) -> None:
        """Kill all processes of the agent, now."""
        self.killed = True
        end_group(self._lived.pid)


def _toxic(armed: Armed) -> Toxic | None:
    return toxic_for(armed.strike, armed.injection.point, armed.injection.when)


def in_order(own: Sequence[Point], wired: Sequence[tuple[Point | None, Point]]) -> tuple[Point, ...]:
    """Return the points that the process saw and those that the relays saw, in the order in which they came.

    `wired` has the latter, each with the last one of the process that was looked at before it.
    """
    merged = list(own)
    for last, point in reversed(wired):
        merged.insert(merged.index(last) + 1 if last in merged else 0, point)
    return tuple(merged)
