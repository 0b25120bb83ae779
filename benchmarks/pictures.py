"""Make the README's pictures of what it shows in words: the finding of its agent in a terminal, and as a page.

make pictures       writes docs/pictures/terminal.svg and, where Chromium is installed, docs/pictures/page.png
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.reports.chromium import PROGRAM, browser  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
COMMAND = "pytest --chaos test_myagent.py"
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_COLOURS = {"31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "34": "#79b8ff", "35": "#d2a8ff", "36": "#56d4dd"}
_PARTS = ("To blame", "Outside", "Kind")
_LEAVE_OUT = """(parts => {
  let shown = true;
  for (const one of document.querySelectorAll("article > *")) {
    if (one.tagName === "H3") shown = parts.includes(one.textContent);
    one.hidden = !shown || one.tagName === "DETAILS";
  }
})"""
_WIDE, _HIGH, _MARGIN, _COLUMNS = 7.83, 18, 16, 100  # pixels of a character in a monospace font of 13, its line …


def main() -> int:
    """Explore the README's agent, and keep what that looks like."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        printed, page = explored(Path(folder))
        (PICTURES / "terminal.svg").write_text(svg([f"$ {COMMAND}", "", *finding(printed)]), encoding="utf-8")
        if PROGRAM is None:
            print("no Chromium is installed here: the picture of the page stays as it was")
            return 1
        with browser() as tab:
            tab.open(page, width=1000, height=900)
            tab.run(f"{_LEAVE_OUT}({list(_PARTS)})")
            tab.picture(PICTURES / "page.png", "article")
    return 0


def explored(project: Path) -> tuple[str, Path]:
    """Return what the README's command prints in colours, and the page that it writes."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for text in re.findall(r"```python\n(# (?:test_)?myagent\.py\n.*?)```", readme, re.DOTALL):
        (project / text.split()[1]).write_text(text, encoding="utf-8")
    page = project / "chaos.html"
    # In the environment: what is typed stands in the command to paste.
    options = f"--color=yes -p no:cacheprovider --chaos-html={page}"
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
    command = [sys.executable, "-m", *COMMAND.split()]
    environment["PYTEST_ADDOPTS"] = options
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert page.exists(), done.stdout + done.stderr
    return done.stdout, page


def finding(printed: str) -> list[str]:
    """Return the lines of the first finding."""
    lines = printed.splitlines()
    bare = [_SGR.sub("", line) for line in lines]
    last = next(number for number, line in enumerate(bare) if line.startswith("  replay "))
    first = max(number for number, line in enumerate(bare[:last]) if line.startswith("____")) + 1
    return [line for line in lines[first : last + 1] if line]


def svg(lines: Sequence[str]) -> str:
    """Return coloured lines of a terminal as a picture."""
    rows = [row for line in lines for row in rows_of(line)]
    width, height = round(_COLUMNS * _WIDE) + 2 * _MARGIN, len(rows) * _HIGH + 2 * _MARGIN
    texts = "\n".join(
        f'<text x="{_MARGIN}" y="{_MARGIN + _HIGH * number - 4}">{row}</text>' for number, row in enumerate(rows, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="13" '
        'fill="#e6edf3">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{texts}\n</svg>\n'
    )


def rows_of(line: str) -> Iterator[str]:
    """Yield a line in rows that fit, each with its colours."""
    row, used, style = "", 0, ""
    for number, part in enumerate(_SGR.split(line)):
        if number % 2:
            style = styled(part.split(";"), style)
            continue
        while part:
            fits, part = part[: _COLUMNS - used], part[_COLUMNS - used :]
            text = escape(fits).replace(" ", "\u00a0")  # others are drawn as one
            row, used = row + (f"<tspan{style}>{text}</tspan>" if style else text), used + len(fits)
            if part:
                yield row
                row, used = "", 0
    yield row


def styled(codes: Sequence[str], style: str) -> str:
    """Return the attributes of a text after these codes of a terminal."""
    for code in codes:
        if code in ("", "0"):
            style = ""
        elif code == "1":
            style += ' font-weight="bold"'
        elif code in _COLOURS:
            style += f' fill="{_COLOURS[code]}"'
    return style


if __name__ == "__main__":
    sys.exit(main())
