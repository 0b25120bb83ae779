"""The base URL of a twin, and the names of its things and points, written in one way."""

import re
from urllib.parse import urlsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest

_NOT_IN_A_TOKEN = re.compile(r"[%#\s]")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def base_url(text: str) -> str:
    """Return `text` as clients write it: host in lower case, no default port, no slash at the end.

    Raises:
        ChaosError: ``bad-url`` where it is no http or https URL, or has a query.
    """
    parts = urlsplit(text)
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc or parts.query or parts.fragment:
        raise ChaosError("bad-url", f"{text!r} is no base URL of a service", "type e.g. https://api.mail.test/v1")
    host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def place_of(base_url: str) -> str:
    """Return host and path of a base URL, below which a service's things have their names."""
    return HttpRequest("GET", base_url).host + urlsplit(base_url).path


def in_a_token(text: str) -> str:
    """Return a text as it can be a target of points: what a token would read otherwise is ``_``."""
    return _NOT_IN_A_TOKEN.sub("_", text)
