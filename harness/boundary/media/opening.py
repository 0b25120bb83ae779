"""The arguments of a call of ``open``, and the layers that it puts over a raw file."""

import io
import os
from typing import Any, NamedTuple

_real_fstat = os.fstat


class Call(NamedTuple):
    """The arguments of ``open`` behind the file."""

    mode: str = "r"
    buffering: int = -1
    encoding: str | None = None
    errors: str | None = None
    newline: str | None = None
    closefd: bool = True
    opener: Any = None

    @property
    def raw_mode(self) -> str:
        """The mode of the raw file below the layers."""
        return next((c for c in "wxar" if c in self.mode), "r") + ("+" if "+" in self.mode else "")

    @property
    def is_valid(self) -> bool:
        """Return whether the real ``open`` would not refuse this."""
        text = "b" not in self.mode
        return not (
            sum(self.mode.count(c) for c in "rwxa") != 1
            or len(set(self.mode)) != len(self.mode)
            or bool(set(self.mode) - set("rwxabt+"))
            or ("t" in self.mode and not text)
            or (not text and any(v is not None for v in (self.encoding, self.errors, self.newline)))
            or (text and self.buffering == 0)
        )


def call_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """Return the arguments of a call; None where the real ``open`` refuses them, which it then does in its words."""
    try:
        call = Call(*args, **kwargs)
    except TypeError:
        return None
    return call if call.is_valid else None


def layers(raw: io.FileIO, call: Call) -> Any:
    """Put the buffered and text layers over a raw file as ``io.open`` does."""
    mode, buffering = call.mode, call.buffering
    text = "b" not in mode
    try:
        line_buffering = buffering == 1 or (buffering < 0 and raw.isatty())
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else max(_real_fstat(raw.fileno()).st_blksize, io.DEFAULT_BUFFER_SIZE)
        buffer = io.BufferedRandom(raw, size) if "+" in mode else io.BufferedWriter(raw, size)
        if not text:
            return buffer
        wrapper = io.TextIOWrapper(buffer, call.encoding, call.errors, call.newline, line_buffering)
        wrapper.mode = mode  # type: ignore[misc]
        return wrapper
    except BaseException:
        raw.close()
        raise
