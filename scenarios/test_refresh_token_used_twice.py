"""An agent signs in with a refresh token that is good once. Where the answer is lost the token is used up all the same:
the agent hands that over to a person, once, and does not try it for ever.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from rollproof import Chaos, World

AUTH, SHOP = "https://auth.test", "https://api.shop.test"
CLIENT = ("agent", "secret-of-this-agent-5b1c07")
NOTE = "sign-in-needed.txt"


class SignInNeeded(Exception):
    """The refresh token is used up, and only a person can give another one."""


def save(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    draft = path.with_suffix(".tmp")
    draft.write_text(text)
    draft.replace(path)


def sign_in(own: Path) -> str:
    """Exchange the refresh token, store the next one before anything else is done, and return an access token."""
    stored = own / "refresh-token"
    stored.with_suffix(".tmp").unlink(missing_ok=True)
    form = {"grant_type": "refresh_token", "refresh_token": stored.read_text()}
    answer = httpx.post(f"{AUTH}/token", data=form, auth=CLIENT)
    if answer.status_code == 400 and answer.json()["error"] == "invalid_grant":
        raise SignInNeeded
    tokens = answer.raise_for_status().json()
    save(stored, tokens["refresh_token"])
    return str(tokens["access_token"])


def hand_over(shared: Path) -> str:
    """Tell a person; who signs in takes the note away."""
    save(shared / NOTE, "The agent is signed out of the shop. Order 17 waits until somebody signs in for it.\n")
    return "waits for a person"


def order(shared: Path, own: Path) -> str:
    """Place order 17, or say what it waits for. Start or start again: the order has a key of its own."""
    try:
        token = sign_in(own)
    except SignInNeeded:
        return hand_over(shared)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "order-17"}
    httpx.post(f"{SHOP}/orders", json={"number": 17, "item": "lamp"}, headers=headers).raise_for_status()
    return "ordered"


@pytest.mark.chaos(epic="Orders", feature="Refresh tokens that are used up")
def test_a_used_up_refresh_token_is_handed_over(chaos: Chaos, tmp_path: Path) -> None:
    """The order is placed once, or a person knows that the agent is signed out."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    (own / "refresh-token").write_text("refresh-token-that-ada-gave")
    chaos.watch(shared)
    chaos.private(own)
    auth = chaos.twin("oauth", AUTH, dict([CLIENT]), refresh_tokens={"refresh-token-that-ada-gave": "agent"})
    shop = auth.protects(chaos.api(SHOP))

    def is_handed_over(world: World) -> bool:
        """Return whether a person was told; the order may have been placed before."""
        return f"shared/{NOTE}" in world.files and len(world.resources.get("api.shop.test/orders", [])) <= 1

    chaos.explore(run=lambda: order(shared, own), allow=is_handed_over)

    assert [placed["number"] for placed in shop.resources("orders")] == [17]
