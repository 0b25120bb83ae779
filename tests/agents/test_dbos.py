"""A DBOS workflow with its SQLite system database: at least once, as it says, and exactly once with a key.

The findings are inherent to steps whose result is stored after them, no defect of DBOS's. Its own threads recover,
poll and listen meanwhile; what they do is no finding.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ..exploring import causes, explored, only, replayed
from . import dbos_orders as orders
from .dbos_launch import launched

RESERVE, MAIL = (f"http.post:api.shop.test/{name}%dbos-executor-_0#1" for name in ("reservations", "mails"))


def agent(*, keyed: bool) -> Any:
    """Return the order, as `explored` takes it; its system database is there before, as after a deployment."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "agent"
        own.mkdir()
        database = own / "dbos.sqlite"
        orders.migrate(database)
        chaos.private(own)
        chaos.api(orders.SHOP)
        chaos.explore(run=lambda: orders.run(database, keyed), recover=lambda: orders.resume(database, keyed))

    return SimpleNamespace(explore=explore)


@pytest.fixture(autouse=True, scope="module")
def _launched_before(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Launch it once here: what SQLAlchemy prepares at the first statement is prepared for all processes then."""
    database = tmp_path_factory.mktemp("dbos") / "dbos.sqlite"
    orders.migrate(database)
    with launched(database):
        pass


@pytest.mark.parametrize(
    ("fault", "point", "path"), [("process.kill", RESERVE, "reservations"), ("http.timeout", MAIL, "mails")]
)
def test_a_step_whose_result_was_not_stored_is_done_twice(fault: str, point: str, path: str, tmp_path: Path) -> None:
    """A new process recovers the workflow, or rewinds it to the step that failed; with keys that is harmless."""
    token = f"{fault}@{point}:after"
    careless = replayed(agent(keyed=False), tmp_path / "careless", token)
    assert causes(careless) == [f"twice: http.post:api.shop.test/{path} in post"]
    careful = replayed(agent(keyed=True), tmp_path / "careful", token)
    assert (careful.violations, careful.drifted, careful.errors) == ((), (), ())


def test_with_keys_it_is_clean(tmp_path: Path) -> None:
    """No refused request does harm, and no order of its threads either."""
    result = explored(agent(keyed=True), tmp_path / "it", **only("http.refused"))
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
