"""The statement of a place: its text in one line, of a block its head, and no comment."""

from pathlib import Path

import pytest
from rollproof.engine.sites import statement
from rollproof.values.places import Frame

SOURCE = '''\
import os

@decorated
def send(
    url,  # where to
    body="# no comment",
):
    """Send."""
    post(  # a comment
        url,
        json=body,
    ).check()
    with open(url) as file, \\
            open(body) as other:
        file.write("x"); other.write("y")
    if body: post(url)
    try:
        match body:
            case "a" | "b":
                pass
    except ValueError as error:  # what then
        raise error
    return [
        post(part)
        for part in url
    ]
'''
LINES = {
    10: "post( url, json=body, ).check()",
    13: "with open(url) as file, \\\\ open(body) as other:",
    14: "with open(url) as file, \\\\ open(body) as other:",
    15: 'file.write("x"); other.write("y")',
    16: "if body: post(url)",
    18: "match body:",
    21: "except ValueError as error:",
    22: "raise error",
    24: "return [ post(part) for part in url ]",
    4: 'def send( url, body="# no comment", ):',
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_belongs_to_its_innermost_statement(tmp_path: Path, line: int) -> None:
    """However many lines it has."""
    file = tmp_path / "agent.py"
    file.write_text(SOURCE)
    assert statement(Frame(str(file), line, "send")) == LINES[line].replace("\\\\", "\\")


def test_what_has_no_source_has_no_statement(tmp_path: Path) -> None:
    """Nor has a line that is not there; of a file that is no Python the line is shown."""
    assert statement(Frame(str(tmp_path / "gone.py"), 3, "f")) == ""
    (tmp_path / "broken.py").write_text("def (:\n    a = 1\n")
    assert statement(Frame(str(tmp_path / "broken.py"), 2, "f")) == "a = 1"
    assert statement(Frame(str(tmp_path / "broken.py"), 9, "f")) == ""
