"""Whatever stands behind an option, it is used or refused as wrong usage."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.plugin import newhooks, options
from rollproof.plugin.installed import Builtins

from .projects import refused, write_project

OPTIONS = ("seed", "depth", "budget", "shard", "faults", "points", "json", "baseline", "toxiproxy", "replay", "trace")
TEXTS = st.text() | st.lists(
    st.sampled_from([*"0123456789٣²½ -+_./,*[]'\"\\\0\n", "1/2", "9" * 5000, "a" * 300, "a/" * 3000, "é" * 200])
    | st.sampled_from(["nan", "inf", "1e9", "llm.*", "http://", "127.0.0.1", "[::1", "/dev/full", "~", "\udc80"]),
    max_size=6,
).map("".join)


def config(typed: dict[str, str], ini: dict[str, str]) -> Any:
    """Return as much of pytest's configuration as the check asks for."""
    manager = pytest.PytestPluginManager()
    manager.add_hookspecs(newhooks)
    manager.register(Builtins())
    given = {f"rollproof_{name}": text for name, text in typed.items()} | {"rollproof": True}
    return SimpleNamespace(
        hook=manager.hook,
        stash=pytest.Stash(),
        rootpath=Path("/nowhere"),
        getoption=lambda name, default=None: given.get(name, default),
        getini=lambda name: ini.get(name.removeprefix("chaos_")),
    )


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(OPTIONS), TEXTS)
def test_on_the_command_line(name: str, text: str) -> None:
    """A value, or one clear error of a bearable length; never another exception."""
    _check(config({name: text}, {}))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*OPTIONS, "leftovers"]), TEXTS)
def test_in_the_ini_file(name: str, text: str) -> None:
    """The same, where an empty text says nothing."""
    _check(config({}, {name: text}))


def _check(config: Any) -> None:
    said = "chaos: "
    try:
        options.check(config)
    except pytest.UsageError as problem:
        said = str(problem)
    assert said.startswith("chaos: ")
    assert len(said) < 1000


LONG = "9" * 5000


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        (f"--chaos-seed={LONG}", "bad-seed"),
        ("--chaos-seed=٣", "bad-seed"),
        (f"--chaos-budget={LONG}", "bad-budget"),
        (f"--chaos-depth={LONG}", "bad-depth"),
        (f"--chaos-shard=1/{LONG}", "bad-shard"),
        ("--chaos-shard=²/²", "bad-shard"),
        (f"--chaos-json={LONG}", "bad-file"),
        (f"--chaos-faults={LONG}", "unknown-fault"),
        ("--override-ini=chaos_leftovers=*.draft '*.in work", "bad-leftovers"),
    ],
)
def test_what_cannot_be_meant(pytester: pytest.Pytester, argument: str, code: str) -> None:
    """One message that can be read, before anything runs."""
    write_project(pytester)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--chaos", argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(refused(result, code)) < 1000
