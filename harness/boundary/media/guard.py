"""The audit hook of a child process: counts effects that no wrapper has seen, refuses connections to the network."""

import errno
import mmap
import os
import socket
import sys
from collections.abc import Callable, Container, Sequence
from copy import copy
from typing import Any, NoReturn

from ...values.actions import Disturb, Fail
from ...values.errors import no_websocket, unseen_client
from ...values.hosts import hosts_of, is_look, stands_for
from ...values.http import HttpRequest
from ...values.network import Reach
from ...values.places import Place
from ...values.points import canonical
from ...values.protocol import ConnectRequest, InjectionFired
from ...values.sources import Twin, twin_for
from ..gate import Gate
from . import unheld
from .reads import CONTENT, Reads
from .scope import Scope, database_path
from .transport import ADDRESSED, LOOKED_UP, TransportFault, Unreachable, asked_for, network_down, system_error

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_UNNAMED = getattr(os, "O_TMPFILE", -1)  # a file that never has a name
_PATHS = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.link": 1, "os.symlink": 1, "os.truncate": 0}
_PROCESSES = ("os.exec", "os.fork", "os.forkpty", "subprocess.Popen", "os.system", "os.posix_spawn")
_CHANGING_NOTHING = (mmap.ACCESS_READ, mmap.ACCESS_COPY)
_LOOPBACK = ("127.0.0.1", "localhost")
_NOT_DURABLE = ("/dev/", "/proc/", "/sys/")
_MEMORY = "/dev/shm/"  # a disk like any other while the machine runs


class Connections:
    """The connections that leave this machine: refuses hosts without a twin, and tells the parent of them.

    Args:
        reach: the real hosts and services that are permitted.
        servers: host and port of each server of the harness.
        tell: tells the parent a kind and a text, each pair once.
    """

    def __init__(
        self,
        gate: Gate,
        reach: Reach,
        twins: Sequence[Twin],
        servers: Container[tuple[str, object]],
        tell: Callable[[str, str], None],
    ) -> None:
        self._gate, self._reach, self._servers, self._tell = gate, reach, servers, tell
        self._twins, self._declared = twins, hosts_of(twins)
        self._own_name = socket.gethostname()
        # A client looks a permitted name up and connects to its address.
        self._hosts = reach.hosts | {address for host in reach.hosts for address in _addresses(host)}

    def refuse(self, request: HttpRequest) -> NoReturn:
        """Refuse a request to a host without a twin: a mere look as if the network were down, any other as an error.

        The host of a twin is refused to a websocket.
        """
        if request.hostname in self._reach.offline:
            raise TransportFault("refused")
        if request.opens_websocket and twin_for(self._twins, request.url) is not None:
            error = no_websocket(request.hostname, self._report("websocket", request.hostname))
            raise ConnectionRefusedError(str(error))
        if not is_look(request.method, request.hostname, self._declared):
            line = self._report("forbidden", request.host)
            raise ConnectionRefusedError(f"chaos: {request.host} has no twin ({line})")
        raise Unreachable(request.host, self._report("asked", request.hostname))

    def _forbid(self, host: str, port: object, *, by_name: bool) -> NoReturn:
        """Refuse a connection or a look-up of a name; a look-up is an error only if no request to the name follows."""
        if host.lower() in self._reach.offline:
            raise network_down(by_name=by_name)
        if stands_for(self._twins, host, port):
            raise ConnectionRefusedError(str(unseen_client(host, self._report("unseen", host))))
        line = self._report("looked_up" if by_name else "forbidden", host)
        if by_name:
            raise network_down(by_name=True)
        raise ConnectionRefusedError(f"chaos: {host} has no twin ({line})")

    def _report(self, kind: str, host: str) -> str:
        """Tell the parent that the agent tried to reach a host; returns the agent's line."""
        line = agent_line(self._gate.places.current())
        with self._gate.untraced():
            self._gate.note(kind, f"{host}\n{line}")
        return line

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Check each address that a socket is asked to reach; one that is not permitted raises."""
        asked = asked_for(event, arguments)
        if asked is None and event in ADDRESSED and isinstance(arguments[1], (str, bytes)) and arguments[1]:
            path = os.fsdecode(arguments[1]).replace("\0", "@")
            self._tell("unheld", f"the Unix socket {canonical(path)}")
        if asked is None or asked in self._servers or (event in LOOKED_UP and asked[0] == self._own_name):
            return  # what stays on this machine, the servers of the harness, and what mail and logs call this machine
        name, port = asked
        network = self._reach.network(name, port)
        if network is not None:
            if event == "socket.connect":
                self._connecting(network)
        # A name with both kinds of address is tried by IPv6 first, where no server of ours listens.
        elif name == "::1" and self._is_ours("127.0.0.1", port):
            raise network_down(by_name=False)  # try the next address
        # Relays listen on the loopback: its name must be found.
        elif name in self._hosts:
            if event == "socket.connect":
                self._gate.real_connections.begin(arguments[0].fileno())
        elif not (self._reach.networks and event in LOOKED_UP and name in _LOOPBACK):
            self._forbid(name, port, by_name=event in LOOKED_UP)

    def _is_ours(self, host: str, port: Any) -> bool:
        return self._reach.network(host, port) is not None or (host, port) in self._servers

    def _connecting(self, network: str) -> None:
        """Tell the parent that a client connects to a relay, and raise the system's error if a fault fires there."""
        with self._gate.untraced(), self._gate.waiting_for_parent():
            resolved = self._gate.channel.ask(ConnectRequest(network, self._gate.now(), self._gate.places.current()))
            if resolved is None:
                return
            self._gate.channel.tell(InjectionFired(resolved.position, self._gate.now()))
        action = resolved.action
        if isinstance(action, Fail):
            raise copy(action.error)
        if isinstance(action, Disturb):
            number = errno.ETIMEDOUT if action.how == "silent" else errno.ECONNREFUSED
            raise system_error(number)


class Guard:
    """The audit hook: sees effects that no wrapper has seen, and refuses connections to hosts without a twin."""

    def __init__(
        self,
        gate: Gate,
        scope: Scope,
        reads: Reads,
        reach: Reach,
        twins: Sequence[Twin] = (),
        servers: Container[tuple[str, object]] = (),
    ) -> None:
        self._gate, self._scope, self._reads = gate, scope, reads
        self._told: set[str] = set()
        self.connections = Connections(gate, reach, twins, servers, self._tell)

    def install(self) -> None:
        """Start watching. For a child process: an audit hook cannot be taken away."""
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Handle one audit event; cheap for the many that are of no interest."""
        watch = _EVENTS.get(event)
        if watch is not None and self._gate.active:
            watch(self, event, arguments)

    def _opened(self, event: str, arguments: tuple[Any, ...]) -> None:
        path, _, flags = arguments
        if not isinstance(flags, int):
            return
        self._reads.opened(path, flags)
        if flags & _WRITING and flags & _UNNAMED != _UNNAMED:
            self._durable(event, path)

    def _listed(self, event: str, arguments: tuple[Any, ...]) -> None:
        self._reads.listed(arguments[0], sys._getframe(2), scans=event == "os.scandir")

    def _changed(self, event: str, arguments: tuple[Any, ...]) -> None:
        self._durable(event, arguments[_PATHS[event]])

    def _database(self, event: str, arguments: tuple[Any, ...]) -> None:
        path = database_path(arguments[0], uri=True)
        if path is not None:
            self._reads.ask("read", CONTENT, path)
            self._durable(event, path)

    def _durable(self, event: str, path: Any) -> None:
        with self._gate.untraced():
            full = None if isinstance(path, int) else self._scope.full_path(path)
            # Python writes compiled modules by itself, whatever the agent does.
            if full is None or "__pycache__" in full:
                return
            name = self._scope.name(full)
            if name is not None:
                self._tell("unintercepted", f"{event} {name}")
            elif not full.startswith(_NOT_DURABLE) or full.startswith(_MEMORY):
                self._tell("unwatched", full)

    def _process(self, event: str, arguments: tuple[Any, ...]) -> None:
        self._gate.lingers = True
        self._gate.recorder.everything()
        with self._gate.untraced():
            self._tell("unintercepted", f"{event} {arguments[0] if arguments else ''}".strip())

    def _connects(self, event: str, arguments: tuple[Any, ...]) -> None:
        self.connections.watch(event, arguments)

    def _maps(self, event: str, arguments: tuple[Any, ...]) -> None:
        if arguments[2] not in _CHANGING_NOTHING:
            self._tell("maps_memory", "")

    def _lingers(self, event: str, arguments: tuple[Any, ...]) -> None:
        self._gate.lingers = True
        if event == "ctypes.dlopen":
            self._gate.recorder.everything()  # it may open what it likes, and no hook is told
            if unheld.opened_by_the_agent(sys._getframe(1)):
                self._tell("unheld", unheld.library(arguments[0]))

    def _tell(self, kind: str, text: str) -> None:
        # Each of these counts: together they explain what has changed between two looks (`engine.unseen`).
        if kind == "unintercepted" or text not in self._told:
            self._told.add(text)
            self._gate.note(kind, text)


def _addresses(host: str) -> set[str]:
    """Return the addresses that a permitted name stands for; none where it cannot be looked up."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()


_LINGERING = (
    "socket.__new__",
    "os.putenv",
    "os.unsetenv",
    "os.chdir",
    "resource.setrlimit",
    "sys.addaudithook",
    "ctypes.dlopen",
)
_EVENTS: dict[str, Callable[[Guard, str, tuple[Any, ...]], None]] = {
    "open": Guard._opened,
    **dict.fromkeys(("os.listdir", "os.scandir"), Guard._listed),
    "sqlite3.connect": Guard._database,
    **dict.fromkeys((*ADDRESSED, *LOOKED_UP), Guard._connects),
    **dict.fromkeys(_PATHS, Guard._changed),
    **dict.fromkeys(_PROCESSES, Guard._process),
    **dict.fromkeys(_LINGERING, Guard._lingers),
    "mmap.__new__": Guard._maps,
}


def agent_line(place: Place) -> str:
    """Return ``file:line in function`` of a place."""
    return "".join(frame.called(os.path.basename(frame.file)) for frame in place[:1])
