"""What people read first of a finding: its title, what happened in a sentence or two, how grave it is, which kind."""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import httpx
import pytest
from rollproof.engine.facts import End, Facts, Setting, clause, row_of
from rollproof.engine.facts import facts as gathered
from rollproof.engine.judge import Judgement
from rollproof.engine.kind_by_rule import kind
from rollproof.engine.severity import in_order, severity
from rollproof.engine.signs import Signs
from rollproof.engine.wording import MOST, sentence, title
from rollproof.testing import sample_effects
from rollproof.values import kinds
from rollproof.values.actions import Action, Kill
from rollproof.values.causes import Cause, Way
from rollproof.values.exploration import Finding
from rollproof.values.faults import Fault, fault
from rollproof.values.points import Effect
from rollproof.values.schedule import Schedule
from rollproof.values.world import Change, World

from .exploring import options, replayed
from .test_mutants import agent, settings
from .test_readme import block

OURS = re.compile(
    r"invariant|injection|schedule|crash state|\bworld\b|\btwin\b|fault-free|all_or_nothing|honest_outcome|"
    r"no_leftovers|clean_retry|recovery_(succeeds|idempotent)|terminates|credential_hygiene"
)
SAID = {
    "effect_twice_after_timeout": (
        "http.timeout@http.post:api.mail.test/mails#1:after",
        "Mail to 'ada@example.test' goes out twice",
        "A second mail is at api.mail.test, and run() says 'sent'. The answer to the first POST was lost after the "
        "service had acted; wrong_effect_twice_after_timeout.py:26 sent it again without a key.",
        "blocker",
        kinds.REPEATED,
    ),
    "key_of_the_moment": (
        "http.timeout@http.post:api.pay.test/payments#1:after",
        "Payment 'rent' is made twice",
        "A second payment is at api.pay.test, and run(), started again, says 'paid'. The answer to the first POST was "
        "lost after the service had acted; wrong_key_of_the_moment.py:24 sent it again in the recovery with another "
        "key.",
        "blocker",
        kinds.KEY_CHANGES,
    ),
    "error_swallowed": (
        "sqlite.locked@sqlite.insert:books.db:invoices#1:before",
        "run() says that it is done, and invoice 'R-2041' is missing",
        "Invoice 'R-2041' is not in books.db:invoices, and run() says {'invoice': 'R-2041', 'status': 'filed'}. "
        "Inserting into books.db:invoices failed: the database was locked; wrong_error_swallowed.py:23 failed, and "
        "run() went on.",
        "critical",
        kinds.SWALLOWED,
    ),
    "key_used_up_by_rollback": (
        "http.timeout@http.post:api.rooms.test/bookings#1:after",
        "Booking 'A-7' is missing after a rollback and a new try",
        "Booking 'A-7' is not at api.rooms.test, and a new try says 'booked'. The answer to POST "
        "api.rooms.test/bookings was lost after the service had acted; wrong_key_used_up_by_rollback.py:27 sent it "
        "again in the new try with the same key.",
        "critical",
        kinds.KEY_USED_UP,
    ),
    "half_of_a_set": (
        "process.kill@file.replace:shared/catalog.csv#1:after",
        "shared/catalog.csv is new, and the rest is old",
        "shared/catalog.csv is not as before (lines 2 to 3 are too much: 'p-1,panel', 'b-1,battery'), while "
        "shared/prices.csv and shared/stock.csv are as before, and the recovery returns without an error. The process "
        "was killed after replacing shared/catalog.csv; wrong_half_of_a_set.py:37 wrote it.",
        "critical",
        kinds.NOT_TAKEN_UP,
    ),
    "log_dropped_before_undo": (
        "process.kill@file.write:shared/prices.html#1:before"
        " + process.kill@recover/file.remove:agent/undo.json#1:after",
        "shared/prices.html stays empty",
        "shared/prices.html is empty, and the recovery returns without an error. The process was killed before writing "
        "shared/prices.html, then, in the recovery, the process was killed after removing agent/undo.json; "
        "wrong_log_dropped_before_undo.py:18 writes it in place.",
        "critical",
        kinds.JOURNAL_DROPPED,
    ),
    "checkpoint_torn": (
        "process.kill@file.open:agent/import.json#1:after",
        "Recovery fails with JSONDecodeError in load()",
        "run(), started again, raised JSONDecodeError: Expecting value: line 1 column 1 (char 0). The process was "
        "killed after opening agent/import.json; wrong_checkpoint_torn.py:29 raised JSONDecodeError, on what "
        "wrong_checkpoint_torn.py:18 had left of agent/import.json.",
        "critical",
        kinds.NOT_ATOMIC,
    ),
    "staging_folder_left": (
        "process.kill@file.mkdir:agent/staging-*#1:after",
        "A temporary folder stays behind: agent/staging-*",
        "agent/staging-* is still there, and the recovery returns without an error. The process was killed after "
        "making agent/staging-*; wrong_staging_folder_left.py:29 made it, and the recovery left it.",
        "minor",
        kinds.LEFT_AFTER_CRASH,
    ),
    "lock_left_on_error": (
        "llm.malformed_json.1@llm.chat:api.openai.com#1:after",
        "A lock stays behind: agent/digest.lock",
        "agent/digest.lock is still there, and the recovery returns without an error. The JSON of the model's answer "
        "was malformed; wrong_lock_left_on_error.py:27 made it, and the recovery left it.",
        "normal",
        kinds.LEFT_AFTER_ERROR,
    ),
    "final_write_in_place": (
        "llm.wrong_type.2@llm.chat:api.openai.com#1:after",
        "The model's answer is not checked: months[].month",
        "shared/forecast.json is not as it should be ([2].month: ['July'] instead of 'July'), and run() says "
        "'published'. A field of the model's answer had another type; wrong_final_write_in_place.py:16 took the answer "
        "as it was.",
        "critical",
        kinds.UNCHECKED,
    ),
    "retry_storm": (
        "http.unavailable~lasting@http.post:api.events.test/events#1:before",
        "The run never ends: it repeats POST api.events.test/events",
        "run() does not come to an end. The service answered POST api.events.test/events with 503 and had done "
        "nothing, and again each time; wrong_retry_storm.py:21 tries again without end.",
        "normal",
        kinds.NO_END,
    ),
    "token_in_checkpoint": (
        "http.timeout@http.post:api.hr.test/employees#1:before",
        "A secret stands in the clear in agent/sent-request.json",
        "agent/sent-request.json has the credential for api.hr.test in the clear, and the recovery returns without an "
        "error. No answer to POST api.hr.test/employees came in time, and the service had not acted; "
        "wrong_token_in_checkpoint.py:47 wrote it down.",
        "critical",
        kinds.SECRET,
    ),
    "stock_returned_at_every_start": (
        "http.timeout@http.post:api.ship.test/shipments#1:before",
        "Recovering once more changes stock 'cable'",
        "Stock 'cable' in shop.db:stock is not as it should be (pieces: 13 instead of 10), and recovering once more "
        "returns without an error. No answer to POST api.ship.test/shipments came in time, and the service had not "
        "acted; wrong_stock_returned_at_every_start.py:44 wrote it.",
        "normal",
        kinds.RECOVERY_REPEATS,
    ),
    "new_message_id_for_each_attempt": (
        "mail.lost_answer@mail.send:mail.test#1:after",
        "Mail to 'all@mail.test' goes out twice",
        "A second mail is at mail.test, and run() says 'sent'. The connection was lost after the mail server had "
        "accepted the mail; wrong_new_message_id_for_each_attempt.py:20 sent it again.",
        "blocker",
        kinds.REPEATED,
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_finding_in_words(name: str, tmp_path: Path) -> None:
    """What is wrong outside, what the agent says of it, what was done to it, and which line did what."""
    token, *said = SAID[name]
    wrong = f"wrong_{name}"
    (finding,) = replayed(agent(wrong), tmp_path / "it", token, seed=settings(wrong)["seed"]).violations
    assert [finding.title, finding.sentence, finding.severity, finding.kind] == said
    assert len(finding.title) <= MOST
    assert not OURS.search(finding.title)


def test_the_agent_of_the_readme_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mail goes out twice, without a key."""
    (tmp_path / "myagent.py").write_text(block("python", "# myagent.py"))
    (tmp_path / "mytest.py").write_text(block("python", "# test_myagent.py"))
    monkeypatch.syspath_prepend(tmp_path)
    explored = SimpleNamespace(explore=import_module("mytest").test_publishing_is_all_or_nothing)
    try:
        result = replayed(explored, tmp_path / "it", "http.timeout@http.post:api.mail.test/mails#1:after")
    finally:
        sys.modules.pop("mytest"), sys.modules.pop("myagent")
    (finding,) = result.violations
    assert finding.title == "Mail to 'all' goes out twice"
    assert finding.sentence == (
        "A second mail is at api.mail.test, and run() says 'published'. The answer to the first POST was lost after "
        "the service had acted; myagent.py:29 sent it again without a key."
    )


def facts(token: str = "process.kill@file.write:shared/a.md#1:after", **changed: Any) -> Facts:
    """Return facts of a finding: a file that is missing after a crash, but for what is `changed`."""
    cause = Cause("all_or_nothing", "missing", "file.write:shared/a.md", "agent.py", 7, "write")
    cause = replace(cause, **{name: changed.pop(name) for name in list(changed) if hasattr(cause, name)})
    schedule = Schedule.parse(token)
    usual = {
        "cause": cause,
        "schedule": schedule,
        "ends": (End("run", "killed"), End("recover", "returned")),
        "change": Change("-", "shared/a.md", "file, 3 bytes"),
        "side": "done",
        "thing": "file",
        "messages": {cause.promise: "it is not so"},
        "clauses": tuple(clause(injection, options().known) for injection in schedule.injections),
        "watched": frozenset({"shared"}),
    }
    return Facts(**{**usual, **changed})


@pytest.mark.parametrize("way", get_args(Way))
@pytest.mark.parametrize("promise", [*(one.name for one in options().invariants), "stock_adds_up"])
def test_each_way_of_each_promise_has_words(promise: str, way: Way) -> None:
    """With a difference and without one, a title that fits, sentences that end, and a severity."""
    for change in (Change("-", "shared/a.md", "file"), Change("+", "shared/a.md"), Change("~", "shared/a.md"), None):
        told = facts(promise=promise, way=way, change=change, exception="KeyError at a.py:1 in f" * (way == "raised"))
        assert title(told), (promise, way, change)
        assert len(title(told)) <= MOST
        assert not OURS.search(title(told))
        assert re.fullmatch(r"(\S.*\. )?\S.*\.", sentence(told))
        assert severity(told)
        assert kind(told) in ("", *kinds.KINDS)


ROOMS = {"thing": "resource", "change": Change("-", "api.hotel.test/rooms"), "row": {"guest": "ada"}}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"way": "by order"}, "The order of two effects decides: shared/a.md"),
        ({"way": "raised", "exception": "the process died at a.py:1 in f"}, "Recovery dies"),
        ({"change": Change("~", "shared/a.md", "first 3 of 9 bytes"), "way": "torn"}, "shared/a.md stays half written"),
        ({"change": Change("~", "shared/a.md", "mode 600 instead of 644")}, "shared/a.md has the wrong permissions"),
        ({"change": Change("+", "shared/a.md"), "side": "before"}, "shared/a.md is left over"),
        ({"change": Change("+", "shared/a.md")}, "shared/a.md should not be there"),
        ({"promise": "no_leftovers", "change": Change("+", "own/db_lock")}, "A lock stays behind: own/db_lock"),
        ({"promise": "no_leftovers", "change": Change("+", "own/blocks")}, "A temporary file stays behind: own/blocks"),
        (
            {"promise": "no_leftovers", "change": Change("+", "own/releases")},
            "A temporary file stays behind: own/releases",
        ),
        ({"change": Change("-", f"shared/{'deep/' * 20}a.md")}, f"…/{'deep/' * 7}a.md is missing"),
        (
            {"promise": "stock_adds_up", "messages": {"stock_adds_up": "3 are sold, 2 are gone"}},
            "3 are sold, 2 are gone",
        ),
        ({"promise": "stock_adds_up", "messages": {}}, "It does not hold that stock adds up"),
        ({"promise": "no_leftovers", "thing": "lease"}, "A lease stays behind: shared/a.md"),
        ({"promise": "recovery_idempotent"}, "Recovering once more changes shared/a.md"),
        ({**ROOMS, "part": (1, 3)}, "Only 1 of 3 rooms is there"),
        ({**ROOMS, "part": (2, 3)}, "Only 2 of 3 rooms are there"),
        ({**ROOMS, "part": (1, 2), "run_again": True}, "Room 'ada' is missing"),
    ],
)
def test_a_title_says_what_is_wrong_outside(changed: dict[str, Any], words: str) -> None:
    """For ends that the corpus does not have."""
    assert title(facts(**changed)) == words


ERROR = "http.timeout@http.post:a.test/b#1:after"
IN_RECOVERY = "process.kill@file.write:shared/a.md#1:after + process.kill@recover/file.write:shared/b.md#1:after"
SWAPPED = "order.swap@http.post:a.test/b#1:before + process.kill@http.post:a.test/b#1:after"
TWICE = "webhook.twice@webhook.answer:hooks.test/paid#1:after"
NOTED = "process.kill@file.replace:agent/a.done#1:after"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"signs": Signs(held=True, idle=True)}, kinds.LOCK_OF_THE_DEAD),
        ({"signs": Signs(held=True, idle=True, leased=True)}, kinds.LEASE_NOT_ENDED),
        ({"signs": Signs(held=True)}, kinds.NOT_TAKEN_UP),
        ({"signs": Signs(unnoted=True, idle=True)}, kinds.RECORDED_TOO_LATE),
        ({"signs": Signs(unnoted=True)}, kinds.NOT_TAKEN_UP),
        ({"token": SWAPPED}, kinds.ORDER),
        ({"token": TWICE, "ends": (End("run", "returned"),), "way": "not the same"}, kinds.REPEATED),
        ({"signs": Signs(undoes=True)}, kinds.NOT_UNDONE),
        ({"signs": Signs(without_log=True)}, kinds.COPIED_WITHOUT_LOG),
        ({"signs": Signs(not_usual=True), "run_again": True}, kinds.ANOTHER_WAY),
        ({"signs": Signs(not_usual=True)}, kinds.NOT_TAKEN_UP),
        ({"signs": Signs(rewritten=True), "way": "not the same"}, kinds.ANOTHER_WAY),
        ({"token": NOTED}, kinds.RECORDED_BEFORE_DONE),
        ({"token": NOTED, "signs": Signs(noted_later=True, idle=True)}, kinds.NOT_TAKEN_UP),
        ({"token": IN_RECOVERY}, kinds.RECOVERY_REPEATS),
        ({"promise": "clean_retry", "signs": Signs(kept_notes=True)}, kinds.NOT_UNDONE),
        ({"promise": "clean_retry"}, ""),
        ({"messages": {"honest_outcome": ""}}, kinds.CLAIMED_TOO_EARLY),
        ({"token": ERROR, "ends": (End("run", "raised"),), "signs": Signs(passing=True)}, kinds.LEFT_AFTER_ERROR),
        ({"token": ERROR, "ends": (End("run", "raised"),)}, kinds.NOT_UNDONE),
        ({"token": ERROR, "ends": (End("run", "raised"),), "signs": Signs(acted_on_answer=True)}, kinds.UNCHECKED),
    ],
)
def test_a_kind_by_what_the_processes_did(changed: dict[str, Any], name: str) -> None:
    """Each sign tells a kind of its own from that of the same end without it."""
    assert kind(facts(**changed)) == name


def test_who_removes_what_is_still_used_undoes_in_the_wrong_order() -> None:
    """A recovery that dies of a folder with something in it does not fail on half written state."""
    raised = {"promise": "recovery_succeeds", "way": "raised", "exception": "OSError at a.py:1 in f"}
    full, missing = "OSError: [Errno 39] Directory not empty: 'a'", "FileNotFoundError: [Errno 2] No such file: 'a'"
    kinds_of = [
        kind(facts(**raised, ends=(End("run", "killed"), End("recover", "raised", "", text))))
        for text in (full, missing)
    ]
    assert kinds_of == [kinds.NOT_UNDONE, kinds.RECOVERY_FAILS]


def test_who_says_what() -> None:
    """A process that is called again, and one that an error ends, with a short error."""
    again = (End("run", "raised", error="OSError: full"), End("recover", "returned", "'done'", goes_on=True))
    assert "run(), called again in the same process, says 'done'." in sentence(facts(ends=again, run_again=True))
    assert "the recovery in the same process says 'done'." in sentence(facts(ends=again))
    error = "FileNotFoundError: [Errno 2] No such file: '/home/ann/work/agent/own/state.json'"
    assert "run() raised FileNotFoundError: [Errno 2] No such file: '…/own/state.json'." in sentence(
        facts(ends=(End("run", "raised", error=error),))
    )


def test_a_row_by_its_description() -> None:
    """Also one that is cut, and one that is there with other values."""
    assert row_of("{'id': 'mail_1', 'to': 'all'}") == {"id": "mail_1", "to": "all"}
    cut = {"to": "all", "n": 3, "text": "It was a dark and st…"}
    assert row_of("{'to': 'all', 'n': 3, 'text': 'It was a dark and st…") == cut
    assert row_of("sku 'cable': pieces: 13 instead of 10") == {"sku": "cable"}
    assert row_of("12 bytes") == {}


def test_of_several_that_are_there_twice_each_is_counted_by_itself() -> None:
    """Two mails to two people are no third mail to one of them."""
    done = [Change("+", "a.test/mails", str({"id": f"mail_{n}", "to": to})) for n, to in enumerate("abb")]
    judgement = Judgement((), (), None, (), from_done=tuple(done))  # type: ignore[arg-type]  # its end does not matter
    cause, worlds = Cause("all_or_nothing", "twice"), (World(resources={"a.test/mails": []}), World())
    schedule = Schedule.parse("process.kill@http.post:a.test/mails#1")
    told = [gathered(cause, (one, "done"), schedule, judgement, worlds, Setting({}, False)) for one in done]
    assert [title(one) for one in told] == [
        "Mail to 'a' goes out twice",
        *["Mail to 'b' goes out three times"] * 2,
    ]


def test_every_fault_has_words_of_its_own() -> None:
    """A clause for each phase, with what is done there and no name of ours; a stranger's fault is told by its doc."""
    for known in options().known.values():
        met = next(effect for effect in sample_effects() if known.applies(effect))
        for when in known.when:
            assert when in known.told, f"{known.name} does not say what happened {when}"
            token = f"{known.name}@{met.point.kind}.{met.point.verb}:shared/a.md#2:{when}"
            told = clause(Schedule.parse(token).injections[0], {known.name: known})
            assert known.name not in told
            assert not re.search(r"[{}]", told), told
    strange = Fault("disk.worn", ("file.*",), ("before",), True, False, lambda effect: (), "The disk is worn.")
    (injection,) = Schedule.parse("disk.worn@file.write:shared/a.md#1").injections
    assert clause(injection, {"disk.worn": strange}) == "before writing shared/a.md: the disk is worn"


def test_a_clause_that_nobody_can_fill_in_is_refused() -> None:
    """Where a fault is declared, and not when a finding is told."""
    with pytest.raises(TypeError, match=r"may name \{doing\}, \{call\}, \{target\} and \{edits\}"):

        @fault("disk.gone", at="file", told="{path} is gone")
        def gone(effect: Effect) -> Iterator[Action]:
            """The disk is gone."""
            yield Kill()


def test_severity_is_by_what_is_lost() -> None:
    """As docs/findings.md says."""
    resource = {"thing": "resource", "change": Change("+", "api.pay.test/payments", "{'for': 'rent'}")}
    graves = [
        ("blocker", facts(way="twice", **resource)),
        ("blocker", facts(messages={"all_or_nothing": "", "honest_outcome": ""}, **resource)),
        ("blocker", facts(lost=True)),
        ("critical", facts(**resource)),
        ("critical", facts()),
        ("critical", facts(promise="stock_adds_up")),
        ("critical", facts(promise="credential_hygiene", way="left over")),
        ("critical", facts(promise="recovery_succeeds", way="raised", change=None)),
        ("normal", facts(promise="credential_hygiene", way="twice", change=None)),
        ("normal", facts("http.timeout~lasting@http.get:a.test/b#1:before", promise="terminates", way="not ended")),
        ("normal", facts(promise="no_leftovers", blocks=True)),
        ("minor", facts(promise="no_leftovers")),
    ]
    assert [severity(told) for _, told in graves] == [grave for grave, _ in graves]


def test_the_gravest_comes_first_then_the_likeliest_then_the_most_frequent() -> None:
    """But for a race, which needs no fault."""
    timeout, denied = "http.timeout@http.post:a.test/b#1:after", "storage.denied@file.open:a/b#1:before"
    found = [
        Finding((), Schedule.parse(token), title, severity=grave, cells=cells)  # type: ignore[arg-type]
        for title, token, grave, cells in [
            ("minor", timeout, "minor", 9),
            ("rare", denied, "critical", 9),
            ("seldom", timeout, "critical", 1),
            ("often", timeout, "critical", 8),
            ("two faults", f"{timeout} + {timeout}", "critical", 8),
            ("race", denied, "minor", 1),
        ]
    ]
    shown = in_order((finding, finding.message == "race") for finding in found)
    assert [finding.message for finding in shown] == ["race", "often", "seldom", "rare", "two faults", "minor"]


def test_no_part_of_a_secret_stands_in_the_words(tmp_path: Path) -> None:
    """It is hidden before anything is cut: in what is twice, and in what the run says."""
    secret = "sk-live-4f9a0c7be2d15863aa90be77"

    def send() -> str:
        for _ in range(2):
            with suppress(httpx.TimeoutException):
                httpx.post("https://api.mail.test/mails", json={"to": f"all, {secret}"}, headers=bearer)
                break
        return f"sent with {secret}"

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api("https://api.mail.test", token=secret)
        chaos.explore(run=send, recover=lambda: None)

    bearer = {"Authorization": f"Bearer {secret}"}
    token = "http.timeout@http.post:api.mail.test/mails#1:after"
    found = replayed(SimpleNamespace(explore=explore), tmp_path, token).violations
    twice = next(finding for finding in found if "twice" in finding.title)
    assert re.search(r"says 'sent with \[secret \w{4}\]'", twice.sentence)
    assert not any(secret[:5] in text for finding in found for text in (finding.title, finding.sentence))


def test_the_docs_have_each_kind_and_what_mends_it() -> None:
    """Row for row."""
    docs = (Path(__file__).parent.parent / "docs" / "findings.md").read_text()
    for name, mends in kinds.KINDS.items():
        assert f"| {name} | {mends} |" in docs
