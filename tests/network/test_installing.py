"""``make toxiproxy`` installs the real server once, where Go is there, and is no obstacle where it is not."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GO = """#!/bin/sh
echo "$@" >> go.log
test "$1" = install && echo '#!/bin/sh' > "$GOBIN/server"
"""


def make(folder: Path, path: str) -> "subprocess.CompletedProcess[str]":
    """Run the target in a folder of its own, with nothing on PATH but this."""
    tool = shutil.which("make")
    if tool is None:
        pytest.skip("make is not here")
    command = [tool, "-f", str(ROOT / "Makefile"), "-C", str(folder), "toxiproxy", f"PATH={path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def tools(folder: Path) -> Path:
    """Return a folder that holds the few commands the target uses besides Go."""
    (folder / "tools").mkdir()
    for name in ("sh", "mv", "test"):
        (folder / "tools" / name).symlink_to(str(shutil.which(name)))
    return folder / "tools"


def test_without_go_it_says_so_and_goes_on(tmp_path: Path) -> None:
    """No error, no folder, a sentence."""
    made = make(tmp_path, str(tools(tmp_path)))
    assert (made.returncode, made.stderr) == (0, "")
    assert "Go is not here" in made.stdout
    assert not (tmp_path / ".toxiproxy").exists()


def test_with_go_it_installs_the_pinned_version_once(tmp_path: Path) -> None:
    """The second time nothing is done. (Go itself is a script here: the real one needs the network.)"""
    path = tools(tmp_path)
    (tmp_path / ".toxiproxy" / "bin").mkdir(parents=True)
    (path / "go").write_text(GO)
    (path / "go").chmod(0o755)
    for _ in range(2):
        made = make(tmp_path, str(path))
        (tmp_path / ".toxiproxy" / "bin" / "toxiproxy-server").chmod(0o755)
        assert made.returncode == 0, made.stderr
    assert (tmp_path / "go.log").read_text() == "install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0\n"
