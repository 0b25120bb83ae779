"""Seeded people, addresses, texts and awkward names for what a scenario leaves open."""

import random
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faker import Faker

_NAME_BYTES = 200  # of the 255 that Linux takes; the rest is for suffixes such as ".md.tmp-1234"


@dataclass(frozen=True, slots=True)
class Person:
    """A person that does not exist; the address is in a domain that cannot receive mail (RFC 2606)."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address that does not exist."""

    street: str
    city: str
    postcode: str
    country: str


class Fill:
    """A stream of invented values: the same seed and the same calls give the same values.

    Args:
        faker: already seeded; only this object may draw from it.
        shapes: order in which `awkward_name` goes through its shapes.
    """

    def __init__(self, faker: "Faker", shapes: random.Random) -> None:
        self._faker = faker
        self._shapes = list(_SHAPES)
        shapes.shuffle(self._shapes)
        self._named = 0

    def person(self) -> Person:
        """Return somebody new."""
        return Person(self._faker.name(), self._faker.unique.safe_email())

    def address(self) -> Address:
        """Return an address."""
        fake = self._faker
        return Address(fake.street_address(), fake.city(), fake.postcode(), fake.country())

    def text(self) -> str:
        """Return a paragraph of at most 400 characters."""
        return self._faker.paragraph(nb_sentences=5)[:400]

    def awkward_name(self) -> str:
        """Return a name that programs stumble over and Linux takes as a file name, with room for a suffix.

        Neither ``/`` nor NUL, not ``.`` or ``..``, at most 200 bytes of UTF-8. Successive calls go through all shapes:
        combining marks, right to left, emoji, quotes, a leading dash, spaces at both ends, very long.
        """
        shape = self._shapes[self._named % len(self._shapes)]
        self._named += 1
        name = shape.replace("{}", self._faker.last_name())
        return _cut(name.ljust(_NAME_BYTES, "x") if shape == _LONG else name)


_LONG = "{} very-long-"
_SHAPES = (
    unicodedata.normalize("NFD", "Zoë Ångström-{} ế̩"),
    "{} مرحبا שלום",
    "\u202egpj.{}",
    "{} 👩🏽‍💻🏳️‍🌈",
    'O\'{} "the" `quoted` \\',
    "-rf {}",
    " {} $(id); * ?",
    "{}\u00a0\u200b\u3000東京都",
    "ﬁle İstanbul ẞ {}",
    _LONG,
)


def fill(seed: int) -> Fill:
    """Return the stream of invented values that belongs to `seed`."""
    from faker import Faker

    faker = Faker("en_US")
    faker.seed_instance(seed)
    return Fill(faker, random.Random(seed))


def _cut(name: str) -> str:
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")
