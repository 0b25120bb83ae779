"""The operation that a request is about, where all of a service's requests go to one path."""

import json
import re

from ..values.http import HttpRequest

_NAMED = re.compile(r"\b(?:query|mutation|subscription)\s+([A-Za-z_]\w*)\s*[({@]")
_FIRST_FIELD = re.compile(r"\{\s*(?:[A-Za-z_]\w*\s*:\s*)?([A-Za-z_]\w*)")
_NO_CODE = re.compile(r'"""(?s:.*?)"""|"(?:[^"\\]|\\.)*"|#[^\n]*')
_BEGIN = re.compile(r"\s*(query|mutation|subscription|fragment|\{)")
_METHOD = re.compile(r"[\w.:/-]{1,80}")


def operation_of(request: HttpRequest) -> str:
    """Return the operation that a request names in its body: that of GraphQL, or the method of JSON-RPC; else "".

    An operation of GraphQL without a name is called after its first field.
    """
    if request.method.upper() != "POST" or not request.body.lstrip().startswith(b"{"):
        return ""
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(document.get("query"), str):
        return _of_graphql(document["query"], document.get("operationName"))
    method = document.get("method")
    return method if "jsonrpc" in document and isinstance(method, str) and _METHOD.fullmatch(method) else ""


def _of_graphql(query: str, chosen: object) -> str:
    if isinstance(chosen, str) and chosen.isidentifier():
        return chosen
    text = _NO_CODE.sub(lambda match: '""' if match[0].startswith('"') else "", query)
    found = _NAMED.search(text) or _FIRST_FIELD.search(text)
    return found[1] if found and _BEGIN.match(text) else ""
