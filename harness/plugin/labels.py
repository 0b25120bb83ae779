"""The labels of a test in a report, as its marks have them."""

import sys
from collections.abc import Iterator

import pytest

_MARKED = ("epic", "feature", "story")


def of_item(item: pytest.Item) -> tuple[tuple[str, str], ...]:
    """Return epic, feature and story of the mark ``chaos``, before what marks of allure-pytest say."""
    marks = [mark for name in ("chaos", "rollproof") if (mark := item.get_closest_marker(name))]
    marked = {key: str(mark.kwargs[key]) for mark in marks for key in _MARKED if mark.kwargs.get(key)}
    return (*marked.items(), *(label for label in _of_allure(item) if label[0] not in marked))


def _of_allure(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """Yield the labels of Allure's own marks, where its plugin is there; its other marks say nothing of a finding."""
    allure = sys.modules.get("allure_pytest.utils")
    for name, text in sorted(allure.allure_labels(item)) if allure is not None else ():
        yield str(name), str(text)
