"""The grid of points × faults: of each cell whether it was tried, merged with another one, or cannot be."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .exploration import Exploration
from .families import family_of
from .schedule import SWAP

_Cells = Sequence[Mapping[str, Any]]
_AXES: dict[str, Callable[[str, str], str]] = {
    "families": lambda point, fault: family_of(fault),
    "points": lambda point, fault: point,
}


def grid(exploration: Exploration, cells: _Cells) -> dict[str, Any]:
    """Return the grid of an exploration, by families and by points; `cells` are its cells in JSON's form."""
    places = len(exploration.places)
    firing = [(point, fault) for fault, points in exploration.firing.items() for point in points]
    faults: dict[str, int] = {}
    for fault in exploration.firing:
        faults[family_of(fault)] = faults.get(family_of(fault), 0) + 1
    whole = {
        "families": {name: count * places for name, count in faults.items() if places},
        "points": {point: len(exploration.firing) for point in exploration.places},
    }
    found = {}
    for axis, named in _AXES.items():
        can: dict[str, int] = {}
        for point, fault in firing:
            can[named(point, fault)] = can.get(named(point, fault), 0) + 1
        found[axis] = _rows(axis, cells, can, {name: all - can.get(name, 0) for name, all in whole[axis].items()})
    return found


def together(grids: Sequence[Mapping[str, Any]], cells: _Cells) -> dict[str, Any]:
    """Return the grid of parts of one exploration; `cells` are those of all parts.

    Each part knows the whole grid, and leaves as not tried what another one has.
    """
    found = {}
    for axis in _AXES:
        can: dict[str, int] = {}
        cannot: dict[str, int] = {}
        for row in (row for one in grids for row in one[axis]):
            name = row["name"]
            can[name] = max(can.get(name, 0), row["tried"] + row["merged"] + row["not_tried"])
            cannot[name] = max(cannot.get(name, 0), row["not_applicable"])
        orders = {tuple(row["name"] for row in one[axis]) for one in grids}
        names = next(iter(orders)) if len(orders) == 1 else sorted(cannot)  # that of the run, where all agree
        found[axis] = _rows(axis, cells, can, {name: cannot[name] for name in names})
    return found


def _rows(axis: str, cells: _Cells, can: Mapping[str, int], cannot: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a row for each name in `cannot`: how many cells have no such thing; `can` has how many others."""
    rows: dict[str, dict[str, Any]] = {name: _row(name, count) for name, count in cannot.items()}
    for (point, fault), (carried_out, verdicts) in _pairs(cells).items():
        row = rows.get(_AXES[axis](point, fault))
        if row is not None:
            row["tried" if carried_out else "merged"] += 1
            row["violated"] += "violated" in verdicts
            row["unknown"] += "unknown" in verdicts and "violated" not in verdicts
    for name, row in rows.items():
        row["not_tried"] = max(0, can.get(name, 0) - row["tried"] - row["merged"])
    return list(rows.values())


def _row(name: str, not_applicable: int) -> dict[str, Any]:
    zeros = dict.fromkeys(("tried", "merged", "not_applicable", "not_tried", "violated", "unknown"), 0)
    return {"name": name, **zeros, "not_applicable": not_applicable}


def _pairs(cells: _Cells) -> dict[tuple[str, str], tuple[bool, set[str]]]:
    """Return for each pair of a point and a fault whether any schedule was carried out, and the verdicts."""
    found: dict[tuple[str, str], tuple[bool, set[str]]] = {}
    for cell in _of_faults(cells):
        key = cell["point"], cell["fault"]
        carried_out, verdicts = found.get(key, (False, set()))
        found[key] = carried_out or cell["count"] > cell["merged"], {*verdicts, cell["verdict"]}
    return found


def _of_faults(cells: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (cell for cell in cells if cell["fault"] != SWAP)
