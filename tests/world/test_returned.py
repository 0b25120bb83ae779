"""What a run returned is compared with what two fault-free runs returned."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from rollproof.world.comparing.compare import matches_value


@dataclass
class Receipt:
    """A result with a generated part."""

    id: str
    total: int


class Opaque:
    """Compares by identity."""


class Other:
    """Another one."""


@pytest.mark.parametrize(
    ("a", "b", "same", "other"),
    [
        (3, 3, 3, 4),
        (True, True, True, 1),
        ("done", "done", "done", "failed"),
        ("run 3f2a81bc done", "run 77ab01de done", "run 12cd34ef done", "run 12cd34ef failed"),
        ("3f2a-x1", "77ab-y2", "12cd-z3", None),
        (1.5, 2.5, 7.25, "7"),
        ({"id": "a1", "n": 3}, {"id": "b2", "n": 3}, {"id": "c3", "n": 3}, {"id": "c3", "n": 4}),
        ({"n": 3}, {"n": 3}, {"n": 3}, {"n": 3, "m": 1}),
        ([1, "a"], [1, "b"], (1, "c"), [1, "c", 2]),
        (Receipt("a", 5), Receipt("b", 5), Receipt("c", 5), Receipt("c", 6)),
        (Path("/x/a"), Path("/x/b"), Path("/x/c"), Path("/y/c")),
        (Opaque(), Opaque(), Opaque(), Other()),
        ({"x": Opaque(), "n": 1}, {"x": Opaque(), "n": 1}, {"x": Opaque(), "n": 1}, {"x": Opaque(), "n": 2}),
        ({1, 2}, {1, 2}, {2, 1}, {1}),
        (b"a", b"b", b"c", "c"),
        ("2026-01-01T00:00:00", "2026-01-02T00:00:00", "2027-01-01T00:00:00", "later"),
    ],
)
def test_the_common_part_decides(a, b, same, other):
    """What differs between fault-free runs may differ, in its own type; all else may not."""
    assert matches_value(a, b, same)
    assert not matches_value(a, b, other)
    assert matches_value(a, b, a)
    assert matches_value(a, b, b)
