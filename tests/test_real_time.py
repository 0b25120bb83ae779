"""What real time decides: less on a busy machine, and scaled by one factor."""

import itertools
import subprocess
import sys
import time

import pytest
from rollproof.engine import watching
from rollproof.engine.watching import Watch

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(("used", "looks"), [(True, [100.0, 106.0, 106.0]), (False, [6.0, 6.0])])
def test_waiting_for_a_processor_is_no_time_of_a_process(
    monkeypatch: pytest.MonkeyPatch, used: bool, looks: list[float]
) -> None:
    """Of 11 seconds it computed for 5 and would have for 6: it is waited for 6 more, and no longer."""
    waited = iter(looks)
    now = itertools.chain([0.0, 11.0], itertools.repeat(16.5))
    monkeypatch.setattr(watching, "_waited_s", lambda pid: next(waited))
    monkeypatch.setattr(watching, "_group", lambda pid: [pid])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    watch = Watch(1, 10.0, used=used)
    assert watch.left_s() == 5.0
    assert watch.left_s() < 0
    assert watch.waited_s == 6.0


@pytest.mark.skipif(sys.platform != "linux", reason="says for how long a process waits")
def test_the_wait_of_a_process_is_known() -> None:
    """The kernel counts it for each thread, of programs that a process starts, too."""
    with subprocess.Popen(["sleep", "60"], process_group=0) as process:
        assert list(watching._group(process.pid)) == [process.pid]
        assert watching._waited_s(process.pid) >= 0
        process.kill()
    assert watching._waited_s(process.pid) == 0


def test_a_factor_that_is_none_is_refused(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to write instead."""
    monkeypatch.setenv("ROLLPROOF_PATIENCE", "twice")
    result = pytester.runpytest_subprocess("--chaos", "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*ROLLPROOF_PATIENCE is no number above 0: 'twice'", "*ROLLPROOF_PATIENCE=3", "*[[]bad-patience]"]
    )


def test_the_factor_scales_all_of_them() -> None:
    """In every process that is started with it."""
    code = "from rollproof.values import real_time as r; print([v for k, v in vars(r).items() if k.endswith('_S')])"
    environment = {"PATH": "/usr/bin:/bin"}
    told = [
        eval(
            subprocess.run([sys.executable, "-c", code], env=environment | more, capture_output=True, text=True).stdout
        )
        for more in ({}, {"ROLLPROOF_PATIENCE": "3"})
    ]
    assert len(told[0]) > 10
    assert [round(after / before, 6) for before, after in zip(*told, strict=True)] == [3.0] * len(told[0])
