"""Limits of a provider, as each of them says it: its context, its load, its filter.

Wordings: OpenAI's, chathub-dev/chathub#126 (chat completions) and dyad-sh/dyad#1672 (responses); Gemini's,
google-gemini/gemini-cli#4231; Azure's filter, openai/openai-dotnet#55; Anthropic's statuses, its page on errors. That a
model is overloaded is 503 at OpenAI and Gemini, which is ``llm.unavailable``.
"""

from collections.abc import Iterator
from dataclasses import replace

from rollproof.values.actions import Action, Respond, Say
from rollproof.values.faults import fault
from rollproof.values.http import HttpRequest, ModelAnswer
from rollproof.values.points import Effect

from .documents import beginnings

_CHATS = ("llm.chat", "served.chat")
_CHAT = (
    "This model's maximum context length is {most} tokens. However, your messages resulted in {tokens} tokens. Please "
    "reduce the length of the messages."
)
_RESPONSES = "Your input exceeds the context window of this model. Please adjust your input and try again."
_FILTERED = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify "
    "your prompt and retry. To learn more about our content filtering policies please read our documentation: "
    "https://go.microsoft.com/fwlink/?linkid=2198766"
)


@fault(
    "llm.context_overflow",
    at=_CHATS,
    lasting=True,
    told="the model refused {call}, which was longer than its context (400)",
)
def context_overflow(effect: Effect) -> Iterator[Action]:
    """The request is longer than the model's context, and the provider refuses it in its own words (400)."""
    request = effect.request
    if request is None:
        return
    tokens = 1 + len(request.body) // 4
    most = tokens - 1
    if _is_anthropic(request):
        yield Respond(400, reason=f"prompt is too long: {tokens} tokens > {most} maximum")
    elif "GenerateContent" in request.path or ":generateContent" in request.path:
        reason = f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({most})."
        yield Respond(400, reason=reason)
    else:
        responses = request.path.endswith("/responses")
        message = _RESPONSES if responses else _CHAT.format(most=most, tokens=tokens)
        told = {"type": "invalid_request_error", "param": "input" if responses else "messages"}
        yield Respond(400, body={"error": {"message": message, **told, "code": "context_length_exceeded"}})


@fault(
    "llm.overloaded",
    at=_CHATS,
    lasting=True,
    told="the model was overloaded and answered {call} with 529",
)
def overloaded(effect: Effect) -> Iterator[Action]:
    """Anthropic's model is overloaded (529); what OpenAI and Gemini say then is 503, ``llm.unavailable``."""
    if effect.request is not None and _is_anthropic(effect.request):
        yield Respond(529)


@fault(
    "llm.content_filter",
    at=_CHATS,
    when=("before", "after"),
    lasting=True,
    told={
        "before": "the provider's content filter refused {call} (400)",
        "after": "the provider's content filter stopped the model's answer",
    },
)
def content_filter(effect: Effect) -> Iterator[Action]:
    """The provider's content filter stops an answer half-way and says so; Azure's may also refuse the request (400)."""
    if effect.when == "before":
        if effect.request is not None and effect.request.hostname.endswith(".azure.com"):
            inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"violence": {"filtered": True}}}
            error = {"message": _FILTERED, "type": None, "param": "prompt", "code": "content_filter", "status": 400}
            yield Respond(400, body={"error": {**error, "innererror": inner}})
    elif isinstance(effect.answer, ModelAnswer):
        begun = next(beginnings(effect.answer), effect.answer)
        yield Say(replace(begun, finish_reason="content_filter"))


def _is_anthropic(request: HttpRequest) -> bool:
    return request.path.endswith("/messages")
