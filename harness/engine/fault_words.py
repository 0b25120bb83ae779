"""The words for a fault that fired: one sentence for each action, for its step in a story."""

from collections.abc import Callable

from ..values.actions import (
    DELIVERIES,
    Action,
    Damage,
    Deliver,
    Disconnect,
    Disturb,
    Exit,
    Fail,
    Kill,
    Misanswer,
    Preempt,
    Respond,
    Say,
)
from ..values.points import Phase
from ..values.schedule import Injection

_SHOWN = 300
_LOST = {
    "refused": ("the connection is refused", "the connection is gone after the service had acted"),
    "timeout": ("no answer comes, and the service has not acted", "the answer is lost after the service had acted"),
    "reset": (
        "the connection is reset, and the service has not acted",
        "the connection is reset after the service had acted",
    ),
}
_DISTURBED = {
    "refused": "the connection is refused",
    "reset": "the connection is reset",
    "closed": "the connection is closed",
    "silent": "nothing comes through any more",
    "slow": "what goes through comes late",
    "trickled": "what goes through comes a few bytes at a time",
}
_AT = {"before": "before it is done", "middle": "in the middle of it", "after": "after it is done"}


def _kill(action: Kill, when: Phase) -> str:
    reused = ", and another program gets its pid" if action.pid_reused else ""
    return f"the process is killed {_AT[when]}{reused}"


def _fail(action: Fail, when: Phase) -> str:
    if isinstance(action.error, KeyboardInterrupt):
        return f"Ctrl-C {_AT[when]}"
    fails = {"before": "it fails and does nothing", "middle": "it fails half-way", "after": "it is done, and fails"}
    return fails[when]


def _disconnect(action: Disconnect, when: Phase) -> str:
    return _LOST[action.reason][when == "after"]


def _respond(action: Respond, when: Phase) -> str:
    return f"the service answers {action.status} and does not act"


def _say(action: Say, when: Phase) -> str:
    return f"the model says something else: {str(action.answer)[:_SHOWN]}"


def _exit(action: Exit, when: Phase) -> str:
    how = f"signal {-action.code}" if action.code < 0 else f"exit code {action.code}"
    return f"the program ends with {how} {'before' if when == 'before' else 'after'} it has acted"


def _deliver(action: Deliver, when: Phase) -> str:
    if action.refuses:
        what = {"recipient": "one recipient", "recipients": "all recipients", "content": "the mail"}[action.refuses]
        return f"the server refuses {what}: {action.reply}"
    times = {0: "does not deliver the mail", 1: "delivers the mail"}.get(
        action.copies, f"delivers the mail {action.copies} times"
    )
    return f"the server {times}" + (" and hangs up without an answer" if action.hangs_up else "")


def _misanswer(action: Misanswer, when: Phase) -> str:
    return DELIVERIES.get(action.how, f"the service answers wrongly: {action.how}")


def _disturb(action: Disturb, when: Phase) -> str:
    sent = {"before": "before the service has got anything", "middle": "in the middle of the request"}
    return f"{_DISTURBED[action.how]} {sent.get(when, 'while the service answers')}"


def _damage(action: Damage, when: Phase) -> str:
    return "a byte of what is read is another one" if action.how == "flipped" else "what is read ends early"


_WORDS: dict[type, Callable[..., str]] = {
    Kill: _kill,
    Fail: _fail,
    Disconnect: _disconnect,
    Respond: _respond,
    Say: _say,
    Exit: _exit,
    Deliver: _deliver,
    Misanswer: _misanswer,
    Disturb: _disturb,
    Damage: _damage,
}


def fault_told(injection: Injection, action: Action, met: str) -> str:
    """Return the words of an injection, with the error that it raised.

    `met` says how the effect went for the agent: ``raises ReadTimeout``; "" if that is not known.

    What a model said is in `action` as it was said in this process.
    """
    if isinstance(action, Preempt):
        return injection.describe().partition(": ")[2]
    told = _WORDS[type(action)](action, injection.when)
    raised = met.removeprefix("raises ") if met.startswith("raises ") else ""
    if isinstance(action, Fail):
        raised = f"{type(action.error).__name__}: {action.error}".removesuffix(": ")
    again = ", and again until the process ends" if injection.lasting else ""
    return f"{told}{again}" + (f": {raised}" if raised else "")
