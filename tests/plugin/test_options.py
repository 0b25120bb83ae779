"""Options, ini file, marks and what a session prints and writes."""

import json
import os
import re
import shlex
from typing import Any

import pytest
from rollproof.values.report import ReportedExploration, ReportedViolation

from .projects import unwrapped, write_project, write_test

KEYS = {
    "test",
    "points",
    "schedules",
    "executions",
    "worlds",
    "closed",
    "skipped",
    "drifted",
    "unintercepted",
    "masked",
    "seconds",
    "statement",
    "violations",
    "flaky",
    "errors",
}
KILL = "--chaos-faults=process.kill"  # where it does not matter which faults


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in the project."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def explored(pytester: pytest.Pytester, *arguments: str) -> dict[str, Any]:
    """Explore the project's one test and return what the JSON file says of it."""
    run(pytester, "--chaos", "--chaos-json=out.json", *arguments)
    (found,) = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert isinstance(found, dict)
    return found


def test_the_json_has_the_form_of_the_contract(pytester: pytest.Pytester) -> None:
    """Every key of the contract with its type: those of version 1, and what version 2 adds."""
    write_project(pytester, right=False)
    result = run(pytester, "--chaos", "--chaos-json=deep/out.json", "--chaos-seed=3")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["written: deep/out.json (--chaos-json)"])
    document = json.loads((pytester.path / "deep/out.json").read_text())
    assert (document["version"], document["seed"], document.keys()) == (2, 3, {"version", "seed", "explorations"})
    (found,) = document["explorations"]
    assert found.keys() >= KEYS
    where_any = {"name", "label", "interrupted", "not_explored", "notes"}
    assert found.keys() == ReportedExploration.__annotations__.keys() - where_any
    assert found["test"] == "test_it.py::test_publishing"
    counts = ("points", "schedules", "executions", "worlds", "drifted", "unintercepted")
    assert all(type(found[name]) is int for name in counts)
    assert (found["closed"], found["skipped"], found["masked"]) == (True, {}, [])
    assert (found["flaky"], found["errors"]) == ([], [])
    assert isinstance(found["seconds"], float)
    assert isinstance(found["statement"], str)
    for violation in found["violations"]:
        assert violation.keys() == ReportedViolation.__annotations__.keys()
        assert all(line[:2] in ("+ ", "- ", "~ ") for line in violation["diff"])
    assert found["violations"][0]["invariants"] == ["no_leftovers"]


def test_each_distinct_failure_is_in_the_json_once(pytester: pytest.Pytester) -> None:
    """However many schedules end so."""
    write_project(pytester, right=False)
    violations = explored(pytester)["violations"]
    shown = [(tuple(v["invariants"]), tuple(v["diff"])) for v in violations]
    assert len(shown) == len(set(shown)) == 1


def test_a_clean_exploration_passes_and_says_what_it_proved(pytester: pytest.Pytester) -> None:
    """Exit code 0, the seed in the header, a statement at the end."""
    write_project(pytester)
    result = run(pytester, "--chaos", "--chaos-seed=11")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*seed 11*"])
    told = unwrapped(result.stdout.str())
    assert re.search(r"points, \d+ schedules judged in \d+ executions; .* any number of crashes", told), told


def test_the_same_seed_gives_the_same_result(pytester: pytest.Pytester) -> None:
    """Two sessions of one seed differ in nothing but the time they took."""
    write_project(pytester, right=False)
    first, second = (explored(pytester, KILL, "--chaos-seed=5") for _ in range(2))
    assert {**first, "seconds": 0, "spent": {}} == {**second, "seconds": 0, "spent": {}}


def test_a_printed_command_replays_its_violation(pytester: pytest.Pytester) -> None:
    """What the terminal prints can be pasted, quotes and all."""
    write_project(pytester, right=False)
    printed = re.search(r"replay +pytest (.+)", run(pytester, "--chaos", "--chaos-seed=2").stdout.str())
    assert printed is not None
    arguments = shlex.split(printed[1])
    assert arguments[0] == "--chaos"
    assert "--chaos-seed=2" in arguments
    result = run(pytester, *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["A temporary file stays behind: own/report.part *minor", "*no_leftovers broken*"])
    assert "replayed process.kill@" in unwrapped(result.stdout.str())


def test_a_replay_of_a_bug_that_was_mended_passes(pytester: pytest.Pytester) -> None:
    """The token goes on being valid while the agent's points are the same."""
    write_project(pytester, right=False)
    token = explored(pytester, KILL)["violations"][0]["schedule"]
    write_project(pytester)
    result = run(pytester, "--chaos", f"--chaos-replay={token}")
    result.assert_outcomes(passed=1)


def test_the_listing_names_everything_installed(pytester: pytest.Pytester) -> None:
    """Faults, invariants and twins, one line each, with what a conftest adds; no test runs."""
    write_project(pytester)
    pytester.makeconftest(CONFTEST)
    result = run(pytester, "--chaos-list")
    assert result.ret == pytest.ExitCode.OK
    faults = ["faults:", "  disk.slow *", "  process.kill *"]
    result.stdout.fnmatch_lines([*faults, "invariants:", "  all_or_nothing *", "  no_reports *", "twins:"])
    assert "passed" not in result.stdout.str()


CONFTEST = """
    from rollproof import Violation, fault, invariant
    from rollproof.values.actions import Fail

    @fault("disk.slow", at="file.write")
    def slow(effect):
        "The disk takes so long that the driver gives up."
        yield Fail(TimeoutError("the disk is slow"))

    @invariant("no_reports")
    def no_reports(after, history):
        "No report is ever published."
        if "report.md" in after.files:
            yield Violation("there is a report")

    def pytest_chaos_faults():
        return [slow]

    def pytest_chaos_invariants():
        return [no_reports]
"""


def test_a_conftest_adds_a_fault_and_an_invariant(pytester: pytest.Pytester) -> None:
    """The fault strikes, and the invariant is checked in every exploration."""
    write_project(pytester)
    pytester.makeconftest(CONFTEST)
    found = explored(pytester)
    assert {name for v in found["violations"] for name in v["invariants"]} == {"no_reports"}
    only = explored(pytester, "--chaos-faults=disk.*")
    assert only["schedules"] == 1


@pytest.mark.parametrize(
    ("globs", "families"),
    [
        ("storage.*", {"storage"}),
        ("process.kill,storage.full", {"process", "storage"}),
        ("*.kill", {"process"}),
    ],
)
def test_only_selected_faults_strike(pytester: pytest.Pytester, globs: str, families: set[str]) -> None:
    """By name or glob, on the command line."""
    write_project(pytester, right=False)
    all_of_them, some = explored(pytester), explored(pytester, f"--chaos-faults={globs}")
    assert 0 < some["schedules"] < all_of_them["schedules"]
    assert {v["schedule"].partition(".")[0] for v in some["violations"]} <= families


def test_without_crashes_the_statement_says_so(pytester: pytest.Pytester) -> None:
    """What was not selected is not proved."""
    write_project(pytester)
    found = explored(pytester, "--chaos-faults=storage.*")
    assert "crashes not selected" in found["statement"]
    assert any(
        "only where they are selected by name" in line and "storage.bit_flip" in line for line in found["not_proved"]
    )
    assert not found["closed"]


def test_a_selection_that_leaves_nothing_is_a_skip(pytester: pytest.Pytester) -> None:
    """With its reason; exit code 0, never a silent pass."""
    write_project(pytester)
    result = run(pytester, "--chaos", "--chaos-faults=sqlite.*", "-rs")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*SKIPPED*none of the selected faults can strike*"])


def test_brute_force_finds_the_same(pytester: pytest.Pytester) -> None:
    """``--chaos-no-reduce`` merges nothing, says so, and takes more executions."""
    write_project(pytester, right=False)
    closed, brute = explored(pytester, KILL), explored(pytester, KILL, "--chaos-no-reduce")
    assert brute["executions"] > closed["executions"]
    assert not brute["closed"]
    assert "up to 2 crashes" in brute["statement"]
    assert [v["invariants"] for v in brute["violations"]] == [v["invariants"] for v in closed["violations"]]


def test_the_ini_file_is_read(pytester: pytest.Pytester) -> None:
    """Options have the same names there, with underscores; the command line wins."""
    write_project(pytester)
    pytester.makeini("[pytest]\nchaos_faults = sqlite.*\nchaos_seed = 9\nchaos_json = ini.json")
    result = run(pytester, "--chaos")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*seed 9*"])
    assert json.loads((pytester.path / "ini.json").read_text())["seed"] == 9
    result.stdout.no_fnmatch_line("written: *")  # nothing was explored
    run(pytester, "--chaos", "--chaos-faults=storage.full").assert_outcomes(passed=1)


def test_a_further_pattern_of_leftovers(pytester: pytest.Pytester) -> None:
    """``chaos_leftovers`` extends the names that count as left behind."""
    write_test(
        pytester,
        """
        def agent():
            (own / "page.draft").write_text("text")
            os.replace(own / "page.draft", shared / "page")
        chaos.watch(shared)
        chaos.private(own)
        chaos.explore(run=agent, recover=lambda: None)
    """,
    )
    run(pytester, "--chaos", KILL).assert_outcomes(passed=1)
    pytester.makeini("[pytest]\nchaos_leftovers = *.draft *.wip")
    result = run(pytester, "--chaos", KILL)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no_leftovers*"])


def test_a_mark_chooses_faults_and_seed(pytester: pytest.Pytester) -> None:
    """Text with commas or a list; the mark wins over the ini file, the command line over both."""
    write_project(pytester, mark='(faults="storage.full", seed=4)')
    pytester.makeini("[pytest]\nchaos_faults = sqlite.*")
    few = explored(pytester)
    assert "crashes not selected" in few["statement"]
    assert explored(pytester, "--chaos-faults=*")["schedules"] > few["schedules"]
    write_project(pytester, mark='(faults=["storage.full", "storage.io_error"], epic="A", feature="B")')
    assert explored(pytester)["schedules"] > few["schedules"]


def test_the_seed_of_a_mark_is_in_the_printed_command(pytester: pytest.Pytester) -> None:
    """Otherwise the command would replay something else."""
    write_project(pytester, right=False, mark="(seed=4)")
    run(pytester, "--chaos", KILL).stdout.fnmatch_lines(["*--chaos-replay=*--chaos-seed=4*"])


def test_rollproof_is_another_name_for_all_of_it(pytester: pytest.Pytester) -> None:
    """Option, fixture and mark, where other plugins have taken ``chaos``."""
    write_project(pytester, right=False, fixture="rollproof")
    text = (pytester.path / "test_it.py").read_text()
    (pytester.path / "test_it.py").write_text(text.replace("mark.chaos", "mark.rollproof(faults='process.kill')"))
    result = run(pytester, "--rollproof")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no_leftovers broken*"])


def test_marks_are_registered(pytester: pytest.Pytester) -> None:
    """``--strict-markers`` knows both."""
    write_project(pytester)
    run(pytester, "--strict-markers").assert_outcomes(passed=1)
    result = run(pytester, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.chaos(*", "@pytest.mark.rollproof(*"])


def test_without_chaos_a_test_runs_once(pytester: pytest.Pytester) -> None:
    """In the test's own process: twins answer, time is real, and the result is there."""
    write_test(
        pytester,
        """
        import httpx, time
        pids, times = [], [time.time(), time.monotonic()]
        def agent():
            pids.append(os.getpid())
            times.extend([time.time(), time.monotonic()])
            return httpx.post("https://api.mail.test/mails", json={"to": "ada"}).json()["to"]
        mail = chaos.api("https://api.mail.test")
        chaos.watch(shared)
        found = chaos.explore(run=agent)
        assert pids == [os.getpid()]
        assert times[0] <= times[2] <= time.time()
        assert times[1] <= times[3] <= time.monotonic()
        assert found.result == "ada"
        assert (found.executions, found.violations) == (0, ())
        assert [m["to"] for m in mail.resources("mails")] == ["ada"]
        assert [r.method for r in mail.requests] == ["POST"]
    """,
    )
    result = run(pytester)
    result.assert_outcomes(passed=1)
    assert "chaos:" not in result.stdout.str()


def test_without_chaos_an_error_of_the_agent_is_the_tests_own(pytester: pytest.Pytester) -> None:
    """An ordinary failure with an ordinary traceback."""
    write_test(
        pytester,
        """
        def broken():
            raise KeyError("no such topic")
        chaos.watch(shared)
        chaos.explore(run=broken)
    """,
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *KeyError: 'no such topic'"])


MAILING = """
    import httpx
    def agent():
        (shared / "note.txt").write_text("sent")
        headers = {"Idempotency-Key": "k"}
        httpx.post("https://api.mail.test/mails", json={"to": "ada"}, headers=headers).raise_for_status()
        return {"status": "sent"}
    def recover():
        agent() if (shared / "note.txt").exists() else None
    (shared / "old.txt").write_text("old")
    mail = chaos.api("https://api.mail.test")
    chaos.watch(shared)
    chaos.private(own)
"""


@pytest.mark.parametrize("arguments", [[], ["--chaos"]])
def test_after_a_passing_exploration_the_outside_is_as_after_one_run(
    pytester: pytest.Pytester, arguments: list[str]
) -> None:
    """A test may go on and assert: disk, resources, requests and result are those of the run without a fault."""
    write_test(
        pytester,
        MAILING
        + """
    found = chaos.explore(run=agent, recover=recover)
    assert found.result == {"status": "sent"}
    assert sorted(os.listdir(shared)) == ["note.txt", "old.txt"]
    assert (shared / "note.txt").read_text() == "sent"
    assert [m["to"] for m in mail.resources("mails")] == ["ada"]
    assert [(r.method, r.path) for r in mail.requests] == [("POST", "/mails")]
    assert found.violations == ()
    """,
    )
    run(pytester, *arguments).assert_outcomes(passed=1)


def test_after_a_failing_exploration_the_outside_is_as_before(pytester: pytest.Pytester) -> None:
    """So that the next look at it is not misled."""
    write_test(
        pytester,
        MAILING
        + """
    try:
        chaos.explore(run=agent, recover=lambda: None)
    finally:
        assert os.listdir(shared) == ["old.txt"]
        assert mail.resources("mails") == []
    """,
    )
    result = run(pytester, "--chaos", KILL)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*all_or_nothing*broken*"])
    assert "AssertionError" not in result.stdout.str()


@pytest.mark.parametrize("arguments", [[], ["--chaos"]])
def test_keys_are_set_where_they_are_missing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """SDKs find a key while the agent runs; one that was there is left alone, and afterwards all is as it was."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "my-own-key-of-this-test")
    write_test(
        pytester,
        """
        def agent():
            (shared / "keys").write_text(f"{len(os.environ['OPENAI_API_KEY'])} {os.environ['ANTHROPIC_API_KEY'][:6]}")
        chaos.llm({"anything": "…"})
        chaos.watch(shared)
        chaos.explore(run=agent, recover=lambda: (shared / "keys").unlink(missing_ok=True))
        length, own_key = (shared / "keys").read_text().split()
        assert int(length) >= 20
        assert own_key == "my-own"
        assert "OPENAI_API_KEY" not in os.environ
    """,
    )
    run(pytester, *arguments).assert_outcomes(passed=1)
    assert "OPENAI_API_KEY" not in os.environ


def test_nothing_is_written_into_the_project(pytester: pytest.Pytester) -> None:
    """A session leaves no file behind that was not asked for."""
    write_project(pytester, right=False)

    def listing() -> set[str]:
        return {str(path) for path in pytester.path.rglob("*") if "__pycache__" not in path.parts}

    before = listing()
    base = pytester.path.parent / "elsewhere"
    run(pytester, "--chaos", KILL, f"--basetemp={base}")
    assert listing() == before


def test_workers_hand_their_results_to_the_controller(pytester: pytest.Pytester) -> None:
    """Under xdist the JSON is written once, with every exploration, and the statements are printed."""
    write_project(pytester)
    text = (pytester.path / "test_it.py").read_text()
    (pytester.path / "test_other.py").write_text(text)
    result = pytester.runpytest_subprocess("--chaos", KILL, "-n", "2", "--chaos-json=out.json", "--chaos-seed=6")
    result.assert_outcomes(passed=2)
    document = json.loads((pytester.path / "out.json").read_text())
    assert document["seed"] == 6
    assert sorted(e["test"] for e in document["explorations"]) == [
        "test_it.py::test_publishing",
        "test_other.py::test_publishing",
    ]
    told = unwrapped(result.stdout.str())
    assert told.count("exhaustive: every single fault and any number of crashes (closed)") == 2


def test_two_explorations_in_one_test(pytester: pytest.Pytester) -> None:
    """Each has its own entry; ``name`` tells them apart."""
    write_project(
        pytester,
        after="""
        assert found.closed
        found = chaos.explore(run=lambda: publish(shared, own), recover=lambda: restart(own), name="again")
    """,
    )
    run(pytester, "--chaos", KILL, "--chaos-json=out.json").assert_outcomes(passed=1)
    found = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert [e.get("name") for e in found] == [None, "again"]


def test_an_async_agent_is_run_to_its_end(pytester: pytest.Pytester) -> None:
    """``run`` and ``recover`` may be coroutine functions, with and without ``--chaos``."""
    write_test(
        pytester,
        """
        import asyncio
        async def agent():
            await asyncio.sleep(0)
            (own / "a.part").write_text("text")
            os.replace(own / "a.part", shared / "a")
            return "written"
        async def recover():
            (own / "a.part").unlink(missing_ok=True)
        chaos.watch(shared)
        chaos.private(own)
        assert chaos.explore(run=agent, recover=recover).result == "written"
        assert (shared / "a").read_text() == "text"
    """,
    )
    for arguments in ([], ["--chaos"]):
        run(pytester, *arguments).assert_outcomes(passed=1)


def test_depth_budget_and_shard_on_the_command_line(pytester: pytest.Pytester) -> None:
    """A second fault makes more schedules, a shard has a part of them, and time enough changes nothing."""
    write_project(pytester)
    once, twice = explored(pytester), explored(pytester, "--chaos-depth=2")
    assert twice["schedules"] > once["schedules"]
    parts = [explored(pytester, f"--chaos-shard={part}/2") for part in (1, 2)]
    assert all(0 < part["schedules"] < once["schedules"] for part in parts)
    assert explored(pytester, "--chaos-budget=600")["schedules"] == once["schedules"]


def test_a_bad_value_in_the_ini_file_is_said_to_be_there(pytester: pytest.Pytester) -> None:
    """Nobody looks for it on the command line."""
    write_project(pytester)
    pytester.makeini("[pytest]\nchaos_depth = two")
    result = run(pytester, "--chaos")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'two' is no depth (chaos_depth in the ini file)*"])


def test_what_a_test_leaves_open_follows_the_seed(pytester: pytest.Pytester) -> None:
    """Of the command line, or of the mark."""
    body = 'print("name", chaos.fill.person().name)\nchaos.watch(shared)\nchaos.explore(run=lambda: write(shared))'

    def said(*arguments: str) -> str:
        found = re.search(r"name (.+)", run(pytester, "-s", *arguments).stdout.str())
        assert found is not None
        return found[1]

    write_test(pytester, body)
    first = said("--chaos-seed=1")
    assert said("--chaos-seed=1") == first != said("--chaos-seed=2")
    assert said("--chaos", "--chaos-seed=1") == first
