"""Find what is volatile: whatever differs between fault-free runs that differ only in stream, clock and pid."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ...values.world import Entry, Row, World
from .canonical import View, Walk
from .documents import Document, read_document
from .links import linked_places
from .masks import NOTHING, Masks, ThingMask
from .names import learn_names
from .references import References
from .shapes import looks_random, time_format
from .templates import template_of

Leaves = dict[str, list[str]]


def learn(runs: Sequence[World]) -> Masks:
    """Return the masks: the places in which the ends of two or three fault-free runs differ, private state included."""
    if len(runs) < 2:
        return Masks()
    views = [View(Masks(), References(world)) for world in runs]
    paths = [
        {view.references.plain(path): content for path, content in _paths(world).items()}
        for world, view in zip(runs, views, strict=True)
    ]
    names = learn_names(paths)
    masks = Masks(names)
    for view in views:
        view.masks = masks
    things = {**_learn_files(views, runs), **_learn_rows(views, runs)}
    named = {masks.canonical(path)[0] for path in paths[0]} - paths[0].keys()
    private = {view.thing(name) for view, world in zip(views, runs, strict=True) for name in world.private_tables}
    private |= {view.path(name)[0] for view, world in zip(views, runs, strict=True) for name in world.private_entries}
    found = Masks(names, things, frozenset(), frozenset(private), tuple(sorted(_outermost(named))))
    return replace(found, links=linked_places(runs, found))


def _paths(world: World) -> dict[str, bytes]:
    """Return each path with its content: for pairing those that no two runs share."""
    databases = dict.fromkeys(world.schemas, b"SQLite")
    entries = {**world.entries, **world.private_entries}
    return {**databases, **{path: entry.legible for path, entry in entries.items()}}


def _outermost(paths: Iterable[str]) -> set[str]:
    """Leave out paths below a folder whose own name is volatile."""
    paths = set(paths)
    return {path for path in paths if not ("*" in path.rpartition("/")[0] and "*" not in path.rpartition("/")[2])}


def _learn_files(views: list[View], runs: Sequence[World]) -> dict[str, ThingMask]:
    by_name: list[dict[str, list[bytes]]] = []
    for view, world in zip(views, runs, strict=True):
        found: dict[str, list[bytes]] = defaultdict(list)
        entries: Mapping[str, Entry] = {**world.entries, **world.private_entries}
        for path, entry in entries.items():
            if entry.kind == "file":
                found[view.path(path)[0]].append(entry.legible)
        by_name.append(found)
    things = {}
    for name in by_name[0]:
        contents = [found.get(name, []) for found in by_name]
        mask = NOTHING
        alike = all(each == contents[0] for each in contents)
        if not alike and len({len(each) for each in contents}) == 1:
            for together in zip(*(sorted(each, key=_rough) for each in contents), strict=True):
                mask = mask.merged(_learn_file(views, name, together))
        if mask != NOTHING:
            things[name] = mask
    return things


def _rough(content: bytes) -> tuple[int, str]:
    """Order files of one volatile name so that those of the same content come at the same place in each run."""
    document = read_document(content)
    lines = document.value if document.kind == "text" else [str(document.value)]
    return len(lines), " ".join(word for line in lines for word in line.split() if not _is_volatile(word))


def _is_volatile(word: str) -> bool:
    return looks_random(word) or bool(time_format(word)) or any(letter.isdigit() for letter in word)


def _learn_file(views: list[View], name: str, contents: Sequence[bytes]) -> ThingMask:
    if len(set(contents)) == 1:
        return NOTHING
    documents = [read_document(content, name.endswith((".jsonl", ".ndjson"))) for content in contents]
    kinds = {document.kind for document in documents}
    if len(kinds) == 1 and kinds <= {"json", "jsonl"}:
        return _learn_fields(views, name, [document.value for document in documents])
    if kinds == {"text"}:
        return _learn_lines(views, documents)
    return ThingMask(whole=True)


def _learn_lines(views: list[View], documents: Sequence[Document]) -> ThingMask:
    texts = [document.value for document in documents]
    if len({len(lines) for lines in texts}) != 1:
        return ThingMask(whole=True)
    lines = {}
    for number, together in enumerate(zip(*texts, strict=True)):
        plain = [view.references.plain(line) for view, line in zip(views, together, strict=True)]
        if len(set(plain)) > 1:
            lines[number] = template_of(plain)
    return ThingMask(lines=lines)


def _learn_rows(views: list[View], runs: Sequence[World]) -> dict[str, ThingMask]:
    by_name: list[dict[str, list[tuple[str, Row]]]] = []
    for view, world in zip(views, runs, strict=True):
        found: dict[str, list[tuple[str, Row]]] = defaultdict(list)
        for name, rows in {**world.tables, **world.private_tables}.items():
            found[view.thing(name)] += [(name, row) for row in rows]
        for name, rows in world.resources.items():
            found[name] += [("", row) for row in rows]
        by_name.append(found)
    things = {}
    for name in by_name[0]:
        rows_of_runs = [found.get(name, []) for found in by_name]
        if any(each != rows_of_runs[0] for each in rows_of_runs[1:]):
            keys = _volatile_keys([[row for _, row in rows] for rows in rows_of_runs])
            mask = ThingMask(keys={place: stable for place, stable in keys.items() if place}, of_rows=True)
            runs_of_leaves = [
                _leaves_of_rows(view, name, mask, rows) for view, rows in zip(views, rows_of_runs, strict=True)
            ]
            mask = replace(mask, fields=_differing(runs_of_leaves, in_order=False))
            if mask.fields or mask.keys:
                things[name] = mask
    return things


def _learn_fields(views: list[View], name: str, values: Sequence[object]) -> ThingMask:
    """Return the places of JSON whose values differ."""
    mask = ThingMask(keys=_volatile_keys([[value] for value in values]))
    runs = []
    for view, value in zip(views, values, strict=True):
        leaves, walk = _walk(view, name, mask)
        walk.tree(value, "")
        runs.append(leaves)
    return replace(mask, fields=_differing(runs, in_order=True))


def _leaves_of_rows(view: View, name: str, mask: ThingMask, rows: Sequence[tuple[str, Row]]) -> Leaves:
    leaves, walk = _walk(view, name, mask)
    for walk.table, row in rows:
        for column, value in row.items():
            walk.cell(column, value)
    return leaves


def _walk(view: View, name: str, mask: ThingMask) -> tuple[Leaves, Walk]:
    """Return a new walk, and the mapping in which it collects the text at each place."""
    found: Leaves = defaultdict(list)

    def tell(place: str, value: object) -> None:
        found[place].append(repr(view.references.plain(value) if isinstance(value, str) else value))

    return found, Walk(view, name, mask, leaf=tell)


def _differing(runs: Sequence[Leaves], in_order: bool) -> frozenset[str]:
    """Return the places that differ; a column is compared as a whole, in any order."""
    arranged = list if in_order else sorted
    places = {place for run in runs for place in run}
    columns = {place: [arranged(run.get(place, [])) for run in runs] for place in places}
    return frozenset(place for place, column in columns.items() if any(each != column[0] for each in column))


def _volatile_keys(values: Sequence[Sequence[object]]) -> dict[str, frozenset[str]]:
    """Return objects whose keys differ from run to run where as many are new in each and look generated."""
    runs = [_keys(each) for each in values]
    found = {}
    for place in set.intersection(*(set(run) for run in runs)):
        together = [run[place] for run in runs]
        stable = frozenset.intersection(*map(frozenset, together))
        own = [keys - stable for keys in together]
        if own[0] and len({len(keys) for keys in own}) == 1 and any(map(looks_random, frozenset().union(*own))):
            found[place] = stable
    return found


def _keys(values: Iterable[object]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    stack = [("", value) for value in values]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            found[place] = found.get(place, frozenset()) | value.keys()
            stack += [(f"{place}.{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            shared = any(isinstance(item, dict | list) for item in value)
            stack += [(f"{place}[{'*' if shared else index}]", item) for index, item in enumerate(value)]
    return found
