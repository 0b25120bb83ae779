"""The picture of a story: a lane for each life of the agent and for each part of the outside, the fault shaded.

It is an SVG that stands by itself, in light and dark: inline in the page, and as a data URL where no style survives.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from rollproof.values.media import media, medium_of
from rollproof.values.report import ReportedStep
from rollproof.values.story import WRONG_FATES

_MOST_STEPS = 26  # more than that nobody follows in a picture; the list below it has all
_LEFT, _TOP, _STEP, _LANE, _LABEL = 150, 28, 104, 66, 22
_SHORT = 24
_STYLE = """\
.lanes{--ink:#24292f;--dim:#8b949e;--good:#1a7f37;--bad:#cf222e;--own:#0969da;--band:#ffebe9;--ground:#fff;
font:12px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.lanes{--ink:#e6edf3;--dim:#7d8590;--good:#3fb950;--bad:#ff7b72;--own:#58a6ff;
--band:#4a1d20;--ground:#0d1117}}
.lanes text{fill:var(--ink)}.lanes .lane{stroke:var(--dim);stroke-width:1}.lanes .band{fill:var(--band)}
.lanes .own{fill:var(--own);stroke:var(--own)}.lanes .good{fill:var(--good);stroke:var(--good)}
.lanes .bad{fill:var(--bad);stroke:var(--bad)}.lanes .gone{fill:var(--ground);stroke:var(--dim);stroke-width:2}
.lanes text.bad{stroke:none;font-weight:600}.lanes text.own{stroke:none}.lanes text.good{stroke:none}"""


@dataclass(frozen=True, slots=True)
class _Node:
    """One step in the picture: its column, its life's lane, the lane of the outside or None, and what it looks like."""

    column: int
    step: ReportedStep
    outside: str | None

    @property
    def look(self) -> str:
        """The class that colours it."""
        if self.step["phase"] == "fault" or self.step["fate"] in WRONG_FATES:
            return "bad"
        if self.step["fate"] == "undone":
            return "gone"
        return "own" if self.outside is None else "good"

    @property
    def label(self) -> str:
        """What stands beside it: the verb and the end of its target, and how it went."""
        point, outcome = self.step["point"], self.step["outcome"]
        if self.step["phase"] == "fault" or not point:
            return _cut(outcome)
        verb, target = _verb(point), _target(point).rpartition("/")[2]
        return _cut(" ".join(filter(None, (verb, target, _number(outcome)))))


def picture(story: Sequence[ReportedStep]) -> str:
    """Return the SVG of a story; "" for one without steps."""
    nodes = list(_nodes(story))
    if not nodes:
        return ""
    lives = list(dict.fromkeys(node.step["life"] for node in nodes))
    outsides = list(dict.fromkeys(node.outside for node in nodes if node.outside is not None))
    rows = {name: _TOP + _LANE * number for number, name in enumerate([*lives, *(f"\0{one}" for one in outsides)])}
    width, height = _LEFT + _STEP * (nodes[-1].column + 1) + _STEP // 3, _TOP + _LANE * len(rows)
    parts = [*_bands(nodes, height), *_lanes(rows, width), *(part for node in nodes for part in _drawn(node, rows))]
    said = "; ".join(f"{node.step['life']}: {node.label}" for node in nodes)
    return (
        f'<svg class="lanes" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label={quoteattr(said)}><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )


def _nodes(story: Sequence[ReportedStep]) -> Iterator[_Node]:
    chosen = [step for step in story if step["phase"] != "promises" and _matters(step)]
    for column, step in enumerate(_fewer(chosen)):
        yield _Node(column, step, _outside(step))


def _matters(step: ReportedStep) -> bool:
    """Return whether a step is drawn: a fault, an effect outside, a question to a model, the end of a process."""
    if step["phase"] == "fault" or not step["point"] or step["fate"]:
        return True
    return _kind(step["point"]) == "llm"


def _fewer(steps: Sequence[ReportedStep]) -> list[ReportedStep]:
    """Leave out what is farthest from the fault, until the picture can be followed; ends of processes stay."""
    faults = [number for number, step in enumerate(steps) if step["phase"] == "fault"] or [0]
    far = sorted(range(len(steps)), key=lambda n: (_is_plain(steps[n]), min(abs(n - fault) for fault in faults)))
    kept = set(far[:_MOST_STEPS])
    return [step for number, step in enumerate(steps) if number in kept]


def _is_plain(step: ReportedStep) -> bool:
    return step["phase"] != "fault" and bool(step["point"]) and step["fate"] not in WRONG_FATES


def _outside(step: ReportedStep) -> str | None:
    """Return the part of the outside that a step touches: a host, a folder, a database; None for any other step."""
    if not step["fate"] or not step["point"]:
        return None
    kind, target = _kind(step["point"]), _target(step["point"])
    name, slash, _ = target.partition("/")
    return f"{name}/" if slash and kind in media() and medium_of(kind).lasts_for != "host" else name.partition(":")[0]


def _bands(nodes: Iterable[_Node], height: int) -> Iterator[str]:
    for node in nodes:
        if node.step["phase"] == "fault":
            left = _LEFT + _STEP * node.column + _STEP // 8
            yield f'<rect class="band" x="{left}" y="0" width="{_STEP * 3 // 4}" height="{height}"/>'


def _lanes(rows: dict[str, int], width: int) -> Iterator[str]:
    for name, y in rows.items():
        yield f'<text x="4" y="{y + 4}">{escape(_cut(name.removeprefix(chr(0))))}</text>'
        yield f'<line class="lane" x1="{_LEFT - 8}" y1="{y}" x2="{width}" y2="{y}"/>'


def _drawn(node: _Node, rows: dict[str, int]) -> Iterator[str]:
    x = _LEFT + _STEP * node.column + _STEP // 2
    top = rows[node.step["life"]]
    end = top if node.outside is None else rows[f"\0{node.outside}"]
    if end != top:
        yield f'<line class="{node.look}" x1="{x}" y1="{top}" x2="{x}" y2="{end}" stroke-width="2"/>'
    yield f'<circle class="{node.look}" cx="{x}" cy="{end}" r="5"/>'
    # Neighbours take turns above and below, so that long labels do not meet.
    y = end + (_LABEL + node.column % 2 * 14 if end != top else -_LABEL // 2 if node.column % 2 else _LABEL)
    shown = "" if node.look == "gone" else f' class="{node.look}"'
    yield f'<text{shown} x="{x}" y="{y}" text-anchor="middle">{escape(node.label)}</text>'


def _kind(point: str) -> str:
    return point.removeprefix("recover/").partition(".")[0]


def _verb(point: str) -> str:
    verb = point.partition(".")[2].partition(":")[0]
    return verb.upper() if _kind(point) == "http" else verb


def _target(point: str) -> str:
    return point.partition(":")[2].rpartition("#")[0]


def _number(outcome: str) -> str:
    return outcome if len(outcome) <= 8 and outcome != "done" else ""


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
