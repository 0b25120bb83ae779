"""A store of texts by key behind a real socket, and its client. Knows nothing of chaos."""

import json
import socket
import socketserver
import threading


class Server:
    """A server that listens on a free port of this machine: one command and its answer, as JSON lines."""

    def __init__(self) -> None:
        held: dict[str, str] = {}

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    if not line.endswith(b"\n"):
                        return  # the client is gone
                    name, *words = json.loads(line)
                    if name == "set":
                        held[words[0]] = words[1]
                    elif name == "delete":
                        held.pop(words[0], None)
                    answer = held.get(words[0], "") if name == "get" else list(held)
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Client:
    """A client of the store at ``host:port``, with a connection for each command."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, key: str) -> str:
        """Return the value of a key, "" for none."""
        return str(self._ask("get", key))

    def set(self, key: str, value: str) -> None:
        """Keep a value."""
        self._ask("set", key, value)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._ask("delete", key)

    def keys(self) -> list[str]:
        """Return all keys."""
        return list(map(str, self._ask("keys")))

    def _ask(self, *words: str) -> list[object] | str:
        host, _, port = self.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(json.dumps(words).encode() + b"\n")
            answer: list[object] | str = json.loads(connection.makefile().readline())
            return answer
