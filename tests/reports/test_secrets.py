"""Forty secrets, where agents have them, in an exploration that fails in several ways: none is written anywhere."""

import json
import re
from pathlib import Path

import pytest
from rollproof.values.known_secrets import PLACEHOLDER

PEM = """-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKC7Zk3pq9LmW2xT7vRbHq4Ns8Dy6Gc1Jf5Ue0WaVt7Rb2LmZk3pq9L
Vt7Rb2LmZk3pq9Lm
-----END RSA PRIVATE KEY-----"""
FORMS = {
    "pem": PEM,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5NXgL0n3I9P",
    "ghp": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "gho": "gho_26C7e42F292c6912E7710c838347Ae178B4a",
    "pat": "github_pat_11ABCDEFG0_abcdefghijklmnopqrstuvwxyz",
    "glpat": "glpat-Zk3pq9LmW2xT7vRbHq4N",
    "akia": "AKIAIOSFODNN7EXAMPLE",
    "asia": "ASIAIOSFODNN7EXAMPLX",
    "xoxb": "xoxb-2314-9421-Zk3pq9LmW2xT",
    "xapp": "xapp-1-A0B1C2-Zk3pq9LmW2xT",
    "sk": "sk-1f9c07b2a46d58e31f9c",
    "ant": "sk-ant-api03-Zk3pq9LmW2xT7vRb-AA",
    "live": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "whsec": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstu",
    "npm": "npm_Zk3pq9LmW2xT7vRbHq4Ns8Dy6Gc1Jf5Ue0Wa",
    "hf": "hf_Zk3pq9LmW2xT7vRbHq4Ns8Dy6Gc1Jf5Ue0",
    "sendgrid": "SG.Zk3pq9LmW2xT7vRbHq4N.s8Dy6Gc1Jf5Ue0WaZk3pq9Lm",
}
NAMED = {
    "password": "swordfish-alpha",
    "passphrase": "swordfish bravo charlie",
    "passwd": "swordfishdelta",
    "client_secret": "swordfish-echo",
    "access_token": "swordfish-foxtrot",
    "token": "tok-swordfish-golf-hotel",
    "api_key": "swordfish-india",
    "private_key": "swordfish-juliet",
    "cookie": "session=swordfish-kilo; theme=dark",
    "credentials": "swordfish-lima",
}
HEADERS = {
    "authorization": "Bearer swordfish-mike",
    "x-api-key": "swordfish-november",
    "x-auth-token": "swordfish-oscar",
    "proxy-authorization": "Basic YXBwOnN3b3JkZmlzaC1wYXBh",
}
LOGIN = "postgres://app:swordfish-quebec@db.test/orders"
ENVIRONMENT = {
    "STRIPE": "Qv7Xk2Lm9Tr4Wn8Zp3Hs",
    "SIGNER": "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "MAIL_PASSWORD": "swordfishromeo",
    "VAULT_TOKEN": "swordfish-sierra",
    "QUEUE_URL": "amqp://app:swordfish-tango@mq.test/jobs",
    "BLOB": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYZK3PQ9LMW2",
    "PARTNER_KEY": "swordfish-uniform",
}
DECLARED = "swordfish-victor"
SECRETS = {
    *FORMS.values(),
    *PEM.splitlines()[1:3],
    *NAMED.values(),
    "swordfish-mike",
    *("swordfish-november", "swordfish-oscar", "YXBwOnN3b3JkZmlzaC1wYXBh", "swordfish-quebec", "swordfish-tango"),
    *(value for name, value in ENVIRONMENT.items() if name != "QUEUE_URL"),
    DECLARED,
}

AGENT = """
import json, logging, os, sqlite3
from pathlib import Path
import httpx, pytest

PLANTED = json.loads(Path(__file__).with_name("planted.json").read_text())
FORMS, NAMED, HEADERS, ENVIRONMENT = (PLANTED[name] for name in ("forms", "named", "headers", "environment"))
API, MODEL = "https://api.shop.test", "https://api.openai.com/v1"

def ask(question):
    body = {"model": "m", "messages": [{"role": "user", "content": question}]}
    answer = httpx.post(f"{MODEL}/chat/completions", json=body, headers={"Authorization": "Bearer " + FORMS["sk"]})
    return answer.json()["choices"][0]["message"]["content"]

def work(shared, own):
    print("uses", *FORMS.values(), *ENVIRONMENT.values(), json.dumps(NAMED))
    logging.error("log in with %s, %s", NAMED, HEADERS)
    said = ask("Write with " + " and ".join(FORMS.values()))
    (own / "settings.json").write_text(json.dumps({**NAMED, "database": PLANTED["login"]}))
    (own / "key.lock").write_text(FORMS["pem"])
    httpx.post(f"{API}/orders", json={**NAMED, "said": said, **ENVIRONMENT}, headers=HEADERS, timeout=5)
    httpx.post(f"{API}/{FORMS['npm']}", content="password=swordfishdelta&user=ann", headers=HEADERS)
    with sqlite3.connect(shared / "app.db", isolation_level=None) as db:
        db.execute("CREATE TABLE IF NOT EXISTS settings (name TEXT, value TEXT)")
        for name, value in {**NAMED, **FORMS, **ENVIRONMENT}.items():
            db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))
            break
        db.execute("INSERT INTO settings SELECT ?, ?", ("all", json.dumps({**NAMED, **FORMS, **ENVIRONMENT})))
    text = "\\n".join([*FORMS.values(), *ENVIRONMENT.values(), PLANTED["login"], json.dumps(HEADERS)])
    (shared / FORMS["npm"]).write_text(text)
    (own / "key.lock").unlink()
    return {"done": said}

def recover(shared, own):
    if (own / "key.lock").exists():
        raise RuntimeError(f"cannot use {FORMS} with {NAMED}, {HEADERS}, {PLANTED['login']}, {ENVIRONMENT}")

@pytest.mark.chaos(faults="process.kill,http.timeout")
def test_it(chaos, tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir(); own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.api(API)
    chaos.api("https://other.test", token=PLANTED["declared"])
    chaos.llm(lambda request: "with " + json.dumps(NAMED) + PLANTED["declared"])
    chaos.explore(run=lambda: work(shared, own), recover=lambda: recover(shared, own))

@pytest.mark.chaos
def test_that_fails_by_itself(chaos, tmp_path):
    chaos.watch(tmp_path)
    def run():
        (tmp_path / "a").write_text("a")
        raise RuntimeError(f"cannot use {FORMS} with {NAMED}, {HEADERS}, {PLANTED['login']}")
    chaos.explore(run)
"""
WRITERS = ("--chaos-json=result.json", "--chaos-trace=trace.txt", "--junitxml=junit.xml", "--alluredir=allure")


def decoded(text: str) -> str:
    """Return a text with the escapes of JSON and XML undone, those of JSON within JSON too."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    for _ in range(3):
        text = re.sub(r"\\(n|\\|\")", lambda found: "\n" if found[1] == "n" else found[1], text)
    return text


def written(folder: Path, *printed: str) -> dict[str, str]:
    """Return all that a session wrote, decoded, by the name of the file."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".json", ".txt", ".xml", ".csv")]
    own = {"planted.json", *(path.name for path in folder.glob("*.py"))}
    texts = {path.name: path.read_text(encoding="utf-8") for path in files if path.name not in own}
    texts |= {path.name: path.read_text() for path in (folder / ".pytest_cache").rglob("*") if path.is_file()}
    return {name: decoded(text) for name, text in {**texts, "stdout": "\n".join(printed)}.items()}


def leaked(texts: dict[str, str]) -> list[tuple[str, str]]:
    """Return each secret that stands in a text, and where."""
    return [(secret, name) for name, text in texts.items() for secret in sorted(SECRETS) if secret in text]


def test_forty_secrets_are_written_nowhere(pytester: pytest.Pytester) -> None:
    """Neither by an exploration nor by the replay of a token in which a secret is hidden; equal ones look alike."""
    assert len(SECRETS) >= 40
    planted = {"forms": FORMS, "named": NAMED, "headers": HEADERS, "environment": ENVIRONMENT, "login": LOGIN}
    (pytester.path / "planted.json").write_text(json.dumps({**planted, "declared": DECLARED}))
    pytester.makepyfile(AGENT)
    explored = pytester.runpytest("--chaos", "-v", *WRITERS)
    explored.assert_outcomes(failed=2)
    texts = written(pytester.path, explored.stdout.str(), explored.stderr.str())
    assert leaked(texts) == []
    (exploration,) = json.loads((pytester.path / "result.json").read_text())["explorations"]
    tokens = [violation["schedule"] for violation in exploration["violations"]]
    assert len(tokens) > 1
    assert {"trace.txt", "junit.xml", "result.json", "stdout"} < {*texts}
    assert len({found for text in texts.values() for found in PLACEHOLDER.findall(text)}) > 30
    token = next(
        cell for cell in re.findall(r"http\.timeout@http\.post:[^\s]*\[secret \w+\]#1:after", texts["trace.txt"])
    )
    replayed = pytester.runpytest("--chaos", "-v", "-k", "test_it", f"--chaos-replay={token}", "-p", "no:cacheprovider")
    replayed.assert_outcomes(failed=1)
    told = replayed.stdout.str() + replayed.stderr.str()
    assert "drifted" not in told
    assert "uses [secret" in told
    assert leaked(written(pytester.path, told)) == []
