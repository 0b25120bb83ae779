"""The parts that keep files: releases, transactions, versions, contents, fences; on real files and real databases."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import rollproof.runtime.staging as staging_module
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollproof.runtime import (
    ChangedElsewhere,
    ContentLost,
    Fence,
    Fenced,
    FileTransactions,
    FolderContents,
    LeaseLost,
    Releases,
    Staging,
    StagingError,
    Store,
    TransactionError,
    UnknownVersion,
    Versions,
)


def folders(root: Path, *names: str) -> list[Path]:
    """Make folders below a root."""
    made = [root / name for name in names]
    for folder in made:
        folder.mkdir(parents=True, exist_ok=True)
    return made


# staged sets with folders

PAGES = {
    "index.html": b"1",
    "css/site.css": b"2",
    "css/print/a4.css": b"3",
    "Css.html": b"4",
    "css/manifest.json": b"5",
}


def test_a_set_with_folders_moves_there_and_back_as_one(tmp_path: Path) -> None:
    """The manifest has names relative to the set; every folder is synced after what is in it, before the move."""
    staging = Staging(tmp_path / "staging", tmp_path / "site")
    digest = staging.fill(PAGES)
    staging.commit(digest)
    site = tmp_path / "site"
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert found == {*PAGES, "manifest.json"}
    assert json.loads((site / "manifest.json").read_text())["files"].keys() == PAGES.keys()
    assert (site / "css" / "print" / "a4.css").read_bytes() == b"3"
    staging.withdraw(digest)
    assert not site.exists()
    staging.discard()
    assert not list(tmp_path.iterdir())


def test_every_folder_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not may lose its files with the power, after the rename."""
    synced: list[str] = []
    monkeypatch.setattr(staging_module, "sync_folder", lambda folder: synced.append(os.path.relpath(folder, tmp_path)))
    Staging(tmp_path / "staging", tmp_path / "site").fill(PAGES)
    assert synced == ["staging/css/print", "staging/css", "staging"]


def spoil_file(site: Path) -> str:
    """Change a file in a folder."""
    (site / "css" / "site.css").write_bytes(b"forged")
    return "css/site.css"


def spoil_missing(site: Path) -> str:
    """Take a file away, and so all that is in a folder."""
    (site / "css" / "print" / "a4.css").unlink()
    return "css/print/a4.css"


def spoil_missing_folder(site: Path) -> str:
    """Take a folder away."""
    shutil.rmtree(site / "css" / "print")
    return "css/print"


def spoil_extra(site: Path) -> str:
    """Add a file in a folder."""
    (site / "css" / "comment").touch()
    return "css/comment"


def spoil_empty_folder(site: Path) -> str:
    """Add an empty folder."""
    (site / "css" / "mine").mkdir()
    return "css/mine"


def spoil_by_a_link(site: Path) -> str:
    """Let a link to the same content stand for a file."""
    (site / "css" / "site.css").rename(site.parent / "elsewhere.css")
    (site / "css" / "site.css").symlink_to(site.parent / "elsewhere.css")
    return "css/site.css"


def spoil_by_a_linked_folder(site: Path) -> str:
    """Let a link to the same files stand for a folder."""
    (site / "css").rename(site.parent / "elsewhere")
    (site / "css").symlink_to(site.parent / "elsewhere")
    return "css"


def spoil_by_a_linked_manifest(site: Path) -> str:
    """Let a link to the same manifest stand for it."""
    (site / "manifest.json").rename(site.parent / "elsewhere.json")
    (site / "manifest.json").symlink_to(site.parent / "elsewhere.json")
    return "manifest.json"


def spoil_by_a_pipe(site: Path) -> str:
    """Let a pipe stand for a file: reading it would wait for ever."""
    (site / "index.html").unlink()
    os.mkfifo(site / "index.html")
    return "index.html"


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_file,
        spoil_missing,
        spoil_missing_folder,
        spoil_extra,
        spoil_empty_folder,
        spoil_by_a_link,
        spoil_by_a_linked_folder,
        spoil_by_a_linked_manifest,
        spoil_by_a_pipe,
    ],
)
def test_a_set_with_folders_is_checked_whole(tmp_path: Path, spoil: Callable[[Path], str]) -> None:
    """Whatever somebody changed: it is named, not published, and not taken away from where it was published."""
    for place, move in (("staging", Staging.commit), ("site", Staging.withdraw)):
        root = tmp_path / place
        root.mkdir()
        staging = Staging(root / "staging", root / "site")
        digest = staging.fill(PAGES)
        if place == "site":
            staging.commit(digest)
        name = spoil(root / place)
        before = sorted(root.rglob("*"))
        with pytest.raises(StagingError, match=re.escape(name)):
            move(staging, digest)
        assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    "names",
    [
        ("a", "a/b"),
        ("a/b", "a/b/c"),
        ("manifest.json/a",),
        ("README", "readme"),
        ("CSS/a", "css/b"),
        ("a", "A/b"),
        ("MANIFEST.json",),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("a\u200db", "ab"),
        ("b", "../a"),
    ],
)
def test_names_that_may_be_one_place_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    """As file and folder, or on a file system that folds; before anything is written, whatever this one does."""
    for staging in (Staging(tmp_path / "staging", tmp_path / "set"), Releases(tmp_path, tmp_path / "staging")):
        with pytest.raises(StagingError, match="cannot be staged"):
            staging.fill(dict.fromkeys(names, b"1"))
    assert not list(tmp_path.iterdir())


PARTS = st.sampled_from(["a", "A", "b", "manifest.json", ".", "..", ""])
ANY_NAME = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(ANY_NAME, st.binary(max_size=2), max_size=4))
def test_a_set_is_refused_whole_or_published_as_it_was_given(tmp_path: Path, files: dict[str, bytes]) -> None:
    """Whatever the names are, nothing is written beside the set."""
    root = tmp_path / uuid.uuid4().hex
    root.mkdir()
    staging = Staging(root / "staging", root / "set")
    try:
        staging.commit(staging.fill(files))
    except StagingError:
        assert not list(root.iterdir())
    else:
        found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        del found["set/manifest.json"]
        assert found == {f"set/{name}": content for name, content in files.items()}


# releases


def site(root: Path, name: str) -> Releases:
    """Give a workspace for a site that shows something already."""
    folders(root, "site", "own")
    if not os.path.lexists(root / "site" / "current"):
        first = Releases(root / "site", root / "own" / "first")
        first.publish(first.fill({"index": b"old"}))
    return Releases(root / "site", root / "own" / name)


def test_readers_see_the_new_set_or_the_old(tmp_path: Path) -> None:
    """The link turns to the new set, and back; each movement can be repeated; nothing of the set stays behind."""
    releases = site(tmp_path, "second")
    before = sorted(path.name for path in releases.folder.iterdir())
    release = releases.fill({"index": b"new", "css/more": b"more"})
    for _ in range(2):
        releases.publish(release)
        assert (releases.folder / "current" / "index").read_bytes() == b"new"
    for _ in range(2):
        releases.withdraw(release)
        assert (releases.folder / "current" / "index").read_bytes() == b"old"
    releases.discard()
    releases.discard()
    assert sorted(path.name for path in releases.folder.iterdir()) == before
    assert not list((tmp_path / "own").iterdir())


def test_the_first_set_is_withdrawn_to_nothing(tmp_path: Path) -> None:
    """Where nothing was shown, nothing is shown again."""
    folders(tmp_path, "site", "own")
    releases = Releases(tmp_path / "site", tmp_path / "own" / "a")
    release = releases.fill({"index": b"new"})
    releases.publish(release)
    releases.withdraw(release)
    assert not list((tmp_path / "site").iterdir())


def test_somebody_elses_newer_set_stays_shown(tmp_path: Path) -> None:
    """Who published in the meantime is not overwritten, and not withdrawn."""
    mine, other = site(tmp_path, "mine"), site(tmp_path, "other")
    release, theirs = mine.fill({"index": b"mine"}), other.fill({"index": b"theirs"})
    other.publish(theirs)
    with pytest.raises(StagingError, match="stage again"):
        mine.publish(release)
    mine.withdraw(release)
    assert (mine.folder / "current" / "index").read_bytes() == b"theirs"


def test_publishing_what_is_shown_already_and_going_back_keeps_it(tmp_path: Path) -> None:
    """A set that was there before, shown or not, is not the run's to take away, however often it is withdrawn.

    What was staged of it is gone.
    """
    other = site(tmp_path, "other")
    other.publish(other.fill({"index": b"newer"}))
    for name, content in (("shown", b"newer"), ("older", b"old")):
        releases = site(tmp_path, name)
        release = releases.fill({"index": content})
        releases.publish(release)
        assert not releases.workspace.exists()
        releases.withdraw(release)
        releases.discard()
        releases.withdraw(release)
        assert (releases.folder / "current" / "index").read_bytes() == b"newer"
    assert len(list(releases.folder.iterdir())) == 3


def test_a_set_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    """The hashes are compared before the link turns."""
    releases = site(tmp_path, "changed")
    release = releases.fill({"index": b"new"})
    (releases.workspace / "index").write_bytes(b"forged")
    with pytest.raises(StagingError, match="not as it was staged"):
        releases.publish(release)
    assert (releases.folder / "current" / "index").read_bytes() == b"old"


def test_old_sets_are_kept_until_they_are_pruned(tmp_path: Path) -> None:
    """Three sets are published; one is kept, and it is the one that is shown."""
    for number in range(3):
        releases = site(tmp_path, str(number))
        releases.publish(releases.fill({"index": str(number).encode()}))
    releases.prune(keep=1)
    assert (releases.folder / "current" / "index").read_bytes() == b"2"
    assert len(list(releases.folder.iterdir())) == 2


def test_a_set_that_was_pruned_cannot_be_gone_back_to(tmp_path: Path) -> None:
    """Then readers would see nothing: it is said, and the set stays shown."""
    first = site(tmp_path, "first")
    first.publish(first.fill({"index": b"1"}))
    second = site(tmp_path, "second")
    release = second.fill({"index": b"2"})
    second.publish(release)
    second.prune(keep=1)
    with pytest.raises(StagingError, match="there is nothing to go back to"):
        second.withdraw(release)
    assert (second.folder / "current" / "index").read_bytes() == b"2"


# transactions


def books(root: Path) -> tuple[Store, FileTransactions]:
    """Give a database and the files that follow it."""
    folders(root, "files", "staging")
    store = Store(root / "books.db")
    return store, FileTransactions(store, root / "files", root / "staging")


def test_a_transaction_that_fails_leaves_neither_rows_nor_files(tmp_path: Path) -> None:
    """What was staged is deleted, the file that was there stays."""
    store, files = books(tmp_path)
    (tmp_path / "files" / "b").write_text("b")

    def half() -> None:
        with files.transaction() as work:
            store.write("CREATE TABLE t (x)")
            work.write("a", b"1")
            work.remove("b")
            raise RuntimeError("half way")

    with store, pytest.raises(RuntimeError, match="half way"):
        half()
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["b"]
    assert not list((tmp_path / "staging").iterdir())


def test_files_follow_what_is_committed_after_a_crash(tmp_path: Path) -> None:
    """The rows are committed, the process dies: the next one moves the files; readers knew before."""
    store, files = books(tmp_path)
    with store, store.transaction():
        from rollproof.runtime.transactions import Work

        Work(store, tmp_path / "files", tmp_path / "staging").write("a", b"1")
    assert files.content("a") == b"1"
    assert not (tmp_path / "files" / "a").exists()
    with store:
        files.settle()
        files.settle()
    assert (tmp_path / "files" / "a").read_bytes() == b"1"
    assert not list((tmp_path / "staging").iterdir())
    assert store.read("SELECT * FROM moves") == []
    store.close()


def test_a_committed_file_that_is_nowhere_is_said(tmp_path: Path) -> None:
    """Somebody deleted what was staged: settling does not pretend."""
    store, files = books(tmp_path)
    with store:
        with store.transaction():
            from rollproof.runtime.transactions import Work

            Work(store, tmp_path / "files", tmp_path / "staging").write("a", b"1")
        for path in (tmp_path / "staging").iterdir():
            path.unlink()
        with pytest.raises(TransactionError, match="nowhere"):
            files.settle()


def test_a_move_over_file_systems_is_refused_up_front(tmp_path: Path, elsewhere: Path) -> None:
    """No rename is atomic there, so not even the transaction begins."""
    store = Store(tmp_path / "books.db")
    with (
        pytest.raises(TransactionError, match="two file systems"),
        FileTransactions(store, tmp_path, elsewhere).transaction(),
    ):
        pytest.fail("it began")
    assert not (tmp_path / "books.db").exists()


def test_versions_and_fences_refuse_another_file_system_too(tmp_path: Path, elsewhere: Path) -> None:
    """Before anything happens: nothing is kept, listed or staged."""
    files, contents = folders(tmp_path, "files", "contents")
    with Store(tmp_path / "agent.db") as store, pytest.raises(OSError, match="two file systems"):
        Versions(store, FolderContents(contents), files, elsewhere).save("a", b"1")
    with pytest.raises(OSError, match="two file systems"):
        Fence(files, elsewhere).write(1, "a", b"1")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["contents", "files"]


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", ""])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """And so is the whole transaction."""
    store, files = books(tmp_path)
    with store, pytest.raises(ValueError, match="below"), files.transaction() as work:
        work.write(name, b"1")
    assert not list((tmp_path / "files").iterdir())


# versions


def versioned(root: Path) -> tuple[Store, Versions]:
    """Give versioned files."""
    files, staging, contents = folders(root, "files", "staging", "contents")
    store = Store(root / "agent.db")
    return store, Versions(store, FolderContents(contents), files, staging)


def test_overwriting_keeps_and_restoring_points(tmp_path: Path) -> None:
    """Every version stays readable, restoring makes a new one with the old hash."""
    store, files = versioned(tmp_path)
    with store:
        first = files.save("a", b"1")
        files.save("a", b"2")
        third = files.restore("a", 1)
        assert (third.number, third.sha256) == (3, first.sha256)
        assert (tmp_path / "files" / "a").read_bytes() == b"1"
        assert [files.content("a", number) for number in (1, 2, 3)] == [b"1", b"2", b"1"]
        assert files.restore("a", 3).number == 3
        files.restore("a", 0)
        assert not (tmp_path / "files" / "a").exists()
        with pytest.raises(UnknownVersion, match="only 1 to 4"):
            files.restore("a", 9)


def test_a_file_that_was_there_becomes_the_first_version(tmp_path: Path) -> None:
    """Its content is kept before it is overwritten."""
    store, files = versioned(tmp_path)
    (tmp_path / "files" / "a").write_text("theirs")
    with store:
        files.save("a", b"ours")
        assert files.content("a", 1) == b"theirs"
        files.restore("a", 1)
    assert (tmp_path / "files" / "a").read_text() == "theirs"


def test_what_somebody_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    """Neither by a new version, nor by settling."""
    store, files = versioned(tmp_path)
    with store:
        files.save("a", b"1")
        (tmp_path / "files" / "a").write_text("theirs")
        with pytest.raises(ChangedElsewhere, match="somebody changed it"):
            files.save("a", b"2")
        files.settle()
    assert (tmp_path / "files" / "a").read_text() == "theirs"


def test_a_file_that_did_not_follow_is_brought_on(tmp_path: Path) -> None:
    """The list points to version 2, the file is still as in version 1: a crash in between."""
    store, files = versioned(tmp_path)
    with store:
        files.save("a", b"1")
        files.save("a", b"2")
        (tmp_path / "files" / "a").write_bytes(b"1")
        (tmp_path / "staging" / "left.staged").write_bytes(b"")
        files.settle()
    assert (tmp_path / "files" / "a").read_bytes() == b"2"
    assert not list((tmp_path / "staging").iterdir())


def test_who_may_touch_nothing_any_more_changes_no_file(tmp_path: Path) -> None:
    """Neither the list, also where it is to begin with what was there before, nor a file that did not follow yet."""
    store, files = versioned(tmp_path)
    place = tmp_path / "files" / "a"
    place.write_text("theirs")

    def lost() -> None:
        raise LeaseLost

    with store:
        with pytest.raises(LeaseLost):
            files.checked(lost).save("a", b"late")
        assert (files.history("a"), place.read_text()) == ([], "theirs")
        files.save("a", b"ours")
        for late in (lambda: files.checked(lost).save("a", b"late"), lambda: files.checked(lost).restore("a", 1)):
            with pytest.raises(LeaseLost):
                late()
        place.write_text("theirs")  # as a process leaves it that died before the file followed
        with pytest.raises(LeaseLost):
            files.checked(lost).settle()
        assert (len(files.history("a")), place.read_text()) == (2, "theirs")
    assert not list(
        (tmp_path / "staging").iterdir()
    )  # whoever has the files now has settled them, and does not look again


def test_a_damaged_content_is_noticed_before_anything_changes(tmp_path: Path) -> None:
    """Restoring it would put garbage in its place."""
    store, files = versioned(tmp_path)
    with store:
        first = files.save("a", b"1")
        files.save("a", b"2")
        (tmp_path / "contents" / first.sha256).write_bytes(b"rotten")
        with pytest.raises(ContentLost, match="damaged"):
            files.restore("a", 1)
        (tmp_path / "contents" / first.sha256).unlink()
        with pytest.raises(ContentLost, match="has no content"):
            files.restore("a", 1)
        assert len(files.history("a")) == 2
    assert (tmp_path / "files" / "a").read_bytes() == b"2"


# fences


def test_a_late_writer_is_refused(tmp_path: Path) -> None:
    """Token 7 has written: 6 changes nothing, neither by writing nor by removing, 7 and 8 may."""
    folder, staging = folders(tmp_path, "files", "staging")
    fence = Fence(folder, staging)
    fence.write(7, "a", b"seven")
    with pytest.raises(Fenced, match="token 6 is late, 7"):
        fence.write(6, "a", b"six")
    with pytest.raises(Fenced):
        fence.remove(6, "a")
    assert (folder / "a").read_bytes() == b"seven"
    fence.write(7, "a", b"again")
    fence.remove(8, "a")
    with pytest.raises(Fenced):
        fence.write(7, "a", b"late")
    assert not (folder / "a").exists()
    assert [path.name for path in staging.iterdir()] == [".fence"]


def test_cleaning_leaves_the_newer_owners_file(tmp_path: Path) -> None:
    """What older tokens left goes, what a newer one is writing stays."""
    folder, staging = folders(tmp_path, "files", "staging")
    for token in (3, 4, 5):
        (staging / f"{token}.staged").touch()
    Fence(folder, staging).clean(4)
    assert [path.name for path in staging.iterdir()] == ["5.staged"]
