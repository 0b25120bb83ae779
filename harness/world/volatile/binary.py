"""Read bytes as text, as far as there is text in them."""

import contextlib

_SHORTEST, _LONGEST = 8, 127
_PRINTABLE = frozenset(range(0x20, 0x7F))


def readable(content: bytes) -> str:
    """Return bytes as text; where they are none, each for itself, without lengths that stand right before a text.

    msgpack, pickle, protobuf and CBOR write one byte for the length of a short text. Where a part of that text is
    generated, the length is as much by chance: `random.random()` has 16 to 20 characters.
    """
    with contextlib.suppress(UnicodeDecodeError):
        return content.decode()
    parts, at, begun = [], 0, 0
    while at < len(content):
        length = content[at]
        text = content[at + 1 : at + 1 + length]
        if _SHORTEST <= length <= _LONGEST and len(text) == length and _PRINTABLE.issuperset(text):
            parts += [content[begun:at], text]
            at = begun = at + 1 + length
        else:
            at += 1
    return "\1".join(part.decode("latin-1") for part in [*parts, content[begun:]])
