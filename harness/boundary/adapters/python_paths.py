"""os, shutil, glob, pathlib and posixpath: functions that ask the system for more than they use.

Much of the standard library calls ``os.stat`` and uses a part of the result: ``Path.exists`` the presence alone. The
caller is known by its code object. A name that is missing costs time and nothing else: its calls then count as reading
all aspects, so that crash states which are one count as two.

3.14: a path keeps what the listing of its folder said of it (`Path.info`); `glob` has no `_Globber` any more.
3.15: not known.
"""

import glob
import os
import pathlib
import posixpath
import shutil
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from ...values.reads import Aspect
from .part import Adapter

ADAPTER = Adapter("Python", "3.11", "3.14")


def _codes(owner: Any, *names: str) -> Iterator[CodeType]:
    """Yield the code of functions of a module or class, and of the functions within; of all functions without names."""
    held = vars(owner)
    for name in names or held:
        function = held.get(name)
        yield from _with_inner(getattr(getattr(function, "__func__", function), "__code__", None))


def _with_inner(code: object) -> Iterator[CodeType]:
    if isinstance(code, CodeType):
        yield code
        for constant in code.co_consts:
            yield from _with_inner(constant)


_OF_OS = ("walk", "_walk", "fwalk", "_fwalk", "_fwalk_walk")
_OF_SHUTIL = ("rmtree", "_rmtree_safe_fd", "_rmtree_safe_fd_step", "_rmtree_unsafe", "_rmtree_islink")
_GLOBBERS = ("_Globber", "_GlobberBase")
WALKERS = frozenset(
    (
        *_codes(os, *_OF_OS),
        *_codes(shutil, *_OF_SHUTIL),
        *_codes(glob, "_iterdir"),
        *(code for name in _GLOBBERS if hasattr(glob, name) for code in _codes(getattr(glob, name))),
        *(code for kind in pathlib.Path.__mro__ for code in _codes(kind, "_scandir")),
        # from 3.14 on a path keeps what the listing said of it
        *(c for kind in pathlib.Path.__mro__ if not hasattr(pathlib.Path, "info") for c in _codes(kind, "iterdir")),
    )
)
"""They look at which names there are, of what kind, and no further: of ``stat`` at the identity alone."""
_WHETHER = ("exists", "isfile", "isdir", "islink", "lexists", "ismount", "samefile", "sameopenfile")
_PATH_KINDS = (
    "is_dir",
    "is_file",
    "is_symlink",
    "is_mount",
    "is_socket",
    "is_fifo",
    "is_block_device",
    "is_char_device",
)
_PATH_WHETHER = ("exists", *_PATH_KINDS, "samefile", "resolve")
_PRESENCE: tuple[Aspect, ...] = ("presence",)
ASKERS: Mapping[CodeType, tuple[Aspect, ...]] = {
    **dict.fromkeys(WALKERS, _PRESENCE),
    **dict.fromkeys(_codes(posixpath, *_WHETHER, "realpath", "_joinrealpath"), _PRESENCE),
    **dict.fromkeys((c for kind in pathlib.Path.__mro__ for c in _codes(kind, *_PATH_WHETHER)), _PRESENCE),
    **dict.fromkeys(_codes(shutil, "copyfile", "copymode", "_samefile"), _PRESENCE),
    **dict.fromkeys(_codes(posixpath, "getsize"), ("size",)),
    **dict.fromkeys(_codes(posixpath, "getmtime", "getatime", "getctime"), ("time",)),
}
"""What functions of the library use of what ``os.stat`` says."""
ON_BEHALF = frozenset(
    (*(code for kind in pathlib.Path.__mro__ for code in _codes(kind, "stat", "lstat")), *_codes(shutil, "_stat"))
)
"""They ask ``os.stat`` for their own caller."""

ASKING = ADAPTER.part(
    "",
    *(f"os:{name}?" for name in _OF_OS if name.startswith("_")),
    *(f"shutil:{name}?" for name in (*_OF_SHUTIL, "_samefile", "_stat") if name.startswith("_")),
    *(f"glob:{name}?" for name in ("_iterdir", *_GLOBBERS)),
    "posixpath:_joinrealpath?",
    "pathlib:Path._scandir?",
    costs="worlds count as two that are one, and are followed both",
)
