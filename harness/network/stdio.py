"""A server of tools for clients that start one as a subprocess, in any language: hands each message to a twin.

    python -m rollproof.network.stdio URL

The twin is reached at URL, as `chaos.serve` returned it; messages are carried one after the other. Where an answer is
lost there, this process ends, as a server does that breaks down; so it does where the session is not known any more.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

_SESSION = "Mcp-Session-Id"


def main(url: str) -> int:
    """Serve until the input is closed; returns the exit code."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        try:
            connection.request("POST", parts.path or "/", line.strip(), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            print(f"the connection broke: {problem!r}", file=sys.stderr)
            return 1
        if answer.status == http.client.ACCEPTED:
            continue
        if answer.status != http.client.OK or not _is_message(body):
            print(f"no answer to be used: {answer.status} {body.decode(errors='replace')}", file=sys.stderr)
            return 1
        headers[_SESSION] = answer.headers.get(_SESSION) or headers.get(_SESSION, "")
        try:
            sys.stdout.buffer.write(body + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            return 1  # nobody listens any more
    return 0


def _is_message(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m rollproof.network.stdio URL")
    sys.exit(main(sys.argv[1]))
