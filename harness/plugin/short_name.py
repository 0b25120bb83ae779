"""The fixture ``chaos``: a plugin of its own, which is left out where another plugin has a fixture of that name."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..chaos import Chaos


@pytest.fixture
def chaos(rollproof: "Chaos") -> "Chaos":
    """The object by which a test declares and explores."""
    return rollproof
