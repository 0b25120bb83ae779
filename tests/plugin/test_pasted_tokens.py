"""Each kind of token that an exploration prints can be pasted behind ``--chaos-replay``."""

import pytest
from rollproof.engine.findings import Findings

from .projects import refused, unwrapped, write_test

AGENT = """
    import httpx, threading
    from concurrent.futures import ThreadPoolExecutor

    def both():
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: httpx.post(f"https://api.mail.test/{name}", json={}).raise_for_status(), "ab"))

    def run():
        both()
        thread = threading.Thread(target=(shared / "note").mkdir, name="DEPLOY")
        thread.start()
        thread.join()

    chaos.watch(shared)
    chaos.api("https://api.mail.test")
    chaos.explore(run=run, recover=both, allow=lambda world: True)
"""
KINDS = {
    "fault": ("http.unavailable@",),
    "lasting": ("http.unavailable~lasting@",),
    "task": ("note%%44EPLOY#",),
    "recovery": ("process.kill@", " + process.kill@recover/"),
    "several": ("http.unavailable@", " + process.kill@http"),
    "order": ("order.swap@http",),
    "order and crash": ("order.swap@http", " + process.kill@http"),
    "order and fault": ("order.swap@http", " + http.unavailable@http"),
    "order in recovery": ("process.kill@", " + order.swap@recover/"),
}
"""Of each kind of token, its parts: what stands between the first and the last one is no further injection."""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest with ``--chaos`` in the project."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--chaos", *arguments)


def test_one_of_each_kind(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all schedules that are judged, any of which may be printed; one of a variant is made of another fault's."""
    judged: list[str] = []
    add = Findings.add

    def noted(self: Findings, schedule: object, *rest: object, **more: object) -> None:
        judged.append(str(schedule))
        add(self, schedule, *rest, **more)  # type: ignore[arg-type]

    write_test(pytester, AGENT)
    with monkeypatch.context() as patched:
        patched.setattr(Findings, "add", noted)
        run(pytester, "--chaos-faults=process.kill,http.unavailable")
    tokens = {}
    for kind, parts in KINDS.items():
        alike = (t for t in judged if t.startswith(parts[0]) or (len(parts) == 1 and parts[0] in t))
        tokens[kind] = next(t for t in alike if t.count(" + ") == len(parts) - 1 and parts[-1] in t)
    tokens["variant"] = tokens["fault"].replace("http.unavailable", "http.rate_limited.2")
    for kind, token in tokens.items():
        result = run(pytester, f"--chaos-replay={token}")
        assert result.ret != pytest.ExitCode.USAGE_ERROR, f"{kind}: {token}"
        assert f"replayed {token}: " in unwrapped(result.stdout.str()), f"{kind}: {token}"
        assert "drifted" not in result.stdout.str(), f"{kind}: {token}"


def test_an_order_that_cannot_come(pytester: pytest.Pytester) -> None:
    """Nobody else passes while one waits: no proof of anything, in words that say so."""
    write_test(pytester, AGENT)
    token = "order.swap@file.mkdir:shared/note%%44EPLOY#1:before"
    result = run(pytester, f"--chaos-replay={token}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    output = unwrapped(result.stdout.str())
    assert f"drifted, so nothing was proved there: {token}" in output
    assert f"replayed {token}: drifted: this order cannot come, nobody else passed" in output


@pytest.mark.parametrize(
    ("token", "texts"),
    [
        ("http.rate_limited.0@http.post:api.mail.test/a#1:before", ["'0' is no variant", "numbers from 1"]),
        ("http.rate_limited.abc@http.post:api.mail.test/a#1:before", ["'abc' is no variant"]),
        ("http.rate_limited.²@http.post:api.mail.test/a#1:before", ["'²' is no variant"]),
        ("http.rate_limited.99@http.post:api.mail.test/a#1:before", ["has no variant 99", "it has 2 there: 1 to 2"]),
        ("http.unavailable.2@http.post:api.mail.test/a#1:before", ["has no variant 2", "type no number"]),
        (f"order.swap.{'9' * 5000}@http.post:api.mail.test/a#1", ["is no variant", "(5002 characters)"]),
        ("process.kill~lasting@http.post:api.mail.test/a#1", ["process.kill cannot last", "without ~lasting"]),
        ("order.swap~lasting@http.post:api.mail.test/a#1", ["order.swap cannot last"]),
        ("order.swap@http.post:api.mail.test/a#1:middle", ["cannot strike middle", "before, after any effect"]),
        (f"process.kill@http.post:api.mail.test/a#{'9' * 5000}", ["is not a replay token", "characters)"]),
        ("process.kill@http.post:api.mail.test/a#1٣", ["is not a replay token"]),
    ],
)
def test_what_cannot_be_meant(pytester: pytest.Pytester, token: str, texts: list[str]) -> None:
    """One clear message with what to type, of a bearable length; nothing is played in its place."""
    write_test(pytester, AGENT)
    output = refused(run(pytester, f"--chaos-replay={token}"), "bad-token", *texts)
    assert "replayed" not in output
    assert len(output) < 3000
