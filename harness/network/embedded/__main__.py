"""Run the server: its port is printed on one line, and it ends with the process that started it.

    python -m rollproof.network.embedded [SEED [PARENT]]

SEED is what the dice of its toxics start from, PARENT the pid of who started it, in case that is over by now.
"""

import asyncio
import contextlib
import os
import resource
import sys

from ..orphans import end_with
from .http import Session
from .proxies import Proxies
from .routes import Request, Response, answer


async def _serve(seed: str) -> None:
    proxies = Proxies(seed)

    async def respond(request: Request) -> Response:
        return await answer(proxies, request)

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(respond, reader, writer).serve()

    server = await asyncio.start_server(session, "127.0.0.1", 0, backlog=128)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _allow_many_connections() -> None:
    """Raise the number of open files as far as that is allowed: a connection takes two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    given = sys.argv[1:]
    end_with(int(given[1]) if given[1:] else os.getppid())
    _allow_many_connections()
    asyncio.run(_serve(given[0] if given else "0"))
