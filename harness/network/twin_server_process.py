"""Twins on real ports, seen from the test's own process, where they live."""

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse
from ..values.protocol import ServedReply, ServedRequest
from ..values.sources import Twin
from .side_process import LOOPBACK, SideProcess


def declared(twins: Sequence[Twin], wanted: Twin | str) -> Twin:
    """Return the twin that is meant by itself or by its base URL; raises ChaosError where there is none."""
    for twin in twins:
        if wanted is twin or (isinstance(wanted, str) and wanted.rstrip("/") == twin.base_url):
            return twin
    known = ", ".join(twin.base_url for twin in twins) or "none"
    hint = f'declare it first: mail = chaos.api("https://api.mail.test"); chaos.serve(mail)\ndeclared: {known}'
    raise ChaosError("no-twin", f"{wanted!r} is no twin of this test (chaos.serve)", hint)


class TwinServerProcess(SideProcess):
    """Serves one twin on a real port, by a side process.

    While an agent is explored its tracer answers; at any other time a thread does. Where nothing is `explored`, the
    agent's clock is the real one.
    """

    def __init__(self, twin: Twin, *, explored: bool = False) -> None:
        if find_spec("uvicorn") is None:
            text = "a twin is served on a real port by uvicorn, which is not installed (chaos.serve)"
            raise ChaosError("missing-package", text, "pip install 'rollproof[network]'")
        super().__init__("rollproof.network.twin_server")
        self.twin, self._explored = twin, explored
        parts = urlsplit(twin.base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.name, self.path = parts.netloc, parts.path
        self.upstream = f"{LOOPBACK}:{self.port}"
        self.problem: ChaosError | None = None
        self._stopping = os.pipe()
        self._thread: threading.Thread | None = None
        self.answer_meanwhile()

    def answer(self, asked: ServedRequest, act: Callable[[HttpRequest], HttpResponse] | None = None) -> ServedReply:
        """Answer by the twin's own method or by `act`; a request that the harness cannot answer is a `problem` and a
        500.
        """
        now = asked.request.time if self._explored else time.time()
        request = replace(asked.request, url=self._origin + asked.request.url, time=now)
        try:
            response = act(request) if act is not None else self.twin.handle(request)
        except ChaosError as problem:
            self.problem = self.problem or problem
            response = HttpResponse(500, {"content-type": "text/plain"}, str(problem).encode())
        return ServedReply(asked.number, response)

    def take_problem(self) -> ChaosError | None:
        """Return the error of a request that could not be answered since the last call, once."""
        problem, self.problem = self.problem, None
        return problem

    def answer_meanwhile(self) -> None:
        """Answer in a thread, until `stop` is called."""
        self._thread = threading.Thread(target=self._answer_all, daemon=True, name="rollproof-twin")
        self._thread.start()

    def stop(self) -> None:
        """End the thread of `answer_meanwhile`: a tracer answers from now on."""
        if self._thread is not None:
            os.write(self._stopping[1], b"x")
            self._thread.join()
            os.read(self._stopping[0], 1)
            self._thread = None

    def close(self) -> None:
        """End the process."""
        self.stop()
        super().close()
        for fd in self._stopping:
            os.close(fd)

    def _answer_all(self) -> None:
        poll = select.poll()
        for fd in (self.pipe.fileno(), self._stopping[0]):
            poll.register(fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()] if not self.pipe.has_message else []
            if self._stopping[0] in ready:
                return
            try:
                asked = self.pipe.receive()
            except EOFError:
                return
            if isinstance(asked, ServedRequest):
                self.pipe.tell(self.answer(asked))
