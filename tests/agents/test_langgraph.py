"""A LangGraph graph with its SQLite checkpointer: at least once, as it says, and exactly once with a key.

The findings are inherent to checkpoints, no defect of LangGraph's: a node whose checkpoint was not stored runs again.
"""

from functools import partial
from pathlib import Path

import pytest
from langgraph.checkpoint.base import id
from langgraph.graph import START, StateGraph
from rollproof.boundary.adapters.langgraph_nodes import nodes

from ..brute_forcing import WHOLE
from ..exploring import explored, options, replayed
from . import langgraph_reports as reports
from .graphs import graph

KILL, TIMEOUT = options().known["process.kill"], options().known["http.timeout"]
KILLED_AFTER_THE_MAIL = "process.kill@http.post:api.mail.test/mails#1:after"
agent = partial(graph, reports.run)


def test_nodes_are_named_from_the_outermost_on() -> None:
    """Also where a node is a graph of its own; outside of all of them nothing is.

    The explorations that follow in this process begin earlier than the time of the last id, which LangGraph keeps.
    """
    seen = []
    inner, outer = StateGraph(reports.State), StateGraph(reports.State)
    inner.add_node("book_flight", lambda state: seen.append(nodes()) or {"mail": "1"})
    inner.add_edge(START, "book_flight")
    outer.add_node("travel", inner.compile())
    outer.add_edge(START, "travel")
    outer.compile().invoke({"topic": "solar"})
    assert [*seen, nodes()] == [("travel", "book_flight"), ()]
    assert id._last_v6_timestamp is not None


def test_an_effect_whose_checkpoint_was_not_stored_is_done_twice(tmp_path: Path) -> None:
    """The answer is lost, the node runs again, and there are two mails; a kill in the same place leaves the same."""
    result = explored(agent(reports.send_mail), tmp_path / "explored", faults=[TIMEOUT])
    assert [finding.schedule for finding in result.violations] == ["http.timeout@http.post:api.mail.test/mails#1:after"]
    killed = replayed(agent(reports.send_mail), tmp_path / "killed", KILLED_AFTER_THE_MAIL)
    for finding in (*result.violations, *killed.violations):
        assert finding.invariants == ("all_or_nothing", "honest_outcome")
        assert len(finding.diff) == 1
        assert finding.diff[0].startswith("+ api.mail.test/mails")
        assert finding.blamed[0].within == ("send_mail",)
    assert len(killed.violations) == 1


@pytest.mark.skipif(not WHOLE, reason="one such kill is replayed above; all of them in make nightly")
def test_a_kill_before_a_checkpoint_is_found(tmp_path: Path) -> None:
    """Each crash between the mail and its checkpoint ends so, and nothing else is accused."""
    result = explored(agent(reports.send_mail), tmp_path / "it", faults=[KILL])
    assert [finding.schedule for finding in result.violations] == [KILLED_AFTER_THE_MAIL]
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())


def test_with_a_key_it_closes_and_is_clean(tmp_path: Path) -> None:
    """Any number of crashes: each resumption starts from a checkpoint, and all of them end with one mail.

    The checkpoints are msgpack with uuids, times and random version numbers in them, and are known again.
    """
    result = explored(agent(reports.send_mail_once), tmp_path / "it", faults=[KILL])
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
    assert result.closed, result.statement


def test_with_a_key_a_lost_answer_is_harmless(tmp_path: Path) -> None:
    """The second request is answered like the first."""
    result = explored(agent(reports.send_mail_once), tmp_path / "it", faults=[TIMEOUT])
    assert result.violations == ()
