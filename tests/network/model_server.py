"""A model's HTTP server on a real port, in threads: it answers both SDKs' requests and counts what it processed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PARTS = [f"part {number} of what the model says. " * 9 for number in range(8)]


class ModelServer(ThreadingHTTPServer):
    """Counts the requests that arrived whole; after the first event of a stream it waits until it may `go_on`.

    Args:
        chunked: whether a stream's body comes in chunks, or ends with the connection.
    """

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, chunked: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.chunked, self.processed = chunked, 0
        self.go_on = threading.Event()
        self.go_on.set()
        self._lock = threading.Lock()

    def count(self) -> None:
        """Take in that one more request arrived whole."""
        with self._lock:
            self.processed += 1

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: that connections break is what is tested."""


@contextmanager
def model_server(chunked: bool) -> Iterator[ModelServer]:
    """Run one; what it counted is final when it was left, provided that its clients are gone."""
    server = ModelServer(chunked)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self.server.count()
        wanted = json.loads(body)
        anthropic = self.path.endswith("/messages")
        if wanted.get("stream"):
            self._stream(_anthropic_events() if anthropic else _openai_events())
        else:
            self._whole(_anthropic_answer() if anthropic else _openai_answer())

    def _whole(self, answer: dict[str, object]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        for number, event in enumerate(events):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event) if self.server.chunked else event)
            if number == 0:
                self.wfile.flush()
                self.server.go_on.wait(30)
        if self.server.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def _event(data: dict[str, object], name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def _openai_answer() -> dict[str, object]:
    message = {"role": "assistant", "content": "".join(PARTS)}
    return {
        "id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }  # fmt: skip


def _openai_events() -> list[bytes]:
    def chunk(delta: dict[str, object], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]})

    return [*(chunk({"content": part}, None) for part in PARTS), chunk({}, "stop"), b"data: [DONE]\n\n"]


def _anthropic_message() -> dict[str, object]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _anthropic_answer() -> dict[str, object]:
    return {**_anthropic_message(), "content": [{"type": "text", "text": "".join(PARTS)}], "stop_reason": "end_turn"}


def _anthropic_events() -> list[bytes]:
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": _anthropic_message()},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}} for part in PARTS),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return [_event(event, str(event["type"])) for event in events]
