"""Cassettes on disk: requests with the real provider's answers, as JSON that is read and compared by people.

Of headers the file has what says something of an answer, and no other: no key, cookie or organisation can be in it.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..values.cleaning import Cleaner
from ..values.errors import ChaosError
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from ..values.secret_forms import FORMS
from . import events
from .credentials import shown

Exchange = Mapping[str, Any]
"""``{"request": …, "response": …}`` as the file has it."""

_VERSION = 1
_KEPT = ("content-type", "request-id", "x-request-id")
_KEYS_IN_QUERY = ("access_token", "api-key", "api_key", "auth", "key", "sig", "signature", "token")
_SECRET_HEADER = re.compile(r"(?!.*ratelimit).*(?:authorization|cookie|key|token|secret|organization|project)")
_OF_THE_PROVIDER = re.compile(
    r"(?:\w+_)?id|responseId|b64_json|data|embedding|encrypted_content|signature|thoughtSignature"
)
"""Fields of ids and of encoded data, which look like secrets and are none: the provider wants them back as they are."""
_ENCODED = re.compile(r"[\w.+/=-]{20,}")
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def request_of(request: HttpRequest, cleaner: Cleaner) -> dict[str, Any]:
    """Return a request as a cassette has it."""
    parts = urlsplit(request.url)
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0].lower() not in _KEYS_IN_QUERY])
    learn(cleaner, request.headers)
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=host, query=query).geturl()
    asked = {"method": request.method, "url": cleaner.clean(url), "authenticated": bool(shown(request))}
    try:
        return {**asked, "json": cleaned(request.json(), cleaner)}
    except ValueError:
        return {**asked, "text": cleaner.clean(request.body.decode(errors="replace"))}


def response_of(response: HttpResponse, cleaner: Cleaner) -> dict[str, Any]:
    """Return an answer as a cassette has it: JSON, the events of a stream, or text."""
    learn(cleaner, response.headers)
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    said: dict[str, Any] = {"status": response.status, "headers": headers}
    if events.is_stream(response):
        stream = [{"event": name, "data": data} if name else {"data": data} for name, data in events.read(response)]
        return {**said, "stream": cleaned(stream, cleaner)}
    try:
        return {**said, "json": cleaned(response.json(), cleaner)}
    except ValueError:
        return {**said, "text": cleaner.clean(response.body.decode(errors="replace"))}


def response_from(said: dict[str, Any]) -> HttpResponse:
    """Return the answer that a cassette has."""
    if "stream" in said:
        stream = [(event.get("event", ""), event["data"]) for event in said["stream"]]
        return events.streamed(stream, ModelAnswer(), said["headers"])
    if "json" in said:
        body = _encodable(json.dumps(said["json"], ensure_ascii=False)).encode()
        return HttpResponse(said["status"], {"content-type": "application/json", **said["headers"]}, body)
    return HttpResponse(said["status"], said["headers"], said["text"].encode())


def learn(cleaner: Cleaner, headers: Mapping[str, str]) -> None:
    """Teach a cleaner what these headers have of keys, cookies and organisations, to be hidden."""
    for name, value in headers.items():
        if _SECRET_HEADER.match(name.lower()):
            cleaner.learn(value)
            cleaner.learn(value.rpartition(" ")[2])


def cleaned(document: Any, cleaner: Cleaner) -> Any:
    """Return JSON without its secrets."""
    # Asked before: to clean data that looks like a key is to know it.
    secrets = {payload for payload in _payloads(document) if cleaner.knows(payload)}
    return _with_payloads(document, cleaner.data(document), secrets)


def _payloads(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from [value] if _is_of_the_provider(name, value) else _payloads(value)
    elif isinstance(document, list):
        for value in document:
            yield from _payloads(value)


def _with_payloads(document: Any, clean: Any, secrets: Set[str]) -> Any:
    if isinstance(document, dict) and len(document) == len(clean):
        pairs = zip(document.items(), clean.items(), strict=True)
        return {
            key: value
            if _is_of_the_provider(name, value) and value not in secrets
            else _with_payloads(value, told, secrets)
            for (name, value), (key, told) in pairs
        }
    if isinstance(document, list):
        return [_with_payloads(*pair, secrets) for pair in zip(document, clean, strict=True)]
    return clean


def _is_of_the_provider(name: str, value: Any) -> bool:
    if not _OF_THE_PROVIDER.fullmatch(name) or not isinstance(value, str):
        return False
    return bool(_ENCODED.fullmatch(value)) and not FORMS.match(value)


def read(path: Path) -> list[Exchange]:
    """Return the content of a cassette.

    Raises:
        ChaosError: ``bad-cassette`` where it cannot be read, ``secret-in-cassette`` where a secret stands in it.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise _bad(path, f"cannot be read: {problem}") from None
    version = document.get("rollproof cassette") if isinstance(document, dict) else None
    if version is None:
        raise _bad(path, 'is no cassette: it does not begin with {"rollproof cassette": 1')
    if version != _VERSION:
        raise _bad(path, f"is of version {version!r}, and this Rollproof reads {_VERSION}")
    exchanges = document.get("exchanges")
    for number, exchange in enumerate(exchanges if isinstance(exchanges, list) else [None], 1):
        if not _is_whole(exchange):
            raise _bad(path, f"is not whole: exchange {number} has no request and response of the form of a cassette")
        if cleaned(exchange, Cleaner()) != exchange:
            raise ChaosError(
                "secret-in-cassette",
                f"{path}: a secret stands in exchange {number}",
                "if it is one, revoke it; then delete the file and record anew, or write [secret 0000] in its place",
            )
    return list(exchanges or [])


def write(path: Path, exchanges: Sequence[Exchange]) -> None:
    """Write a cassette, as a whole or not at all; raises ChaosError ``bad-cassette`` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as problem:
        raise ChaosError("bad-cassette", f"{path} cannot be written: {problem}") from None
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(_text({"rollproof cassette": _VERSION, "exchanges": exchanges}))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _text(document: dict[str, Any]) -> str:
    """Return JSON with a line for each event of a stream."""
    lines: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: _line(each) if name == "stream" else marked(each) for name, each in value.items()}
        return [marked(each) for each in value] if isinstance(value, list) else value

    def _line(stream: Any) -> Any:
        if not isinstance(stream, list):
            return stream
        lines.extend(json.dumps(event, ensure_ascii=False) for event in stream)
        return [f"\0{n}" for n in range(len(lines) - len(stream), len(lines))]

    text = json.dumps(marked(document), ensure_ascii=False, indent=2)
    text = re.sub(r'"\\u0000(\d+)"', lambda found: lines[int(found[1])], text) + "\n"
    return _encodable(text)


def _encodable(text: str) -> str:
    """Return JSON in which half a surrogate pair, which a text may have and UTF-8 has not, is escaped."""
    return _HALF_A_PAIR.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _is_whole(exchange: Any) -> bool:
    if not isinstance(exchange, dict) or exchange.keys() != {"request", "response"}:
        return False
    asked, said = exchange["request"], exchange["response"]
    if not isinstance(asked, dict) or not isinstance(said, dict):
        return False
    answered = isinstance(said.get("status"), int) and isinstance(said.get("headers"), dict)
    stream = said.get("stream", [])
    events_are = isinstance(stream, list) and all(isinstance(event, dict) and "data" in event for event in stream)
    named = all(isinstance(asked.get(name), str) for name in ("method", "url"))
    return named and answered and events_are and bool({"json", "stream", "text"} & said.keys())


def _bad(path: Path, what: str) -> ChaosError:
    hint = "delete it and run the test once without --chaos: that records it anew, at the real provider"
    return ChaosError("bad-cassette", f"{path} {what}", hint)
