"""Records of the disk before an exploration, written where they outlive this process, container and machine.

A record is a folder: `contents` has the bytes of small files, one after the other, `stored-…` those of a larger one
each, and `manifest.json` what they are the contents of. It gets its name once all are written: a record that can be
found is whole. A guardian lets it reach the disk, and removes what is none any more: both can take a while, and only a
machine that dies at that moment matters.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from ..values.contents import Stored
from ..values.errors import ChaosError
from ..values.rare import rare
from ..world.storage import contents as stored
from ..world.storage.disk import Disk
from ..world.storage.raw import SIBLINGS, DiskState, Key, Place, RawEntry, Source

_VERSION = 1
_MANIFEST, _CONTENTS, _STORED = "manifest.json", "contents", "stored-"
_GONE = ".gone"


def write(folder: Path, sources: Sequence[Source], state: DiskState) -> None:
    """Write a record of `state`, which the death of this process can no longer undo when this returns."""
    unfinished = folder.with_name(f".{folder.name}")
    unfinished.mkdir(mode=0o700)
    with open(unfinished / _CONTENTS, "xb", opener=_private) as contents:
        entries = [[*key, _noted(entry, contents)] for key, entry in state.files.items()]
    described = [[os.path.abspath(s.path), s.name, s.private, s.ignore] for s in sources]
    places = [astuple(place) for place in state.places]
    manifest = {"version": _VERSION, "sources": described, "places": places, "entries": entries}
    with open(unfinished / _MANIFEST, "x", encoding="ascii", opener=_private) as file:
        json.dump(manifest, file)
    unfinished.rename(folder)


def read(folder: Path) -> tuple[Disk, DiskState]:
    """Return the content of a record; raises ChaosError ``unknown-record`` for one of another version."""
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="ascii"))
    if manifest["version"] != _VERSION:
        raise ChaosError("unknown-record", f"{folder} was written by another version of Rollproof", "use that version")
    sources = [Source(Path(path), name, private, tuple(ignore)) for path, name, private, ignore in manifest["sources"]]
    with open(folder / _CONTENTS, "rb") as contents:
        files = {(index, path): _entry(noted, contents) for index, path, noted in manifest["entries"]}
    places = tuple(Place(*place) for place in manifest["places"])
    return Disk(sources, places), DiskState(files, places)


def put_back(folder: Path, until_ns: int | None = None, copies: Path | None = None) -> tuple[list[str], list[str]]:
    """Put back the content of a record, and remove the record.

    Returns:
        The sources, and what was left alone: paths that were changed after `until_ns`, the kernel's time of that, by
        somebody else. How they lay before is written below `copies` then.
    """
    disk, before = read(folder)
    wanted, left = before, list[Key]()
    if until_ns is not None:
        wanted, left = _without_later(disk, before, until_ns)
    disk.restore(wanted)
    if left and copies is not None:
        rare("a file that somebody changed later is left alone")
        _write_copies(copies, disk, before, left)
    remove(folder)
    return [str(source.path) for source in disk.sources], [disk.path_of(key, before.files) for key in left]


def remove(folder: Path) -> None:
    """Mark a record as no longer valid; `tidy` removes its files."""
    with suppress(FileNotFoundError):
        folder.rename(folder.with_name(f".{folder.name}{_GONE}"))


def tidy(records: Path) -> None:
    """Sync the records of a folder to disk, and remove the files of invalid ones."""
    for folder in records.iterdir():
        with suppress(FileNotFoundError):
            if folder.name.endswith(_GONE):
                shutil.rmtree(folder)
            elif not folder.name.startswith("."):
                for path in (*folder.iterdir(), folder):
                    _sync(path)
    _sync(records)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_later(disk: Disk, before: DiskState, until_ns: int) -> tuple[DiskState, list[Key]]:
    """Return the state to put back, with paths that changed after `until_ns` left as they are now, and those paths.

    A database and its logs are one: a log of before would spoil a database of now.
    """
    now = disk.capture().files
    late = {_whole(key) for key in now if _changed_ns(disk.path_of(key, now)) > until_ns and _counts(key, now, before)}
    left = [key for key in {**before.files, **now} if late & {_whole(key), *_above(key)}]
    kept = {key: now[key] for key in left if key in now}
    files = {key: entry for key, entry in before.files.items() if key not in left}
    for key, entry in kept.items():  # a new file stays, and so do the folders it lies in
        files[key] = entry
        for above in _above(key):
            files[above] = files[above] if above in files and files[above].kind == "dir" else now[above]
    files = {key: e for key, e in files.items() if all(a not in files or files[a].kind == "dir" for a in _above(key))}
    return DiskState(files, before.places), left


def _counts(key: Key, now: Mapping[Key, RawEntry], before: DiskState) -> bool:
    """Return whether a change of this path may be somebody's work: that of a folder comes with each file in it."""
    known = before.files.get(key)
    return now[key].kind != "dir" or (known is not None and known.kind != "dir")


def _changed_ns(path: str) -> int:
    """Return when a path was changed, as the kernel saw it: an agent sets other times as it likes."""
    return os.lstat(path).st_ctime_ns


def _whole(key: Key) -> Key:
    index, path = key
    for suffix in SIBLINGS:
        path = path.removesuffix(suffix)
    return index, path


def _above(key: Key) -> list[Key]:
    """Return the folders that a path lies in, its source included; a file beside a source that is one lies in none."""
    index, path = key
    if not path or path in SIBLINGS:
        return []
    parts = path.split("/")
    return [(index, "/".join(parts[:count])) for count in range(len(parts))]


def _write_copies(copies: Path, disk: Disk, before: DiskState, keys: Sequence[Key]) -> None:
    for key in keys:
        entry = before.files.get(key)
        if entry is not None and entry.kind in ("file", "link"):
            index, path = key
            own = before.files.get((index, ""))
            name = disk.sources[index].name.replace("/", "_")
            target = copies / name / path if own is not None and own.kind == "dir" else copies / f"{name}{path}"
            target.parent.mkdir(parents=True, exist_ok=True)
            stored.write(os.fspath(target), entry.held)


def _noted(entry: RawEntry, contents: Any) -> dict[str, Any]:
    """Return the fields of an entry as JSON, where bytes are a place in `contents`."""
    return {field.name: _plain(getattr(entry, field.name), contents) for field in fields(entry)}


def _plain(value: Any, contents: Any) -> Any:
    if isinstance(value, Stored):
        return {"stored": [value.digest, value.size, _stored(value, Path(contents.name).parent)]}
    if isinstance(value, bytes):
        place = contents.tell()
        contents.write(value)
        return {"bytes": [place, len(value)]}
    if isinstance(value, Mapping):
        return {"pairs": [[_plain(name, contents), _plain(inner, contents)] for name, inner in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(inner, contents) for inner in value]}
    return value


def _stored(content: Stored, folder: Path) -> str:
    """Give a record a large content: by one more name where that can be, since nobody changes it."""
    target = folder / f"{_STORED}{content.digest}-{content.size}"
    if not target.exists():
        try:
            os.link(content.path, target)
        except OSError:
            stored.write(os.fspath(target), content)
    return target.name


def _entry(noted: Mapping[str, Any], contents: Any) -> RawEntry:
    return RawEntry(**{name: _read_back(value, contents) for name, value in noted.items()})


def _read_back(value: Any, contents: Any) -> Any:
    if not isinstance(value, dict):
        return value
    [(kind, inner)] = value.items()
    if kind == "stored":
        digest, size, name = inner
        return Stored(digest, size, os.fspath(Path(contents.name).parent / name))
    if kind == "bytes":
        contents.seek(inner[0])
        return contents.read(inner[1])
    parts = [_read_back(one, contents) for pair in inner for one in (pair if kind == "pairs" else [pair])]
    return dict(zip(parts[::2], parts[1::2], strict=True)) if kind == "pairs" else tuple(parts)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
