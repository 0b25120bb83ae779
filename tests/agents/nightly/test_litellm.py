"""LiteLLM, whose async calls go over aiohttp unless it is told otherwise, is seen: whole answers and streams."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ...exploring import replayed

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its documented way not to fetch prices when it is imported
litellm: Any = pytest.importorskip("litellm")
QUESTION: dict[str, Any] = {"model": "openai/gpt-5", "messages": [{"role": "user", "content": "Say hi"}]}


async def _ask(shared: Path) -> list[str]:
    answer = await litellm.acompletion(**QUESTION)
    streamed = [
        part.choices[0].delta.content or "" async for part in await litellm.acompletion(**QUESTION, stream=True)
    ]
    said = [answer.choices[0].message.content, "".join(streamed)]
    (shared / "said").write_text("\n".join(said))
    return said


def _explore(chaos: Any, folder: Path) -> None:
    chaos.watch(folder)
    chaos.llm({"Say hi": "hi to all of you"})
    chaos.explore(run=lambda: _ask(folder), retry=False)


@pytest.mark.parametrize(
    "token", ["llm.timeout@llm.chat:api.openai.com#1:after", "llm.cut_stream@llm.chat:api.openai.com#2:after"]
)
def test_it_is_seen_over_aiohttp(token: str, tmp_path: Path) -> None:
    """Both requests are points; a fault is its own error, or is tried again, and the file is whole or not there."""
    assert not litellm.disable_aiohttp_transport
    result = replayed(SimpleNamespace(explore=_explore), tmp_path / "it", token)
    assert result.result == ["hi to all of you"] * 2
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
