"""The list of all private names, as docs/adapters.md has it."""

import sys
from collections.abc import Iterator

from . import every
from .part import Adapter, Part

_HEAD = """\
# Private names that are used

Written by `python -m rollproof.boundary.adapters > docs/adapters.md`; a test compares.

Everything below is private to Python or to another library, or not documented, and can change with any release. All of
it stands in `harness/boundary/adapters`, one module for each library, and is used through that alone. The names are
probed once, in the process that agents are forked from, before the first of them; those of a library that is imported
later at their first use. Where they are missing or do something else, or where no probe could tell and the version was
not tested, they are not used, and the statement says what is not tried: then it is not exhaustive. What concerns pytest
alone is said in its header.

`Class#name` is an attribute of the objects of a class, `function(name)` a local variable or a parameter, and `?` says
that only some of the tested versions have it. A newer version than the tested ones is used as long as all probes pass,
but for the parts marked *tested versions only*. On Python 3.14.2 all probes of Python's names pass, as far as a build
for WebAssembly can show it, which has neither processes nor threads.
"""


def listing() -> str:
    """Return the whole list as Markdown."""
    return "\n".join([_HEAD, *(line for name, adapter in every().items() for line in _section(name, adapter))])


def _section(module: str, adapter: Adapter) -> Iterator[str]:
    yield f"## `{module}`: {adapter.library}, {adapter.since} to below {adapter.below}\n"
    yield f"{(sys.modules[f'{__package__}.{module}'].__doc__ or '').strip()}\n"
    yield "| names | without them |"
    yield "| --- | --- |"
    yield from map(_row, adapter.parts)
    yield ""


def _row(part: Part) -> str:
    names = ", ".join(f"`{name}`" for name in part.names) or "what it does"
    without = part.loses.format(library=part.adapter.library) or part.costs
    return f"| {names} | {without}{' *(tested versions only)*' if part.strictly else ''} |"
