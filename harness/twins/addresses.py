"""Where a twin is: its base URL, written in one way."""

from urllib.parse import urlsplit

from ..values.errors import ChaosError

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
