"""The id of a violation: the same after edits elsewhere in the agent, and no other finding gets it."""

import sys
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.engine.sites import Sites
from rollproof.values.ids import violation_ids
from rollproof.values.places import Frame, Place

from .exploring import explored, only, two_folders

AGENT = """
import httpx

def post(what, key=None):
    headers = {} if key is None else {"Idempotency-Key": key}
    httpx.post(f"https://api.mail.test/{what}", json={"about": "solar"}, headers=headers).raise_for_status()

def announce():
    post("mails")

def charge():
    post("invoices")

def hold(own):
    (own / "agent.lock").open("x").close()

def write(shared):
    name = "a"
    (shared / name).touch()

def run(shared, own):
    announce()
    charge()
    hold(own)
    write(shared)
    (own / "agent.lock").unlink()
"""
EDITS = {
    "lines above": ("import httpx\n", '"""Mails."""\n\nimport httpx\n\nLATE = 3\n'),
    "a comment in it": ("    headers = {} if", "    # nothing is told apart without a key\n    headers = {} if"),
    "a comment behind it": (".raise_for_status()", ".raise_for_status()  # or what?"),
    "names in another function": ('    name = "a"\n    (shared / name)', '    file = "a"\n    (shared / file)'),
    "one more call of the helper": ("    hold(own)\n    write", '    post("notes", "one")\n    hold(own)\n    write'),
    "another caller of the helper": ("def hold", 'def note():\n    post("notes", "two")\n\ndef hold'),
    "and a call of it": ("    write(shared)\n", "    note() if 'note' in globals() else None\n    write(shared)\n"),
    "another order": ("    announce()\n    charge()\n", "    charge()\n    announce()\n"),
}
MENDED = {
    "the lock": ('"agent.lock").open("x")', '"agent.lock").open("w")'),
    "one of two calls": ('post("invoices")', 'post("invoices", "invoice")'),
}


def edited(edits: Iterable[tuple[str, str]]) -> str:
    """Return the agent with some edits."""
    source = AGENT
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


def loaded(source: str, folder: Path) -> ModuleType:
    """Return an agent of this source, in a file of its own."""
    folder.mkdir()
    file = folder / "agent.py"
    file.write_text(source)
    agent = ModuleType("edited_agent")
    exec(compile(source, file, "exec"), agent.__dict__)
    return agent


def ids(source: str, folder: Path) -> dict[str, str]:
    """Return the ids of all findings of an agent, by how and where each is wrong."""
    agent = loaded(source, folder)

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.api("https://api.mail.test")
        chaos.explore(run=lambda: agent.run(shared, own))

    result = explored(SimpleNamespace(explore=explore), folder / "it", projects=(folder,), **only("process.kill"))
    causes = [finding.cause for finding in result.violations]
    told = [f"{c.exception.partition(' ')[0] or f'{c.way} {c.effect}'}" for c in causes if c is not None]
    found = dict(zip(told, violation_ids(result.test, result.violations), strict=True))
    assert len(found) == len({*found.values()}) == len(result.violations)
    return found


def test_ids_survive_edits_elsewhere(tmp_path: Path) -> None:
    """Lines move, names change, a helper has more callers, effects come in another order, another finding is mended."""
    before = ids(AGENT, tmp_path / "before")
    mails = "twice http.post:api.mail.test/mails"
    assert before.keys() == {mails, "twice http.post:api.mail.test/invoices", "FileExistsError"}
    assert ids(edited(EDITS.values()), tmp_path / "after") == before
    after = ids(edited([*EDITS.values(), *MENDED.values()]), tmp_path / "mended")
    assert after == {mails: before[mails]}


def places(source: str, folder: Path) -> dict[str, Place]:
    """Return the places of the requests of an agent, by what they are about."""
    agent, found = loaded(source, folder), dict[str, Place]()

    def post(url: str, **_: object) -> Any:
        frame, calls = sys._getframe(1), []
        while frame is not None and frame.f_code.co_filename == str(folder / "agent.py"):
            calls.append(Frame(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname))
            frame = frame.f_back
        found[url.rpartition("/")[2]] = tuple(calls)
        return SimpleNamespace(raise_for_status=lambda: None)

    agent.httpx = SimpleNamespace(post=post)
    (folder / "files").mkdir()
    agent.run(folder / "files", folder / "files")
    return found


def identities(source: str, folder: Path) -> dict[str, object]:
    """Return what tells each of two places apart."""
    found, sites = places(source, folder), Sites()
    sites.see(SimpleNamespace(places=dict(enumerate(found.values()))))
    return {
        what: [(Path(file).name, *texts) for file, *texts in sites.identity(found[what])]
        for what in ("mails", "invoices")
    }


numbers = count()


@given(
    edits=st.sets(st.sampled_from([*EDITS.values(), *MENDED.values()])),
    blank=st.lists(st.sampled_from(["\n", "# later\n", "LATE = 3\n", "def later():\n    return 3\n\n"]), max_size=4),
    behind=st.sampled_from(["def post", "def announce", "def charge", "def hold", "def run"]),
)
@settings(max_examples=30, deadline=None)
def test_places_are_told_apart_in_the_same_way_after_any_edits(
    tmp_path_factory: pytest.TempPathFactory, edits: set[tuple[str, str]], blank: list[str], behind: str
) -> None:
    """Whatever is edited elsewhere, in whatever combination, two calls of one helper keep what tells them apart."""
    folder = tmp_path_factory.getbasetemp() / f"edits-{next(numbers)}"
    folder.mkdir()
    in_order = [edit for edit in (*EDITS.values(), *MENDED.values()) if edit in edits]  # some are of the same lines
    source = edited(in_order).replace(behind, "".join(blank) + behind)
    before = identities(AGENT, folder / "before")
    assert before["mails"] != before["invoices"]
    assert identities(source, folder / "after") == before


def test_two_calls_in_one_function_are_told_apart_by_their_statements(tmp_path: Path) -> None:
    """And by these alone: with one call the statement says nothing."""
    both = edited([("def charge():\n", 'def both():\n    post("mails")\n    post("invoices")\n\ndef charge():\n')])
    both = both.replace("    announce()\n    charge()\n", "    both()\n")
    found = identities(both, tmp_path / "both")
    assert found["mails"] != found["invoices"]
    assert [call[2] for call in found["mails"][1:]] == ['post("mails")']  # type: ignore[index]
    alone = identities(AGENT, tmp_path / "alone")
    assert [call[2] for call in alone["mails"][1:]] == [""]  # type: ignore[index]
