"""One HTTP exchange as plain values, the same for every client library."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.parser import BytesParser
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from .epoch import MADE


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it left the agent; header names in lower case.

    Attributes:
        time: by the clock of the process that asks, in epoch seconds; of what the test asks beside its runs, an hour
            before they begin. A twin that stamps what it makes goes by it, since its own clock is not the agent's.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    time: float = field(default=float(MADE), compare=False, repr=False)

    @property
    def host(self) -> str:
        """Host, with the port where the URL names one."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def hostname(self) -> str:
        """Host without a port, in small letters."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int | None:
        """The port, where the URL names one."""
        return urlsplit(self.url).port

    @property
    def path(self) -> str:
        """Path below the host, with its leading slash, without the query."""
        return urlsplit(self.url).path or "/"

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; the last one wins where a name is repeated."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def opens_websocket(self) -> bool:
        """Return whether the client wants to go on with a websocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    def json(self) -> Any:
        """Return the body parsed as JSON; raises ValueError where it is none."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """Return the fields of a form in the body; the last one wins where a name is repeated.

        Both forms of a form are read, ``application/x-www-form-urlencoded`` and ``multipart/form-data``; of a file
        that was sent, its text. Raises ValueError for a body that is no text.
        """
        kind = self.headers.get("content-type", "")
        if not kind.lower().startswith("multipart/"):
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + self.body)
        parts: Any = message.get_payload() if message.is_multipart() else []
        content = {part.get_param("name", "", "content-disposition"): part.get_payload(decode=True) for part in parts}
        return {str(name): bytes(text or b"").decode() for name, text in content.items()}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer as the service gave it.

    `broken` says what the client meets after the last byte of `body`: "cut", the connection is gone in the middle of a
    chunked body; "stalled", nothing more comes until the client's patience ends; "" is a whole body. `note` is not
    sent: the story tells it of this answer.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    broken: Literal["", "cut", "stalled"] = ""
    note: str = ""

    @classmethod
    def of_json(cls, status: int, document: object, headers: Mapping[str, str] | None = None) -> "HttpResponse":
        """Build an answer whose body is `document` as JSON."""
        body = json.dumps(document, ensure_ascii=False).encode()
        return cls(status, {"content-type": "application/json", **(headers or {})}, body)

    @property
    def header_lines(self) -> list[tuple[str, str]]:
        """Headers as they are sent, a line each: of a name that comes more than once the lines stand in one text."""
        return [(name, line) for name, text in self.headers.items() for line in text.split("\n")]

    def json(self) -> Any:
        """Return the body parsed as JSON; raises ValueError where it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Asked:
    """The form that a request asked for: of the JSON of an answer, or of the arguments of a call.

    Attributes:
        schema: the JSON schema that the request gave; None where any JSON will do.
        strict: whether the provider guarantees it: only an answer that is cut off, or refused, has another form then.
    """

    schema: Mapping[str, Any] | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call a model asks for; `arguments` is JSON text, as providers send it, `asked` what the request wanted."""

    name: str
    arguments: str
    id: str = ""
    asked: Asked | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """An answer of a model, independent of the provider's wire format.

    Attributes:
        text: what it said.
        tool_calls: the calls it asks for, in parallel where there are several.
        finish_reason: in OpenAI's words: "stop", "length", "tool_calls", "content_filter".
        refusal: why it refuses, where the provider says that apart from the text.
        streamed: whether it comes as server-sent events.
        ending: how the stream ends: "whole", with all that belongs there; "closed", right after what was said, without
            an error; "cut" and "stalled" as `HttpResponse.broken` says. What is not streamed is always whole.
        asked: what the request wanted the text to be; None where it said nothing of that.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    refusal: str = ""
    streamed: bool = False
    ending: Literal["whole", "closed", "cut", "stalled"] = "whole"
    asked: Asked | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        calls = [f"{call.name}({call.arguments})" for call in self.tool_calls]
        ends = [] if self.ending == "whole" else [f"(the stream is {self.ending})"]
        return " ".join([*filter(None, (self.text, self.refusal)), *calls, *ends]) or "nothing"

    def with_text(self, text: str, finish_reason: str | None = None) -> "ModelAnswer":
        """Return the same answer saying `text`."""
        return replace(self, text=text, finish_reason=finish_reason or self.finish_reason)

    def with_arguments(self, n: int, arguments: str) -> "ModelAnswer":
        """Return the same answer with other arguments in its n-th tool call, from 0."""
        call = replace(self.tool_calls[n], arguments=arguments)
        return replace(self, tool_calls=(*self.tool_calls[:n], call, *self.tool_calls[n + 1 :]))
