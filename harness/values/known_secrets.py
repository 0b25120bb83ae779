"""Secrets that are known, and the placeholders that stand for them."""

import re
from hashlib import sha256

from . import secret_forms as forms
from .credentials import is_distinctive

PLACEHOLDER = re.compile(r"\[secret [0-9a-f]{4}\]")
_ELLIPSIS = "…"
_LEAST_OF_CUT = 8  # characters: a shorter part of a secret is in many words


def placeholder(secret: str) -> str:
    """Return ``[secret 3f2a]``, the same for equal secrets, in this run and any other: runs are compared.

    The 16 bits of a hash tell which of some secrets are equal. Of a generated key of 128 bits they leave 112 open,
    which nobody tries. Of a list of likely passwords they leave one in 65,536: what is in such a list is not safe.
    """
    return f"[secret {sha256(b'rollproof secret' + secret.encode(errors='surrogateescape')).hexdigest()[:4]}]"


class KnownSecrets:
    """Secrets that are hidden wherever they stand, in whatever spelling."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._hidden: dict[str, str] = {}
        self._any_of_them: re.Pattern[str] | None = None

    def learn(self, secret: str) -> bool:
        """Know one more secret; returns False if it is known already, is a common word, or too short."""
        if not is_distinctive(secret) or secret in self._shown or PLACEHOLDER.search(secret):
            return False
        shown = self.placeholder(secret)
        for written in filter(is_distinctive, forms.spellings(secret)):
            self._shown.setdefault(written, shown)
        self._any_of_them = None
        return True

    def placeholder(self, secret: str) -> str:
        """Return the placeholder of a secret, and note the secret."""
        shown = placeholder(secret)
        self._hidden.setdefault(shown, secret)
        return shown

    def revealed(self, text: str) -> str:
        """Return a text with the secrets in the place of the placeholders that were given here."""
        return PLACEHOLDER.sub(lambda found: self._hidden.get(found[0], found[0]), text)

    def hide(self, text: str) -> str:
        """Return a text without the known secrets; of two in one place the longer one is meant."""
        if not self._shown:
            return text
        if self._any_of_them is None:
            longest_first = sorted(self._shown, key=len, reverse=True)
            self._any_of_them = re.compile("|".join(map(re.escape, longest_first)))
        text = self._any_of_them.sub(lambda found: self._shown[found[0]], text)
        return self._without_cut(text) if _ELLIPSIS in text else text

    def _without_cut(self, text: str) -> str:
        """Hide parts of secrets beside an ellipsis, where a text was cut in the middle of one."""
        first, *others = text.split(_ELLIPSIS)
        whole_at_the_end = [first, *map(self._without_end, others)]
        *cut, last = whole_at_the_end
        return _ELLIPSIS.join([*map(self._without_start, cut), last])

    def _without_start(self, part: str) -> str:
        for secret, shown in self._shown.items():
            at = part.rfind(secret[:_LEAST_OF_CUT])
            if at >= 0 and secret.startswith(part[at:]):
                return part[:at] + shown
        return part

    def _without_end(self, part: str) -> str:
        for secret, shown in self._shown.items():
            at = part.find(secret[-_LEAST_OF_CUT:])
            if at >= 0 and secret.endswith(part[: at + _LEAST_OF_CUT]):
                return shown + part[at + _LEAST_OF_CUT :]
        return part
