"""An earlier run: what is read of a result and of the cache, and what is kept for the next run."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.testing import sample_report
from rollproof.values.earlier import EarlierFinding, EarlierRun, after, kept_in_cache, of_cache, of_json, ungrouped
from rollproof.values.errors import ChaosError

TEST = "tests/test_it.py::test_0"


def explored(**changed: Any) -> dict[str, Any]:
    """Return an exploration in the form of a report, with one violation."""
    result: dict[str, Any] = {**sample_report(1)["explorations"][0], **changed}
    return {**result, "violations": result["violations"][:1]}


def test_a_result_has_its_findings_by_test_and_exploration() -> None:
    """Each with its id, its title or its cause, and its schedule; a test that is not there had none."""
    (violation,) = explored()["violations"]
    run = of_json(json.dumps({"version": 2, "explorations": [explored(label="first")]}), "FILE", "--chaos-baseline")
    title = "twice: http.post:api.mail.test/mails, agent.py:12"
    finding = EarlierFinding(violation["id"], title, violation["schedule"])
    assert run.of(TEST) == {"first": (finding,)}
    assert run.of("another") == {}
    assert run.ids() == {violation["id"]: (TEST, finding)}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 3}', '{"version": 2, "explorations": [{}]}', "[" * 9999])
def test_what_is_no_result_is_refused(text: str) -> None:
    """With what to type."""
    with pytest.raises(ChaosError, match="FILE is no JSON result") as problem:
        of_json(text, "FILE", "--chaos-baseline")
    assert "--chaos-json=FILE" in str(problem.value)


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a::b", "violations", "id"]), inner),
)


@settings(deadline=None)
@given(values, st.sampled_from([*explored()]))
def test_whatever_stands_there_is_read_or_refused(value: Any, key: str) -> None:
    """A file with one error of ours; of a cache, which is anybody's, as much is read as has its form."""
    of_cache({"a::b": value})
    of_cache(value)
    with suppress(ChaosError):
        of_json(json.dumps({"version": 2, "explorations": [{**explored(), key: value}]}), "FILE", "--chaos-baseline")


OLD = EarlierFinding("0" * 12, "old", "process.kill@file.open:a#1:after")


def test_what_is_kept_is_what_was_found_and_what_nobody_looked_at() -> None:
    """Through the cache and back; other tests' stay, and so does all where an exploration ended before its end."""
    before = EarlierRun("", {TEST: {"": (OLD,)}, "another": {"": (OLD,)}}, is_whole=False)
    (found,) = of_json(json.dumps({"version": 2, "explorations": [explored()]}), "", "").tests[TEST][""]
    assert after(before, [explored()]) == {TEST: {"": (found, OLD)}, "another": {"": (OLD,)}}
    resolved = after(before, [explored(resolved=[OLD.id])])
    assert resolved == {TEST: {"": (found,)}, "another": {"": (OLD,)}}
    for cut_short in ({"interrupted": "SIGTERM"}, {"skipped": {"budget": 2}}, {"skipped": {"first_finding": 1}}):
        assert after(before, [explored(**cut_short)]) == before.tests
        assert after(None, [explored(**cut_short)]) == {}
    read = of_cache(json.loads(json.dumps(kept_in_cache(resolved))))
    assert read is not None
    assert read.tests == resolved
    assert read.of("a third") is None, "nothing is known of it"


def test_the_group_of_a_worker_is_no_part_of_a_test() -> None:
    """As it is written behind an id with ``--dist=loadgroup``."""
    assert ungrouped("test_it.py::test_it[a@b]@group") == "test_it.py::test_it[a@b]"
    assert ungrouped("a@b/test_it.py::test_it[a@b]") == "a@b/test_it.py::test_it[a@b]"
