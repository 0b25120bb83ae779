"""One cleaner for all that is told: no secret of the agent's leaves the harness in a text.

It cleans results and events where they leave the engine, and errors of ours where they are shown; so writers, ours and
others', have nothing to hide.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from . import secret_forms as forms
from .credentials import is_distinctive
from .exploration import Exploration
from .known_secrets import PLACEHOLDER, KnownSecrets
from .points import Point
from .schedule import Schedule
from .story import Exchange, States

_MOST_REMEMBERED = 20_000_000  # characters: a result is told again at each finding, with the same texts
_AS_THEY_ARE = frozenset({"test", "name", "label", "result"})
"""Fields of a result that are the test's own: ids that are pasted, and what it is given back."""


class Cleaner:
    """Puts ``[secret 3f2a]`` in the place of each secret in texts and data.

    Secrets are what it was told, what is secret in the environment, what has a known form, and the values of fields
    that are called like one. What stood in a field called ``password`` is hidden elsewhere too, from then on. A secret
    of fewer than eight characters, or of common words, is left: its letters are in any text.
    """

    def __init__(self, secrets: Iterable[str | bytes] = (), environment: Mapping[str, str] | None = None) -> None:
        self._known = KnownSecrets()
        self._cleaned: dict[str, str] = {}
        self._size = 0
        for secret in (*secrets, *forms.of_environment(environment or {})):
            self.learn(secret)

    def learn(self, secret: str | bytes) -> None:
        """Hide this secret wherever it stands, from now on."""
        if self._known.learn(secret.decode(errors="replace") if isinstance(secret, bytes) else secret):
            self._cleaned, self._size = {}, 0

    def knows(self, text: str) -> bool:
        """Return whether a secret that is known stands in a text."""
        return self._known.hide(text) != text

    def clean(self, text: str) -> str:
        """Return a text without its secrets."""
        done = self._cleaned.get(text)
        if done is None:
            done = self._clean(text)
            self._size += len(text)
            if self._size > _MOST_REMEMBERED:
                self._cleaned, self._size = {}, 0
            self._cleaned[text] = done
        return done

    def data(self, value: Any, name: str = "", within: forms.Strength = "") -> Any:
        """Return plain data without its secrets; `name` is that of the field that it is the value of, or an item in.

        `within` is what the name of a field around that says.
        """
        strength = forms.of_name(name) or within
        if isinstance(value, str):
            return self._value(name, value, strength) or self.clean(value)
        if isinstance(value, Mapping):
            named, inner = _row_of(value), _inner(strength)
            names = {key: named if key == "value" and named else str(key) for key in value}
            return {self.data(key): self.data(each, names[key], inner) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            items = [self.data(each, name, within) for each in value]
            return tuple(items) if isinstance(value, tuple) else items
        return value

    def result(self, exploration: Exploration) -> Exploration:
        """Return a result without secrets; its tokens can be pasted as they are, see `revealed`."""
        for told in (exploration.violations, exploration.flaky, exploration.errors, exploration.notes):
            self.told(told)  # what is named as a secret in one text may stand in another without its name
        cleaned: Exploration = self.told(exploration)
        return cleaned

    def told(self, value: Any) -> Any:
        """Return a value of ours, such as an event, without the secrets in its texts and points."""
        if isinstance(value, str):
            cleaned = self.clean(value)
            return value if cleaned == value else cleaned
        if names := _told_fields(value.__class__):
            return _cleaned(value, names, self.data if isinstance(value, (States, Exchange)) else self.told)
        if isinstance(value, tuple):
            parts = tuple(map(self.told, value))
            return value if all(map(operator.is_, parts, value)) else parts
        if isinstance(value, Mapping):  # by names of ours, which say nothing of the values
            return {self.told(key): self.told(each) for key, each in value.items()}
        return value

    def revealed(self, schedule: Schedule, points: Iterable[Point]) -> Schedule:
        """Return a schedule with the secrets that its token hides: those of the environment and of these points."""
        if not PLACEHOLDER.search(str(schedule)):
            return schedule
        for point in points:
            self.clean(point.target)
            self.clean(point.task)
        reveal, injections = self._known.revealed, schedule.injections
        meant = [replace(i.point, target=reveal(i.point.target), task=reveal(i.point.task)) for i in injections]
        return Schedule(tuple(replace(i, point=point) for i, point in zip(injections, meant, strict=True)))

    def _clean(self, text: str) -> str:
        text = self._known.hide(text)
        if forms.TRIGGERS.search(text):
            text = forms.FORMS.sub(self._form, text)
            text = forms.LOGIN.sub(self._behind, text)
            text = forms.BASIC.sub(self._basic, text)
            text = self._fields(text)
            text = forms.BEARER.sub(self._behind, text)
            text = forms.BLOCKS.sub(lambda f: self._hide(f[0]) if forms.is_generated(f[0]) else f[0], text)
        return text

    def _form(self, found: re.Match[str]) -> str:
        for line in forms.lines_of_a_key(found[0]):  # a difference may show one of them alone
            self.learn(line)
        return self._known.placeholder(found[0]) if is_distinctive(found[0]) else found[0]

    def _behind(self, found: re.Match[str]) -> str:
        return found["before"] + (self._hide(found["secret"]) if is_distinctive(found["secret"]) else found["secret"])

    def _basic(self, found: re.Match[str]) -> str:
        _, colon, password = forms.login(found["secret"]).partition(":")
        self.learn(password)
        return found["before"] + self._hide(found["secret"]) if colon else found[0]

    def _fields(self, text: str) -> str:
        cleaned, at = [], 0
        while (found := forms.FIELD.search(text, at)) is not None:
            group = next(name for name in ("double", "single", "escaped", "bare") if found[name] is not None)
            strength = forms.of_name(found["name"])
            value = forms.bare_value(found, strength) if group == "bare" else found[group]
            hidden = self._value(found["name"], value, strength)
            cleaned += [text[at : found.start(group)], hidden]
            # What is no secret may be a text with fields of its own.
            at = found.start(group) + (len(value) if hidden else 0)
        return "".join([*cleaned, text[at:]])

    def _value(self, name: str, value: str, strength: forms.Strength) -> str:
        """Return the value of a field with its secret hidden; "" where it has none."""
        scheme = forms.SCHEME.match(value)
        kept, secret = (scheme[0], value[scheme.end() :]) if scheme else ("", value)
        if PLACEHOLDER.search(secret) or not forms.is_secret(secret, strength, name):
            return ""
        for part in secret.split(";"):  # of cookies each has a value
            if forms.is_generated(part.partition("=")[2]):
                self.learn(part.partition("=")[2])
        if strength == "strong" or forms.is_generated(secret):
            self.learn(secret)
        return kept + self._known.placeholder(secret)

    def _hide(self, secret: str) -> str:
        if PLACEHOLDER.search(secret):
            return secret
        self.learn(secret)
        return self._known.placeholder(secret)


def _cleaned(value: Any, names: Sequence[str], clean: Callable[[Any], Any]) -> Any:
    """Return a record with these fields cleaned; itself where nothing changes, as in nearly all events."""
    told = {name: (before, clean(before)) for name in names for before in [getattr(value, name)]}
    changed = {name: after for name, (before, after) in told.items() if after is not before}
    return replace(value, **changed) if changed else value


@cache
def _told_fields(kind: type) -> tuple[str, ...]:
    """Return the fields of a record of ours that are cleaned; none of what is no record."""
    return tuple(each.name for each in fields(kind) if each.name not in _AS_THEY_ARE) if is_dataclass(kind) else ()


def _inner(strength: forms.Strength) -> forms.Strength:
    return "weak" if strength else ""


def _row_of(value: Mapping[Any, Any]) -> str:
    """Return the name that a row of a table of names and values has; "" for any other."""
    names = [value.get(column) for column in ("name", "key") if "value" in value]
    return next((name for name in names if isinstance(name, str)), "")
