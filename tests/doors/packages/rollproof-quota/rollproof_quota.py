"""A fault with an answer of its own: the account has no credit left."""

from collections.abc import Iterable, Iterator

from rollproof import Action, Effect, Fault, Respond, fault


@fault("llm.quota_used_up", at="llm", lasting=True)
def quota_used_up(effect: Effect) -> Iterator[Action]:
    """The account has no credit left, and the provider refuses the request in its own words."""
    if effect.request is None:
        return
    message = "Your credit balance is too low to access this model. Please go to Plans & Billing to purchase credits."
    if effect.request.host == "api.anthropic.com":
        yield Respond(400, reason=message)
    else:
        error = {"type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
        yield Respond(429, body={"error": {"message": message, **error}})


def pytest_chaos_faults() -> Iterable[Fault]:
    """Let Rollproof try it."""
    return [quota_used_up]
