"""What the terminal says of a finding and of an exploration, from the reported value alone."""

import re
from io import StringIO
from typing import Any

import pytest
from _pytest._io import TerminalWriter
from hypothesis import given
from hypothesis import strategies as st
from rollproof.plugin.failures import FailureText
from rollproof.plugin.screen import Progress
from rollproof.reports import dry_run
from rollproof.reports.finding import finding_lines
from rollproof.reports.layout import columns_of, plain, width_of
from rollproof.reports.terminal import failure_lines, found_lines, headline, retitled_lines, summary
from rollproof.values import green
from rollproof.values.dry_run import DryRun
from rollproof.values.story import beginning

from .findings import EMPTY, POST, STORY, STRUCK, TEST, TOKEN, cause, exploration, step, violation

REPLAY = f"pytest --chaos {TEST} --chaos-replay='{TOKEN}'"
AT_80 = f"""\
Mail to "all" goes out twice                                        NEW  blocker
A second mail is at api.mail.test, and run() says "published". The answer to the
first POST was lost after the service had acted; myagent.py:29 sent it again
without a key.
  story    … 3 steps before the fault
              1 run  file.open:agent/publish.lock#1  made  (undone)
                     myagent.py:11
           >  5 run  http.post:api.mail.test/mails#1  201, answer lost: raises
                     ReadTimeout  myagent.py:29
              6 run  http.post:api.mail.test/mails#2  201  (repeated)
                     myagent.py:29
              7 run  returned 'published'
  to blame myagent.py:29 in mail, called from myagent.py:21
             27  for attempt in range(attempts):
             28      try:
           > 29          return httpx.post("https://api.mail.test/mails",
                             json=message).raise_for_status()
             30      except httpx.TimeoutException:
             31          if attempt == attempts - 1:
           it makes step 5 (kept), step 6 (repeated)
  wrong    all_or_nothing broken
           the outside is neither as before nor as after a complete run
  wrong    honest_outcome broken
  outside                       before  at the fault  at the end  right is
           api.mail.test/mails  0       1             2           0 or 1
           shared/report.md     -       # Solar …     # Solar …   - or # Solar …
  kind     repeated effect, no stable key
  tried    a stable Idempotency-Key on this call: it is gone
  also     25 more schedules end so
  replay   {REPLAY}"""
AT_40 = f"""\
Mail to "all" goes out twice
                            NEW  blocker
A second mail is at api.mail.test, and
run() says "published". The answer to
the first POST was lost after the
service had acted; myagent.py:29 sent it
again without a key.
  story    … 3 steps before the fault
              1 run  file.open:agent/publish.lock#1
                     made  (undone)
                     myagent.py:11
           >  5 run  http.post:api.mail.test/mails#1
                     201, answer lost:
                     raises ReadTimeout
                     myagent.py:29
              6 run  http.post:api.mail.test/mails#2
                     201  (repeated)
                     myagent.py:29
              7 run  returned
                     'published'
  to blame myagent.py:29 in mail, called
           from myagent.py:21
             27  for attempt in
                     range(attempts):
             28      try:
           > 29          return
                             httpx.post("https://api.mail.test/mails",
                             json=message).raise_for_status()
             30      except
                         httpx.TimeoutException:
             31          if attempt ==
                             attempts -
                             1:
           it makes step 5 (kept), step
           6 (repeated)
  wrong    all_or_nothing broken
           the outside is neither as
           before nor as after a
           complete run
  wrong    honest_outcome broken
  outside  api.mail.test/mails
             before        0
             at the fault  1
             at the end    2
             right is      0 or 1
           and as it may be:
           shared/report.md
  kind     repeated effect, no stable
           key
  tried    a stable Idempotency-Key on
           this call: it is gone
  also     25 more schedules end so
  replay   {REPLAY}"""
TEXTS = st.text(st.sampled_from('abcXYZ019 -_./:"ä界'), min_size=1, max_size=120)


def block(width: int = 80, *, full: bool = False, **more: Any) -> str:
    """Return the block of the finding, changed by this."""
    return plain(finding_lines(violation(**more), width, full=full))


@pytest.mark.parametrize(("width", "block"), [(80, AT_80), (40, AT_40)])
def test_a_finding_that_is_known_in_full(width: int, block: str) -> None:
    """What is wrong, what happened, which line did it, what is outside, what helps, and what to paste."""
    assert plain(failure_lines(exploration(violation()), width)) == block


def test_a_finding_of_which_only_the_cause_is_known() -> None:
    """Its cause is the title; what was done stands in sentences, and the differences are listed."""
    text = block(**EMPTY)
    assert text.splitlines()[0] == f"twice: {POST}, myagent.py:29"
    assert f"  done     http.timeout after {POST}\n  then     run returned 'published'\n" in text
    assert "  at       myagent.py:29 in mail, called from myagent.py:21\n" in text
    assert "  outside  + api.mail.test/mails: {'about': 'solar', 'to': 'all'}\n" in text
    assert not re.search(r"^  (story|to blame|kind|tried|also|known) ", text, re.MULTILINE)
    raising = block(**{**EMPTY, "cause": cause(exception="KeyError at a.py:3 in resume", raising="x[0]", killed="it")})
    assert raising.startswith("recovery raises KeyError\n")
    assert "  at       a.py:3 in resume\n           x[0]\n  killed   always at it\n  leaves   twice: " in raising
    assert block(**{**EMPTY, "cause": None}).startswith("all_or_nothing, honest_outcome broken\n")


def test_a_known_finding_says_why_it_is_let_be() -> None:
    """It is told apart from a new one beside its title."""
    first, *others = block(known=True, new=False, reason="they know", severity="").splitlines()
    assert first.endswith(" KNOWN")
    assert "  known    they know" in others


def test_the_whole_story_has_each_step() -> None:
    """With its part of the story, its time, and what it was inside of."""
    text = block(200, full=True)
    assert "  story    before the fault:\n              1 run  file.open:agent/publish.lock#1  made  (undone)" in text
    assert "llm.chat:api.openai.com#1  200  in write the report  myagent.py:12  0.000 s\n" in text
    assert "           fault:\n           >  5 run  " in text
    assert "promises:" not in text  # they are told as what is wrong
    without = block(200, full=True, **EMPTY)
    assert f"  then     run:\n             {POST}#1\n             returned 'published'\n" in without


def test_what_an_exception_says_is_whole_in_the_whole_story() -> None:
    """At first sight there is its beginning alone."""
    detail = "ValidationError: 1 validation error for Report\nbody\n  gone"
    one = [step("", "raises ValidationError: 1 validation error for Report …", 29, phase="fault", detail=detail)]
    assert re.search(r"\n +body\n +gone\n", block(story=one, full=True))
    assert "body" not in block(story=one)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("KeyError: 'a'", "KeyError: 'a'"),
        ("ApiError: {\n  'code': 5,\n  'why': 'full'\n}\nfor ever", "ApiError: { 'code': 5, 'why': 'full' …"),
        ("E: 1 error for Report\nbody\n  gone", "E: 1 error for Report …"),
        ("E: a\n\n", "E: a"),
        (f"E: {'x' * 16}: y", "E: xxxxxxxxxxxxxxxx …"),
        ("", ""),
    ],
)
def test_the_beginning_of_an_error_does_not_end_in_the_middle(text: str, first: str) -> None:
    """A line that only leads to the next one has that one, too."""
    assert beginning(text, 48 if "x" not in text else 21) == first


def test_a_dry_run_tells_how_much_and_how_long() -> None:
    """Executions, seconds at the pace of the fault-free run, sets that are drawn, and where a budget ends it."""
    found: DryRun = {
        **{"test": TEST, "label": "", "points": 7, "faults": {POST: {"http.timeout": 4}}, "orders": 0, "second": 9},
        **{"only_at": "", "pinned": "", "executions": 115, "each_s": 0.2, "draws": (3, 300.0), "budget_s": 60.0},
    }
    told = " ".join(" ".join(dry_run.lines([found], 80, -1)).split())
    assert "7 points; 4 schedules of one fault up to 115 executions, about 23 s here; then up to three more for" in told
    assert "that they leave then sets of up to 3 faults are drawn for 5 min" in told
    assert "it is ended after 60 s (--chaos-budget)" in told


def test_an_error_of_several_lines_stays_in_its_column() -> None:
    """Its second line is no further promise; and code of one long word keeps its place."""
    text = block(message="all_or_nothing: raised: it is down\nsee its page\nhonest_outcome: untrue")
    raised = "  wrong    all_or_nothing broken\n           raised: it is down\n           see its page\n"
    assert f"{raised}  wrong    honest_outcome broken\n           untrue\n" in text
    source = [
        {"number": 1, "text": "if it:", "marked": False},
        {"number": 2, "text": f"    {'x' * 90}", "marked": True},
    ]
    assert f"\n           > 2      {'x' * 90}\n" in block(blame=[{**violation()["blame"][0], "source": source}])


def test_a_long_story_is_cut_where_it_is_not_asked_for() -> None:
    """How much is left out is said."""
    late = [step(f"file.write:{letter}#1", phase="after the fault") for letter in "abcdefghijklmnopqrst"]
    text = block(story=[*STORY[:5], *late])
    assert "… 10 more steps (a replay with -v tells all)" in text


def test_states_that_look_alike_in_short_are_told_at_length() -> None:
    """A number says nothing where the right one is the same; it counts what is cut off, too."""
    one, other = [{"about": "solar"}], [{"about": "wind"}]
    states = {"before": {"m": []}, "fault": {"m": one}, "end": {"m": other}, "right": {"m": [[], one]}}
    text = block(states=states)
    cut = {"before": {}, "fault": {}, "end": {"m": [1, 2]}, "right": {"m": [None, [1, 2, "… and 4 more"]]}}
    assert "\n           m  -       -             2           - or 6\n" in block(states=cut)
    assert '             at the end    [{"about": "wind"}]\n' in text
    assert '             right is      [] or [{"about": "solar"}]\n' in text


@given(TEXTS, TEXTS, TEXTS, st.integers(40, 100))
def test_words_are_whole_and_lines_fit(title: str, sentence: str, outcome: str, width: int) -> None:
    """Only a line of one word is wider, and the command to paste."""
    story = [step(f"{POST}#1", outcome, 29, phase="fault")]
    text = block(width, title=title, sentence=sentence, message=outcome, story=story, kind=sentence)
    lines = text.splitlines()
    assert lines[-1] == f"  replay   {REPLAY}"
    words = text.split()
    for word in (*title.split(), *sentence.split(), *outcome.split(), f"{POST}#1", "myagent.py:29"):
        assert word in words
    for line in lines[:-1]:
        indented = re.match(r"(  [a-z ]{8} )?\s*(> +)?(\d+ (run  )?)?\s*", line)
        assert indented is not None
        assert len(line) <= width or " " not in line[indented.end() :], line


def test_a_token_of_two_faults_stays_whole() -> None:
    """It is one word to whoever pastes it."""
    token = f"{TOKEN} + process.kill@recover/file.remove:agent/publish.lock#1:after"
    lines = plain(failure_lines(exploration(not_reached=[token], drifted=1), 40)).splitlines()
    assert lines[:2] == ["drifted, so nothing was proved there:", f"  {token}"]
    assert lines[2] == "  its fault never fired: the agent did"
    assert headline(exploration(not_reached=[token], drifted=1)) == f"drifted, so nothing was proved there: {token}"


def test_each_finding_is_told_once_while_it_goes_on() -> None:
    """What is wrong, and what to paste."""
    told: dict[str, str] = {}
    first = exploration(violation(id="1"))
    assert found_lines(first, told, 80) == [
        'chaos: found after 95 executions, 3.2 s: Mail to "all" goes out twice',
        f"  {REPLAY}",
    ]
    assert found_lines(first, told, 80) == []
    both = exploration(violation(id="2", title="The lock stays"), violation(id="1"), label="x")
    assert found_lines(both, told, 80)[0] == "chaos: [x] found after 95 executions, 3.2 s: The lock stays"
    assert retitled_lines(both, told, 80) == []
    later = exploration(violation(id="2", title="A lock stays"), violation(id="3"))
    assert retitled_lines(later, told, 80) == [
        """chaos: 'Mail to "all" goes out twice' is in the end part of another finding""",
        "chaos: 'The lock stays' is in the end: A lock stays",
    ]


def test_a_line_for_each_test() -> None:
    """All its explorations together."""
    parts = [
        exploration(violation()),
        exploration(violation(), label="2", errors=["it"], closed=False, model="(not closed)"),
    ]
    [line] = plain(summary(parts, 80, -1)).splitlines()
    assert line == f"{TEST}: 2 findings, 1 could not be judged, 680 schedules, not closed, 6.4 s"


def test_the_table_of_families() -> None:
    """Verdicts of each family of faults, and how much of it was not tried; in words where that is too wide."""
    found = exploration(not_tried={"crashes": "3 of 20 tried"}, schedules=20)
    [*_, head, services, crashes, told] = plain(summary([found])).splitlines()
    assert head == "  family                         holds  violated  not tried"
    assert services == "  faults of models and services     99        26"
    assert crashes == "  crashes                          173                   17"
    assert told == "  (a crash in a recovery is counted with each fault that leads there)"
    assert "\n  faults of models and services: 99 holds,\n    26 violated\n" in plain(summary([found], 42))


def test_the_cells() -> None:
    """Each fault at each point, where somebody wants to know."""
    text = plain(summary([exploration()], 80, 1))
    assert f"\n  {POST}#1\n    http.timeout  violated   26\n    http.timeout  holds      99\n" in text


def test_what_green_means_comes_first() -> None:
    """The statement up to what was found; then what it does not say, and each thing once."""
    gone = "1 unwatched writes"
    known = {"proved": ["every single fault"], "not_proved": ["two at once"], "masked": ["a", "b", "c", "d"]}
    fixed: Any = [{"id": "1", "title": "The lock stays", "schedule": TOKEN, "replayed": True}]
    begun = "7 points, 340 schedules judged in 95 executions; 11 distinct worlds; exhaustive: it; 0 violations"
    known |= {"verdicts": {"clean_retry": "vacuous"}, "unwatched": ["log"], "not_explored": ["it forks"]}
    found = exploration(**known, fixed=fixed, statement=f"{begun}; 0 masked; {gone}", model="it", audited=0, cells=[])
    found["proved"], found["not_proved"] = green.proved(found), green.not_proved(found)
    told = plain(summary([found], 200)).splitlines()
    assert told[1:9] == [
        "  ! it forks",
        f"  {begun}",
        "  Proved:",
        "    - The process was killed at each of these places, and again in each recovery, until no new state of the "
        "outside came: 11 states to recover from.",
        "  Not looked at:",
        "    - Promises that had nothing to judge: clean_retry.",
        "  masked: a",
        "  masked: b",
    ]
    assert "  fixed: The lock stays (1)" in told
    for words in ("it forks", "log", "nothing to judge", "masked: a", "11 distinct", "340 schedules", gone):
        assert sum(words in line for line in told) == (words != gone), words


def test_a_loop_is_told_once() -> None:
    """Sixty equal turns, of one step or of two, are one and how many more there are; their line makes all of them."""
    append = [step(f"file.write:log#{n}", f"{n} bytes", 9, phase="after the fault") for n in range(5, 66)]
    pairs = [step(f"file.{verb}:page-{n}.md#1", "", 9) for n in range(60) for verb in ("open", "write")]
    effects = [{"step": n, "fate": "kept"} for n in [*range(1, 62), 70]]
    text = block(story=[*STORY[:5], *append], blame=[{**violation()["blame"][0], "effects": effects}])
    assert (
        "              6 run  file.write:log#5  5 bytes  myagent.py:9\n                     … 60 more like this\n"
        in text
    )
    assert "it makes steps 2 to 62 and 71 (kept)\n" in text
    whole = block(story=[*pairs, *STORY[4:]], full=True)
    assert "              2 run  file.write:page-0.md#1  myagent.py:9  0.000 s\n" in whole
    assert "                     … 59 more like these 2\n           fault:\n           > 121 run  http.post" in whole
    assert "page-1.md" not in whole


def test_what_to_do_is_said_once() -> None:
    """Of several errors that are mended alike."""
    errors = [f"not explored: 0 of 9 {family} were tried\ngive it more time" for family in ("crashes", "faults")]
    assert plain(failure_lines(exploration(errors=errors), 80)).splitlines() == [
        "not explored: 0 of 9 crashes were tried",
        "not explored: 0 of 9 faults were tried",
        "  give it more time",
    ]


def test_no_time_is_torn_from_its_unit() -> None:
    """Wherever a line ends."""
    for width in range(60, 100):
        assert not re.search(r"^ +s$|^ +s  ", block(width, full=True), re.MULTILINE)


def test_processes_that_ask_are_told_where_they_show_something() -> None:
    """The new try after a rollback is no part of the story of a lock that stays."""
    retry = [step("file.write:a#1", "1 byte", 9, life="retry", phase="recovery")]
    assert "retry" not in block(story=[*STORY[:7], *retry, STORY[7] | {"life": "run"}])
    assert "… 1 more step (a replay with -v tells all)" in block(story=[*STORY[:7], *retry, STORY[7] | {"life": "run"}])
    assert "  9" not in block(story=[*STORY[:7], *retry, STORY[7] | {"life": "retry"}]).partition("  to blame")[0]
    assert " 8 retry  file.write:a#1" in block(story=[*STORY[:7], *retry, STORY[7] | {"life": "retry"}])


def test_letters_of_two_columns_count_twice() -> None:
    """80 columns hold where names, values and words are of East Asia; a mark over a letter takes none."""
    title, name = "報告書が 二通 送信された 受信者に " * 3, "共有/報告書.md"
    states: Any = {when: {name: "太陽光"} for when in ("before", "fault", "end")}
    text = block(title=title, sentence=title * 2, states={**states, "right": {name: "風"}}, message=title * 2)
    lines = text.splitlines()
    assert not [line for line in lines[:-1] if columns_of(line) > 80]
    assert lines[1].endswith("NEW  blocker")
    head, row = (line for line in lines if "right is" in line or line.startswith(f"           {name}"))
    assert columns_of(head.partition("right is")[0]) == columns_of(row.partition("風")[0])
    assert columns_of("e\u0301") == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {},
            "12 done, 5 rolled back, 1 wrong; recovery 1.01 s of virtual time (median), 95 % within 31 s,"
            " all within 400 s; 1 model call again, 1234 tokens",
        ),
        (
            {"recovery_s": {"median": 1.0, "p95": 1.0, "max": 1.0}, "model_calls_again": 0},
            "12 done, 5 rolled back, 1 wrong; recovery 1 s of virtual time",
        ),
        (
            {"ends": {"done": 0, "stuck": 3}, "recovery_s": {"median": 0.0, "p95": 0.0, "max": 0.0}},
            "3 stuck; 1 model call again, 1234 tokens",
        ),
        ({"ends": {"done": 0}}, ""),
    ],
)
def test_how_struck_runs_ended(changed: dict[str, Any], told: str) -> None:
    """Ends that came, times, and what was spent again; nothing for none, nor for a result that does not know."""
    found = exploration(struck={**STRUCK, **changed})
    lines = plain(summary([found], 100))
    assert " ".join(lines.partition("  struck runs: ")[2].partition("family")[0].split()) == told
    assert "struck" not in plain(summary([found], verbosity=-1))
    del found["struck"]  # type: ignore[misc]
    assert "struck" not in plain(summary([found]))


def test_colours_are_pytests_own() -> None:
    """They are there where its writer has them, and in no text that is kept."""

    class Terminal:
        width = 80

    failure = FailureText(exploration(violation()), None, Terminal(), full=False)  # type: ignore[arg-type]
    written = {}
    for coloured in (True, False):
        file = StringIO()
        writer = TerminalWriter(file)
        writer.hasmarkup = coloured
        failure.toterminal(writer)
        written[coloured] = file.getvalue()
    assert written[False] == f"{failure}\n" == f"{AT_80}\n"
    assert "\x1b[1m\x1b[31mblocker\x1b[0m" in written[True] or "\x1b[31m\x1b[1mblocker\x1b[0m" in written[True]
    assert re.sub(r"\x1b\[[0-9;]*m", "", written[True]).replace(" \n", "\n") == written[False]


@pytest.mark.parametrize(("columns", "width"), [(20, 40), (80, 80), (300, 100)])
def test_no_line_is_too_wide_to_read(columns: int, width: int) -> None:
    """However wide the terminal is; and none is too narrow."""
    assert width_of(columns) == width


def test_a_sign_of_life_at_each_interval() -> None:
    """Also while one process runs for minutes: what it does, and for how long."""
    now, lines = [0.0], []
    progress = Progress("test_it", lines.append, 60.0, lambda: now[0])
    for now[0] in (1.0, 59.0, 61.0, 100.0, 122.0):
        progress.at(lambda: "run", 1)
    now[0] = 200.0
    progress.show()
    assert lines == [f"test_it: 1 executions, 0/s, {seconds} s, run" for seconds in (61, 122, 200)]
    lines.clear()
    live = Progress("test_publishing_is_all_or_nothing", lines.append, 0.2, lambda: now[0], 60)
    live.at(lambda: "single faults: run, 12 left", 7)
    assert lines == ["test_publis…: 7 executions, 7000/s, 0 s, single faults: run, 12 left"]
