"""HTTP/1.1 for the API: h11 knows the protocol, this moves the bytes."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

import h11

from .routes import TEXT, Request, Response

IDLE_S, ANSWER_S = 60.0, 25.0
"""How long a connection may be silent, and how long a request may take: as in Toxiproxy."""

Answer = Callable[[Request], Awaitable[Response]]


class Session:
    """One client of the API: its requests, one after the other."""

    def __init__(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answer, self._reader, self._writer = answer, reader, writer
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        """Answer until the client leaves, is silent for too long, or speaks something else."""
        with contextlib.suppress(OSError, TimeoutError):
            try:
                while await self._exchange():
                    self._http.start_next_cycle()
            except h11.RemoteProtocolError as error:
                await self._send(Response(error.error_status_hint, b"400 Bad Request", TEXT))
        with contextlib.suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()

    async def _exchange(self) -> bool:
        """Answer one request; returns whether another one may follow."""
        head = await self._event()
        if not isinstance(head, h11.Request):
            return False
        body = bytearray()
        while isinstance(part := await self._event(), h11.Data):
            body += part.data
        headers = dict(head.headers)
        path = head.target.decode("ascii").partition("?")[0]
        agent = headers.get(b"user-agent", b"").decode("latin-1")
        await self._send(await self._within_time(Request(head.method.decode("ascii"), path, bytes(body), agent)))
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _within_time(self, request: Request) -> Response:
        """Return the answer; what takes too long goes on behind one that says so."""
        task = asyncio.ensure_future(self._answer(request))
        await asyncio.wait([task], timeout=ANSWER_S)
        if not task.done():
            return Response(503)
        error = task.exception()
        return Response(500, f"{error!r}\n".encode(), TEXT) if error else task.result()

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            async with asyncio.timeout(IDLE_S):
                self._http.receive_data(await self._reader.read(65536))
        return event

    async def _send(self, response: Response) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("X-Toxiproxy-Request-Id", secrets.token_hex(10))]
        if response.media_type:
            headers.append(("Content-Type", response.media_type))
        if response.location:
            headers.append(("Location", response.location))
        if response.status != 204:
            headers.append(("Content-Length", str(len(response.body))))
        self._write(h11.Response(status_code=response.status, headers=headers))
        self._write(h11.Data(data=response.body))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
