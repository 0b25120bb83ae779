"""Each bad use gets one clear error: what, where, and what to type."""

import re
from importlib import import_module

import pytest

from .projects import refused, unwrapped, write_project, write_test


def explore(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest with ``--chaos`` in the project."""
    return pytester.runpytest_inprocess("--chaos", "-p", "no:cacheprovider", *arguments)


def test_a_test_that_explores_nothing(pytester: pytest.Pytester) -> None:
    """Asking for the fixture and not calling explore is an error, with and without ``--chaos``."""
    write_test(pytester, "chaos.watch(shared)")
    refused(explore(pytester), "not-explored", "explored nothing", "chaos.explore(run=")
    refused(pytester.runpytest_inprocess(), "not-explored", "explored nothing")


LATE = {
    "invariant": "@chaos.invariant\ndef no_draft(world): assert False",
    "watch": "chaos.watch(own)",
    "private": "chaos.private(own)",
    "api": "chaos.api('https://a.test')",
    "llm": "chaos.llm({'a': 'b'})",
    "mcp": "chaos.mcp({'book': print}, base_url='https://tools.test/mcp')",
    "mailbox": "chaos.mailbox()",
    "network": "chaos.watch(own)\nchaos.network('shop', '127.0.0.1:80')",
    "allow_network": "chaos.allow_network('a.test')",
}
EXPLORED = "chaos.watch(shared)\nchaos.explore(run=lambda: write(shared))\n"


@pytest.mark.parametrize("call", LATE)
def test_what_is_declared_after_everything_was_explored(pytester: pytest.Pytester, call: str) -> None:
    """Nobody would ever look at it: it is an error, with and without ``--chaos``."""
    write_test(pytester, EXPLORED + LATE[call])
    refused(pytester.runpytest_inprocess(), "declared-late", f"chaos.{call} was called after the last chaos.explore")
    if call == "invariant":
        refused(explore(pytester, "--chaos-faults=process.kill"), "declared-late")


def test_what_is_declared_between_explorations(pytester: pytest.Pytester) -> None:
    """It counts from the next one on."""
    check = "@chaos.invariant\ndef no_draft(world): assert 'b' not in world.files, 'a draft'\n"
    again = "chaos.explore(run=lambda: (shared / 'b').touch())"
    write_test(pytester, EXPLORED + check + again)
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    result = explore(pytester, "--chaos-faults=process.kill")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no_draft broken*"])


@pytest.mark.parametrize("arguments", [["--chaos"], []])
def test_a_run_that_exits_as_a_program_does(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """With 0 it has done its work and returned None, sync or async; with anything else it failed."""
    body = """
        def agent():
            write(shared)
            sys.exit({code})
        async def agents():
            (shared / "b").touch()
            sys.exit()
        chaos.watch(shared)
        assert chaos.explore(run=agent).result is None
        assert chaos.explore(run=agents).result is None
    """
    write_test(pytester, body.format(code=0), before="import sys")
    pytester.runpytest_inprocess("--chaos-faults=process.kill", *arguments).assert_outcomes(passed=1)
    write_test(pytester, body.format(code=2), before="import sys")
    result = pytester.runpytest_inprocess(*arguments)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*SystemExit: 2*"])


def test_a_run_that_fails_without_a_fault(pytester: pytest.Pytester) -> None:
    """Its own traceback is shown, and that nothing was explored."""
    write_test(
        pytester,
        """
        def broken():
            raise KeyError("no such topic")
        chaos.watch(shared)
        chaos.explore(run=broken)
    """,
    )
    output = refused(explore(pytester), "fails-without-a-fault", "nothing was explored", "KeyError: 'no such topic'")
    assert re.search(r"test_it\.py\D+\d+\D+in broken", output)


def test_a_run_that_does_not_end(pytester: pytest.Pytester) -> None:
    """What it did instead is counted, and that it did not end is said first."""
    write_test(
        pytester,
        """
        import time
        def poll():
            write(shared)
            while True:
                time.sleep(1)
        chaos.watch(shared)
        chaos.explore(run=poll)
    """,
    )
    output = refused(explore(pytester), "fails-without-a-fault", "nothing was explored")
    assert re.search(r"without any fault the run did not end \(0 requests, \d+ waits, ", output), output


def test_a_run_that_does_nothing_outside(pytester: pytest.Pytester) -> None:
    """There is nothing to explore; what to declare is said."""
    write_test(pytester, "chaos.watch(shared)\nchaos.explore(run=lambda: 42)")
    refused(explore(pytester), "no-points", "nothing to explore", "chaos.watch(path)")


def test_a_run_that_writes_somewhere_else(pytester: pytest.Pytester) -> None:
    """The path it wrote instead is named, and how to watch it."""
    write_test(pytester, "chaos.watch(shared)\nchaos.explore(run=lambda: write(tmp_path))")
    refused(explore(pytester), "no-points", "a.txt", "chaos.watch(path)")


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("tmp_path / 'sharde' / 'a' / 'b'", ["sharde does not exist", ": shared\n", "a.mkdir()"]),
        ("own / 'typo' / 'shared'", ["typo/shared", "typo does not exist", "own: it has no folders\n", "typo.mkdir()"]),
        ("tmp_path / 'notes' / 'shared'", ["notes/shared", "notes is no folder", ": own, shared\n"]),
    ],
)
def test_a_path_whose_parent_does_not_exist(pytester: pytest.Pytester, path: str, texts: list[str]) -> None:
    """Watching below a folder that is not there is a typing error, not an empty world; what is there is named."""
    declared = f"(tmp_path / 'notes').touch()\nchaos.watch({path})"
    write_test(pytester, f"{declared}\nchaos.explore(run=lambda: write(shared))")
    refused(explore(pytester), "no-parent", *texts)


@pytest.mark.parametrize(
    ("declared", "code", "text"),
    [
        ("chaos.watch(shared)\nchaos.private(shared)", "both", "watched and private"),
        ("chaos.watch(shared)\nchaos.watch(shared)", "both", "declared twice"),
        ("os.symlink(shared, own / 'link')\nchaos.watch(shared)\nchaos.private(own / 'link')", "both", "is also"),
        ("chaos.private(own / 'typo' / 'drafts')", "no-parent", "cannot be private"),
        ("chaos.invariant('no_drafts')", "not-callable", "'no_drafts'"),
        ("chaos.invariant(lambda: None)", "not-callable", "one argument, the world: too many positional arguments"),
        ("async def check(world): ...\nchaos.invariant(check)", "not-callable", "cannot await test_it.<locals>.check"),
        ("(own / 'shared').mkdir()\nchaos.watch(shared)\nchaos.watch(own / 'shared')", "same-name", "give one a name"),
        ("chaos.watch(42)", "bad-source", "42"),
        ("chaos.watch('')", "bad-source", "''"),
        ("chaos.private(None)", "bad-source", "None"),
        ("(own / 'notes').touch()\nchaos.private(own / 'notes')", "no-folder", "notes is a file, and chaos.private"),
        ("chaos.watch(shared, ignore=None)", "bad-ignore", "ignore=None holds no patterns"),
        ("chaos.private(own, ignore=3)", "bad-ignore", "ignore=3 holds no patterns"),
        ("chaos.watch(shared, ignore=[own])", "bad-ignore", 'e.g. ignore=["*.log", "runs.started_at"]'),
        ("chaos.api('https://a.test')\nchaos.api('https://a.test')", "twice", "https://a.test"),
    ],
)
def test_what_cannot_be_declared_together(pytester: pytest.Pytester, declared: str, code: str, text: str) -> None:
    """A path is watched or private, once, under a name of its own; a service has one twin."""
    write_test(pytester, f"{declared}\nchaos.explore(run=lambda: write(shared))")
    refused(explore(pytester), code, text)


@pytest.mark.parametrize("call", ["watch", "private"])
@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("'/'", "is the whole disk"),
        ("pwd.getpwuid(os.getuid()).pw_dir", "is the home of the user"),
        ("os.path.dirname(pwd.getpwuid(os.getuid()).pw_dir)", "is "),
        ("os.getcwd()", "is the project"),
        ("os.path.dirname(os.getcwd())", "is above the project"),
        ("shared", "has a virtual environment in it"),
        ("shared / '.venv'", "has a virtual environment in it"),
    ],
)
def test_a_folder_that_holds_too_much(pytester: pytest.Pytester, folder: str, text: str, call: str) -> None:
    """What nobody wants removed and written again and again is refused, and how to insist is said."""
    environment = "(shared / 'tools' / '.venv').mkdir(parents=True)\n(shared / '.venv').mkdir()\n"
    made = environment + "for each in ('tools/.venv', '.venv'):\n    (shared / each / 'pyvenv.cfg').touch()\n"
    declared = f"chaos.{call}({folder})\nchaos.explore(run=lambda: write(shared))"
    write_test(pytester, made + declared, before="import pwd")
    refused(explore(pytester), "too-much", text, f"chaos.{call}(path, anything=True)")


def test_a_folder_that_is_meant_though_it_holds_much(pytester: pytest.Pytester) -> None:
    """With ``anything=True`` it is watched; what lies three levels down does not count."""
    body = """
        for each in ("a", "own/b/c/d"):
            (shared / each).mkdir(parents=True)
            (shared / each / "pyvenv.cfg").touch()
        chaos.watch(shared, anything=True)
        (own / "b" / "c" / "d").mkdir(parents=True)
        (own / "b" / "c" / "d" / "pyvenv.cfg").touch()
        chaos.private(own)
        chaos.explore(run=lambda: write(shared), recover=lambda: (shared / "a.txt").unlink(missing_ok=True))
    """
    write_test(pytester, body)
    explore(pytester).assert_outcomes(passed=1)


def test_a_link_above_what_is_watched_that_the_agent_switches(pytester: pytest.Pytester) -> None:
    """What the path leads to then was never declared: it keeps its files, and the error says what to watch."""
    body = """
        for version in ("v1", "v2"):
            (shared / version / "data").mkdir(parents=True)
        (shared / "v2" / "data" / "precious.txt").write_text("only here")
        (shared / "current").symlink_to("v1")
        chaos.watch(shared / "current" / "data")
        def agent():
            write(shared / "current" / "data")
            os.symlink("v2", shared / "new")
            os.replace(shared / "new", shared / "current")
        try:
            chaos.explore(run=agent, recover=lambda: None)
        finally:
            assert (shared / "v2" / "data" / "precious.txt").read_text() == "only here"
            assert os.listdir(shared / "v2" / "data") == ["precious.txt"]
    """
    write_test(pytester, body)
    refused(
        explore(pytester), "moved", "current is no longer the folder that was declared", "watch the folder in which"
    )


def test_what_is_left_alone_is_told(pytester: pytest.Pytester) -> None:
    """A socket of a service that runs in a watched folder, and a name that a written file has outside."""
    body = """
        import socket
        service = socket.socket(socket.AF_UNIX)
        os.chdir(shared)  # the path of a socket is short
        service.bind("service.sock")
        (own / "other").write_text("")
        os.link(own / "other", shared / "a.txt")
        chaos.watch(shared)
        def agent():
            with open(shared / "a.txt", "w") as file:
                file.write("text")
        def undo():
            with open(shared / "a.txt", "w"):
                pass
        chaos.explore(run=agent, recover=undo)
        assert (shared / "service.sock").is_socket()
    """
    write_test(pytester, body)
    result = explore(pytester)
    result.assert_outcomes(passed=1)
    told = unwrapped(result.stdout.str())
    assert re.search(r" note: \S+/shared/service\.sock is a socket: it is left alone, not put back", told)
    assert re.search(r" written and not watched: \S+/shared/a\.txt by another name \(hard link\) that is outside", told)


def test_a_database_that_the_test_holds_open(pytester: pytest.Pytester) -> None:
    """Children would share its locks: the error names the file and says to open it in run."""
    write_test(
        pytester,
        """
        held = sqlite3.connect(shared / "shop.db")
        held.execute("CREATE TABLE t (a)")
        chaos.watch(shared)
        chaos.explore(run=lambda: write(shared))
    """,
    )
    refused(explore(pytester), "held-open", "shop.db", "open it in run")


@pytest.mark.parametrize("arguments", [["--chaos"], []])
def test_a_host_without_a_twin(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """A request to a host that nobody declared names host and agent line, with and without ``--chaos``."""
    write_test(
        pytester,
        """
        import httpx
        def agent():
            httpx.post("https://api.known.test/things", json={})
            httpx.post("https://api.unknown.test/things", json={})
        chaos.api("https://api.known.test")
        chaos.explore(run=agent)
    """,
    )
    output = refused(pytester.runpytest_inprocess(*arguments), "no-twin", "api.unknown.test", "chaos.api(")
    if arguments:
        assert re.search(r"test_it\.py:\d+", output)


LOOK = """
    import httpx
    def agent(goes_on):
        httpx.post("https://api.known.test/things", json={}, headers={"Idempotency-Key": "1"})
        try:
            httpx.get("https://updates.unknown.test/latest")
        except httpx.ConnectError as problem:
            if not goes_on:
                raise RuntimeError("no news") from problem
"""


@pytest.mark.parametrize("arguments", [["--chaos"], []])
def test_a_run_that_needs_a_host_without_a_twin(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """A look at a host that nobody declared is an error where the run dies of it: how to declare it is said."""
    write_test(
        pytester, 'chaos.api("https://api.known.test")\nchaos.explore(run=lambda: agent(goes_on=False))', before=LOOK
    )
    output = refused(pytester.runpytest_inprocess(*arguments), "no-twin", "updates.unknown.test", "chaos.api(")
    assert re.search(r"test_it\.py:\d+ in agent", output)


def test_a_recovery_that_needs_a_host_without_a_twin(pytester: pytest.Pytester) -> None:
    """What it asks belongs to the test as what the run asks does: no violation, but an error."""
    recover = 'recover=lambda: agent(goes_on=False) if (shared / "a.txt").exists() else write(shared)'
    body = 'chaos.api("https://api.known.test")\nchaos.watch(shared)\n'
    write_test(pytester, f"{body}chaos.explore(run=lambda: write(shared), {recover})", before=LOOK)
    refused(explore(pytester), "no-twin", "updates.unknown.test")


@pytest.mark.parametrize("arguments", [["--chaos"], []])
def test_a_look_that_the_run_survives(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """It is one line in the statement, with the agent's line, and takes the word exhaustive away."""
    body = """
        chaos.api("https://api.known.test")
        print(chaos.explore(run=lambda: agent(goes_on=True)).statement)
    """
    write_test(pytester, body, before=LOOK)
    result = pytester.runpytest_inprocess(*arguments, "-s", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    output = result.stdout.str()
    assert re.search(r"asked updates\.unknown\.test \(test_it\.py:\d+ in agent\) and was refused", unwrapped(output))
    assert "exhaustive" not in output


def test_an_unknown_fault_on_the_command_line(pytester: pytest.Pytester) -> None:
    """It is wrong usage, found before a test runs, and the nearest names are said."""
    write_project(pytester)
    result = explore(pytester, "--chaos-faults=llm.timout")
    output = refused(result, "unknown-fault", "'llm.timout'", "nearest: llm.timeout, http.timeout", "--chaos-list")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "passed" not in output


def test_an_unknown_fault_in_the_mark(pytester: pytest.Pytester) -> None:
    """The test fails with the nearest names, and says where it was typed."""
    write_project(pytester, mark='(faults="storage.ful")')
    refused(explore(pytester), "unknown-fault", "'storage.ful'", "storage.full", "mark")


def test_an_unknown_fault_in_a_token(pytester: pytest.Pytester) -> None:
    """The same for a replay."""
    write_project(pytester)
    result = explore(pytester, "--chaos-replay=process.kil@file.write:shared/a#1:after")
    refused(result, "unknown-fault", "'process.kil'", "process.kill", "--chaos-replay")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("token", ["nonsense", "process.kill@file.write", "process.kill@file.write:a#0:after"])
def test_a_bad_token(pytester: pytest.Pytester, token: str) -> None:
    """What a token looks like is said, with the part that is none."""
    write_project(pytester)
    result = explore(pytester, f"--chaos-replay={token}")
    refused(result, "bad-token", f"{token!r} is not a replay token", "fault[.variant][~lasting]@")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_token_that_cannot_strike_there(pytester: pytest.Pytester) -> None:
    """A known fault at a kind of point that it never strikes is a bad token too."""
    write_project(pytester)
    refused(
        explore(pytester, "--chaos-replay=sqlite.locked@file.write:own/report.part#1:before"),
        "bad-token",
        "cannot strike",
    )


@pytest.mark.parametrize(
    "token",
    [
        "process.kill@file.write:shared/other.md#1:after",
        "process.kill@file.write:own/report.part#7:after",
        "process.kill@file.write:own/report.part#1:after + process.kill@recover/file.write:own/report.part#1:after",
    ],
)
def test_a_token_whose_point_is_not_reached(pytester: pytest.Pytester, token: str) -> None:
    """It is drifted, and drifted fails: nothing was proved."""
    write_project(pytester)
    result = explore(pytester, f"--chaos-replay={token}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "drifted" in result.stdout.str()
    assert ("nearest: file." in result.stdout.str()) is ("recover" not in token)


def test_a_token_of_no_point_is_told_beside_what_the_test_asserts(pytester: pytest.Pytester) -> None:
    """A test with a typing error in its token meets what a complete run leaves, as after any replay, and is drifted."""
    token = "process.kill@file.write:own/report.part#7:after"
    write_project(pytester, after='assert (shared / "report.md").exists()')
    output = explore(pytester, f"--chaos-replay={token}").stdout.str()
    assert f"drifted, so nothing was proved there: {token}" in unwrapped(output)
    assert "AssertionError" not in output


def test_a_replay_passes_the_explorations_before_its_own(pytester: pytest.Pytester) -> None:
    """What the test asserts between them holds, and the schedule is carried out where its point is."""
    write_test(
        pytester,
        """
        def first():
            (shared / "first").write_text("1")
        def second():
            (shared / "second").write_text((shared / "first").read_text())
        chaos.watch(shared)
        chaos.explore(run=first)
        assert (shared / "first").read_text() == "1"
        chaos.explore(run=second)
        """,
    )
    result = explore(pytester, "--chaos-replay=process.kill@file.write:shared/second#1:after")
    result.assert_outcomes(passed=1)
    told = unwrapped(result.stdout.str())
    assert "replayed process.kill@file.write:shared/second#1:after: 0 violations" in told


def test_a_model_reply_that_is_missing(pytester: pytest.Pytester) -> None:
    """The request is named, and what to declare."""
    write_test(
        pytester,
        """
        from openai import OpenAI
        def agent():
            with OpenAI() as client:
                question = [{"role": "user", "content": "Name three colours"}]
                client.chat.completions.create(model="gpt-4o-mini", messages=question)
        chaos.llm({"Write the report": "…"})
        chaos.explore(run=agent)
    """,
    )
    output = pytester.runpytest_inprocess("--chaos").stdout.str()
    assert "Name three colours" in output
    assert len(re.findall(r"\[[a-z-]+-[a-z]+\]", output)) == 1, output
    assert "chaos.llm" in output


@pytest.mark.parametrize("arguments", [["--chaos"], []])
def test_a_missing_reply_that_the_agent_swallows(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """It is an error of the test, whatever the agent makes of it, with and without ``--chaos``."""
    write_test(
        pytester,
        """
        import contextlib
        from openai import OpenAI
        def agent():
            write(shared)
            with contextlib.suppress(Exception), OpenAI() as client:
                question = [{"role": "user", "content": "Name three colours"}]
                client.chat.completions.create(model="gpt-4o-mini", messages=question)
        chaos.watch(shared)
        chaos.llm({"Write the report": "…"})
        chaos.explore(run=agent)
    """,
    )
    refused(pytester.runpytest_inprocess(*arguments), "reply-missing", "Name three colours", "chaos.llm")


@pytest.mark.parametrize(
    ("declared", "module", "extra"),
    [
        ("chaos.mailbox()", "rollproof.twins.mailbox", "rollproof[mail]"),
        (
            "chaos.mcp({'book': print}, base_url='https://tools.test/mcp')",
            "rollproof.twins.mcp_tools",
            "rollproof[mcp]",
        ),
        ("chaos.serve(chaos.api('https://a.test'))", "rollproof.network.twin_server_process", "rollproof[network]"),
    ],
)
def test_a_package_that_is_not_installed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, declared: str, module: str, extra: str
) -> None:
    """What to install is said where the thing that needs it is declared."""
    monkeypatch.setattr(import_module(module), "find_spec", lambda name: None)
    write_test(pytester, f"{declared}\nchaos.watch(shared)\nchaos.explore(run=lambda: write(shared))")
    refused(explore(pytester), "missing-package", f"pip install '{extra}'")


def test_the_process_that_children_are_forked_from_is_gone(pytester: pytest.Pytester) -> None:
    """Somebody ended it, as a system without memory does: an error of the harness, never a verdict."""
    write_test(
        pytester,
        """
        def agent():
            write(shared)
            os.kill(os.getppid(), 9)
        chaos.watch(shared)
        chaos.explore(run=agent)
    """,
    )
    refused(explore(pytester), "nursery-gone", "was it killed")


@pytest.mark.parametrize("returned", ["False", "'state is bad'", "[]"])
def test_an_invariant_that_returns_its_verdict(pytester: pytest.Pytester, returned: str) -> None:
    """Nobody would look at it: it is an error, never a pass."""
    write_test(
        pytester,
        f"""
        def complete(world): return {returned}
        chaos.watch(shared)
        chaos.invariant(complete)
        chaos.explore(run=lambda: write(shared))
    """,
    )
    output = refused(explore(pytester), "no-verdict", "raises AssertionError")
    assert f"the invariant complete returned {returned}" in unwrapped(output)


def test_a_system_without_fork(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exploring needs fork: said at once; without ``--chaos`` the test runs."""
    write_project(pytester)
    monkeypatch.delattr("os.fork")
    refused(explore(pytester), "no-fork", "fork")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_an_unknown_setting_in_the_mark(pytester: pytest.Pytester) -> None:
    """The nearest setting is said."""
    write_project(pytester, mark='(fault="process.kill")')
    refused(explore(pytester), "unknown-setting", "'fault'", "faults")


@pytest.mark.parametrize(
    ("mark", "ini", "code", "texts"),
    [
        ('(depth="3")', "", "bad-depth", ("'3' is no depth", "(depth=…)", "@pytest.mark.chaos(depth=2)")),
        ("(depth=3)", "", "bad-depth", ("(depth=…)", "@pytest.mark.chaos(depth=3, minutes=5)")),
        ("(replay=5)", "", "bad-token", ("5 is not a replay token (@pytest.mark.chaos(replay=…))",)),
        ("", "chaos_budget = soon", "bad-budget", ("chaos_budget in the ini file", "e.g. chaos_budget = 60")),
    ],
)
def test_what_is_written_elsewhere(
    pytester: pytest.Pytester, mark: str, ini: str, code: str, texts: tuple[str, ...]
) -> None:
    """It is told as it is written there: with the argument of the mark, or the name in the ini file."""
    write_project(pytester, mark=mark)
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = explore(pytester)
    output = result.stdout.str() + result.stderr.str()
    assert f"[{code}]" in output
    for text in texts:
        assert text in output


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("--chaos-depth=3", "bad-depth"),
        ("--chaos-depth=two", "bad-depth"),
        ("--chaos-budget=0", "bad-budget"),
        ("--chaos-budget=soon", "bad-budget"),
        ("--chaos-shard=3/2", "bad-shard"),
        ("--chaos-shard=0/2", "bad-shard"),
        ("--chaos-shard=1", "bad-shard"),
    ],
)
def test_a_number_that_cannot_be_meant(pytester: pytest.Pytester, argument: str, code: str) -> None:
    """It is refused as wrong usage before anything runs; the value and a right one are named."""
    write_project(pytester)
    result = explore(pytester, argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    output = result.stdout.str() + result.stderr.str()
    assert f"[{code}]" in output
    assert repr(argument.partition("=")[2]) in output


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ("errors='handle'", "bad-errors", "'handle'"),
        ("errors=None", "bad-errors", 'errors is "recover", "restart", "worker" or "handled"'),
        ("allow=True", "not-callable", "allow takes a function, not True"),
        ("allow=coroutine", "not-callable", "allow cannot await test_it.<locals>.coroutine"),
        ("recover=42", "not-callable", "explore takes functions"),
    ],
)
def test_an_argument_that_cannot_be_meant(pytester: pytest.Pytester, asked: str, code: str, text: str) -> None:
    """It is refused with and without ``--chaos``, before anything runs."""
    coroutine = "async def coroutine(world): ...\n"
    write_test(pytester, f"{coroutine}chaos.watch(shared)\nchaos.explore(run=lambda: write(shared), {asked})")
    refused(explore(pytester), code, text)
    refused(pytester.runpytest_inprocess(), code, text)


@pytest.mark.parametrize(
    ("mark", "code"),
    [
        ("(depth=3)", "bad-depth"),
        ("(budget=-1)", "bad-budget"),
        ("(seed=10**5000)", "bad-seed"),
        ("(depth=10**5000)", "bad-depth"),
        ("(budget=10**5000)", "bad-budget"),
        ("(faults=3)", "bad-faults"),
        ("(faults=[3])", "bad-faults"),
    ],
)
def test_a_number_in_the_mark_that_cannot_be_meant(pytester: pytest.Pytester, mark: str, code: str) -> None:
    """The same in a mark."""
    write_project(pytester, mark=mark)
    refused(explore(pytester), code, "@pytest.mark.chaos(")


def test_a_setting_in_the_mark_without_a_name(pytester: pytest.Pytester) -> None:
    """It is refused, never dropped."""
    write_project(pytester, mark='("storage.full")')
    refused(explore(pytester), "unnamed-setting", "storage.full", "faults=")


@pytest.mark.parametrize("seed", ["x", "1.5", "--3", ""])
def test_a_seed_that_is_no_number(pytester: pytest.Pytester, seed: str) -> None:
    """The value is named; an empty one is none either."""
    write_project(pytester)
    result = explore(pytester, f"--chaos-seed={seed}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    refused(result, "bad-seed", repr(seed))


def test_a_seed_in_the_mark_that_is_no_number(pytester: pytest.Pytester) -> None:
    """It says that the mark has it."""
    write_project(pytester, mark='(seed="x")')
    refused(explore(pytester), "bad-seed", "'x'", "mark")


def test_faults_that_name_none(pytester: pytest.Pytester) -> None:
    """An empty selection is a typing error, not "all of them"."""
    write_project(pytester)
    refused(explore(pytester, "--chaos-faults= ,"), "unknown-fault", "names no fault", "--chaos-list")


def test_two_faults_of_one_name(pytester: pytest.Pytester) -> None:
    """A second declaration of a name is refused, with the name."""
    write_project(pytester)
    pytester.makeconftest("""
        from rollproof import fault
        from rollproof.values.actions import Kill
        @fault("process.kill", at="*")
        def kill_again(effect):
            "Dies again."
            yield Kill()
        def pytest_chaos_faults():
            return [kill_again]
    """)
    result = explore(pytester)
    refused(result, "same-name", "two faults are called 'process.kill'")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_explore_is_given_results_instead_of_functions(pytester: pytest.Pytester) -> None:
    """Calling the agent in the argument is the commonest slip: the right form is shown."""
    write_test(pytester, "chaos.watch(shared)\nchaos.explore(run=write(shared))")
    refused(explore(pytester), "not-callable", "run=lambda:")


@pytest.mark.parametrize(
    ("call", "text", "hint"),
    [
        ("explore(run=print, recovery=print)", "chaos.explore has no recovery=", "nearest: recover"),
        (
            "service('https://a.test')",
            "chaos.service: missing a required argument: 'handler'",
            "(base_url, handler, *,",
        ),
        ("watch(own, 'it')", "chaos.watch: too many positional arguments", "it is chaos.watch(source, *, name=None"),
        ("api('https://a.test', token=('basic', 'ada'))", "no credential", '("query", "api_key", key)'),
    ],
)
def test_arguments_that_a_method_does_not_have(pytester: pytest.Pytester, call: str, text: str, hint: str) -> None:
    """What is there instead is said, with and without ``--chaos``."""
    write_test(pytester, f"chaos.{call}")
    code = "bad-credential" if "api" in call else "bad-arguments"
    refused(explore(pytester), code, text, hint)
    refused(pytester.runpytest_inprocess(), code, text, hint)


CHECK = """
    @chaos.invariant
    def report_is_short(world):
        {body}
    chaos.watch(shared)
    chaos.explore(run=lambda: write(shared), recover=lambda: None)
"""


def test_a_check_of_ones_own_that_does_not_hold(pytester: pytest.Pytester) -> None:
    """AssertionError is a violation under the check's name, with its message."""
    write_test(pytester, CHECK.format(body="assert 'a.txt' not in world.files, 'the report is too long'"))
    result = explore(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines([r".*wrong .*report_is_short.* broken", r".*the report is too long"])


def test_a_check_of_ones_own_that_fails_itself(pytester: pytest.Pytester) -> None:
    """Any other exception is an error of the check: named, failing, and never a violation of the agent."""
    write_test(pytester, CHECK.format(body="return world.files['nowhere.txt']"))
    result = explore(pytester, "--chaos-json=out.json")
    output = result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "could not be judged: invariant report_is_short failed: KeyError" in output
    assert "report_is_short broken" not in output


def test_an_agent_that_needs_arguments(pytester: pytest.Pytester) -> None:
    """What it lacks is said, without a line of ours."""
    write_test(
        pytester,
        """
        def agent(topic):
            write(shared)
        chaos.watch(shared)
        chaos.explore(run=agent)
    """,
    )
    output = refused(explore(pytester), "fails-without-a-fault", "missing 1 required positional argument: 'topic'")
    assert "child.py" not in output


def test_an_agent_that_ends_its_process(pytester: pytest.Pytester) -> None:
    """The line that ends it is shown, and none of what called it."""
    write_test(
        pytester,
        """
        import os
        def agent():
            write(shared)
            os._exit(3)
        chaos.watch(shared)
        chaos.explore(run=agent)
    """,
    )
    output = refused(explore(pytester), "fails-without-a-fault", "os._exit(3)")
    assert "pytest_pyfunc_call" not in output


def test_a_mark_without_the_fixture(pytester: pytest.Pytester) -> None:
    """Such a test would pass and prove nothing; a mark for a whole module says nothing of one test."""
    marked = "import pytest\n@pytest.mark.chaos\ndef test_it(tmp_path): pass"
    pytester.makepyfile(test_it=marked)
    refused(explore(pytester), "not-explored", "does not use the fixture", "chaos.explore(run=")
    pytester.makepyfile(test_it="import pytest\npytestmark = pytest.mark.chaos\ndef test_it(tmp_path): pass")
    explore(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ("--chaos-faults=llm.timout", "unknown-fault"),
        ("--chaos-seed=x", "bad-seed"),
        ("--chaos-replay=process.kill@file.write:a#1:after", "not-exploring"),
    ],
)
def test_what_is_said_about_exploring_without_exploring(pytester: pytest.Pytester, option: str, code: str) -> None:
    """Nothing is ignored: a name that is wrong, and a replay that replays nothing."""
    write_project(pytester)
    result = pytester.runpytest_inprocess(option)
    refused(result, code, option.partition("=")[0])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_json_file_that_cannot_be_written(pytester: pytest.Pytester) -> None:
    """Said before anything is explored."""
    write_project(pytester)
    (pytester.path / "a-file").touch()
    for name in (".", "a-file/chaos.json"):
        result = explore(pytester, f"--chaos-json={name}")
        refused(result, "bad-file", f"{name!r}", "--chaos-json=chaos.json")
        assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_one_pattern_is_not_as_many_as_it_has_characters(pytester: pytest.Pytester) -> None:
    """``ignore="*.md"`` leaves out what is called so, and a half written other file is found."""
    write_test(
        pytester,
        """
        def agent():
            (shared / "notes.md").write_text("x")
            (shared / "report.txt").write_text("all of it")
        chaos.watch(shared, ignore="*.md")
        chaos.explore(run=agent, recover=lambda: None)
    """,
    )
    result = explore(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*all_or_nothing*"])
