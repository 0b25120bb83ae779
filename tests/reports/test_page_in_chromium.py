"""The recovery page as a person sees it, in headless Chromium; pictures of it are the test's output.

They are kept in the folder ROLLPROOF_PICTURES, else with pytest's temporary files. ROLLPROOF_AXE names ``axe.min.js``
of the npm package axe-core; where it is not set the page is not looked at by it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rollproof.reports.html_page import render

from .chromium import PROGRAM, Tab, browser
from .findings import TITLE, exploration, report, violation

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed here")
OTHER = {"severity": "minor", "kind": "left over after a crash", "title": "A lock stays behind: agent/publish.lock"}
EXCHANGE = {"step": 1, "request": {"messages": ["Write the report"]}, "answer": {"text": "# Solar"}}
FIXED = {"id": "3c3c3c3c3c3c", "title": "An older one", "schedule": "", "replayed": True}
AXE = os.environ.get("ROLLPROOF_AXE", "")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of a second run: a finding that is new, one that is known, one that is fixed."""
    known = violation(id="2b2b2b2b2b2b", known=True, new=False, reason="ticket 12", **OTHER)
    first = exploration(known, test=f"tests/{'deep/' * 12}test_agents.py::test_a_lock", compared="main.json")
    told = exploration(violation(exchange=[EXCHANGE]), fixed=[FIXED], compared="main.json")
    file = tmp_path_factory.mktemp("page") / "chaos.html"
    file.write_text(render(report(first, told)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the pictures."""
    return Path(os.environ.get("ROLLPROOF_PICTURES") or tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def tab(page: Path) -> Iterator[Tab]:
    """Start one browser for all that only looks."""
    with browser() as tab:
        yield tab


def test_it_opens_from_its_file_and_asks_for_nothing_else(page: Path, tab: Tab, pictures: Path) -> None:
    """In a browser that was just started, too; the new finding stands before the known one."""
    with browser() as fresh:
        for one in (tab, fresh):
            one.open(page)
            assert one.requests == [page.as_uri()]
            assert one.errors == []
            assert one.run("[...document.querySelectorAll('h2')].map(h => h.textContent)") == [
                "Findings",
                TITLE,
                OTHER["title"],
            ]
    tab.picture(pictures / "first-screen.png")
    tab.picture(pictures / "finding.png", "article")
    assert "1 new, 1 known, 1 resolved in 2 explorations; compared with main.json" in tab.run("document.body.innerText")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1100])
def test_it_fits_each_width_in_light_and_dark(page: Path, tab: Tab, pictures: Path, width: int, dark: bool) -> None:
    """Nothing is cut off at the side, also where all is unfolded; dark is dark; the fault is in sight."""
    tab.open(page, width=width, dark=dark)
    name = f"{width}-{'dark' if dark else 'light'}"
    tab.picture(pictures / f"{name}.png", whole=True)
    assert tab.run("const band = document.querySelector('.band').getBoundingClientRect(); band.left >= 0")
    assert tab.run(f"band.right <= {width}")
    tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.picture(pictures / f"difference-{name}.png", ".side")
    assert tab.run("document.documentElement.scrollWidth") == width
    ground, ink = tab.run("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    assert (brightness(ground) < brightness(ink)) is dark


def brightness(colour: str) -> int:
    """Return how bright a colour like ``rgb(1, 2, 3)`` is."""
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_the_keyboard_reaches_all_of_it(page: Path, tab: Tab) -> None:
    """Each link, field, button and fold gets the focus in its turn, and Enter works there."""
    tab.open(page)
    wanted = tab.run(
        "all = [...document.querySelectorAll('a, input, select, button, summary, [tabindex]')]"
        ".filter(one => one.checkVisibility({contentVisibilityAuto: true})); all.length"
    )
    seen = []
    while len(seen) < 2 * wanted:
        tab.press("Tab")
        if (number := tab.run("all.indexOf(document.activeElement)")) in seen:
            break
        seen.append(number)
        if tab.run("document.activeElement.textContent === 'copy'"):
            tab.press("Enter")
            said = tab.run("new Promise(done => setTimeout(() => done(document.activeElement.textContent)))")
            assert said == "copied"
    assert [number for number in seen if number >= 0] == list(range(wanted))
    tab.run("(fold = document.querySelector('article > details > summary')).focus()")
    tab.press("Enter")
    assert tab.run("fold.parentElement.open")


def test_findings_are_searched_and_filtered(page: Path, tab: Tab) -> None:
    """By words of title, file and point, by severity, status and kind; what is left is counted."""
    tab.open(page)
    shown = "[...document.querySelectorAll('article')].filter(one => !one.hidden).map(one => one.id)"
    assert len(tab.run(shown)) == 2
    assert tab.run("[...document.querySelectorAll('select')].map(one => one.dataset.filter)") == [
        "severity",
        "status",
        "kind",
        "test",
    ]
    tab.run("document.getElementById('search').focus()")
    tab.type("stays LOCK")
    assert tab.run(shown) == ["2b2b2b2b2b2b"]
    assert tab.run("document.getElementById('shown').textContent") == "1 of 2 shown"
    tab.run("field = document.getElementById('search'); field.value = ''; field.dispatchEvent(new Event('input'))")
    tab.run("one = document.querySelector('select'); one.value = 'blocker'; one.dispatchEvent(new Event('input'))")
    assert tab.run(shown) == ["0123456789ab"]


@pytest.mark.skipif(not AXE, reason="ROLLPROOF_AXE does not name axe.min.js of the npm package axe-core")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(page: Path, tab: Tab, dark: bool) -> None:
    """For who uses a screen reader or needs contrast, with all of the page unfolded, wide and narrow."""
    for width in (400, 1100):
        tab.open(page, width=width, dark=dark)
        tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        tab.run(f"{Path(AXE).read_text(encoding='utf-8')};0")
        found = tab.run("axe.run().then(all => all.violations.map(one => [one.impact, one.id, one.nodes[0].html]))")
        assert found == []
