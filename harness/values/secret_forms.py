"""How secrets are told from other texts: by their form, by the name of their field, or as generated ones.

The forms are those that scanners of repositories know (detect-secrets, gitleaks), as far as they are told from words.
"""

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Literal
from urllib.parse import quote, quote_plus, unquote_plus

from .credentials import is_distinctive

Strength = Literal["", "weak", "strong"]
"""What the name of a field says of its value: with a weak one (`key`) the value has to look like a secret itself."""

_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"  # also behind the escaped end of a line
FORMS = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # JWT
    rf"|gh[a-z]_[A-Za-z0-9]{{12,}}|github_pat_\w{{12,}}|glpat-[\w-]{{12,}}|{_BEGIN}(?:npm|hf)_[A-Za-z0-9]{{20,}}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}"
    rf"|xox[a-z]-[\w-]{{8,}}|xapp-[\w-]{{8,}}|SG\.[\w-]{{16,}}\.[\w-]{{16,}}"
    rf"|{_BEGIN}[srp]k_(?:live|test)_\w{{8,}}|whsec_[\w+/=]{{8,}}|{_BEGIN}sk-[\w-]{{8,}}",
    re.DOTALL,
)
"""Secrets that are known by their own form, wherever they stand."""
BLOCKS = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{48,}={0,2}")
"""Lines of a key in base64, which a difference may show without what stands around them."""
LOGIN = re.compile(r"(?P<before>\b[a-zA-Z][\w+.-]{0,30}://[^\s/:@'\"<>]*:)(?P<secret>[^\s/@'\"<>]+)(?=@)")
BEARER = re.compile(r"(?i)(?P<before>\bbearer\s+)(?P<secret>[\w.~+/=-]{8,})")
BASIC = re.compile(r"(?i)(?P<before>\bbasic\s+)(?P<secret>[A-Za-z0-9+/]{8,}={0,2})")

_OF_SECRETS = r"(?:key|token|secret|pass(?:w(?:or)?d|phrase|code)?|pwd|cookie|authorization|credential|jwt)s?"
FIELD = re.compile(
    rf"(?<![\w-])(?P<name>[\w-]{{0,40}}?{_OF_SECRETS})"
    r"(?P<between>\\*[\"']?\s*(?:[:=]|(?<=[\"']),)\s*(?:b(?=[\"']))?)"
    r"(?:\"(?P<double>(?:\\.|[^\"\\\n])*)|'(?P<single>(?:\\.|[^'\\\n])*)"
    r"|(?P<quote>\\+[\"'])(?P<escaped>(?:(?!(?P=quote))[^\n]){0,4000})|(?P<bare>[^\s\"'\\]))",
    re.IGNORECASE,
)
"""A field with its value in a text: JSON (also within JSON), a header, a form, YAML, an assignment, Python's `repr`.

Of a value without quotes it has the first letter: `bare_value` says where it ends.
"""
TRIGGERS = re.compile(
    rf"(?i){_OF_SECRETS}[\"'\\\s]*[:=,]|BEGIN |eyJ|gh[a-z]_|github_pat|glpat|npm_|hf_|a[ks]ia|aiza|ya29|xox|xapp|SG\."
    r"|k_live|k_test|whsec_|sk-|://|bearer|basic|[a-z0-9+/]{48}"
)
"""Is found in each text in which one of the patterns above can be: most texts have none, and this is one look."""

SCHEME = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey)\s+")
"""Stands before a credential in a header."""
_LONGEST = 1000
_LINE, _VALUE = re.compile(r"[^\n\"'\\]*"), re.compile(r"[^\s&;,<>)}\]\"'\\]*")
_INNER = rf"{_OF_SECRETS}\s*[:=]"
_BEFORE_INNER = re.compile(rf"(?:(?!{_INNER})[^\s&;,<>)}}\]\"'\\])*(?P<inner>(?={_INNER}))?", re.IGNORECASE)
"""The value of a field up to the name of another one in it, which has a value of its own."""
_OF_NAMES = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COOKIE = re.compile(r"[\w.-]+=")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_STRONG = re.compile(
    r"(?:secret|pass(?:w(?:or)?d|phrase|code)?|pwd|cookie|authorization|credential|jwt)s?"
    r"|(?:access|api|auth|bearer|client|encryption|private|refresh|secret|service|session|signing)(?:key|token)s?"
)
_BEFORE_HARMLESS = """
    cache call cancel cancellation continuation cursor dedup dedupe deduplication end eos fencing foreign group
    idempotency lease lock message natural next object page partition primary public replay resume routing row run sort
    step stop sync unique
"""
_HARMLESS = frozenset(_BEFORE_HARMLESS.split())
_NO_NAME = re.compile(r"[/:\s]")  # a path, a table of a database, a collection of a service
_CODE = re.compile(r"[A-Za-z_][A-Za-z_.]*(?:[\[({].*)?")
_OWN_TOKEN = re.compile(r"[\w-]+\.[\w-]+(?:\.\d+)?(?:~lasting)?@")
_NUMBER = re.compile(r"[\d.,:_+-]+")
_PATH = re.compile(r"(?:~|\.{1,2})?/[a-z]+\d*(?:/|$)|file:|[A-Za-z]:\\")

_READABLE = re.compile(
    r"(?:.+_)?(?:PATH|DIR|HOME|HOST|HOSTNAME|FILE|VERSION|COLORS|SOCK|SHELL)|(?:OLD)?PWD|LANG|LC_.*|TERM|USER|LOGNAME"
    r"|PYTEST_.*|PS\d|_"
)
_PIECE = re.compile(r"[\w+/=-]{16,}")
_SEGMENT = re.compile(r"[\w+=-]{16,}")
LEAST_GENERATED = 16
"""Characters of the shortest text that can be told to be generated."""
_LEAST_BITS = 3.0  # of Shannon's entropy for each character: sixteen different hexadecimal digits have 4, words about 3
_LEAST_TURNS = 0.25  # of random hexadecimal digits and base64 0.45, of paths and names with numbers below 0.15
_LEAST_PART = 6  # characters between punctuation: `v2-x86-py3` has many turns, too


def is_generated(text: str) -> bool:
    """Return whether a text was drawn at random: long, of many characters, letters and digits (or cases) in turn.

    Entropy alone does not tell a key from a path: a path has as many different characters. The turns do.
    """
    kinds = ["digit" if c.isdigit() else "upper" if c.isupper() else "lower" if c.isalpha() else "" for c in text]
    turns = sum(bool(a and b) and a != b and (a, b) != ("upper", "lower") for a, b in pairwise(kinds))
    parts = [part for part in re.split(r"[\W_]+", text) if part]
    if len(text) < LEAST_GENERATED or sum(map(len, parts)) < _LEAST_PART * len(parts):
        return False
    return turns >= _LEAST_TURNS * len(text) and _bits(text) >= _LEAST_BITS


def _bits(text: str) -> float:
    """Return Shannon's entropy of a text, in bits for each character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def of_name(name: str) -> Strength:
    """Return how strongly a name says that its value is secret, "strong", "weak" or ""; its last word decides."""
    if _NO_NAME.search(name):
        return ""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or {*words[-2:-1]} & _HARMLESS:
        return ""
    if _STRONG.fullmatch(words[-1]) or _STRONG.fullmatch("".join(words[-2:])):
        return "strong"
    return "weak" if words[-1] in ("key", "keys", "token", "tokens") else ""


def is_secret(value: str, strength: Strength, name: str = "") -> bool:
    """Return whether the value of a field is a secret, as far as its name says so; a number never is."""
    if not strength or not is_distinctive(value) or _NUMBER.fullmatch(value) or _OWN_TOKEN.match(value):
        return False
    if strength == "strong" or is_generated(value):
        return True
    if name.lower() in ("key", "keys"):  # of a table of keys and values
        return False
    has_both = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return not re.search(r"\s", value) and len(value) >= (12 if has_both else 20)


def bare_value(found: re.Match[str], strength: Strength) -> str:
    """Return the value of a field in a text where no quotes say which it is; `found` is a match of `FIELD`.

    It is "" for an expression of a program, as in ``token=settings.token``, and for a sentence. Of a field of this
    strength whose value must look like a secret, another field in it is no part: a line of many fields would be looked
    at once from each of them.
    """
    name, text, assigned = found["name"], found.string, "=" in found["between"]
    at, end = found.start("bare"), found.start("bare") + _LONGEST
    if not assigned and found["between"][-1:] in ":,":
        return ""  # a path, a point, a call
    if not assigned and (_COOKIE if name.lower().endswith("cookie") else SCHEME).match(text, at, end):
        return _matched(_LINE, text, at, end)[0].rstrip()
    whole = _matched(_BEFORE_INNER if strength == "weak" else _VALUE, text, at, end)
    value = whole[0].rstrip(_OF_NAMES) if strength == "weak" and whole["inner"] is not None else whole[0]
    if not _CODE.fullmatch(value):
        return value
    if assigned:
        beside = text[max(0, found.start() - 1) : found.start()], text[at + len(value) : at + len(value) + 1]
        literal = "&" in beside or name.isupper()  # a form, an environment
    else:
        literal = value.isalpha() and value == _matched(_LINE, text, at, end)[0].strip()
    return value if literal else ""


def _matched(pattern: re.Pattern[str], text: str, at: int, end: int) -> re.Match[str]:
    """Return the match of a pattern that always matches, if need be the empty text."""
    found = pattern.match(text, at, end)
    assert found is not None
    return found


def lines_of_a_key(block: str) -> list[str]:
    """Return the lines of a private key in PEM, escaped or not; none for another text."""
    lines = re.split(r"(?:\\+[nr]|\s)+", block) if block.startswith("-----BEGIN") else []
    return [line for line in lines if len(line) >= LEAST_GENERATED and "-----" not in line]


def login(encoded: str) -> str:
    """Return user and password as HTTP's basic authentication encodes them; "" for another text."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode(errors="replace")
    except (ValueError, binascii.Error):
        return ""
    return decoded if ":" in decoded else ""


def of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets in environment variables: by their names, in URLs, and values generated at random.

    Paths, versions and what a terminal needs are left: a text without them could not be read.
    """
    for name, value in environment.items():
        if _READABLE.fullmatch(name) or _PATH.match(value):
            continue
        yield from (found["secret"] for found in LOGIN.finditer(value))
        if (of_name(name) or name.upper().endswith("AUTH")) and not _NUMBER.fullmatch(value):
            yield value
        pieces = _SEGMENT if "://" in value else _PIECE
        yield from (piece for piece in pieces.findall(value) if is_generated(piece))


def spellings(secret: str) -> set[str]:
    """Return a secret as it stands in JSON, in Python's `repr`, in a URL, and as it was before it was put into one."""
    quoted = {quote(secret, safe=""), quote_plus(secret), unquote_plus(secret)}
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], *quoted}
