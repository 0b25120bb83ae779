"""Secrets are taken out of every text, equal ones alike, and ordinary texts stay as they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.values import secret_forms as forms
from rollproof.values.cleaning import Cleaner
from rollproof.values.exploration import Exploration, Finding
from rollproof.values.known_secrets import placeholder
from rollproof.values.points import Point
from rollproof.values.schedule import Injection, Schedule
from rollproof.values.story import States

KEY = "Zk3pq9LmW2xT7vRb"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{'MIIEpAIBAAKC7Zk3' * 4}\n{KEY}\n-----END RSA PRIVATE KEY-----"
PASSED = [
    ('{"password": "%s"}', "swordfish-9"),
    ('{\\"passphrase\\": \\"%s\\"}', "correct horse battery"),
    ("{'X-Api-Key': '%s'}", "swordfish-9"),
    ("[('x-api-key', '%s')]", "swordfish-9"),
    ("[(b'authorization', b'Bearer %s')]", "swordfish-9"),
    ("user=ann&password=%s", "swordfishes"),
    ("password=%s&user=ann", "swordfishes"),
    ("DB_PASSWORD=%s", "swordfishes"),
    ("passphrase: %s", "swordfishes"),
    ("Cookie: %s", "session=swordfish-9; theme=dark"),
    ("https://api.test/x?access_token=%s&page=1", "swordfish-9"),
    ("postgres://app:%s@db.test/orders", "swordfish-9"),
    ("Authorization: Basic %s", "YXBwOnN3b3JkZmlzaC05"),
    ("client_secret='%s'", "swordfish-9"),
    ("%s", PEM),
    ("%s", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"),
    ("%s", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    (r"a line\n%s", "sk-1f9c07b2a46d58e3"),
    ("%s", "AKIAIOSFODNN7EXAMPLE"),
    ("%s", "xoxb-2314-9421-Zk3pq9LmW2xT"),
]
PLAIN = [
    'Client(api_key=key, token=os.environ["TOKEN"], password=settings.password)',
    '{"max_tokens": 4096000000, "total_tokens": 12, "key": "report-2026-final", "token_type": "Bearer"}',
    "Idempotency-Key: 3f2a9b7c-1d2e-4f5a-8b9c-1234567890ab",
    "two POSTs: Idempotency-Key draft-7-of-ann-2026 by run, none by recover",
    "credential_hygiene: the token of https://api.shop.test stands in the clear in shared/log",
    "replayed token: http.timeout~lasting@http.post:api.mail.test/tokens#1:before",
    "process.kill@sqlite.insert:shared/app.db:tokens#2:middle + order.swap@file.write:shared/secret.key#1:after",
    "the password: required, see the documentation",
    "bearer of bad news; basic functionality; sk- alone",
    "lease token 17 of worker-1; token=worker-1; fencing_token: 'aaaa1111bbbb2222cccc'",
    "no_secret_left: violated",
    "+ shared/session.cookie: file, 5 bytes; + shared/app.db:tokens: one row; authorization: it was refused",
    "/home/ann/.cache/pypoetry/virtualenvs/agent-VA82Wl8V-py3.11/lib/x86_64-linux-gnu",
    "https://user:password@host.test and https://host.test:8443/a@b",
]


@pytest.mark.parametrize(("text", "secret"), PASSED)
def test_a_secret_is_known_by_its_form_or_its_name(text: str, secret: str) -> None:
    """What stands around it stays; once more changes nothing."""
    cleaner = Cleaner()
    cleaned = cleaner.clean(text % secret)
    assert cleaned == text % placeholder(secret)
    assert cleaner.clean(cleaned) == Cleaner().clean(cleaned) == cleaned


@pytest.mark.parametrize("text", PLAIN)
def test_an_ordinary_text_stays(text: str) -> None:
    """Numbers are no secrets, nor are common words, code, paths, idempotency keys and replay tokens."""
    assert Cleaner().clean(text) == text


WORDS = st.sampled_from(
    ["draft", "report", "order", "shared", "lock", "x86", "v2", "py3", "2026", "11", "key", "tokens"]
)
JOINED = st.tuples(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from(["/", "-", "_", ".", ":"]))


@given(JOINED, st.text("abcdefghij \n.,", max_size=30), st.integers())
def test_words_numbers_and_paths_stay(joined: tuple[list[str], str], words: str, number: int) -> None:
    """Also where they are values of the environment: no report could be read without these words."""
    parts, separator = joined
    text = separator.join(parts)
    environment = {"STAGE": text, "AGENT_HOME": f"/{text}", "NOTE": words, "LIMIT": str(number)}
    cleaner = Cleaner(environment=environment)
    for each in (*environment.values(), f"+ shared/{text}: {words} {number}"):
        assert cleaner.clean(each) == each


ENVIRONMENT = {
    "STRIPE": KEY,
    "MAIL_PASSWORD": "swordfishes",
    "DATABASE_URL": "postgres://app:swordfish-9@db.test/orders",
    "HOOK": f"https://hooks.test/services/{KEY[::-1]}",
}


def test_the_environment_says_what_is_secret() -> None:
    """By the name of a variable, by a password in a URL, or because it was generated, whatever the name."""
    cleaner = Cleaner(environment=ENVIRONMENT)
    assert cleaner.clean(f"<{KEY}> swordfishes or swordfish-9 of db.test/orders") == (
        f"<{placeholder(KEY)}> {placeholder('swordfishes')} or {placeholder('swordfish-9')} of db.test/orders"
    )
    assert cleaner.clean(ENVIRONMENT["HOOK"]) == f"https://hooks.test/services/{placeholder(KEY[::-1])}"


READABLE = {
    "PATH": "/usr/local/bin:/usr/bin",
    "HOME": "/home/ann",
    "PWD": "/work/agents/report",
    "STAGE": "production",
    "LS_COLORS": "rs=0:di=01;34:ln=01;36:mh=00:pi=40;33:so=01;35",
    "PYTEST_CURRENT_TEST": "tests/test_it.py::test_publishing[a1b2c3d4e5f6g7h8] (call)",
    "HOSTNAME": "agent-7d9f8b6c5-x2x9z",
    "APP_SECRET": "production",
    "MAX_TOKENS": "4096000000",
    "GOOGLE_APPLICATION_CREDENTIALS": "/home/ann/credentials.json",
    "WHEEL": "rollproof-3.12.4-py3-none-manylinux_2_17_x86_64",
}


def test_the_environment_leaves_words_that_a_report_needs() -> None:
    """Paths, names of machines, versions, and what a terminal or pytest set."""
    cleaner = Cleaner(environment=READABLE)
    assert {name: cleaner.clean(value) for name, value in READABLE.items()} == READABLE


def test_the_name_of_a_field_says_what_data_is() -> None:
    """At any depth, in a row of names and values, and in a list; what was named once is hidden elsewhere too."""
    data: dict[str, Any] = {
        "messages": [{"role": "user", "content": "log in with swordfish-9"}],
        "login": {"user": "ann", "password": "swordfish-9", "pin": 1234},
        "settings": [{"key": "stripe_secret", "value": "swordfish-8"}, {"key": "theme-2026-dark", "value": "dark"}],
        "api_keys": ["swordfish-7"],
        "shared/secret": "a whole text",
    }
    cleaner = Cleaner()
    cleaner.data(data)
    told = json.dumps(cleaner.data(data))
    assert "swordfish" not in told
    assert told == json.dumps(data).replace("swordfish-9", placeholder("swordfish-9")).replace(
        "swordfish-8", placeholder("swordfish-8")
    ).replace("swordfish-7", placeholder("swordfish-7"))


def test_many_fields_in_one_line_are_cleaned() -> None:
    """A form, or a log, has any number of them."""
    line = "".join(f"a_token={n}&password=swordfish-{n % 7}&" for n in range(2000))
    assert "swordfish" not in Cleaner().clean(line)


def test_a_part_of_a_secret_that_was_cut_is_hidden() -> None:
    """Differences leave out the middle or the end of a long text."""
    cleaner = Cleaner([KEY])
    assert cleaner.clean(f"is {KEY[:12]}…") == cleaner.clean(f"is {KEY}…")
    assert cleaner.clean(f"…{KEY[4:]} was") == cleaner.clean(f"…{KEY} was")


def test_equal_secrets_are_told_alike_in_every_spelling() -> None:
    """In JSON, in a URL and in `repr`; the longer one is meant where another one is a part of it."""
    awkward = 'Zk3"pq9 Lm\\W2x/T'
    spellings = (awkward, json.dumps(awkward)[1:-1], "Zk3%22pq9%20Lm%5CW2x%2FT")
    assert {Cleaner([awkward]).clean(one) for one in spellings} == {placeholder(awkward)}
    assert Cleaner([KEY, f"{KEY}-b"]).clean(f"{KEY}-b") == placeholder(f"{KEY}-b")


@pytest.mark.parametrize("field", ["key=", "x.key=", "key=a ", "token=1.", "key=a&"])
def test_a_line_of_many_fields_is_looked_at_once(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not its rest from each of them: what is looked at grows as the line does."""
    looked_at = 0
    is_generated = forms.is_generated

    def counting(text: str) -> bool:
        nonlocal looked_at
        looked_at += len(text)
        return is_generated(text)

    monkeypatch.setattr(forms, "is_generated", counting)
    line = field * 2_000
    assert Cleaner().clean(line) == line
    assert looked_at <= 2 * len(line)


def test_a_field_in_a_field_has_a_value_of_its_own() -> None:
    """Both are hidden: the one whose name is enough as a whole."""
    assert Cleaner().clean(f"key=api_key={KEY} next") == f"key=api_key={placeholder(KEY)} next"
    assert Cleaner().clean(f"password=key={KEY} next") == f"password={placeholder(f'key={KEY}')} next"


def test_a_result_keeps_what_is_pasted_and_what_a_test_is_given() -> None:
    """Its token hides a secret, and is understood when it comes back; ids and the agent's own value are left."""
    point = Point("http", "post", f"api.test/{KEY}", 1)
    schedule = Schedule((Injection("process.kill", point),))
    states = States(end={"shared/a.json": {"token": KEY}})
    found = Finding(("all_or_nothing",), schedule, f"left over: {KEY}", states=states)
    cleaner = Cleaner([KEY])
    result = cleaner.result(
        Exploration(
            test=f"test_it[{KEY}]", violations=(found,), result={"key": KEY}, verdicts={"no_secret": "violated"}
        )
    )
    (told,) = result.violations
    assert (result.test, result.result, result.verdicts) == (
        f"test_it[{KEY}]",
        {"key": KEY},
        {"no_secret": "violated"},
    )
    assert KEY not in f"{told.schedule} {told.message} {told.states}"
    assert Schedule.parse(told.schedule) != schedule
    assert cleaner.revealed(Schedule.parse(told.schedule), [point]) == schedule
    by_form = Point("http", "post", "api.test/ghp_16C7e42F292c6912E771", 1)
    token = Cleaner().clean(str(by_form))
    assert Cleaner().revealed(Schedule.parse(f"http.timeout@{token}"), [by_form]).injections[0].point == by_form
