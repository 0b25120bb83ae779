"""A schedule's text is the schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof import ChaosError
from rollproof.values.points import Point, canonical
from rollproof.values.schedule import Injection, Schedule

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
WORDS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
POINTS = st.builds(Point, WORDS, WORDS, NAMES, st.integers(1, 99), st.just("") | NAMES)
INJECTIONS = st.builds(
    Injection,
    st.builds(lambda family, what: f"{family}.{what}", WORDS, WORDS),
    POINTS,
    st.sampled_from(["before", "middle", "after"]),
    st.sampled_from([0, 1, 12]),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(INJECTIONS, min_size=1, max_size=3))
def test_a_token_reads_back_whatever_files_are_called(injections: list[Injection]) -> None:
    """Parsing what was printed gives the same schedule."""
    schedule = Schedule(tuple(injections))
    assert Schedule.parse(str(schedule)) == schedule


NEARLY = st.lists(
    st.sampled_from([*"aA1٣²%#@:.~+/ \n", "order.swap", "~lasting", "recover/", "%41", "%zz", " + ", ":before", "#1"])
    | st.sampled_from(["process.kill@file.write:", "9" * 5000, ".0", ".2", ".²", "\udc80"])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@given(st.text() | NEARLY | st.builds(lambda part: f"a.b@c.d:e{part}", NEARLY))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    """What is accepted prints as a token that means the same; of what is refused the error says so, in a few lines."""
    schedule, said = Schedule(), "[bad-token]"
    try:
        schedule = Schedule.parse(text)
    except ChaosError as problem:
        said = str(problem)
    assert said.endswith("[bad-token]")
    assert len(said) < 1000
    assert not schedule.injections or Schedule.parse(str(schedule)) == schedule


@given(st.lists(INJECTIONS, min_size=1, max_size=3))
def test_a_token_prints_as_it_was_typed(injections: list[Injection]) -> None:
    """No part of it is lost, or said in another way."""
    token = str(Schedule(tuple(injections)))
    assert str(Schedule.parse(token)) == token


def test_the_contract_s_examples_can_be_typed() -> None:
    """Both of the contract's tokens, and one with every part."""
    tokens = [
        "process.kill@file.replace:shared/report.md#1:after",
        "process.kill@http.post:api.mail.test/mails#1:after",
        "llm.truncated_json.2~lasting@recover/llm.chat:api.openai.com%worker#3:after",
    ]
    for token in [*tokens, " + ".join(tokens)]:
        assert str(Schedule.parse(token)) == token
    assert Schedule.parse("storage.full@file.write:a#1").injections[0].when == "before"


@pytest.mark.parametrize(
    "token", ["", "nonsense", "a.b@file.write:x", "a.b@file.write:x#0", "a.b@file.write:x#1:later"]
)
def test_a_bad_token_is_refused_with_an_example(token: str) -> None:
    """One clear message names the bad part and shows a good one."""
    with pytest.raises(ChaosError, match=r"e\.g\. process\.kill@file\.replace") as caught:
        Schedule.parse(token)
    assert caught.value.code == "bad-token"
    assert repr(token) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("report-635c8271-f906-486b-aac0-8c65da0f19d7.md", "report-*.md"),
        ("report-635c8271f906486b.md", "report-*.md"),
        ("tmpab12cd_3/x", "tmp*/x"),
        ("2026-01-15T09:00:00.123Z.log", "*.log"),
        ("backup-1768467600.123", "backup-*"),
        ("reader.lock.31337", "reader.lock.*"),
        ("decade/facade/2026/v2", "decade/facade/2026/v2"),
    ],
)
def test_random_parts_of_paths_are_hidden_and_words_are_not(path: str, name: str) -> None:
    """Uuids, hex, times, pids and tempfile's names; never a year or a word."""
    assert canonical(path) == name
