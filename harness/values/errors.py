"""The errors by which the harness refuses misuse, and a helper that names the nearest right words."""

from collections.abc import Callable, Iterable

_SHOWN = 160


class ChaosError(Exception):
    """A misuse or a limit of the harness, never a fault of the agent.

    Args:
        code: stable, kebab-case name of the case, e.g. ``"unknown-fault"``.
        message: what was wrong, with the bad value.
        hint: what to type instead; may be empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def add_to_hint(self, lines: Iterable[str]) -> None:
        """Say more behind the hint, a line each."""
        self.hint = "\n".join(filter(None, (self.hint, *lines)))

    def clean(self, clean: Callable[[str], str]) -> None:
        """Take secrets of the agent's out of its texts."""
        self.message, self.hint = clean(self.message), clean(self.hint)
        self.args = (self.code, self.message, self.hint)

    def __str__(self) -> str:
        first, *rest = [*self.message.splitlines(), *self.hint.splitlines()]
        return "\n".join([f"chaos: {first}", *(f"       {line}" for line in rest), f"       [{self.code}]"])


def shown(value: object) -> str:
    """Return a bad value as it is shown: as one would write it in Python, the middle of a long one left out."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        text = f"this {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 4 :]} ({len(text)} characters)"


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` known names that look like `name`, best first; the first few where none does."""
    from difflib import get_close_matches  # here: loading the plugin loads this module

    names = sorted(known)
    tail = name.rsplit(".", 1)[-1]
    by_tail = [n for n in names if get_close_matches(tail, [n.rsplit(".", 1)[-1]], 1, 0.75)]
    close = get_close_matches(name, names, count, 0.5)
    found = dict.fromkeys([*close[:1], *by_tail, *close])
    return list(found)[:count] or names[:count]


def unknown_fault(name: str, known: Iterable[str], option: str) -> ChaosError:
    """Return the error for a fault that nobody installed."""
    near = ", ".join(nearest(name, known))
    hint = f"nearest: {near}\nall of them: pytest --chaos-list"
    return ChaosError("unknown-fault", f"no fault matches {shown(name)} ({option})", hint)


def no_twin(did: str, host: str, who: str = "agent") -> ChaosError:
    """Return the error for a request to a host that nobody declared; `did` says how, e.g. ``calls GET …``."""
    name = host if host.count(":") > 1 else host.partition(":")[0]
    return ChaosError(
        "no-twin",
        f"the {who} {did}, and {host} has no twin",
        f'declare it: chaos.api("https://{host}"), chaos.llm(…, base_url=…), chaos.mailbox("{name}")\n'
        "a server that the test runs: chaos.network(name, upstream); a twin on a real port: chaos.serve(twin)\n"
        f'the real host: chaos.allow_network("{name}")',
    )


def exits_well(problem: BaseException) -> bool:
    """Return whether this is ``sys.exit()`` or ``sys.exit(0)``: how a program ends that has done its work."""
    return isinstance(problem, SystemExit) and problem.code in (None, 0)


def unseen_client(host: str, line: str) -> ChaosError:
    """Return the error for a client that no twin can answer, as it passes none of the places where they stand."""
    at = f" ({line})" if line else ""
    return ChaosError(
        "unseen-client",
        f"{host} has a twin, but this client is not seen by Rollproof{at}: it was kept from the real host",
        "let the twin be reached on a real port: chaos.serve(twin), and point the agent to its .url",
    )


def no_websocket(host: str, line: str) -> ChaosError:
    """Return the error for a websocket to the host of a twin."""
    at = f" ({line})" if line else ""
    return ChaosError(
        "unseen-client",
        f"{host} has a twin, which takes requests and no websockets{at}: it was kept from the real host",
        "let the test run a server that speaks it, and put a relay before that: chaos.network(name, upstream)\n"
        "the twin's own part on a real port: chaos.serve(twin), and point the agent to its .url",
    )


class Permitted(Exception):
    """A request to a host that has no twin and is permitted: the network answers it."""
