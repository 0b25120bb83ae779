"""A LangGraph graph whose checkpoints are stored while it goes on: at least once, and exactly once with a key.

Two threads write: the event loop's, and aiosqlite's. What is found does not depend on which of them is faster.
"""

from functools import partial
from pathlib import Path

from ..exploring import causes, explored, only, replayed
from . import langgraph_async_reports as reports
from .graphs import graph

TWICE = ["twice: http.post:api.mail.test/mails in send_mail"]
KILLED_AFTER_THE_MAIL = "process.kill@http.post:api.mail.test/mails#1:after"
agent = partial(graph, reports.run)


def test_an_effect_whose_checkpoint_was_not_stored_is_done_twice(tmp_path: Path) -> None:
    """The answer is lost, the node runs again, and there are two mails: that, and nothing else, is found."""
    result = explored(agent(reports.send_mail), tmp_path / "it", **only("http.timeout"))
    assert [finding.schedule for finding in result.violations] == ["http.timeout@http.post:api.mail.test/mails#1:after"]
    assert {finding.invariants for finding in result.violations} == {("all_or_nothing", "honest_outcome")}
    assert causes(result) == TWICE
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())


def test_a_kill_after_the_mail_ends_alike_each_time(tmp_path: Path) -> None:
    """How much of the checkpoints was stored by then is the harness's choice, not the machine's."""
    ends = [replayed(agent(reports.send_mail), tmp_path / str(n), KILLED_AFTER_THE_MAIL) for n in range(2)]
    assert [causes(end) for end in ends] == [TWICE] * len(ends)
    assert {finding.blamed[0].within for end in ends for finding in end.violations} == {("send_mail",)}
    assert len({(end.points, end.violations[0].diff, end.drifted) for end in ends}) == 1


def test_with_a_key_it_closes_and_is_clean(tmp_path: Path) -> None:
    """Any number of crashes, wherever the checkpoints are by then: all of them end with one mail."""
    result = explored(agent(reports.send_mail_once), tmp_path / "it", **only("process.kill"))
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
    assert result.closed, result.statement


def test_with_a_key_a_lost_answer_is_harmless(tmp_path: Path) -> None:
    """The second request is answered like the first."""
    result = explored(agent(reports.send_mail_once), tmp_path / "it", **only("http.timeout"))
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
