"""Tell credentials from the words of a text, and find those that stand in the clear.

Tests have keys such as ``k`` or ``secret``. These are in every word, and hiding them would make a text unreadable.
"""

import re
from functools import lru_cache

from .contents import Content, contains, matches

LEAST_CHARACTERS = 8
"""A shorter credential cannot be told from a word, or a part of one."""
_MOST_DIGITS = 4  # `password2024` is a word with a number; a longer number makes a credential of its own
_DIGITS = "01234567890123456789"
_WORDS = """
    a access admin agent an anonymous any api apikey app auth authentication authorization bar baz bearer bot change
    changeme client credential credentials default demo dev development dummy empty example fake foo for guest hello id
    in invalid is it key keys letmein live local localhost login master me mock my no none not nothing null of only
    openai anthropic pass passphrase passwd password passwords please placeholder private prod production qwerty
    refresh replace required root sample sandbox secret secrets service sk some staging string super temp temporary test
    tester testing tests the this to todo token tokens unused use used user username valid value welcome with word x xxx
    xxxx xxxxxxxx you your yours
"""
_COMMON = frozenset(_WORDS.split())
_NAME = (
    rb"(?i:\bbearer\s+|(?:(?:api|access|secret|private)[_-]?key|token|secret|passphrase|passw(?:or)?d|credentials?|"
    rb"authorization)\\?[\"']?\s*[:=]\s*\\?[\"']?(?:bearer\s+)?)"
)
_END = rb"(?=\s*(?:[\"'\\,;&)}\]\r\n]|\Z))"


@lru_cache(maxsize=4096)
def is_distinctive(credential: str) -> bool:
    """Return whether a credential is long enough, and no word that people write in its place.

    ``test-token`` and ``password1`` are made of common words alone. Where a text has them, it seldom means the
    credential.
    """
    if len(credential) < LEAST_CHARACTERS or len(set(credential)) == 1 or credential in _DIGITS:
        return False
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", credential)
    others = re.sub(r"[A-Za-z_.\s-]", "", credential)
    known = bool(words) and all(word.lower() in _COMMON for word in words)
    return not (known and len(others) <= _MOST_DIGITS)


def is_in_clear(credential: bytes, content: Content) -> bool:
    """Return whether a credential can be read in a content.

    A distinctive one is found wherever it stands. Any other counts only where it is said to be a credential
    (``"token": "k"``, ``Bearer k``, ``API_KEY=k``): elsewhere the same letters are a word of the agent's.
    """
    if is_distinctive(credential.decode(errors="replace")):
        return contains(content, credential)
    return matches(content, _named(credential))


@lru_cache(maxsize=4096)
def _named(credential: bytes) -> re.Pattern[bytes]:
    return re.compile(_NAME + re.escape(credential) + _END)
