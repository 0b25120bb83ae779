"""Report files carry a timestamp and a uuid in their names and in their text; a manifest says which of them count.

A naive harness accuses it: no two runs leave the same names or bytes. Recovery removes drafts and reports not listed.
"""

import json
import os
import uuid
from datetime import UTC, datetime

READINGS = {"roof": 412, "garage": 97}


def replace(path, text):
    """Replace a file as a whole by way of a name that nobody else has."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with open(draft, "x") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def listed(shared):
    """Return the manifest's entries."""
    return json.loads((shared / "manifest.json").read_text())["reports"]


async def write_report(shared):
    """Write the report under its random name, then list it: the manifest is the commit."""
    now, run_id = datetime.now(UTC), uuid.uuid4()
    name = f"report-{now:%Y%m%dT%H%M%S%f}-{run_id.hex[:8]}.md"
    lines = [f"- {place}: {watts} W" for place, watts in READINGS.items()]
    replace(
        shared / name,
        "\n".join([f"Run {run_id}", f"Generated at {now.isoformat(timespec='microseconds')}", "", *lines, ""]),
    )
    entry = {
        "file": name,
        "run": str(run_id),
        "generated_at": now.isoformat(timespec="microseconds"),
        "total": sum(READINGS.values()),
    }
    replace(shared / "manifest.json", json.dumps({"reports": [*listed(shared), entry]}, indent=1))
    return {"status": "published", "file": name}


async def clean_up(shared):
    """Remove stale drafts, and reports whose run died before they were listed."""
    for draft in shared.glob(".*.tmp"):
        draft.unlink(missing_ok=True)
    known = {entry["file"] for entry in listed(shared)}
    for report in shared.glob("report-*.md"):
        if report.name not in known:
            report.unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """One watched folder with the report of an earlier day."""
    shared = tmp_path / "shared"
    shared.mkdir()
    name = "report-20190301T060000000000-0a1b2c3d.md"
    (shared / name).write_text("Run 0a1b2c3d\n\n- roof: 388 W\n")
    (shared / "manifest.json").write_text(json.dumps({"reports": [{"file": name, "total": 388}]}, indent=1))
    chaos.watch(shared)
    chaos.explore(run=lambda: write_report(shared), recover=lambda: clean_up(shared))
