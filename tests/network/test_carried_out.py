"""What relays and twins on real ports say they can carry out is carried out; the others are in ``tests/boundary``."""

import urllib.request
from collections.abc import Iterable
from functools import partial

import pytest
from rollproof.chaos import Chaos
from rollproof.values.actions import Action, Disturb, Fail, Kill, Misanswer, Respond, Say
from rollproof.values.exploration import Exploration
from rollproof.values.faults import Fault
from rollproof.values.legality import check_fault
from rollproof.values.media import medium_of
from rollproof.values.network import Network
from rollproof.values.points import Effect, Phase

from ..exploring import options

SAMPLES: dict[type[Action], Action] = {
    Kill: Kill(),
    Fail: Fail(KeyboardInterrupt()),
    Disturb: Disturb("reset"),
    Respond: Respond(503),
}
AT_CONNECT: dict[type[Action], Action] = {Disturb: Disturb("refused"), Fail: Fail(OSError("no network"))}
VERBS = (("net", "connect"), ("net", "exchange"), ("served", "post"))
ELSEWHERE = {("served", Say), ("served", Misanswer)}
"""Of models and of servers of tools on real ports: ``test_clients.py``, ``test_tool_servers.py``."""


def posts(network: Network) -> None:
    """Ask for one mail; a refusal is an error of the run."""
    request = urllib.request.Request(f"{network.url}/mails", b'{"to": "ann"}', {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer.read()


def does(action: Action, effect: Effect) -> Iterable[Action]:
    """Do just this."""
    return [action]


def faults() -> dict[str, Fault]:
    """Return a fault for each action at each phase that these media say they can carry out."""
    found = {}
    for kind, verb in VERBS:
        for when in medium_of(kind).verbs[verb]:
            for action in medium_of(kind).actions_at(verb, when):
                action = AT_CONNECT.get(action, SAMPLES[action]) if verb == "connect" else SAMPLES[action]
                if (verb, when) != ("connect", "after"):  # a server that greets: nobody does here
                    found.update([_declared(kind, verb, when, action)])
    return found


def _declared(kind: str, verb: str, when: Phase, action: Action) -> tuple[str, Fault]:
    name = f"{kind}.{verb}_{when}_{type(action).__name__.lower()}"
    return name, Fault(name, (f"{kind}.{verb}",), (when,), True, False, partial(does, action), "It does.")


def test_what_relays_and_servers_can_do_is_done() -> None:
    """One exploration tries each of them; whoever carries it out says so, or it would be an error."""
    own = faults()
    for fault in own.values():
        check_fault(fault)
    declared = {(kind, ability.action) for kind, _ in VERBS for ability in medium_of(kind).abilities} - ELSEWHERE
    assert {
        (fault.at[0].partition(".")[0], type(action)) for fault in own.values() for action in _of(fault)
    } == declared
    found: list[Exploration] = []
    chosen = options(faults=tuple(own.values()), known={**options().known, **own})
    chaos = Chaos(chosen, "test_it", found.append)
    network = chaos.serve(chaos.api("https://api.mail.test"))
    try:
        chaos.explore(run=lambda: posts(network), errors="handled", retry=False)
    except pytest.fail.Exception:
        assert found, "the test failed before anything was explored"
    finally:
        chaos.close()
    assert found[0].errors == ()
    assert found[0].drifted == ()
    assert {cell.fault for cell in found[0].cells} == own.keys()


def _of(fault: Fault) -> Iterable[Action]:
    return fault.actions.args  # type: ignore[attr-defined,no-any-return]  # of the partial
