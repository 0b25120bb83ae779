"""``--chaos-replay=TOKEN --pdb``: a person looks at the agent when the fault comes, and goes on step by step."""

import sys

import pytest

from .projects import write_test

AGENT = """
chaos.watch(shared)
def run():
    number = 3
    for name in ("a", "b"):
        try:
            os.mkdir(shared / name)
        except OSError as problem:
            number += 1
    return number
chaos.explore(run=run, recover=lambda: None)
"""


def test_a_replay_stops_at_its_fault(pytester: pytest.Pytester) -> None:
    """The debugger shows the agent's frames alone, steps over the fault into its handler, and lets the replay end."""
    write_test(pytester, AGENT)
    token = "storage.full@file.mkdir:shared/a#1:before"
    command = [sys.executable, "-m", "pytest", "--chaos", f"--chaos-replay={token}", "--pdb", "-p", "no:cacheprovider"]
    typed = b"p number * 14\nwhere\nnext\nnext\nnext\nnext\np number * 21\nquit\nquit\n"
    output = pytester.run(*command, stdin=typed).stdout.str()
    first, _, rest = output.partition("[chaos] the fault comes now: storage.full before the file mkdir of shared/a")
    assert "(Pdb)" not in first
    assert output.count("[chaos] values are real here, secrets included") == 1
    assert "\n(Pdb) 42\n" in rest
    assert "os.mkdir(shared / name)" in rest
    assert "_pytest" not in rest.partition("No space left")[0]
    assert "(Pdb) 84\n" in rest, output
    assert f"replayed {token}: 1 violation" in rest


TWICE = """
import httpx
chaos.api("https://mail.test")
def run():
    for attempt in (1, 2):
        try:
            return httpx.post("https://mail.test/mails", json={"to": "ada"}).status_code
        except httpx.TimeoutException:
            pass
chaos.explore(run=run, recover=lambda: None)
"""


def test_it_stops_at_the_first_wrong_effect_too(pytester: pytest.Pytester) -> None:
    """What goes wrong first is known from a replay before; the debugger stops where the second mail would go out."""
    write_test(pytester, TWICE)
    token = "http.timeout@http.post:mail.test/mails#1:after"
    command = [sys.executable, "-m", "pytest", "--chaos", f"--chaos-replay={token}", "--pdb", "-p", "no:cacheprovider"]
    output = pytester.run(*command, stdin=b"p attempt\ncontinue\np attempt * 100\nquit\nquit\n").stdout.str()
    _, _, rest = output.partition("the first wrong effect (repeated) comes now: http.post:mail.test/mails#2")
    assert "(Pdb) 200\n" in rest, output
