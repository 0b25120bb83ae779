"""Which credentials are hidden in a text, and which are words that stand in any."""

import pytest
from rollproof.values.cleaning import Cleaner
from rollproof.values.credentials import is_distinctive, is_in_clear
from rollproof.values.known_secrets import placeholder

LONG = "sk-1f9c07b2a46d58e3"


@pytest.mark.parametrize("credential", [LONG, "a-long-password", "key-of-the-shop", "test-token-83610275", "Zk3#pq9!"])
def test_a_credential_is_told_from_words(credential: str) -> None:
    """What nobody writes by chance is hidden wherever it stands."""
    assert is_distinctive(credential)
    assert Cleaner([credential]).clean(f"x{credential}x") == f"x{placeholder(credential)}x"


@pytest.mark.parametrize(
    "word", ["k", "s3cr3t!", "password", "TestToken", "my-secret-key", "password2024", "refresh_token"]
)
def test_what_stands_for_a_credential_is_a_word(word: str) -> None:
    """A text stays as it is where the credential is short, or made of common words."""
    assert Cleaner([word]).clean(f"task {word}") == f"task {word}"


@pytest.mark.parametrize("word", ["xxxxxxxxxxxx", "12345678", "changeme", "YOUR_API_KEY"])
def test_what_documentation_writes_in_place_of_a_credential_is_none(word: str) -> None:
    """It is found in many texts that hold no credential."""
    assert not is_distinctive(word)


@pytest.mark.parametrize(
    "text",
    ['{"token": "k"}', "Authorization: Bearer k\n", "API_KEY=k", "{'password': 'k'}", r"{\"secret\":\"k\"}", "token:k"],
)
def test_a_short_one_in_the_clear_is_named_as_one(text: str) -> None:
    """What is said to be a token, and equals it, is it."""
    assert is_in_clear(b"k", text.encode())


@pytest.mark.parametrize("text", ["k", "a lock", '{"k": 1}', '{"name": "k"}', "token: kept", "the token k", "token=k2"])
def test_the_same_letters_elsewhere_are_a_word(text: str) -> None:
    """Nobody could write a word any more if a key of one letter were looked for in all."""
    assert not is_in_clear(b"k", text.encode())
