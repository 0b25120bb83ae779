"""What a test explored is not kept when it is over: each process of a later exploration is a copy of this one."""

import pytest

PROJECT = """
import gc, weakref
import pytest

SEEN = []

@pytest.mark.parametrize("n", [1, 2])
def test_it(chaos, tmp_path, n):
    gc.collect()
    assert [one() for one in SEEN] == [None] * len(SEEN)
    SEEN.append(weakref.ref(chaos))
    chaos.watch(tmp_path)
    chaos.explore(lambda: (tmp_path / "a").write_text("text"))

def test_there_was_something():
    assert len(SEEN) == 2
"""


def test_nothing_of_a_test_is_kept_when_it_is_over(pytester: pytest.Pytester) -> None:
    """pytest keeps its items to the end; with them stood all states that were explored, 50 MB a scenario and more."""
    pytester.makepyfile(PROJECT)
    words = ("--chaos", "--chaos-faults=process.kill", "-q", "-p", "no:cacheprovider")
    pytester.runpytest_inprocess(*words).assert_outcomes(passed=3)
