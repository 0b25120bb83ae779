"""What is typed wrong is said at once, with the value and what to type."""

import socket
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.network import Network
from rollproof.values.options import Options

from ..exploring import options
from .shops import line_shop, serving


def order(network: Network) -> None:
    """Order once."""
    with socket.create_connection((network.host, network.port)) as connection:
        connection.sendall(b"ADD panel\n")
        assert connection.recv(3) == b"ok\n"


@pytest.mark.parametrize("upstream", ["", "localhost", "http://localhost:80", "localhost:http", "a@b:80", "host:0"])
def test_what_is_no_upstream(upstream: str) -> None:
    """It has to be host and port."""
    with pytest.raises(ChaosError, match="bad-upstream"):
        Chaos(Options()).network("shop", upstream)


@pytest.mark.parametrize("name", ["", "the shop", "shop#1", "a/b"])
def test_what_is_no_name(name: str) -> None:
    """It stands in tokens."""
    with pytest.raises(ChaosError, match="bad-name"):
        Chaos(Options()).network(name, "127.0.0.1:80")


def test_one_name_is_for_one_service() -> None:
    """With and without --chaos."""
    chaos = Chaos(Options())
    chaos.network("shop", "127.0.0.1:80")
    with pytest.raises(ChaosError, match="twice"):
        chaos.network("shop", "127.0.0.1:81")


def test_only_a_twin_can_be_served() -> None:
    """The ones that are declared are named."""
    chaos = Chaos(Options())
    chaos.api("https://api.mail.test")
    with pytest.raises(ChaosError, match=r"no-twin") as caught:
        chaos.serve("https://api.other.test")
    assert "declared: https://api.mail.test" in str(caught.value)


def test_a_model_can_be_served() -> None:
    """By what declaring it returned: of two providers that is OpenAI; the other one is served by its address."""
    with closing(Chaos(Options())) as chaos:
        model = chaos.llm({"Say": "All is well."})
        assert model.base_url == "https://api.openai.com/v1"
        service = chaos.serve(model)
        assert service.name == "api.openai.com"
        question = {"model": "m", "messages": [{"role": "user", "content": "Say it"}]}
        headers = {"Authorization": "Bearer a-key-of-this-test"}
        answer = httpx.post(f"{service.url}/chat/completions", json=question, headers=headers).json()
        assert answer["choices"][0]["message"]["content"] == "All is well."
        assert chaos.serve("https://api.anthropic.com").name == "api.anthropic.com"
        own = chaos.llm({"Say": "…"}, base_url="https://models.test/v1")
        assert own.base_url == "https://models.test/v1"


def test_an_upstream_that_says_no_address() -> None:
    """A tuple, say."""
    with pytest.raises(ChaosError, match="bad-upstream"):
        Chaos(Options()).network("shop", ("127.0.0.1", 5432))  # type: ignore[arg-type]


def test_a_server_of_which_nothing_is_watched(tmp_path: Path) -> None:
    """Every end would look right, so nothing is explored."""
    with serving(line_shop(tmp_path)) as address:
        chaos = Chaos(options(), "test_it")
        network = chaos.network("shop", address)
        with closing(chaos), pytest.raises(ChaosError, match="nothing-watched"):
            chaos.explore(lambda: order(network))


@pytest.mark.parametrize(
    ("url", "code"), [("ftp://127.0.0.1", "toxiproxy-url"), ("http://toxiproxy.example.com", "toxiproxy-url")]
)
def test_what_is_no_toxiproxy(pytester: pytest.Pytester, url: str, code: str) -> None:
    """Refused before anything runs."""
    pytester.makepyfile("def test_it(chaos): chaos.explore(run=lambda: 1)")
    result = pytester.runpytest("--chaos", f"--chaos-toxiproxy={url}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert code in result.stderr.str()


def test_a_toxiproxy_that_does_not_answer(pytester: pytest.Pytester) -> None:
    """Said where a network is declared, not in the middle of an exploration."""
    pytester.makepyfile("def test_it(chaos): chaos.network('shop', '127.0.0.1:80')")
    pytester.makeini("[pytest]\nchaos_toxiproxy = http://127.0.0.1:9")
    result = pytester.runpytest("--chaos")
    result.assert_outcomes(failed=1)
    assert "toxiproxy-unreachable" in result.stdout.str()
