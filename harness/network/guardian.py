"""A process that outlives the test's, and then ends a real Toxiproxy server, or removes our proxies from a shared one.

python -m rollproof.network.guardian PARENT run BINARY       runs a Toxiproxy server; prints its port
python -m rollproof.network.guardian PARENT remove HOST PORT PREFIX
                                                             removes the proxies of PARENT from a shared server
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import quote

from ..values.rare import rare
from .orphans import first_to_end, killed_with_parent

_PATIENCE_S = 10.0
_LOOK_EVERY_S = 0.005


def run(parent: int, binary: str) -> None:
    """Run a server until it, this process or the parent ends."""
    with socket.socket() as held:
        # Held without listening: the server may listen there, and nobody is given the port meanwhile.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        command = [binary, "-host", "127.0.0.1", "-port", str(port)]
        null = subprocess.DEVNULL
        server = subprocess.Popen(command, preexec_fn=killed_with_parent, stdin=null, stdout=null, stderr=null)
        try:
            _wait_for(server, port)
            print(port, flush=True)
            first_to_end(parent, server.pid)
        finally:
            server.kill()
            server.wait()


def _wait_for(server: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _PATIENCE_S
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(_LOOK_EVERY_S)
    raise SystemExit(f"it did not listen on port {port}")


def remove(host: str, port: int, prefix: str) -> None:
    """Remove the proxies whose names start with a prefix."""
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)) as server:
        server.request("GET", "/proxies")
        for name in json.load(server.getresponse()):
            if name.startswith(prefix):
                rare("a proxy of a process that is gone is removed")
                server.request("DELETE", f"/proxies/{quote(name, safe='')}")
                server.getresponse().read()


def main(parent: int, action: str, *arguments: str) -> None:
    """Carry out the action of the command line: guard a server, or remove a proxy once a process has ended."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    if action == "run":
        if os.getppid() == parent:
            run(parent, arguments[0])
    else:
        first_to_end(parent)
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            remove(arguments[0], int(arguments[1]), arguments[2])


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
