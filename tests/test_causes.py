"""One finding is one cause: a promise, how it is broken, and the line of the agent's code that made it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from rollproof.values.causes import Cause
from rollproof.values.exploration import Exploration

from .exploring import explored, line_of, only, options, two_folders

MAILS, NOTES = "https://api.mail.test/mails", "https://api.mail.test/notes"
Agent = Callable[[Path, Path], object]


def found(run: Agent, folder: Path, recover: Agent | None = None, **changed: Any) -> Exploration:
    """Explore an agent with a watched folder, one of its own, a mail service and a model."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.api("https://api.mail.test")
        chaos.llm({"Plan": '{"title": "Solar", "seats": 2, "days": [{"name": "Monday"}]}'})
        again = None if recover is None else lambda: recover(shared, own)
        chaos.explore(run=lambda: run(shared, own), recover=again)

    result = explored(SimpleNamespace(explore=explore), folder / "it", **changed)
    assert (result.flaky, result.errors) == ((), ())
    return result


def causes(result: Exploration) -> list[Cause]:
    """Return the causes of all findings."""
    return [finding.cause for finding in result.violations if finding.cause is not None]


def test_a_lock_with_a_pid_has_one_cause_for_each_way_to_fail(tmp_path: Path) -> None:
    """The lock of a dead process is met wherever that died; half of a pid is another matter."""

    def run(shared: Path, own: Path) -> None:
        lock = own / "agent.lock"
        if lock.exists():
            holder = int(lock.read_text())
            raise RuntimeError(f"process {holder} is at work")
        lock.write_text(str(os.getpid()))
        for name in ("a", "b", "c"):
            (shared / f"{name}.txt").write_text(name)
        lock.unlink()

    result = found(run, tmp_path, **only("process.kill"))
    told = {cause.exception.partition(" at ")[0]: cause for cause in causes(result)}
    assert sorted(told) == ["RuntimeError", "ValueError"]
    assert len(result.violations) == 2
    assert f":{line_of(__file__, 'raise RuntimeError(f')} in " in told["RuntimeError"].exception
    assert f":{line_of(__file__, 'holder = int(')} in " in told["ValueError"].exception


def test_a_torn_checkpoint_is_one_cause(tmp_path: Path) -> None:
    """Three checkpoints are written, each is torn elsewhere, and the text of the error is another each time."""

    def run(shared: Path, own: Path) -> None:
        httpx.post(MAILS, json={"to": "boss"}, headers={"Idempotency-Key": "1"}).raise_for_status()
        checkpoint = own / "state.json"
        state = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"steps": []}
        for step in range(len(state["steps"]), 3):
            state["steps"].append({"step": step, "text": "x" * 10})
            checkpoint.write_text(json.dumps(state))

    (cause,) = causes(found(run, tmp_path, **only("process.kill", "storage.full")))
    assert (cause.promise, cause.way) == ("recovery_succeeds", "raised")
    assert cause.line == line_of(__file__, "state = json.loads(checkpoint.read_text()) if")
    assert cause.statement.startswith("state = json.loads(checkpoint.read_text()) if")
    assert cause.function.endswith("run")
    assert cause.file == __file__
    assert cause.exception.startswith("JSONDecodeError at ")


def test_two_defects_with_one_difference_outside_are_two_causes(tmp_path: Path) -> None:
    """A torn note and one that lacks a field both leave the mail out; what the recovery raises tells them apart."""

    def run(shared: Path, own: Path) -> None:
        note = own / "note.json"
        matter = json.loads(note.read_text()) if note.exists() else {"about": "solar"}
        about = matter["about"]
        httpx.post(NOTES, json={"about": about}, headers={"Idempotency-Key": "n"}).raise_for_status()
        note.write_text(json.dumps({"about": about}))
        try:
            httpx.post(MAILS, json={"about": about}, headers={"Idempotency-Key": "m"}).raise_for_status()
        except httpx.HTTPError:
            note.write_text(json.dumps({"step": "failed"}))
            raise

    told = causes(found(run, tmp_path, **only("process.kill", "http.timeout", "http.server_error")))
    assert {(cause.promise, cause.way, cause.effect) for cause in told} == {
        ("all_or_nothing", "missing", "http.post:api.mail.test/mails")
    }
    assert {cause.line for cause in told} == {line_of(__file__, 'httpx.post(MAILS, json={"about": about}, headers')}
    assert sorted(cause.exception.partition(" at ")[0] for cause in told) == ["JSONDecodeError", "KeyError"]


def _post(url: str, body: dict[str, object]) -> None:
    """Post without a key."""
    httpx.post(url, json=body).raise_for_status()


def test_a_helper_that_posts_twice_things_is_not_one_place(tmp_path: Path) -> None:
    """What is doubled in either of its calls is a cause of its own, told by who called."""

    def run(shared: Path, own: Path) -> None:
        if not (own / "ada").exists():
            _post(MAILS, {"to": "ada"})
            (own / "ada").touch()
        if not (own / "bob").exists():
            _post(MAILS, {"to": "bob", "subject": "the second one"})
            (own / "bob").touch()

    told = causes(found(run, tmp_path, **only("http.timeout")))
    assert len(told) == 2
    assert {cause.way for cause in told} == {"twice"}
    assert {cause.line for cause in told} == {line_of(__file__, "httpx.post(url, json=body).raise_for_status()")}
    called = [line_of(__file__, '_post(MAILS, {"to": "ada"})'), line_of(__file__, '_post(MAILS, {"to": "bob", "subj')]
    assert sorted(cause.callers[0].rpartition("/")[2] for cause in told) == [
        f"{Path(__file__).name}:{line} in {run.__qualname__}" for line in called
    ]


def test_a_helper_with_one_call_site_is_one_place(tmp_path: Path) -> None:
    """What is posted in a loop has one cause; nobody needs to know who called."""

    def run(shared: Path, own: Path) -> None:
        for name in ("ada", "bob", "cleo"):
            _post(MAILS, {"to": name})

    (cause,) = causes(found(run, tmp_path, **only("http.timeout")))
    assert (cause.way, cause.effect, cause.callers) == ("twice", "http.post:api.mail.test/mails", ())


def test_two_bugs_of_one_agent_are_two_causes(tmp_path: Path) -> None:
    """A mail without a key, and a page that is written in place: neither hides the other."""

    def run(shared: Path, own: Path) -> None:
        httpx.post(MAILS, json={"to": "whom"}).raise_for_status()
        if not (shared / "page.html").exists():
            (shared / "page.html").write_text("<h1>Solar</h1>")

    told = causes(found(run, tmp_path, **only("process.kill")))
    assert sorted((cause.way, cause.line) for cause in told) == [
        ("torn", line_of(__file__, '(shared / "page.html").write_text("<h1>Solar')),
        ("twice", line_of(__file__, 'httpx.post(MAILS, json={"to": "whom"}).raise')),
    ]


def test_one_bug_that_ten_faults_show_is_one_cause(tmp_path: Path) -> None:
    """Whatever makes the agent ask again, it asks without a key; the finding counts all of it."""

    def run(shared: Path, own: Path) -> None:
        for attempt in range(3):
            try:
                httpx.post(MAILS, json={"to": "all"}).raise_for_status()
            except httpx.HTTPError:
                if attempt == 2:
                    raise
            else:
                return

    names = [name for name in options().known if name.startswith(("http.", "process.", "network."))]
    result = found(run, tmp_path, **only(*names))
    (cause,) = causes(result)
    assert (cause.promise, cause.way) == ("all_or_nothing", "twice")
    assert cause.line == line_of(__file__, 'httpx.post(MAILS, json={"to": "all"})')
    violated = [cell for cell in result.cells if cell.verdict == "violated"]
    assert len({cell.fault for cell in violated}) >= 5


def test_what_a_model_says_and_nothing_checks_is_one_cause(tmp_path: Path) -> None:
    """Each field that is missing, or of another type, ends otherwise; the finding lists them."""

    def run(shared: Path, own: Path) -> str:
        from openai import OpenAI

        with OpenAI() as client:
            messages: Any = [{"role": "user", "content": "Plan"}]
            answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
        plan = json.loads(answer.choices[0].message.content or "{}")
        lines = [f"{plan.get('title')}", f"{plan.get('seats')}", f"{[day.get('name') for day in plan.get('days')]}"]
        draft = own / "plan.part"
        draft.write_text("\n".join(lines))
        os.replace(draft, shared / "plan.txt")
        return "planned"

    (cause,) = causes(found(run, tmp_path, **only("llm.missing_field", "llm.wrong_type")))
    assert cause.effect == "llm.chat:api.openai.com"
    assert cause.line == line_of(__file__, "answer = client.chat.completions.create(")
    assert {"title", "seats", "days[].name"} <= set(cause.unchecked)


def test_a_set_that_is_half_done_is_one_cause_from_either_side(tmp_path: Path) -> None:
    """Killed early, the outside is nearly as before; killed late, nearly as after: nobody finished the set."""

    def run(shared: Path, own: Path) -> None:
        (shared / "a").mkdir()
        (shared / "b").mkdir()
        (shared / "c").mkdir()

    (cause,) = causes(found(run, tmp_path, lambda shared, own: None, **only("process.kill")))
    assert cause.promise == "all_or_nothing"


def test_a_restart_that_forgets_two_undoes_has_two_causes(tmp_path: Path) -> None:
    """What is left over of two effects is told apart, though both ends lack all that a complete run has."""

    def run(shared: Path, own: Path) -> None:
        (shared / "first").mkdir()
        (shared / "second").mkdir()
        (shared / "third").mkdir()
        (shared / "fourth").mkdir()

    def recover(shared: Path, own: Path) -> None:
        made = sorted(path.name for path in shared.iterdir())
        for name in made if len(made) < 4 else ():
            forgotten = name == ("third" if "third" in made else "first")
            if not forgotten:
                (shared / name).rmdir()

    told = causes(found(run, tmp_path, recover, **only("process.kill")))
    assert sorted(cause.effect for cause in told) == ["file.mkdir:shared/first", "file.mkdir:shared/third"]
    assert {cause.way for cause in told} == {"left over"}


def test_a_damaged_file_is_no_half_done_set(tmp_path: Path) -> None:
    """A page torn in its place, and a note that nobody writes any more: two causes, though each end lacks the note."""

    def run(shared: Path, own: Path) -> None:
        (shared / "index").mkdir()
        (shared / "torn.html").write_text("<h1>Solar</h1>")
        (shared / "note").mkdir()

    def recover(shared: Path, own: Path) -> None:
        if not (shared / "torn.html").exists() and (shared / "index").exists():
            (shared / "index").rmdir()

    told = causes(found(run, tmp_path, recover, **only("process.kill")))
    assert sorted((cause.way, cause.effect) for cause in told) == [
        ("missing", "file.mkdir:shared/note"),
        ("torn", "file.open:shared/torn.html"),
    ]


def test_what_a_recovery_dies_of_leads_to_the_write_that_is_torn(tmp_path: Path) -> None:
    """The line that raises is shown, and the only effect at which a crash leads there."""

    def run(shared: Path, own: Path) -> None:
        state = own / "state.json"
        done = json.loads(state.read_text())["done"] if state.exists() else []
        for name in ("a", "b"):
            if name not in done:
                (shared / name).mkdir(exist_ok=True)
                done.append(name)
                state.write_text(json.dumps({"done": done}))

    (cause,) = causes(found(run, tmp_path, **only("process.kill")))
    assert cause.raising.startswith('done = json.loads(state.read_text())["done"]')
    line = line_of(__file__, 'state.write_text(json.dumps({"done": done}))')
    assert cause.killed == f"file.open:own/state.json, {__file__}:{line} in {run.__qualname__}"


def test_a_duplicate_says_how_far_it_reaches(tmp_path: Path) -> None:
    """The finding names the first and the last point at which a crash makes the mail go out twice."""

    def run(shared: Path, own: Path) -> None:
        httpx.post(MAILS, json={"to": "boss"}).raise_for_status()
        (own / "a.txt").write_text("a")
        (own / "b.txt").write_text("b")

    (finding,) = found(run, tmp_path, **only("process.kill")).violations
    reach = finding.message.splitlines()[-1]
    assert reach == "killed anywhere from http.post:api.mail.test/mails#1 to file.write:own/b.txt#1, 5 points"


def test_the_same_agent_has_the_same_causes_for_another_seed(tmp_path: Path) -> None:
    """Names that are drawn, ids and clocks are no part of a cause."""

    def run(shared: Path, own: Path) -> None:
        name = os.urandom(8).hex()
        httpx.post(MAILS, json={"id of": name}).raise_for_status()
        (shared / f"{name}.txt").write_text(name)

    first, second = (causes(found(run, _folder(tmp_path, seed), seed=seed, **only("http.timeout"))) for seed in (0, 7))
    assert first
    assert first == second


def _folder(tmp_path: Path, seed: int) -> Path:
    folder = tmp_path / str(seed)
    folder.mkdir()
    return folder
