"""Build once in the parent the schemas that SDKs of model providers build at their first answer.

Only what the agent has loaded is asked, through a transport that answers by itself: 60 to 120 ms that each child saves.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..adapters import model_sdks as adapter

_SAID = {"role": "assistant", "content": "x"}
_CALL = {"id": "x", "type": "function", "function": {"name": "x", "arguments": "{}"}}
_CHAT = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "x",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {**_SAID, "annotations": [], "tool_calls": [_CALL]}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    "service_tier": "default",
}
_DELTA = {"index": 0, "finish_reason": "stop", "delta": {**_SAID, "tool_calls": [{"index": 0, **_CALL}]}}
_CHUNK = {**_CHAT, "object": "chat.completion.chunk", "choices": [_DELTA]}
_PART = {"type": "output_text", "text": "x", "annotations": []}
_OUTPUT = [
    {"type": "message", "id": "x", "role": "assistant", "status": "completed", "content": [_PART]},
    {"type": "function_call", "id": "x", "call_id": "x", "name": "x", "arguments": "{}", "status": "completed"},
]
_RESPONSE = {
    "id": "x",
    "object": "response",
    "created_at": 0,
    "model": "x",
    "output": _OUTPUT,
    "status": "completed",
    "metadata": {},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "truncation": "disabled",
    "usage": {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    },
}
_COMPLETED = {"type": "response.completed", "sequence_number": 0, "response": _RESPONSE}
_MESSAGE = {
    "id": "x",
    "type": "message",
    "role": "assistant",
    "model": "x",
    "content": [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "x", "name": "x", "input": {}}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 0, "service_tier": "standard"},
}
_STARTED = {"type": "message_start", "message": _MESSAGE}
_ASKED: Any = [{"role": "user", "content": "x"}]
_warm: dict[str, ModuleType] = {}


def warm() -> None:
    """Ask each API that was loaded since the last call, once whole and once streamed.

    What goes wrong stays for the child to do.
    """
    asked: Mapping[str, Callable[[], None]] = {
        "openai.resources.chat.completions": lambda: _ask("openai", "OpenAI", _chat, _CHAT, _CHUNK),
        "openai.resources.responses": lambda: _ask("openai", "OpenAI", _responses, _RESPONSE, _COMPLETED),
        "anthropic.resources.messages": lambda: _ask("anthropic", "Anthropic", _messages, _MESSAGE, _STARTED),
    }
    before = logging.root.manager.disable
    logging.disable()  # what the clients log of these requests is not the agent's
    try:
        for name, ask in asked.items():
            module = sys.modules.get(name)
            if module is not None and _warm.get(name) is not module:
                _warm[name] = module
                with contextlib.suppress(Exception):
                    ask()
    finally:
        logging.disable(before)


def _ask(sdk: str, client: str, call: Callable[[Any, bool], Any], answer: Any, event: Mapping[str, Any]) -> None:
    http: Any = adapter.http_library(sdk)
    name = f"event: {event['type']}\n" if "type" in event else ""
    bodies = {
        False: ("application/json", json.dumps(answer)),
        True: ("text/event-stream", f"{name}data: {json.dumps(event)}\n\n"),
    }

    def respond(request: Any) -> Any:
        kind, body = bodies[bool(json.loads(request.content).get("stream"))]
        return http.Response(200, headers={"content-type": kind}, content=body.encode())

    with http.Client(transport=http.MockTransport(respond)) as http_client:
        provider = getattr(sys.modules[sdk], client)(api_key="x", base_url="http://localhost", http_client=http_client)
        call(provider, False)
        list(call(provider, True))


def _chat(client: Any, stream: bool) -> Any:
    return client.chat.completions.create(model="x", messages=_ASKED, stream=stream)


def _responses(client: Any, stream: bool) -> Any:
    return client.responses.create(model="x", input=_ASKED, stream=stream)


def _messages(client: Any, stream: bool) -> Any:
    return client.messages.create(model="x", max_tokens=1, messages=_ASKED, stream=stream)
