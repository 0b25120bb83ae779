"""What the hooks refuse, and what they cost where an extension is wrong."""

import pytest

from ..plugin.projects import write_project

CONFTEST = '''
from pathlib import Path
from rollproof import HttpRequest, HttpResponse

class Shop:
    """A shop that sells one thing."""

    kind = "http"

    def __init__(self, base_url="https://shop.test"):
        self.base_url, self.requests, self.sold = base_url, [], 0

    def save(self): return b"%d" % self.sold
    def restore(self, state): self.sold = int(state)
    def describe(self, state): return {"shop.test/sold": [{"n": int(state)}]}
    full_state = describe
    def set_run(self, run): pass
    def verb(self, request): return "buy"
    def target(self, request): return "shop.test"
    def refuse(self, request, status, headers, reason=""): return HttpResponse(status, headers, reason.encode())

    def handle(self, request):
        self.requests.append(request)
        self.sold += 1
        return HttpResponse(200)

def pytest_chaos_twins():
    return {"shop": Shop}

def pytest_chaos_writers():
    def broken(report):
        raise KeyError("no such thing")

    def whole(report):
        Path("report.txt").write_text(f"{report['version']} {[e['points'] for e in report['explorations']]}")

    return [broken, whole]
'''

MISUSE = """
import httpx, pytest
from conftest import Shop
from rollproof import ChaosError

def test_what_is_refused(chaos, tmp_path):
    with pytest.raises(ChaosError, match="(?s)no twin is called 'shpo'.*nearest: shop"):
        chaos.twin("shpo")
    with pytest.raises(ChaosError, match="(?s)is no twin.*rollproof.Service"):
        chaos.twin(object())
    with pytest.raises(ChaosError, match="neither a path nor a WorldSource"):
        chaos.watch(object())
    shop = chaos.twin(Shop())
    with pytest.raises(ChaosError, match="has a twin already"):
        chaos.twin("shop", base_url="https://shop.test")
    chaos.explore(run=lambda: httpx.get("https://shop.test/thing").status_code)
    assert shop.sold == 1

def test_a_twin_comes_too_late(chaos):
    chaos.watch(__file__)
    chaos.explore(run=lambda: None)
    chaos.twin("shop")
"""


def test_misuse_is_told(pytester: pytest.Pytester) -> None:
    """At the call, without ``--chaos`` too: another name, no twin, no source, the same service twice, too late."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=MISUSE)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*chaos.twin was called after the last chaos.explore*"])


def test_a_broken_writer_costs_a_line(pytester: pytest.Pytester) -> None:
    """The other writer has the whole report all the same, and the tests pass."""
    write_project(pytester)
    pytester.makeconftest(CONFTEST)
    result = pytester.runpytest("--chaos", "--chaos-faults=process.kill", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["chaos: the result could not be written by *broken: KeyError: 'no such thing'"])
    assert (pytester.path / "report.txt").read_text().startswith("2 [")


def test_a_plugin_without_its_writer_costs_a_line(pytester: pytest.Pytester) -> None:
    """Its hook raises; other plugins' writers have the report, and the session ends as its tests do."""
    write_project(pytester)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(other="def pytest_chaos_writers():\n    raise OSError('no such server')\n")
    pytester.syspathinsert()
    arguments = ("--chaos", "--chaos-faults=process.kill", "--chaos-json=result.json", "-p", "other")
    result = pytester.runpytest(*arguments, "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["chaos: no writer of other: OSError: no such server"])
    assert (pytester.path / "report.txt").is_file()
    assert (pytester.path / "result.json").is_file()


def test_twins_are_listed_and_two_of_a_name_are_refused(pytester: pytest.Pytester) -> None:
    """``--chaos-list`` shows the first line of what makes one."""
    pytester.makeconftest(CONFTEST)
    result = pytester.runpytest("--chaos-list")
    result.stdout.fnmatch_lines(["twins:", "  chaos.twin('shop') * A shop that sells one thing."])
    pytester.makepyfile(other="def pytest_chaos_twins():\n    return {'shop': dict}\n")
    pytester.syspathinsert()
    result = pytester.runpytest("--chaos-list", "-p", "other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*two twins are called 'shop'*"])
