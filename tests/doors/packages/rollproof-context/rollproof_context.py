"""A fault with an answer of its own: a model's context overflows."""

from collections.abc import Iterable, Iterator

from rollproof import Action, Effect, Fault, Respond, fault


@fault("llm.context_overflow", at="llm", lasting=True)
def context_overflow(effect: Effect) -> Iterator[Action]:
    """The prompt is longer than the model's context, and the provider refuses it in its own words."""
    if effect.request is None:
        return
    tokens = len(effect.request.body) // 4
    if effect.request.host == "api.anthropic.com":
        yield Respond(400, reason=f"prompt is too long: {tokens} tokens > {tokens - 1} maximum")
    else:
        message = (
            f"This model's maximum context length is {tokens - 1} tokens. Your messages resulted in {tokens} tokens."
        )
        error = {"type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}
        yield Respond(400, body={"error": {"message": message, **error}})


def pytest_chaos_faults() -> Iterable[Fault]:
    """Let Rollproof try it."""
    return [context_overflow]
