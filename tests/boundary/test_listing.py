"""The order of a folder's entries: the same however the folder came to be, whoever lists it."""

import glob
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rollproof.boundary.gate import Gate
from rollproof.boundary.media import listing
from rollproof.boundary.media.scope import Root, Scope
from rollproof.boundary.process.places import Places

from .stage import Stage, short

NAMES = ("a", "b", "c", "d", "e", "f", "g")
WAYS: dict[str, Callable[[Path], list[str]]] = {
    "os.listdir": lambda folder: os.listdir(folder),
    "os.scandir": lambda folder: [entry.name for entry in os.scandir(folder)],
    "os.walk": lambda folder: next(os.walk(folder))[2],
    "pathlib": lambda folder: [path.name for path in folder.iterdir()],
    "glob": lambda folder: [os.path.basename(path) for path in glob.glob(f"{folder}/*")],
    "a descriptor": lambda folder: _by_descriptor(folder),
}


def _by_descriptor(folder: Path) -> list[str]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("way", WAYS)
def test_the_order_of_entries_says_nothing_of_how_they_came(way: str, stage: Stage) -> None:
    """Made in one order or the other, removed and made again: listed alike, in no order that somebody would choose."""
    orders = []
    for names in (NAMES, NAMES[::-1], NAMES[3:] + NAMES[:3]):
        shutil.rmtree(stage.shared)
        stage.shared.mkdir()
        for name in names:
            (stage.shared / name).touch()
        orders.append(stage.returned(lambda: WAYS[way](stage.shared)))
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == list(NAMES)
    assert orders[0] not in (list(NAMES), list(NAMES[::-1]))


def test_each_seed_has_an_order_of_its_own_for_what_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random parts of names do not matter; other folders are listed as the system does."""
    watched, other = tmp_path / "watched", tmp_path / "other"
    for folder in (watched, other):
        folder.mkdir()
        for name in NAMES:
            (folder / f"{name}-20{ord(name)}123").touch()
    plain = os.listdir(other)
    gate, orders = Gate(lambda: 0.0, Places(compile("", "", "exec"), ())), set()
    monkeypatch.setattr(Gate, "active", True)
    for seed in range(5):
        with monkeypatch.context() as patched:
            patched.setattr(os, "listdir", os.listdir)
            patched.setattr(os, "scandir", os.scandir)
            listing.install(gate, Scope([Root(str(watched), "watched", False)]), seed)
            orders.add(tuple(os.listdir(watched)))
            assert os.listdir(other) == plain
    assert len(orders) > 1


def test_a_folder_is_removed_in_that_order_and_scanning_can_be_broken_off(stage: Stage) -> None:
    """``shutil.rmtree`` goes by it; a closed scan yields no more, and a folder that is not there is an error."""
    for name in NAMES:
        (stage.shared / name).touch()

    def run() -> list[str]:
        with pytest.raises(FileNotFoundError):
            os.scandir(stage.shared / "nothing")
        with os.scandir(stage.shared) as found:
            first = next(found).name
        assert list(found) == []
        names = os.listdir(stage.shared)
        assert names[0] == first
        shutil.rmtree(stage.shared)
        return names

    process = stage.run_process(run)
    assert process.outcome.kind == "returned", process.outcome
    assert isinstance(process.outcome.value, list)
    removed = [point for point in short(list(map(str, process.points))) if point.startswith("remove")]
    assert removed == [f"remove shared/{name}" for name in process.outcome.value]
