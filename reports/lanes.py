"""The picture of a story: a lane for each life of the agent and for each part of the outside, the fault shaded.

It is an SVG that stands by itself, in light and dark: as a data URL where no style survives, and inline in the page,
where one style is enough for all of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape, quoteattr

from rollproof.values.exploration import counted
from rollproof.values.media import media, medium_of
from rollproof.values.report import ReportedStep
from rollproof.values.story import WRONG_FATES

_MOST_STEPS = 10  # what a screen is wide enough for; the list below the picture has all
_LEFT, _TOP, _STEP, _GAP, _LANE = 128, 22, 104, 40, 74
_LINE, _LINES, _WIDE = 13, 4, 16  # a label: the height of a line, how many at most, and their characters
_NAME = 20  # characters of a lane's name
_READABLE = 860  # pixels: a page that is narrower scrolls the picture
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""An image with one of these, such as the colours in an exception's text, is not drawn at all."""
_PIECES = re.compile(r"\s*[^\s/._-]*[/._-]*")
STYLE = """\
.lanes{--ink:#24292f;--dim:#6e7781;--good:#1a7f37;--bad:#b3202c;--own:#0969da;--band:#ffebe9;--ground:#fff;
font:12px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.lanes{--ink:#e6edf3;--dim:#9198a1;--good:#3fb950;--bad:#ff938a;--own:#79b8ff;
--band:#3c1618;--ground:#0d1117}}
.lanes text{fill:var(--ink)}.lanes text.dim{fill:var(--dim)}.lanes .band{fill:var(--band)}
.lanes .lane{stroke:var(--dim);stroke-width:1;stroke-opacity:.5}
.lanes .own{fill:var(--own);stroke:var(--own)}.lanes .good{fill:var(--good);stroke:var(--good)}
.lanes .bad{fill:var(--bad);stroke:var(--bad)}.lanes .gone{fill:var(--ground);stroke:var(--dim);stroke-width:2}
.lanes text.bad{stroke:none;font-weight:600}.lanes text.own,.lanes text.good{stroke:none}"""


@dataclass(frozen=True, slots=True)
class _Node:
    """One step in the picture: its place from the left, how many steps before it are left out, and its lane outside."""

    x: int
    hidden: int
    step: ReportedStep
    outside: str | None

    @property
    def look(self) -> str:
        """The class that colours it."""
        if self.step["phase"] == "fault" or self.step["fate"] in WRONG_FATES or _fails(self.step):
            return "bad"
        if self.step["fate"] == "undone":
            return "gone"
        return "own" if self.outside is None else "good"

    @property
    def told(self) -> str:
        """Return the words beside it: the verb and the end of its target, and how it went."""
        point, outcome = self.step["point"], self.step["outcome"]
        if self.step["phase"] == "fault" or not point:
            return outcome
        verb, target = _verb(point), _target(point).rpartition("/")[2]
        return " ".join(filter(None, (verb, target, _number(outcome))))

    @property
    def label(self) -> list[str]:
        """Return these words in short lines; what does not fit is cut."""
        lines = _lines(self.told, _WIDE - 2 if self.look == "bad" else _WIDE)  # it is bold
        if len(lines) <= _LINES:
            return lines
        return [*lines[: _LINES - 1], f"{lines[_LINES - 1][: _WIDE - 1].rstrip(' :,;')}…"]


def picture(story: Sequence[ReportedStep], style: str = STYLE) -> str:
    """Return the SVG of a story, with its style; "" for one without steps."""
    nodes = list(_nodes(story))
    if not nodes:
        return ""
    lives = list(dict.fromkeys(node.step["life"] for node in nodes))
    outsides = list(dict.fromkeys(node.outside for node in nodes if node.outside is not None))
    rows = {name: _TOP + _LANE * number for number, name in enumerate([*lives, *(f"\0{one}" for one in outsides)])}
    width, height = nodes[-1].x + _STEP // 2 + 8, _TOP + _LANE * len(rows)
    parts = [*_bands(nodes, height), *_lanes(rows, width), *(part for node in nodes for part in _drawn(node, rows))]
    said = "; ".join(f"{node.step['life']}: {node.told}" for node in nodes)
    parts = [f"<style>{style}</style>" if style else "", *parts]
    svg = (
        f'<svg class="lanes" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" style="min-width:{min(width, _READABLE)}px" role="img" '
        f"aria-label={quoteattr(said)}>{''.join(parts)}</svg>"
    )
    return _NO_XML.sub("\ufffd", svg)


def _nodes(story: Sequence[ReportedStep]) -> Iterator[_Node]:
    chosen = [step for number, step in enumerate(story) if _matters(step) and not _is_written_next(story, number)]
    x, seen = _LEFT - _STEP // 2, -1
    for number in _nearest(chosen):
        hidden, seen = number - seen - 1, number
        x += _STEP + (_GAP if hidden else 0)
        yield _Node(x, hidden, chosen[number], _outside(chosen[number]))


def _matters(step: ReportedStep) -> bool:
    """Return whether a step is drawn: a fault, an effect outside, a question to a model, the end of a process."""
    if step["phase"] in ("fault", "promises") or not step["point"] or step["fate"]:
        return step["phase"] != "promises"
    return _kind(step["point"]) == "llm"


def _is_written_next(story: Sequence[ReportedStep], number: int) -> bool:
    """Return whether a step opens a file that the next one writes: one of them is enough."""
    step, after = story[number], story[number + 1] if number + 1 < len(story) else None
    if after is None or step["phase"] == "fault" or step["fate"] in WRONG_FATES or step["life"] != after["life"]:
        return False
    opened, written = step["point"].rpartition("#")[0], after["point"].rpartition("#")[0]
    return opened.startswith("file.open:") and written == opened.replace("open", "write", 1)


def _nearest(steps: Sequence[ReportedStep]) -> list[int]:
    """Return the numbers of the steps near a fault, few enough to be followed; ends of processes stay."""
    faults = [number for number, step in enumerate(steps) if step["phase"] == "fault"] or [0]
    far = sorted(range(len(steps)), key=lambda n: (_is_plain(steps[n]), min(abs(n - fault) for fault in faults)))
    return sorted(far[:_MOST_STEPS])


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
            yield f'<rect class="band" x="{node.x - _STEP // 2}" y="0" width="{_STEP}" height="{height}"/>'


def _lanes(rows: dict[str, int], width: int) -> Iterator[str]:
    for name, y in rows.items():
        shown = name.removeprefix(chr(0))
        shown = shown if len(shown) <= _NAME else f"{shown[: _NAME - 1]}…"
        yield f'<text x="2" y="{y + 4}">{escape(shown)}</text>'
        yield f'<line class="lane" x1="{_LEFT - 6}" y1="{y}" x2="{width}" y2="{y}"/>'


def _drawn(node: _Node, rows: dict[str, int]) -> Iterator[str]:
    x, top = node.x, rows[node.step["life"]]
    end = top if node.outside is None else rows[f"\0{node.outside}"]
    if node.hidden:
        left = x - _STEP // 2 - _GAP // 2
        yield f'<text class="dim" x="{left}" y="{top - 8}" text-anchor="middle">… {node.hidden}</text>'
    yield f"<g><title>{escape(node.told)}{escape(_left_out(node))}</title>"
    if end != top:
        yield f'<line class="{node.look}" x1="{x}" y1="{top}" x2="{x}" y2="{end}" stroke-width="2"/>'
    yield f'<circle class="{node.look}" cx="{x}" cy="{end}" r="5"/>'
    shown = "" if node.look == "gone" else f' class="{node.look}"'
    for number, line in enumerate(node.label):
        y = end + 6 + _LINE * (number + 1)
        yield f'<text{shown} x="{x}" y="{y}" text-anchor="middle">{escape(line)}</text>'
    yield "</g>"


def _fails(step: ReportedStep) -> bool:
    """Return whether a process fails that no fault struck: a recovery, or a new try."""
    return step["phase"] == "recovery" and not step["point"] and step["outcome"].startswith("raises")


def _left_out(node: _Node) -> str:
    return f" (after {counted(node.hidden, 'step')} that the picture leaves out)" if node.hidden else ""


def _kind(point: str) -> str:
    return point.removeprefix("recover/").partition(".")[0]


def _verb(point: str) -> str:
    verb = point.partition(".")[2].partition(":")[0]
    return verb.upper() if _kind(point) == "http" else verb


def _target(point: str) -> str:
    return point.partition(":")[2].rpartition("#")[0]


def _number(outcome: str) -> str:
    return outcome if len(outcome) <= 8 and outcome[:1].isdigit() else ""


def _lines(text: str, width: int) -> list[str]:
    """Return a text in lines, broken at spaces, and inside of a long word behind its dots, slashes and dashes."""
    lines = [""]
    for piece in _PIECES.findall(text):
        for part in wrap(piece, width, drop_whitespace=False) if len(piece) > width else [piece]:
            if len(f"{lines[-1]}{part}".rstrip()) <= width:
                lines[-1] += part
            else:
                lines.append(part.lstrip())
    return [line.rstrip() for line in lines if line.strip()]
