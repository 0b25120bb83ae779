"""A writer: what was found as SARIF 2.1.0, for code scanning. ``pytest --chaos --sarif=FILE``."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rollproof import Report, ReportedViolation, Writer


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the writer's own option; one of the group "reporting" is no part of the commands that replay."""
    parser.getgroup("reporting").addoption("--sarif", metavar="FILE", help="write what chaos found as SARIF")


def pytest_chaos_writers(config: pytest.Config) -> Iterable[Writer]:
    """Write where it was asked for."""
    path = config.getoption("sarif")
    return [partial(write, Path(config.invocation_params.dir, path))] if path else []


def write(path: Path, report: Report) -> None:
    """Write all of it anew."""
    found = [violation for exploration in report["explorations"] for violation in exploration["violations"]]
    rules = sorted({name for violation in found for name in violation["invariants"]})
    tool = {"driver": {"name": "rollproof", "rules": [{"id": rule} for rule in rules]}}
    document = {"version": "2.1.0", "runs": [{"tool": tool, "results": [_result(violation) for violation in found]}]}
    path.write_text(json.dumps(document, indent=1))


def _result(violation: ReportedViolation) -> dict[str, Any]:
    text = f"{violation['title'] or violation['message']}\n\n{violation['replay']}"
    result: dict[str, Any] = {
        "ruleId": violation["invariants"][0],
        "message": {"text": text},
        "partialFingerprints": {"rollproof/v1": violation["id"]},
    }
    cause = violation["cause"]
    if cause is not None and cause["line"]:
        place = {"artifactLocation": {"uri": cause["file"]}, "region": {"startLine": cause["line"]}}
        result["locations"] = [{"physicalLocation": place}]
    return result
