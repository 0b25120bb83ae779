"""Ready-made twins of the tests are declared as a test declares them, and answer its own requests."""

from typing import Any

import pytest
from rollproof.chaos import Chaos

from tests.exploring import options


@pytest.fixture
def declared() -> Any:
    """Return `chaos.twin` of an ordinary run: what it makes answers the clients of this process."""
    return Chaos(options(active=False), "test_it").twin
