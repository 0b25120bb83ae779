"""One call of each client, as agents make it, and what it ends in."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import requests

Call = Callable[[], str]
"""Makes a call; returns ``whole`` or ``short``, or raises what the client raises.

Made of a URL, seconds of patience, whether to stream, padding of the request, and what to do after the first part.
"""

MESSAGES = [{"role": "user", "content": "go"}]
BODY = {"model": "m", "max_tokens": 9, "messages": MESSAGES}


def _httpx(library: Any) -> Callable[..., Call]:
    def caller(url: str, timeout_s: float, stream: bool, padding: str, first: Callable[[], None]) -> Call:
        client = library.Client(timeout=timeout_s, trust_env=False, verify=_looks_at_certificates(url))

        def call() -> str:
            body = {**BODY, "stream": stream, "padding": padding}
            with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
                return _judged(_told(answer.iter_bytes(), first), stream)

        return call

    return caller


def _requests(url: str, timeout_s: float, stream: bool, padding: str, first: Callable[[], None]) -> Call:
    session = requests.Session()
    session.trust_env = False

    def call() -> str:
        body = {**BODY, "stream": stream, "padding": padding}
        answer = session.post(f"{url}/v1/chat/completions", json=body, timeout=timeout_s, stream=stream)
        return _judged(_told(answer.iter_content(None), first), stream)

    return call


def _telling(parts: Iterable[Any], first: Callable[[], None]) -> Iterator[Any]:
    """Yield the parts of an answer, and say when the first one came."""
    for part in parts:
        yield part
        first()


def _told(parts: Iterable[bytes], first: Callable[[], None]) -> bytes:
    return b"".join(_telling(parts, first))


def _judged(content: bytes, stream: bool) -> str:
    return "whole" if content.rstrip().endswith(b"[DONE]" if stream else b"}") else "short"


def _looks_at_certificates(url: str) -> bool:
    """Say whether a client needs the certificates of this machine: reading them takes longer than a call."""
    return url.startswith("https:")


@cache
def _shared(verify: bool) -> Any:
    return httpx2.Client(trust_env=False, verify=verify, limits=httpx2.Limits(max_connections=200))


def _openai(url: str, timeout_s: float, stream: bool, padding: str, first: Callable[[], None]) -> Call:
    client = openai.OpenAI(
        base_url=f"{url}/v1", api_key="k", timeout=timeout_s, http_client=_shared(_looks_at_certificates(url))
    )

    def call() -> str:
        made: Any = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "go"}], stream=stream, extra_body={"padding": padding}
        )
        ends = (
            [event.choices[0].finish_reason for event in _telling(made, first)]
            if stream
            else [made.choices[0].finish_reason]
        )
        return "whole" if ends[-1] == "stop" else "short"

    return call


def _anthropic(url: str, timeout_s: float, stream: bool, padding: str, first: Callable[[], None]) -> Call:
    client = anthropic.Anthropic(
        base_url=url, api_key="k", timeout=timeout_s, http_client=_shared(_looks_at_certificates(url))
    )

    def call() -> str:
        made: Any = client.messages.create(
            model="m",
            max_tokens=9,
            messages=[{"role": "user", "content": "go"}],
            stream=stream,
            extra_body={"padding": padding},
        )
        if stream:
            return "whole" if [event.type for event in _telling(made, first)][-1] == "message_stop" else "short"
        return "whole" if made.stop_reason == "end_turn" else "short"

    return call


CALLERS: dict[str, Callable[[str, float, bool, str, Callable[[], None]], Call]] = {
    "httpx": _httpx(httpx),
    "httpx2": _httpx(httpx2),
    "requests": _requests,
    "openai": _openai,
    "anthropic": _anthropic,
}


def outcome(call: Call) -> str:
    """Return what a call returned, or the name of what it raised, with the cause where the SDK gives one."""
    try:
        return call()
    except Exception as error:
        cause = error.__cause__
        name = f"{type(error).__module__.partition('.')[0]}.{type(error).__name__}"
        if name.startswith(("openai.", "anthropic.")) and cause is not None:
            return f"{name} ({type(cause).__name__})"
        return name
