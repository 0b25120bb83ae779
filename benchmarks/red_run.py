"""A red run of agents of the corpus, three times, as its reader sees it: the page and Allure's report in Chromium.

python benchmarks/red_run.py [FOLDER]     keeps results, page, report and pictures there; "red-run" where none is named

The second run is compared with the first, and in the third one agent is mended. Allure's report is looked at where
`make report` has installed its command line. Returns 1 where a view lacks a finding, asks the network for anything, or
is not there.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rollproof.reports.allure_page import main as cured  # noqa: E402

from tests.reports.chromium import PROGRAM, Tab, browser  # noqa: E402

WRONG = (
    "checkpoint_torn",
    "effect_twice_after_timeout",
    "mode_set_after_the_rename",
    "key_of_the_moment",
    "lock_left_on_error",
    "log_dropped_before_undo",
    "pointer_before_content",
    "new_key_for_each_attempt",
    "row_without_file",
    "rows_replaced_without_transaction",
    "staging_folder_left",
)
MENDED = ("lock_left_on_error", "right_lock_of_a_dead_process")
HEAD = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
import pytest
from tests.test_mutants import agent
"""
TEST = """

@pytest.mark.chaos
def test_{name}(chaos, tmp_path):
    (folder := tmp_path / "it").mkdir()
    agent("{agent}").explore(chaos, folder)
"""
FAULTS = "process.kill,http.timeout,http.server_error,storage.io_error"
ALLURE = next(ROOT.glob(".allure/*/node_modules/.bin/allure"), None)  # where `make report` installed it
_COMES = """(text => new Promise(done => {
  const began = performance.now();
  const look = () => {
    if (document.body.innerText.toLowerCase().includes(text.toLowerCase())) done(true);
    else if (performance.now() - began > 60000) done(false);
    else setTimeout(look, 200);
  };
  look();
}))"""
_CLICK = """(text => {
  const leaves = [...document.querySelectorAll("*")].filter(one => !one.children.length);
  const one = leaves.findLast(leaf => leaf.textContent.trim() === text);
  one?.click();
  return !!one;
})"""
SIZES = {"wide": (1400, 1000), "narrow": (400, 900)}


def main() -> int:
    """Run, write, look; prints what is wrong."""
    folder = Path(sys.argv[1] if sys.argv[1:] else "red-run").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    wrong = []
    for number in (1, 2, 3):
        run(folder, number)
        if ALLURE is not None:
            generated = [str(ALLURE), "generate", "--config", str(ROOT / "reports" / "allurerc.mjs")]
            generated += ["--output", "allure-report", "allure-results"]
            subprocess.run(generated, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    if PROGRAM is None:
        print("no Chromium is installed here: nothing is looked at")
        return 0
    with browser() as tab:
        wrong += [*look_at_page(tab, folder)]
        wrong += [*look_at_allure(tab, folder)] if ALLURE is not None else []
    print("\n".join(wrong) or f"all is there; the pictures are in {folder / 'pictures'}")
    return min(len(wrong), 1)


def run(folder: Path, number: int) -> None:
    """Explore all agents; from the second run on compared with the run before."""
    agents = {name: f"wrong_{name}" for name in WRONG} | (dict([MENDED]) if number == 3 else {})
    tests = "".join(TEST.format(name=name, agent=agent) for name, agent in agents.items())
    (folder / "test_agents.py").write_text(HEAD + tests, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    words = ["--chaos", f"--chaos-faults={FAULTS}", f"--chaos-json={number}.json", f"--chaos-html={number}.html", "-q"]
    words += ["--alluredir=allure-results", "--clean-alluredir", "-p", "no:cacheprovider"]
    words += [f"--chaos-baseline={number - 1}.json"] if number > 1 else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    (folder / f"{number}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    print(f"run {number}: {done.stdout.splitlines()[-1]}", flush=True)


def found(folder: Path, number: int) -> list[dict[str, Any]]:
    """Return the findings of a run."""
    report = json.loads((folder / f"{number}.json").read_text(encoding="utf-8"))
    return [violation for one in report["explorations"] for violation in one["violations"]]


def look_at_page(tab: Tab, folder: Path) -> Iterator[str]:
    """Keep pictures of the first screen and of a finding, light, dark and narrow, and of the third run."""
    for name, (width, height) in SIZES.items():
        for dark in (False, True):
            tab.open(folder / "1.html", width=width, height=height, dark=dark)
            kind = f"{name}-{'dark' if dark else 'light'}"
            tab.picture(folder / "pictures" / f"page-{kind}.png")
            tab.picture(folder / "pictures" / f"page-finding-{kind}.png", "article")
            if tab.run("document.documentElement.scrollWidth > innerWidth"):
                yield f"the page is wider than {width} pixels"
    for number in (1, 2, 3):
        tab.open(folder / f"{number}.html", width=1400, height=1000)
        tab.picture(folder / "pictures" / f"page-run-{number}.png")
        shown, wanted = tab.run("document.querySelectorAll('article').length"), len(found(folder, number))
        if shown != wanted or not wanted:
            yield f"run {number}: the page shows {shown} findings of {wanted}"
        if len(tab.requests) != 1 or tab.errors:
            yield f"run {number}: the page asks for {tab.requests[1:]}, {tab.errors}"


def look_at_allure(tab: Tab, folder: Path) -> Iterator[str]:
    """Keep pictures of the overview, the list, a finding with its history, and a narrow one."""
    page = folder / "allure-report" / "index.html"
    cured([str(page)])
    title = found(folder, 3)[0]["title"]
    for name, (width, height) in SIZES.items():
        tab.open(page, width=width, height=height)
        if not tab.run(f"{_COMES}({json.dumps(title.split()[0])})"):
            yield f"Allure's report does not show its rows, {name}"
        tab.picture(folder / "pictures" / f"allure-{name}.png")
        clicked = tab.run(f"{_CLICK}({json.dumps(title)})")
        if not clicked or not tab.run(f"{_COMES}({json.dumps('breaks: ')})"):
            yield f"Allure's report does not show the finding {title!r}, {name}"
        tab.picture(folder / "pictures" / f"allure-finding-{name}.png")
    others = [url for url in tab.requests[1:] if not url.startswith(("data:", "blob:"))]
    if others:
        yield f"Allure's report asks for {others}"


if __name__ == "__main__":
    sys.exit(main())
