"""Calls to the API of one Toxiproxy server, through `toxiproxy-python`'s consumer."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from toxiproxy.api import APIConsumer  # type: ignore[import-untyped]
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists  # type: ignore[import-untyped]

from ..values.errors import ChaosError, shown

DEFAULT_PORT = 8474
_TIMEOUT_S = 30.0
# Whatever the environment says: nobody stands between us and a server on this machine.
_DIRECTLY: Mapping[str, Any] = {"timeout": _TIMEOUT_S, "proxies": {"http": None, "all": None}}
_HINT = f"start one with toxiproxy-server, and type its URL, e.g. http://127.0.0.1:{DEFAULT_PORT}"


class Api:
    """One server. The consumer keeps host and port in its class, so each server has a class of its own.

    Every method raises ChaosError where the server cannot be reached or refuses.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._consumer: type[Any] = type("Consumer", (APIConsumer,), {"host": host, "port": port})

    @staticmethod
    def path(*names: str) -> str:
        """Return a path of names, each quoted."""
        return "".join(f"/{quote(name, safe='')}" for name in names)

    def check(self, url: str) -> None:
        """Make sure that a Toxiproxy server is there."""
        try:
            self._call("GET", "/version")
            self.get_list("/proxies")
        except Missing:
            raise ChaosError("toxiproxy-unreachable", f"what answers at {url} is no Toxiproxy server", _HINT) from None

    def get_list(self, path: str) -> list[dict[str, Any]]:
        """Return a list, or the values of an object."""
        found = self._document(self._call("GET", path))
        return list(found.values()) if isinstance(found, dict) else list(found)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Create or change something, and return it as it is now."""
        found: dict[str, Any] = self._document(self._call("POST", path, json=body))
        return found

    def delete(self, path: str, missing_ok: bool = False) -> None:
        """Remove something."""
        try:
            self._call("DELETE", path)
        except Missing:
            if not missing_ok:
                raise

    def _call(self, method: str, path: str, **body: object) -> requests.Response:
        call = getattr(self._consumer, method.lower())
        try:
            answer: requests.Response = call(path, **body, **_DIRECTLY)
        except NotFound as error:
            raise Missing("toxiproxy-missing", f"{method} {path}: {_said(error)}") from None
        except ProxyExists as error:
            raise ChaosError("toxiproxy-name-taken", f"{method} {path}: {_said(error)}", "it was left alone") from None
        except InvalidToxic as error:
            raise ChaosError("toxiproxy-refused", f"{method} {path}: {_said(error)}") from None
        except (requests.RequestException, UnicodeError) as error:
            where = f"http://{self.host}:{self.port}"
            raise Unreachable("toxiproxy-unreachable", f"no Toxiproxy answers at {where}: {error}", _HINT) from None
        if answer.status_code >= 400:
            raise ChaosError("toxiproxy-refused", f"{method} {path}: {answer.status_code} {answer.text.strip()}")
        return answer

    def _document(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            where = f"http://{self.host}:{self.port}"
            raise ChaosError(
                "toxiproxy-unreachable", f"what answers at {where} is no Toxiproxy server", _HINT
            ) from None


class Unreachable(ChaosError):
    """A server that does not answer."""


class Missing(ChaosError):
    """A proxy or toxic that the server does not know."""


def parse(url: str) -> tuple[str, int]:
    """Return host and port of a server's URL; the scheme may be left out, and the port, which is 8474 then.

    Raises:
        ChaosError: where it is none, or on another machine: proxies listen on the loopback of theirs.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme != "http" or parts.path.strip("/") or parts.query or parts.username:
        raise ChaosError("toxiproxy-url", f"{shown(url)} is no URL of a Toxiproxy server", _HINT)
    if host != "localhost" and not _is_loopback(host):
        hint = "a container's server can be used with its network set to host"
        text = f"{shown(url)} is not on this machine, whose loopback proxies listen on"
        raise ChaosError("toxiproxy-url", text, hint)
    return f"[{host}]" if ":" in host else host, port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _said(error: Exception) -> str:
    """Return the message of the server, which the consumer raises as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace").strip() if isinstance(said, bytes) else str(said)
