"""Faults and media of a project of one's own, as a conftest declares them."""

import json

import pytest

from .projects import refused

IMPOSSIBLE = """
    from rollproof import fault
    from rollproof.values.actions import Respond

    @fault("file.answers_500", at="file.remove")
    def answers(effect):
        '''A file system answers 500.'''
        yield Respond(500)

    class Mine:
        def pytest_chaos_faults(self):
            return [answers]

    def pytest_configure(config):
        config.pluginmanager.register(Mine())
"""
REMOVES = """
    import pytest

    @pytest.mark.chaos(faults="file.answers_500")
    def test_it(chaos, tmp_path):
        shared = tmp_path / "shared"
        shared.mkdir()
        (shared / "a.txt").write_text("a")
        chaos.watch(shared)
        chaos.explore(run=lambda: (shared / "a.txt").unlink())
"""


def test_a_fault_that_cannot_happen_is_refused_where_it_is_declared(pytester: pytest.Pytester) -> None:
    """Nothing runs, and what can be done at that place is named: such a fault was counted as survived."""
    pytester.makeconftest(IMPOSSIBLE)
    pytester.makepyfile(REMOVES)
    result = pytester.runpytest_subprocess("--chaos")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        ["*file.answers_500 (*conftest.py:*", "*before file.remove: Kill, Fail*", "*bad-action*"]
    )
    refused(result, "bad-action")


OWN_MEDIUM = {
    "queue_medium": """
        from rollproof import Ability, Medium
        from rollproof.values.actions import Fail, Kill

        QUEUE = Medium(
            "queue",
            verbs={"push": ("before", "after")},
            abilities=(Ability(Kill, ("*",)), Ability(Fail, ("*:before", "*:after"))),
            adapter="queue_adapter:install",
        )
    """,
    "queue_adapter": """
        import queue_client

        def install(gate):
            plain = queue_client.push

            def push(path, text):
                if not gate.active:
                    return plain(path, text)
                with gate.crossing("queue", "push", "jobs"):
                    return plain(path, text)

            queue_client.push = push
    """,
    "queue_client": """
        import os

        def push(path, text):
            with open(path, "a") as file:
                file.write(text)
    """,
    "conftest": """
        from queue_medium import QUEUE
        from rollproof import fault
        from rollproof.values.actions import Fail

        @fault("queue.full", at="queue.push")
        def full(effect):
            '''The queue is full.'''
            yield Fail(OSError("the queue is full"))

        def pytest_chaos_faults():
            return [full]

        def pytest_chaos_media():
            return [QUEUE]
    """,
    "test_it": """
        import queue_client

        def test_it(chaos, tmp_path):
            shared = tmp_path / "shared"
            shared.mkdir()
            chaos.watch(shared)

            def run():
                (shared / "begun").write_text("x")
                queue_client.push(shared / "jobs", "job")

            chaos.explore(run=run)
    """,
}


def test_a_medium_of_ones_own(pytester: pytest.Pytester) -> None:
    """A value, an adapter, faults and a test: its points are planned, struck and judged like all others."""
    pytester.makepyfile(**OWN_MEDIUM)
    result = pytester.runpytest_subprocess("--chaos", "--chaos-faults=queue.*", "--chaos-json=out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (found,) = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert [v["schedule"] for v in found["violations"]] == ["queue.full@queue.push:jobs#1:before"]
    assert found["errors"] == []


def test_an_adapter_that_promises_too_much(pytester: pytest.Pytester) -> None:
    """A medium says that its adapter can lose a connection, which it does not: an error, and never a fault survived."""
    can = "abilities=(Ability(Kill, ('*',)), Ability(Disconnect, ('push:before',))),"
    medium = OWN_MEDIUM["queue_medium"].replace("import Fail, Kill", "import Disconnect, Kill")
    before = 'abilities=(Ability(Kill, ("*",)), Ability(Fail, ("*:before", "*:after"))),'
    conftest = OWN_MEDIUM["conftest"].replace("import Fail", "import Disconnect")
    conftest = conftest.replace('Fail(OSError("the queue is full"))', 'Disconnect("reset")')
    wrong = OWN_MEDIUM | {"queue_medium": medium.replace(before, can), "conftest": conftest}
    pytester.makepyfile(**wrong)
    result = pytester.runpytest_subprocess("--chaos", "--chaos-faults=queue.*", "--chaos-json=out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (found,) = json.loads((pytester.path / "out.json").read_text())["explorations"]
    assert [error for error in found["errors"] if "queue.full@queue.push:jobs#1:before was due and not" in error]
    assert found["schedules"] == 0
