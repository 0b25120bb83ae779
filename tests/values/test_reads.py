"""Footprints: what an aspect tells besides, what a listing and a way show, what two processes asked for together."""

import pickle

import pytest
from rollproof.values.reads import EVERYTHING, Aspect, Footprint

ASPECTS: tuple[Aspect, ...] = ("content", "size", "time", "presence", "listing")
TELLS: dict[Aspect, set[str]] = {
    "content": {"content", "size", "presence"},
    "size": {"size", "presence"},
    "time": {"time", "presence"},
    "presence": {"presence"},
    "listing": {"listing", "presence"},
}


def seen(footprint: Footprint, path: str) -> set[str]:
    """Return the aspects of a path that a footprint reads."""
    return {aspect for aspect in ASPECTS if footprint.reads(path, aspect)}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_each_aspect_tells_what_cannot_be_hidden_with_it(aspect: Aspect) -> None:
    """Whoever reads a file knows its length and that it is there; nobody learns of its neighbours."""
    footprint = Footprint(frozenset({("shared/d/a", aspect)}))
    assert seen(footprint, "shared/d/a") == TELLS[aspect]
    assert seen(footprint, "shared/d") == seen(footprint, "shared") == {"presence"}
    assert seen(footprint, "shared/d/b") == seen(footprint, "shared/d/abc") == seen(footprint, "own") == set()


def test_a_listing_shows_the_entries_of_its_folder() -> None:
    """Not what is in them; their sizes and times only where the listing brought them."""
    asked: frozenset[tuple[str, Aspect]] = frozenset({("shared/d", "listing")})
    assert seen(Footprint(asked), "shared/d/a") == {"presence"}
    assert seen(Footprint(asked), "shared/d/e/a") == set()
    scanned = Footprint(asked, scanned=frozenset({"shared/d"}))
    assert seen(scanned, "shared/d/a") == {"presence", "size", "time"}
    assert seen(scanned, "shared/d/e/a") == set()


def test_of_a_tree_all_is_read_but_the_times() -> None:
    """At any depth, the folder itself included."""
    footprint = Footprint(trees=frozenset({"shared/d"}))
    for path in ("shared/d", "shared/d/a", "shared/d/e/a"):
        assert seen(footprint, path) == {"content", "size", "presence", "listing"}
    assert seen(footprint, "shared/da") == set()


def test_together_they_asked_for_what_either_did() -> None:
    """Everything stays everything; what travels between processes comes out the same."""
    one, other = (Footprint(frozenset({(path, "size")}), first=(("stat", path, 1, path, "size"),)) for path in "ab")
    both = one | other
    assert seen(both, "a") == seen(both, "b") == {"size", "presence"}
    assert [str(read.point) for read in both.named] == ["file.stat:a#1", "file.stat:b#1"]
    assert seen(one | EVERYTHING, "c") == set(ASPECTS)
    assert pickle.loads(pickle.dumps(both)) == both
