"""The words that were typed after the name of a command."""

import argparse
from typing import NoReturn

from ..values.errors import ChaosError

FAILED, USAGE = 1, 4
"""Exit codes, which are pytest's own: something is broken, and wrong usage."""


class Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong as all of Rollproof does; `argparse` would end with a code of its own."""

    def error(self, message: str) -> NoReturn:
        """Raise ChaosError ``bad-usage``."""
        raise ChaosError("bad-usage", f"{self.prog}: {message}", self.format_usage().strip())
