"""Adds new photos to an album folder with an index, and takes an unfinished import back.

Right although a breakdown leaves half an import in the album: the names of its files, random ones, were noted before
the first copy, and the start after it removes just those. The one replacement of the index is what makes an import
count. The photo and the upload of another program in the album are left alone.
"""

import json
import os
import shutil
import uuid
from pathlib import Path

BREAKS = set()


def save(path: Path, value: dict) -> None:
    """Write JSON so that it is there as a whole or not at all."""
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(fresh, path)


def load(path: Path) -> dict:
    """Read JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def import_photos(inbox: Path, album: Path, own: Path) -> int:
    """Copy all photos of the inbox into the album, and return how many there are."""
    photos = sorted(inbox.glob("*.jpg"))
    names = [f"{photo.stem}-{uuid.uuid4().hex[:12]}.jpg" for photo in photos]
    run = uuid.uuid4().hex
    save(own / "import.json", {"run": run, "names": names})
    for photo, name in zip(photos, names, strict=True):
        shutil.copyfile(photo, album / name)
    index = load(album / "index.json")
    save(album / "index.json", {"last_import": run, "photos": index["photos"] + names})
    (own / "import.json").unlink()
    return len(names)


def take_back(album: Path, own: Path) -> None:
    """Remove what an import left that did not reach the index."""
    (own / "import.json.fresh").unlink(missing_ok=True)
    (album / "index.json.fresh").unlink(missing_ok=True)
    note = own / "import.json"
    if not note.exists():
        return
    unfinished = load(note)
    if load(album / "index.json")["last_import"] != unfinished["run"]:
        for name in unfinished["names"]:
            (album / name).unlink(missing_ok=True)
    note.unlink()


def explore(chaos, tmp_path):
    """Two photos wait; the album holds one already, and an upload of somebody else."""
    inbox, album, own = tmp_path / "inbox", tmp_path / "album", tmp_path / "agent"
    for folder in (inbox, album, own):
        folder.mkdir()
    (inbox / "beach.jpg").write_bytes(b"\xff\xd8\xff sand and water \xff\xd9")
    (inbox / "tower.jpg").write_bytes(b"\xff\xd8\xff stones upon stones \xff\xd9")
    (album / "garden.jpg").write_bytes(b"\xff\xd8\xff roses \xff\xd9")
    (album / "upload.tmp").write_bytes(b"\xff\xd8\xff somebody else is at it")
    save(album / "index.json", {"last_import": "", "photos": ["garden.jpg"]})
    chaos.watch(inbox)
    chaos.watch(album)
    chaos.private(own)
    return chaos.explore(run=lambda: import_photos(inbox, album, own), recover=lambda: take_back(album, own))
