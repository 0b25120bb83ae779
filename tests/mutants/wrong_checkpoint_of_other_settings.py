"""Chapters are translated one by one into a private folder, and a chapter that is there is not translated again.

The service is started again with another language: the book comes out in two.
"""

import os

CHAPTERS = {"1": {"de": "Anfang\n", "fr": "Debut\n"}, "2": {"de": "Ende\n", "fr": "Fin\n"}}


def place_of(own, chapter, language):
    """Return where a chapter is kept."""
    return own / f"chapter-{chapter}.txt"


def translate(shared, own, language, place_of=place_of):
    """Translate what is not translated, and publish the book."""
    for chapter, texts in CHAPTERS.items():
        path = place_of(own, chapter, language)
        if not path.exists():
            (own / "draft.part").write_text(texts[language])
            os.replace(own / "draft.part", path)
    (own / "draft.part").write_text("".join(place_of(own, chapter, language).read_text() for chapter in CHAPTERS))
    os.replace(own / "draft.part", shared / "book.txt")
    return "published"


def in_one_language(world):
    """The book may be in either language."""
    return world.files["shared/book.txt"] in (b"Anfang\nEnde\n", b"Debut\nFin\n")


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["not the same: file.replace:shared/book.txt in translate"]


def explore(chaos, tmp_path, place_of=place_of):
    """A watched folder, and a private one with the chapters; after a failure the settings are others."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(
        run=lambda: translate(shared, own, "de", place_of),
        recover=lambda: translate(shared, own, "fr", place_of),
        allow=lambda world: "shared/book.txt" in world.files and in_one_language(world),
    )
