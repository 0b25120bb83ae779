"""Requests to Toxiproxy's API, in sessions that each start from an empty server. What 2.12.0 answered is recorded.

    python -m tests.network.api_sessions        records the answers of the real server on PATH anew

``BUSY`` in a path or body stands for a port that somebody listens on, ``FREE`` for one that nobody does.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .servers import RECORDED, Server, shown, started

Step = tuple[str, str, object] | tuple[str, str, object, dict[str, str]]
UP = "127.0.0.1:9"
A = {"name": "a", "upstream": UP, "listen": "127.0.0.1:0"}


def a(**changed: object) -> dict[str, object]:
    """Return the description of a proxy."""
    return {**A, **changed}


def posted(path: str, *bodies: object) -> list[Step]:
    """Return one POST for each body."""
    return [("POST", path, body) for body in bodies]


def toxic(type: str, **rest: object) -> dict[str, object]:
    """Return the description of a toxic."""
    return {"type": type, **rest}


CREATE: Step = ("POST", "/proxies", A)
TOXICS = "/proxies/a/toxics"
LATENCY = f"{TOXICS}/latency_downstream"

SESSIONS: dict[str, list[Step]] = {
    "what is not there": [
        ("GET", "/version", None),
        ("GET", "/version?x=1", None),
        ("GET", "/metrics", None),
        ("GET", "/", None),
        ("GET", "/version/", None),
        ("GET", "/nonsense", None),
        ("GET", "/proxies/nonsense", None),
        ("GET", "/proxies/a%2Fb", None),
        ("PUT", "/proxies", None),
        ("DELETE", "/proxies", None),
        ("OPTIONS", "/proxies", None),
        ("HEAD", "/version", None),
        ("GET", "/reset", None),
        ("GET", "/populate", None),
        ("GET", "//version", None),
        ("GET", "/version", None, {"User-Agent": "Mozilla/5.0"}),
        ("GET", "/nonsense", None, {"User-Agent": "Mozilla/5.0"}),
        ("GET", "/proxies", None),
    ],
    "creating: what cannot be read": posted(
        "/proxies", b"", b"{", b'{"name": "a', b"[]", b"null", b'"text"', b"5", b"{}", b"nonsense",
        b'{"name": nonsense}',
        {"name": "a"}, {"upstream": UP}, {"name": "", "upstream": UP}, {"name": "a", "upstream": ""},
        {"name": 5, "upstream": UP}, {"name": "a", "upstream": []}, a(enabled="yes"), a(enabled=1), a(listen=5),
        a(name=None),
    ),
    "creating": [
        CREATE,
        CREATE,
        *posted(
            "/proxies", a(name="b", enabled=False), a(name="c", listen="localhost:0"),
            a(name="d", listen="127.0.0.1:BUSY"),
            a(name="e", listen="127.0.0.1:99999"), a(name="f", listen="nonsense"), a(name="g", listen="192.0.2.1:0"),
            a(name="h", upstream="nonsense"), a(name="i", listen="127.0.0.1:-1"),
            a(name="j", listen="127.0.0.1:nonsense"),
            a(name="k", listen="[::1]:0"), a(name="l", unknown=[1, {}]), a(name="m", enabled=None),
            a(name="n", listen="a:b:c"),
            a(name="d", listen="127.0.0.1:0"),
            b'{"NAME": "o", "Upstream": "127.0.0.1:9", "LISTEN": "127.0.0.1:0"} trailing',
            b' \n {"name": "p", "name": "q", "upstream": "127.0.0.1:9", "upstream": null, "listen": "127.0.0.1:0"}',
        ),
        ("GET", "/proxies", None),
        ("GET", "/proxies/a", None),
    ],
    "names": [
        *posted("/proxies", a(name="with space"), a(name="ünïcode"), a(name="with/slash", enabled=False),
            a(name="a?b")),
        ("GET", "/proxies/with%20space", None),
        ("GET", "/proxies/%C3%BCn%C3%AFcode", None),
        ("GET", "/proxies/with/slash", None),
        ("GET", "/proxies/with%2Fslash", None),
        ("GET", "/proxies/a%3Fb", None),
        ("DELETE", "/proxies/with%20space", None),
    ],
    "updating": [
        CREATE,
        ("POST", "/proxies/a", {"enabled": True}),
        ("POST", "/proxies/a", {"enabled": False}),
        ("PATCH", "/proxies/a", {"enabled": False}),
        ("PATCH", "/proxies/a", {"enabled": True}),
        ("PATCH", "/proxies/a", {"name": "renamed"}),
        ("PATCH", "/proxies/a", b""),
        ("PATCH", "/proxies/a", {}),
        ("PATCH", "/proxies/a", {"enabled": "no"}),
        ("PATCH", "/proxies/a", {"upstream": "127.0.0.1:10"}),
        ("PATCH", "/proxies/a", {"listen": "nonsense"}),
        ("PATCH", "/proxies/a", {"listen": "127.0.0.1:nonsense"}),
        ("GET", "/proxies/a", None),
        ("PATCH", "/proxies/a", {"listen": "127.0.0.1:BUSY"}),
        ("GET", "/proxies/a", None),
        ("PATCH", "/proxies/a", {"listen": "127.0.0.1:FREE"}),
        ("PATCH", "/proxies/a", {"listen": "127.0.0.1:FREE", "enabled": True}),
        ("PATCH", "/proxies/a", {"listen": "localhost:0"}),
        ("PUT", "/proxies/a", {"enabled": True}),
        ("DELETE", "/proxies/a", None),
        ("DELETE", "/proxies/a", None),
        ("POST", "/proxies/a", {"enabled": True}),
        ("POST", "/proxies/a", b"{"),
    ],
    "toxics": [
        CREATE,
        *posted(
            TOXICS, toxic("latency", attributes={"latency": 100, "jitter": 10}),
            toxic("bandwidth", attributes={"rate": 9}),
            toxic("slow_close", attributes={"delay": 5}), toxic("timeout", attributes={"timeout": 5}),
            toxic("reset_peer", attributes={"timeout": 5}), toxic("noop"), toxic("limit_data", attributes={"bytes": 5}),
            toxic("slicer", attributes={"average_size": 5, "size_variation": 2, "delay": 1}),
            toxic("latency", stream="upstream"), toxic("latency", stream="UpStream", name="named"),
        ),
        ("GET", TOXICS, None),
        ("GET", "/proxies/a", None),
        ("GET", "/proxies", None),
        *posted("/reset", None),
        ("GET", TOXICS, None),
    ],
    "toxics that are odd": [
        CREATE,
        *posted(
            TOXICS, toxic("latency"), toxic("latency"), toxic("bandwidth", name="latency_downstream"),
            toxic("latency", name="b", attributes=None), toxic("latency", name="c", attributes={"latency": 1.5}),
            toxic("latency", name="d", attributes={"latency": "5"}), toxic("latency", name="e", attributes=[]),
            toxic("latency", name="f", attributes={"LATENCY": 5, "unknown": "x"}),
            toxic("latency", name="g", stream="sideways"),
            toxic("latency", name="h", stream=""), toxic("nonsense", name="i"), toxic("", name="j"), b"",
            b"{", b"[]", {},
            toxic("latency", name="k", toxicity=7), toxic("latency", name="l", toxicity=-1),
            toxic("latency", name="m", toxicity="1"), toxic("latency", name="n", toxicity=0.3),
            toxic("latency", name="o", attributes={"latency": -5}), toxic("nonsense", stream="sideways"),
            toxic("nonsense", attributes={"latency": "5"}), toxic("latency", name="p", attributes={"latency": None}),
            toxic(5), toxic("latency", name=5),
            toxic("latency", name="q", attributes={"latency": 10**30}),
        ),
        ("GET", TOXICS, None),
    ],
    "changing toxics": [
        CREATE,
        *posted(TOXICS, toxic("latency", attributes={"latency": 100, "jitter": 10})),
        ("POST", LATENCY, {"attributes": {"jitter": 5}}),
        ("PATCH", LATENCY, {"toxicity": 0.5}),
        ("PATCH", LATENCY, {"name": "b", "type": "timeout", "stream": "upstream"}),
        ("PATCH", LATENCY, {}),
        ("PATCH", LATENCY, b""),
        ("PATCH", LATENCY, {"attributes": []}),
        ("GET", LATENCY, None),
        ("GET", f"{TOXICS}/nonsense", None),
        ("PATCH", f"{TOXICS}/nonsense", {}),
        ("DELETE", f"{TOXICS}/nonsense", None),
        ("GET", "/proxies/nonsense/toxics/nonsense", None),
        ("GET", "/proxies/nonsense/toxics", None),
        ("POST", "/proxies/nonsense/toxics", toxic("latency")),
        ("PUT", LATENCY, {}),
        ("PATCH", "/proxies/a", {"enabled": False}),
        ("PATCH", "/proxies/a", {"enabled": True}),
        ("DELETE", LATENCY, None),
        ("DELETE", LATENCY, None),
        ("GET", TOXICS, None),
    ],
    "populate": [
        *posted(
            "/populate", b"", {}, [], None, b"null", [{}], [{"name": "a"}], [A, {"name": "b"}], [5],
            [A, a(name="b", enabled=False)],
        ),
        *posted(TOXICS, toxic("latency")),
        *posted("/populate", [A], [a(name="c", listen="127.0.0.1:FREE")]),
        *posted("/proxies/c/toxics", toxic("latency")),
        *posted("/populate", [a(name="c", listen="127.0.0.1:FREE")],
            [a(name="c", listen="127.0.0.1:FREE", upstream="127.0.0.1:10")]),
        *posted("/populate", [a(name="d"), a(name="e", listen="127.0.0.1:BUSY"), a(name="f")],
            [a(name="c", listen="nonsense")]),
        ("GET", "/proxies", None),
    ],
    "reset": [
        CREATE,
        *posted("/reset", b"nonsense"),
        *posted(TOXICS, toxic("latency")),
        ("POST", "/proxies/a", {"enabled": False}),
        *posted("/reset", b""),
        ("GET", "/proxies/a", None),
    ],
}  # fmt: skip


@contextmanager
def ports() -> Iterator[dict[str, str]]:
    """Provide a port that is busy and one that is free, by the names that stand for them."""
    with socket.socket() as busy, socket.socket() as free:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        free.bind(("127.0.0.1", 0))
        numbers = {"BUSY": str(busy.getsockname()[1]), "FREE": str(free.getsockname()[1])}
        free.close()
        yield numbers


def answers(server: Server, steps: list[Step]) -> list[list[object]]:
    """Carry out a session, and return what was answered, comparable."""
    found = []
    with ports() as numbers:
        for method, path, body, *headers in steps:
            sent = _filled(body, numbers)
            answer = server.request(method, path, sent, *headers)
            found.append(shown(answer, {number: name for name, number in numbers.items()}))
    return found


def _filled(body: Any, numbers: dict[str, str]) -> object:
    if body is None or isinstance(body, bytes):
        return body
    text = json.dumps(body)
    for name, number in numbers.items():
        text = text.replace(name, number)
    return text.encode()


def record() -> None:
    """Write down what the real server answers."""
    found = {}
    for name, steps in SESSIONS.items():
        with started("real") as server:
            found[name] = answers(server, steps)
    lines = ",\n".join(
        f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in several) + "\n]"
        for name, several in found.items()
    )
    (RECORDED / "api.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
