"""Allure's overview of a whole run: where it ran, what was explored and found, categories, numbers over runs."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from rollproof.values.exploration import counted
from rollproof.values.families import errors_in, left_out_in
from rollproof.values.report import Report
from rollproof.values.struck import together

from .ci import findings, status_of

_Explorations = Sequence[Mapping[str, Any]]
_METRICS = "rollproof-perf.json"
_CATEGORIES = "categories.json"
"""Lies beside this module in the form of Allure 2, which `allurerc.mjs` reads, too: Allure 3 ignores it in results."""
_UNJUDGED = ("not_reached", "flaky", "interrupted")
_BUILDS = {
    "GITHUB_ACTIONS": ("GitHub Actions", "github", "GITHUB_WORKFLOW", "GITHUB_RUN_NUMBER"),
    "GITLAB_CI": ("GitLab CI", "gitlab", "CI_JOB_NAME", "CI_PIPELINE_IID"),
    "JENKINS_URL": ("Jenkins", "jenkins", "JOB_NAME", "BUILD_NUMBER"),
}


def write(folder: Path, report: Report, environment: Mapping[str, str], at_ms: int) -> None:
    """Write the overview into a folder of results; what a user put there stays, but for lines with our names."""
    properties = folder / "environment.properties"
    ours = dict(_properties(report))
    lines = properties.read_text(encoding="utf-8", errors="replace").splitlines() if properties.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() not in ours]
    _write(properties, "".join(f"{line}\n" for line in [*kept, *(f"{name}={text}" for name, text in ours.items())]))
    for name, text in ("executor.json", _json(_executor(environment))), (_CATEGORIES, _categories()):
        if not (folder / name).exists():
            _write(folder / name, text)
    metrics = _metrics(report["explorations"])
    samples = [
        {"id": f"rollproof {key}", "key": key, "value": value, "start": at_ms, "stop": at_ms}
        for key, value in metrics.items()
    ]
    _write(folder / _METRICS, _json(samples))


def _found(report: Report) -> Iterator[str]:
    found = [violation for _, violation in findings(report)]
    counts = Counter(map(status_of, found))
    yield counted(len(found), "finding")
    yield from (f"{counts[what]} {what}" for what in ("new", "known") if counts[what])
    if fixed := sum(len(one["fixed"]) for one in report["explorations"]):
        yield f"{fixed} fixed"


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    """Yield names and short texts: Allure 3 shows the first thirty characters of each."""
    explorations: _Explorations = report["explorations"]
    tests = counted(len({one["test"] for one in explorations}), "test")
    unjudged = sum(bool(errors_in(one["errors"])) or any(one[why] for why in _UNJUDGED) for one in explorations)
    cut_short = sum(bool(left_out_in(one["errors"])) for one in explorations)
    explored = {
        "Findings": ", ".join(_found(report)),
        "Explored": f"{tests}, {_sum(explorations, 'schedules')} schedules",
        "Closed": f"{sum(one['closed'] for one in explorations)} of {counted(len(explorations), 'exploration')}",
        "Unjudged": counted(unjudged, "exploration") if unjudged else "nothing",
        **({"Left out by budget": counted(cut_short, "exploration")} if cut_short else {}),
    }
    yield from explored.items()
    yield "Baseline", next((one["compared"] for one in explorations if one["compared"]), "no earlier run")
    yield "Seed", str(report["seed"])
    yield "Statement", "; ".join(f"{name.lower()}: {text}" for name, text in explored.items())


def _executor(environment: Mapping[str, str]) -> dict[str, Any]:
    for variable, (name, type, job, number) in _BUILDS.items():
        if environment.get(variable):
            build = f"{environment.get(job, '')} #{environment.get(number, '')}".strip(" #")
            return {"name": name, "type": type, "buildName": build, "buildUrl": _url(environment)}
    return {"name": "pytest", "type": "local", "buildName": "local"}


def _url(environment: Mapping[str, str]) -> str:
    if environment.get("GITHUB_ACTIONS"):
        server, repository = environment.get("GITHUB_SERVER_URL", ""), environment.get("GITHUB_REPOSITORY", "")
        return f"{server}/{repository}/actions/runs/{environment.get('GITHUB_RUN_ID', '')}"
    return environment.get("CI_JOB_URL") or environment.get("BUILD_URL") or ""


def _categories() -> str:
    return Path(__file__).with_name(_CATEGORIES).read_text(encoding="utf-8")


def _metrics(explorations: _Explorations) -> dict[str, float]:
    """Return the numbers that Allure draws from run to run: one of each, as it would draw the mean of several.

    Times of recoveries are virtual seconds, of all explorations together.
    """
    found: dict[str, float] = {
        "executions": _sum(explorations, "executions"),
        "findings": sum(not one["known"] for each in explorations for one in each["violations"]),
    }
    struck = [one["struck"] for one in explorations if one.get("struck", {}).get("times")]
    if struck:
        whole = together(struck)
        found |= {
            f"recovery_{name}_s": seconds for name, seconds in cast(dict[str, float], whole["recovery_s"]).items()
        }
        found |= {"model_calls_again": whole["model_calls_again"], "tokens_again": whole["tokens_again"]}
    return found


def _sum(explorations: _Explorations, name: str) -> int:
    return sum(int(one[name]) for one in explorations)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
