"""What happens to the agent's process as a whole."""

from collections.abc import Iterator

from rollproof.values.faults import fault
from rollproof.values.points import Effect
from rollproof.values.strikes import Kill, Strike


@fault("process.kill", at="*", when=("before", "middle", "after"))
def kill(effect: Effect) -> Iterator[Strike]:
    """The process dies by SIGKILL, before, in the middle of, or after an effect."""
    yield Kill()
