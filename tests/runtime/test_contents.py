"""Contents in a folder and in a bucket, by one contract; and checkpoints whose bodies are kept there."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.runtime import (
    BucketContents,
    Checkpoint,
    CheckpointDamaged,
    Checkpoints,
    ContentLost,
    Contents,
    FolderContents,
    Run,
    Saga,
    Status,
    Step,
    Store,
    StoreError,
    Versions,
)
from rollproof.runtime.canonical import sha256

from tests.exploring import breaks, explored, only, two_folders


def client_of(port: int) -> Any:
    """Give a client of a service on this machine, which asks once."""
    import boto3  # here: what a process has imported makes each exploration in it more expensive
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        config=Config(retries={"max_attempts": 0, "mode": "standard"}),
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Serve S3 on a port of this machine."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield client_of(server.get_host_and_port()[1])
    server.stop()


@dataclass
class Kind:
    """One kind of contents, and how somebody spoils what is kept there."""

    contents: Contents
    spoil: Callable[[str, bytes], Any]
    delete: Callable[[str], Any]
    names: Callable[[], list[str]]


def in_a_folder(folder: Path) -> Kind:
    """Make the folder."""
    folder.mkdir()
    return Kind(
        FolderContents(folder),
        lambda digest, content: (folder / digest).write_bytes(content),
        lambda digest: (folder / digest).unlink(),
        lambda: sorted(path.name for path in folder.iterdir()),
    )


def in_a_bucket(s3: Any) -> Kind:
    """Make the bucket."""
    bucket = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    return Kind(
        BucketContents(s3, bucket, "kept/"),
        lambda digest, content: s3.put_object(Bucket=bucket, Key=f"kept/{digest}", Body=content),
        lambda digest: s3.delete_object(Bucket=bucket, Key=f"kept/{digest}"),
        lambda: [each["Key"].removeprefix("kept/") for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])],
    )


@pytest.fixture(params=["folder", "bucket"])
def keeping(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """Give each kind, empty."""
    if request.param == "folder":
        return in_a_folder(tmp_path / "contents")
    return in_a_bucket(request.getfixturevalue("client"))


# the contract


@pytest.mark.parametrize("content", [b"", b"panel;4\n", bytes(range(256)) * 4096])
def test_what_was_put_can_be_got(keeping: Kind, content: bytes) -> None:
    """By its hash; putting it twice is putting it once."""
    digest = keeping.contents.put(content)
    assert digest == keeping.contents.put(content) == sha256(content)
    assert keeping.contents.get(digest) == content
    assert keeping.names() == [digest]


def test_a_lost_content_is_said(keeping: Kind) -> None:
    """One that never was, one that somebody deleted, and a name that is none."""
    digest = keeping.contents.put(b"1")
    keeping.delete(digest)
    for absent in (digest, sha256(b"2")):
        with pytest.raises(ContentLost, match="has no content"):
            keeping.contents.get(absent)
    for name in ("", "..", f"../{digest}", digest.upper()):
        with pytest.raises(ContentLost, match="is no SHA-256"):
            keeping.contents.get(name)


@pytest.mark.parametrize("damaged", [b"", b"pan", b"panel;5"])
def test_a_damaged_content_is_said_and_mended_by_putting_it(keeping: Kind, damaged: bytes) -> None:
    """Else who puts it would be told that it is kept."""
    digest = keeping.contents.put(b"panel;4")
    keeping.spoil(digest, damaged)
    with pytest.raises(ContentLost, match="damaged"):
        keeping.contents.get(digest)
    keeping.contents.put(b"panel;4")
    assert keeping.contents.get(digest) == b"panel;4"


def test_versions_are_kept_in_either(keeping: Kind, tmp_path: Path) -> None:
    """Files that follow their versions do not know where the contents are."""
    for name in ("files", "staging"):
        (tmp_path / name).mkdir()
    with Store(tmp_path / "agent.db") as store:
        files = Versions(store, keeping.contents, tmp_path / "files", tmp_path / "staging")
        first = files.save("a", b"1")
        files.save("a", b"2")
        files.restore("a", 1)
        assert (tmp_path / "files" / "a").read_bytes() == b"1"
        keeping.delete(first.sha256)
        with pytest.raises(ContentLost):
            files.content("a", 1)


# a folder


def test_a_content_is_under_its_name_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies at the rename leaves a part, which is cleaned away; nothing else is."""
    contents = FolderContents(tmp_path)
    kept = contents.put(b"1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *names: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            contents.put(b"2")
    assert len(list(tmp_path.glob("*.part"))) == 1
    with pytest.raises(ContentLost):
        contents.get(sha256(b"2"))
    contents.clean()
    assert [path.name for path in tmp_path.iterdir()] == [kept]


def test_cleaning_beside_a_process_that_puts_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being written is cleaned away at its last moment, twice: it is written again."""
    contents, replace, times = FolderContents(tmp_path), os.replace, []

    def late(source: Path, target: Path) -> None:
        if len(times) < 2:
            times.append(source)
            FolderContents(tmp_path).clean()
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    assert contents.get(contents.put(b"1")) == b"1"
    assert len(set(times)) == 2
    assert [path.name for path in tmp_path.iterdir()] == [sha256(b"1")]


def test_a_folder_that_is_gone_is_no_lost_content(tmp_path: Path) -> None:
    """Putting says so, and does not try for ever."""
    with pytest.raises(FileNotFoundError):
        FolderContents(tmp_path / "gone").put(b"1")


def test_many_put_the_same_and_one_cleans(tmp_path: Path) -> None:
    """Whoever is told that a content is kept can get it."""
    failed: list[BaseException] = []

    def work() -> None:
        contents = FolderContents(tmp_path)
        try:
            for number in range(20):
                assert contents.get(contents.put(str(number).encode())) == str(number).encode()
                contents.clean()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(list(tmp_path.iterdir())) == 20


# a bucket


def test_a_service_that_cannot_tell_is_no_lost_content(client: Any) -> None:
    """No bucket, no service: an agent that took that for a lost checkpoint would go back on older knowledge."""
    from botocore.exceptions import ClientError, EndpointConnectionError

    nowhere = BucketContents(client, "no-such-bucket")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        nowhere.get(sha256(b"1"))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        nowhere.put(b"1")
    silent = BucketContents(client_of(1), "bucket")
    for ask in (lambda: silent.get(sha256(b"1")), lambda: silent.put(b"1")):
        with pytest.raises(EndpointConnectionError):
            ask()


# checkpoints in contents


def tamper(database: Path, statement: str) -> None:
    """Change the database behind its back."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)


def test_big_variables_do_not_stand_in_the_database(keeping: Kind, tmp_path: Path) -> None:
    """The row has the hash; what was kept before the transaction is not put again in it."""
    big = Checkpoint("goal", "step", {"sources": ["x" * 200_000]})
    with Store(tmp_path / "agent.db") as store:
        checkpoints = Checkpoints(store, keeping.contents)
        kept = checkpoints.keep(big)
        keeping.contents = None  # type: ignore[assignment]
        with store.transaction():
            checkpoints.save("r", kept)
        assert checkpoints.load("r").checkpoint == big
        assert keeping.names() == [kept.sha256]
        with pytest.raises(StoreError, match="the same contents="):
            Checkpoints(store).load("r")
    assert (tmp_path / "agent.db").stat().st_size < 50_000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda keeping, digest, database: keeping.delete(digest),
        lambda keeping, digest, database: keeping.spoil(digest, b"{}"),
        lambda keeping, digest, database: tamper(database, "UPDATE checkpoints SET sha256 = '' WHERE version = 3"),
        lambda keeping, digest, database: tamper(database, "UPDATE checkpoints SET body = '' WHERE version = 3"),
        lambda keeping, digest, database: tamper(
            database, "UPDATE checkpoints SET sha256 = (SELECT max(sha256) FROM checkpoints) || 'a' WHERE version = 3"
        ),
    ],
    ids=["lost", "damaged", "no hash", "no body", "wrong hash"],
)
def test_a_lost_content_is_a_damaged_checkpoint(keeping: Kind, tmp_path: Path, spoil: Callable[..., None]) -> None:
    """It is named, and the one before is used; versions that stand in the database itself are read as ever."""
    with Store(tmp_path / "agent.db") as store:
        checkpoints = Checkpoints(store, keeping.contents)
        with store.transaction():
            Checkpoints(store).save("r", Checkpoint("goal", "a", {"number": 1}))
            checkpoints.save("r", Checkpoint("goal", "b", {"number": 2}))
        last = checkpoints.keep(Checkpoint("goal", "c", {"number": 3}))
        with store.transaction():
            assert checkpoints.save("r", last) == 3
        spoil(keeping, last.sha256, store.path)
        restored = checkpoints.load("r")
        assert restored.checkpoint == Checkpoint("goal", "b", {"number": 2})
        assert restored.damaged == (3,)
        keeping.delete(checkpoints.keep(Checkpoint("goal", "b", {"number": 2})).sha256)
        assert checkpoints.load("r").checkpoint == Checkpoint("goal", "a", {"number": 1})
        assert checkpoints.load("r").damaged == (3, 2)


def test_a_service_that_cannot_tell_makes_no_checkpoint_damaged(client: Any, tmp_path: Path) -> None:
    """Loading raises, so that nobody goes on from an older one."""
    from botocore.exceptions import EndpointConnectionError

    with Store(tmp_path / "agent.db") as store:
        client.create_bucket(Bucket="checkpoints")
        with store.transaction():
            Checkpoints(store, BucketContents(client, "checkpoints")).save("r", Checkpoint("goal", "a", {}))
        with pytest.raises(EndpointConnectionError):
            Checkpoints(store, BucketContents(client_of(1), "checkpoints")).load("r")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aä\0\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.dictionaries(st.text("ab"), JSON, max_size=2)), min_size=1, max_size=4))
def test_a_checkpoint_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, saved: list[Any]) -> None:
    """Whatever its variables are, and wherever each version is kept; every version is read while the later are lost."""
    folder = tmp_path_factory.mktemp("contents", numbered=True)
    (folder / "contents").mkdir()
    with Store(folder / "agent.db") as store:
        contents = FolderContents(folder / "contents")
        for inside, variables in saved:
            with store.transaction():
                Checkpoints(store, contents if inside else None).save("r", Checkpoint("goal", "step", variables))
        for left in range(len(saved), 0, -1):
            assert Checkpoints(store, contents).load("r").checkpoint == Checkpoint("goal", "step", saved[left - 1][1])
            tamper(store.path, f"DELETE FROM checkpoints WHERE version = {left}")


class Writer:
    """A saga of two steps whose checkpoints are in a folder; a crash is no reason to begin again."""

    def explore(self, chaos: Any, folder: Path) -> None:
        """Kill it anywhere."""
        self.shared, self.own = two_folders(chaos, folder)
        (self.own / "contents").mkdir()

        @chaos.invariant
        def checkpoints_are_whole(world: Any) -> None:
            """A row points to what is kept, with its hash."""
            for row in world.private_tables.get("own/agent.db:checkpoints", []):
                assert sha256(world.private_files[f"own/contents/{row['sha256']}"]) == row["sha256"]

        chaos.explore(run=lambda: self.saga(lambda saga: saga.run("g", {"text": ""})), recover=self.recover)

    def recover(self) -> None:
        """Clean, then go on."""
        FolderContents(self.own / "contents").clean()
        self.saga(lambda saga: saga.recover())

    def saga(self, work: Callable[[Saga], Any]) -> None:
        """Work with the saga."""
        with Store(self.own / "agent.db") as store:
            write = Step("write", self.write, undo=self.unwrite, repeatable=True)
            steps = [Step("think", lambda run: {"text": "kept"}, reads_only=True), write]
            contents = FolderContents(self.own / "contents")
            work(Saga(store, "write", steps, after_crash="resume", contents=contents))

    def write(self, run: Run) -> None:
        """Write what the checkpoint says."""
        (self.shared / "report").write_text(run.variables["text"])

    def unwrite(self, run: Run) -> None:
        """Take it back."""
        (self.shared / "report").unlink(missing_ok=True)


def test_a_saga_with_its_checkpoints_in_a_folder_survives_every_crash(tmp_path: Path) -> None:
    """Killed anywhere, any number of times: no row points to a content that is not whole, and the run goes on."""
    writer = Writer()
    result = explored(writer, tmp_path / "world", **only("process.kill"))
    assert not breaks(result), result.statement
    assert "any number of crashes (closed)" in result.statement
    assert (tmp_path / "world" / "shared" / "report").read_text() == "kept"


def test_a_saga_that_must_go_on_stops_where_its_checkpoint_is_lost(keeping: Kind, tmp_path: Path) -> None:
    """What it knew before could do the wrong thing; when the content is there again, it goes on."""
    acted: list[str] = []

    def act(run: Run) -> None:
        acted.append(run.variables["text"])
        if len(acted) == 1:
            raise KeyboardInterrupt

    with Store(tmp_path / "agent.db") as store:
        steps = [Step("think", lambda run: {"text": "kept"}, reads_only=True), Step("mail", act, irreversible=True)]
        saga = Saga(store, "s", steps, contents=keeping.contents)
        with pytest.raises(KeyboardInterrupt):
            saga.run("g", {})
        body = b'{"goal":"g","position":"mail","variables":{"text":"kept"}}'
        keeping.delete(sha256(body))
        with pytest.raises(CheckpointDamaged):
            saga.recover()
        keeping.contents.put(body)
        assert saga.recover() is Status.COMPLETED
    assert acted == ["kept", "kept"]
