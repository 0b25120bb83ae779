"""``rollproof pin TOKEN``: a schedule becomes a plain test, which an ordinary run of pytest carries out."""

import ast
import json

import pytest
from rollproof.commands.pin import main, pinned
from rollproof.values.errors import ChaosError
from rollproof.values.points import quoted
from rollproof.values.schedule import Schedule

from .projects import write_test

AGENT = """
chaos.watch(shared)
def run():
    os.mkdir(shared / "a")
    os.mkdir(shared / "b")
chaos.explore(run=run, recover=lambda: None)
"""
BETWEEN, BEFORE = "process.kill@file.mkdir:shared/b#1:before", "process.kill@file.mkdir:shared/a#1:before"
OTHERS = """

class TestIt:
    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.chaos(depth=2)
    def test_inner(self, chaos, folders):
        test_it(chaos, folders, None)

@pytest.mark.parametrize("n", [object()])
def test_each(n):
    pass
"""


def test_a_pinned_schedule_is_a_test(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    """The test that failed is known from the last session; fixtures come along; nothing is pinned twice."""
    write_test(pytester, AGENT)
    pytester.runpytest("--chaos", "--chaos-faults=process.kill")
    for token in (BETWEEN, BETWEEN):
        assert main([token]) == 0
    assert main([BEFORE, "--test=test_it.py::test_it", "--name=test_nothing_is_done"]) == 0
    result = pytester.runpytest("test_it_pinned.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "shared/b is missing *critical",
            f"  replay *test_it_pinned.py::test_process_kill_* --chaos-replay='{BETWEEN}'",
            "FAILED test_it_pinned.py::test_process_kill_*",
        ]
    )
    assert "does so already" in capsys.readouterr().out


def test_a_test_of_a_class_in_a_package(pytester: pytest.Pytester) -> None:
    """A method is called on an object of its class, marks come along, and a package is imported as one."""
    write_test(pytester, AGENT)
    pytester.mkpydir("checks")
    module = pytester.path / "checks" / "test_it.py"
    module.write_text((pytester.path / "test_it.py").read_text() + OTHERS)
    (pytester.path / "test_it.py").unlink()
    assert main([BEFORE, "--test=checks/test_it.py::TestIt::test_inner"]) == 0
    text = (pytester.path / "checks" / "test_it_pinned.py").read_text()
    assert "from .test_it import TestIt as ExploredTestIt" in text
    assert "@pytest.mark.filterwarnings('ignore')" in text
    assert "depth" not in text
    pytester.runpytest("checks/test_it_pinned.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["\U0001f600²", 'a"""b', "a\\Nb", 'b"', "\udcff", "a\nb"])
def test_a_schedule_stands_in_its_test_as_it_is(pytester: pytest.Pytester, name: str) -> None:
    """Whatever the file is called that it is about."""
    pytester.makepyfile(test_it="def test_it(chaos): pass")
    schedule = Schedule.parse(f"process.kill@file.write:shared/{quoted(name)}#1:after")
    _, text, _ = pinned(schedule, "test_it.py::test_it")
    (test,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    (mark,) = test.decorator_list
    assert isinstance(mark, ast.Call)
    assert ast.literal_eval(mark.keywords[0].value) == str(schedule)
    assert name in (ast.get_docstring(test, clean=False) or "")
    compile(text, "test_it_pinned.py", "exec")


def test_arguments_are_the_fixtures(pytester: pytest.Pytester) -> None:
    """One with a default is none, and one that has a name only is given by it."""
    pytester.makepyfile(test_it="def test_it(chaos, n=1, *, tmp_path, m=2): pass")
    _, text, _ = pinned(Schedule.parse(BEFORE), "test_it.py::test_it", "test_pinned")
    assert "def test_pinned(chaos, tmp_path):" in text
    assert "    explored_it(chaos, tmp_path=tmp_path)" in text


def test_a_module_that_is_no_text_is_told(pytester: pytest.Pytester) -> None:
    """In one message."""
    (pytester.path / "test_it.py").write_bytes(b"# \xff\n")
    with pytest.raises(ChaosError, match="cannot be read"):
        main([BEFORE, "--test=test_it.py::test_it"])


CASES = """
import pytest

@pytest.fixture(params=["a", "b"])
def name(request):
    return request.param

@pytest.fixture
def shared(tmp_path):
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"

@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.chaos
def test_it(chaos, shared, name, count):
    chaos.watch(shared)
    def run():
        for n in range(count):
            (shared / f"{name}{n}").mkdir()
    chaos.explore(run=run, recover=lambda: None)
"""


def test_one_case_of_a_test_with_parameters(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parameters and those of its fixtures stand in the pinned test; the cache is where the project has it."""
    pytester.makepyfile(test_it=CASES)
    pytester.makeini("[pytest]\ncache_dir = elsewhere\n")
    token = "process.kill@file.mkdir:shared/b1#1:before"
    kept = pytester.mkdir("elsewhere") / "v" / "rollproof" / "failed"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"test_it.py::test_it[b-2]": {"": [token]}}))
    monkeypatch.chdir(pytester.mkdir("below"))
    for _ in range(2):
        assert main([token]) == 0
    monkeypatch.chdir(pytester.path)
    text = (pytester.path / "test_it_pinned.py").read_text()
    assert text.count("parametrize") == 1
    result = pytester.runpytest_inprocess("test_it_pinned.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["shared/b1 is missing *", "*_before[[]b-2[]]*"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([BEFORE], "no test of the last session here has found it"),
        ([BEFORE, "--test=test_it.py"], "is no test in a file here"),
        ([BEFORE, "--test=test_it.py::test_none"], "has no test test_none"),
        ([BEFORE, "--test=test_it.py::test_each"], "a schedule is that of one case"),
        ([BEFORE, "--test=test_it.py::test_each[3]"], "pytest collects no test"),
        ([BEFORE, "--test=test_it.py::test_each[n0]"], "cannot be written into another file: n=<object"),
        ([BEFORE, "--test=test_it.py::test_it", "--name=nothing"], "would not find a test called 'nothing'"),
        (["process.kill@nowhere"], "process.kill@nowhere"),
    ],
)
def test_what_cannot_be_pinned(pytester: pytest.Pytester, arguments: list[str], said: str) -> None:
    """One clear message, and no file."""
    write_test(pytester, AGENT)
    module = pytester.path / "test_it.py"
    module.write_text(module.read_text() + OTHERS)
    with pytest.raises(ChaosError, match=r".*") as refused:
        main(arguments)
    assert said in str(refused.value)
    assert not (pytester.path / "test_it_pinned.py").exists()
