"""The pytest plugin: options, fixture, and what happens around a test. Thin, and free to load."""

import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ..values.errors import ChaosError
from . import options
from .table import SETTINGS, taken

if TYPE_CHECKING:
    from ..chaos import Chaos
    from ..values.exploration import Exploration
    from ..values.report import ReportedExploration
    from ..values.runs import Runs

_chaos = pytest.StashKey["Chaos"]()
_explorations = pytest.StashKey[list["Exploration"]]()
_runs: "pytest.StashKey[Runs]" = pytest.StashKey()
_to_say = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options whose names are ours alone."""
    options.register(parser)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser
) -> Generator[None, object, object]:
    """Register ``--chaos`` and its companions when all plugins are there, or stand back where one of them has it."""
    result = yield
    options.register_short_names(early_config, parser)
    return result


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks by which others add to what is installed."""
    from . import newhooks

    pluginmanager.add_hookspecs(newhooks)


def pytest_configure(config: pytest.Config) -> None:
    """Check what was typed, before anything runs."""
    for name in ("chaos", "rollproof"):
        config.addinivalue_line("markers", f"{name}({', '.join(SETTINGS)}): settings of a test that explores")
    others = [p for p in config.pluginmanager.get_plugins() if hasattr(p, "chaos")]
    if not any(type(other.chaos).__name__ == "FixtureFunctionDefinition" for other in others):
        from . import short_name

        config.pluginmanager.register(short_name, "rollproof-short-name")
    if options.active(config) or options.typed_in_vain(config):
        options.register_builtins(config)
        options.check(config)
    if idle := options.idle(config):
        text = f"{', '.join(idle)} without --chaos: nothing is explored"
        config.issue_config_time_warning(pytest.PytestConfigWarning(text), 2)
    to_say = _put_back(config)
    if options.active(config):
        from ..boundary.adapters import session_failures
        from ..boundary.scheduling.locks import make_ours
        from .reporting import Reporting
        from .timeouts import Timeouts

        config.add_cleanup(make_ours())  # before tests, and with them agents, are imported
        config.pluginmanager.register(Reporting(config), "rollproof-reporting")
        config.pluginmanager.register(Timeouts(), "rollproof-timeouts")
        if config.getoption("allure_report_dir", None):
            from . import allure_items

            allure_items.register(config)
        to_say += session_failures()
    config.stash[_to_say] = to_say


def _put_back(config: pytest.Config) -> list[str]:
    """Put back what killed sessions left changed, before anything looks at it; returns what to say of it."""
    places = options.records(config)
    if not any(place.is_dir() for place in places):
        return []
    from ..guard.abandoned import put_back_all

    return put_back_all(places)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the lines on what was put back and left out, if there is no header."""
    for line in config.stash.get(_to_say, []) if terminalreporter.verbosity < 0 else ():
        terminalreporter.line(f"chaos: {line}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End the guardian, and then the process if a signal was to end it: everything is told by now."""
    guarding = sys.modules.get("rollproof.guard.guarding")
    interrupts = sys.modules.get("rollproof.boundary.process.interrupts")
    if guarding is not None:
        guarding.close_all(last=interrupts is not None and interrupts.interrupted())
    if interrupts is not None:
        interrupts.end_as_before()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return lines on names that another plugin has, on what was put back, and on what is left out."""
    names, lines = taken(config), config.stash.get(_to_say, [])
    ours = f"rollproof: {', '.join(names)} of another plugin; ours: --rollproof, its fixture and mark rollproof"
    return [*([ours] if names else []), *(f"chaos: {line}" for line in lines)]


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Answer ``--chaos-list``."""
    if not options.flag(config, "list"):
        return None
    from ..reports.terminal import listing
    from .installed import installed_faults, installed_invariants, installed_twins

    options.register_builtins(config)  # nothing is configured here
    try:
        print(listing(installed_faults(config).values(), installed_invariants(config), installed_twins(config)))
    except ChaosError as problem:
        raise pytest.UsageError(str(problem)) from None
    return 0


@pytest.fixture
def rollproof(request: pytest.FixtureRequest) -> Iterator["Chaos"]:
    """The object by which a test declares and explores; there also if another plugin has the name ``chaos``."""
    from ..chaos import Chaos

    config, item = request.config, request.node
    reporting = config.pluginmanager.get_plugin("rollproof-reporting")
    found: list[Exploration] = []
    item.stash[_explorations] = found
    settings = options.of_item(config, item)
    readers = () if reporting is None else reporting.readers(item, found, settings)
    made = Chaos(settings, item.nodeid, found.append, readers)
    item.stash[_chaos], item.stash[_runs] = made, settings.runs
    yield made
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Refuse a chaos test that explores nothing."""
    result = yield
    made = item.stash.get(_chaos, None)
    if made is None and options.active(item.config) and options.is_marked(item.config, item):
        raise ChaosError(
            "not-explored",
            f"{item.nodeid} is marked as a chaos test and does not use the fixture",
            "take it as an argument, and end the test with chaos.explore(run=…)",
        )
    if made is not None and not made.explored:
        raise ChaosError(
            "not-explored",
            f"{item.nodeid} asked for chaos and explored nothing",
            "end the test with chaos.explore(run=…, recover=…)",
        )
    if made is not None:
        made.finish()
    return result


def _forget(item: pytest.Item) -> None:
    """Release what a test explored: pytest keeps its items to the end, and each process is forked from this one."""
    keys: tuple[pytest.StashKey[Any], ...] = (_chaos, _explorations, _runs)
    for key in keys:
        if key in item.stash:
            del item.stash[key]


def _properties(found: "ReportedExploration") -> Iterator[tuple[str, str]]:
    for violation in found["violations"]:
        yield "finding", f"{violation['id']}: {violation['title']}"
        yield "replay", violation["replay"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Carry explorations to the controller, and show a misuse as one message instead of our traceback."""
    report = yield
    ours = _explorations in item.stash or options.is_marked(item.config, item)
    if ours and call.excinfo is not None and call.excinfo.type.__name__ == "ChaosError":
        from ..values.cleaning import Cleaner

        told = Cleaner(environment=os.environ).clean(str(call.excinfo.value))
        report.longrepr = f"{told}\n\n{report.location[0]}:{(report.location[1] or 0) + 1}: {item.name}"
    if call.when == "teardown":
        _forget(item)
    if call.when != "call" or _explorations not in item.stash:
        return report
    from .failures import mark

    explorations = [one for one in item.stash[_explorations] if one.dry_run is None]
    report.rollproof_dry_run = [one.dry_run for one in item.stash[_explorations] if one.dry_run]  # type: ignore[attr-defined]
    replay, runs = item.stash[_chaos].replay, item.stash[_runs]
    report.rollproof = explored = [runs.reported(one, replay) for one in explorations]  # type: ignore[attr-defined]
    if call.excinfo is not None:
        mark(report, call.excinfo.value, explored)
    properties = [(f"chaos.{name}", text) for found in explored for name, text in _properties(found)]
    report.user_properties += properties
    item.user_properties += properties  # JUnit's writer takes those of the report of the teardown
    reporting = item.config.pluginmanager.get_plugin("rollproof-reporting")
    if reporting is not None:
        reporting.ended(explored)
    return report
