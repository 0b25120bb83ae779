"""Send a request on to the real server for which it was meant, and return the answer.

A process of its own does it: in the test's process, the seams would lead the request to the twin that records it.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse

_OF_THE_CONNECTION = frozenset(
    ("accept-encoding", "connection", "content-encoding", "content-length", "host", "transfer-encoding")
)


def ask(request: HttpRequest) -> HttpResponse:
    """Return the real answer, its body whole and decoded.

    Raises:
        ChaosError: ``no-provider`` where none comes.
    """
    asked = {
        "method": request.method,
        "url": request.url,
        "headers": _without_connection(request.headers),
        "body": base64.b64encode(request.body).decode(),
    }
    # -P: a file of the user's in the working directory is never taken for a module of Python's.
    command = [sys.executable, "-P", "-m", "rollproof.network.asking"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ChaosError(
            "no-provider",
            f"{request.method} {request.url.partition('?')[0]} got no answer: {why}",
            "the real provider is asked while a cassette is recorded: check its address, and the proxy of this machine",
        )
    answered = json.loads(done.stdout)
    headers = _without_connection(answered["headers"])
    return HttpResponse(answered["status"], headers, base64.b64decode(answered["body"]))


def _without_connection(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION}
