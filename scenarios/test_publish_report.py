"""An agent researches, has a model write a report, publishes it into a shared drive, and mails it.

What is published can be taken back, a mail cannot: so the mail comes last, and from its first attempt on the agent only
goes forward. Before that, everything is taken back.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from rollproof import Chaos, World
from rollproof.runtime import Refused, Run, Saga, Staging, Status, Step, Store, read_answer

RESEARCH = "https://api.research.test"
MAIL = "https://api.mail.test"
TEXT = {"type": "string", "minLength": 1}
FORM = {
    "type": "object",
    "properties": {"title": TEXT, "body": TEXT, "findings": {"type": "array", "items": TEXT}},
    "required": ["title", "body", "findings"],
    "additionalProperties": False,
}
REPORT = {"title": "Solar power in 2030", "body": "It is cheap.", "findings": ["Prices halve.", "Grids are the limit."]}


# the agent


class Publisher:
    """Publishes a report on a topic as a folder `shared/TOPIC`; keeps its own state in `own`."""

    def __init__(self, shared: Path, own: Path, reader: str) -> None:
        self.shared, self.own, self.reader = shared, own, reader

    def saga(self, store: Store) -> Saga:
        """Name the steps, in their order, each with the way back."""
        write = Step("write", self.write, reads_only=True)
        stage = Step("stage", self.stage, undo=lambda run: self.staging(run).discard())
        publish = Step("publish", self.publish, undo=self.withdraw)
        mail = Step("mail", self.mail, irreversible=True)
        return Saga(store, "publish-report", [write, stage, publish, mail], lock="shared-drive")

    def staging(self, run: Run) -> Staging:
        """Give the run a workspace of its own."""
        return Staging(self.own / f"staging-{run.id}", self.shared / run.variables["topic"])

    def write(self, run: Run) -> dict[str, Any]:
        """Read what is known and have the model write about it; nothing outside changes."""
        answer = httpx.get(f"{RESEARCH}/sources", params={"topic": run.variables["topic"]}, timeout=30)
        sources = answer.raise_for_status().json()
        question = f"Write the report: {run.goal}. Answer with a JSON object. Sources: {json.dumps(sources)}"
        with openai.OpenAI(timeout=60, max_retries=2) as model:
            reply = model.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])
        return {"report": read_answer(reply.choices[0].message.content, reply.choices[0].finish_reason, FORM)}

    def stage(self, run: Run) -> dict[str, Any]:
        """Write report and manifest where nobody else looks."""
        report = json.dumps(run.variables["report"], indent=2).encode()
        return {"digest": self.staging(run).fill({"report.json": report})}

    def publish(self, run: Run) -> None:
        """Move the folder into the shared drive."""
        self.staging(run).commit(run.variables["digest"])

    def withdraw(self, run: Run) -> None:
        """Move it back."""
        self.staging(run).withdraw(run.variables["digest"])

    def mail(self, run: Run) -> None:
        """Send the report to its readers, once: however often it is repeated, the key is the same."""
        report = run.variables["report"]
        letter = {"to": self.reader, "subject": report["title"], "text": report["body"]}
        try:
            answer = httpx.post(f"{MAIL}/mails", json=letter, headers={"Idempotency-Key": run.key}, timeout=30)
        except httpx.ConnectError as error:
            raise Refused("the mail service cannot be reached") from error
        if answer.status_code in (400, 401, 403, 404, 422, 429):
            raise Refused(f"the mail service refused with {answer.status_code}")
        answer.raise_for_status()


def publish(topic: str, reader: str, shared: Path, own: Path) -> str:
    """Publish and mail a report; give its title when both are done."""
    with Store(own / "agent.db") as store:
        done = Publisher(shared, own, reader).saga(store).run(f"what to know about {topic}", {"topic": topic})
    return str(done["report"]["title"])


def resume(reader: str, shared: Path, own: Path) -> Status | None:
    """Settle what an earlier process left: what the service does first when it starts."""
    with Store(own / "agent.db") as store:
        return Publisher(shared, own, reader).saga(store).recover()


# the story


@pytest.mark.chaos(epic="Publishing", feature="Report and e-mail")
def test_a_failed_email_leaves_no_half_written_report(chaos: Chaos, tmp_path: Path) -> None:
    """Research, write a report, mail it: the report is in the shared drive with its mail, or neither is."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    (shared / "minutes.txt").write_text("somebody else's")
    topic, reader = chaos.fill.awkward_name(), chaos.fill.person().email

    chaos.watch(shared)
    chaos.private(own)
    chaos.api(RESEARCH)
    mail = chaos.api(MAIL)
    chaos.llm({"Write the report": json.dumps(REPORT)})

    @chaos.invariant
    def no_leftover_lock(world: World) -> None:
        """Whoever died holding the lease, it is gone."""
        assert not world.private_tables.get("agent/agent.db:leases")

    @chaos.invariant
    def hashes_match_manifest(world: World) -> None:
        """What is in the folder is what the manifest says: nothing is missing, changed or added."""
        manifest = f"shared/{topic}/manifest.json"
        found = {
            path: sha256(content).hexdigest()
            for path, content in world.files.items()
            if path.startswith(f"shared/{topic}/")
        }
        if found.pop(manifest, None):
            listed = json.loads(world.files[manifest])["files"]
            assert found == {f"shared/{topic}/{name}": digest for name, digest in listed.items()}
        assert bool(found) == (manifest in world.files)

    @chaos.invariant
    def staging_cleaned(world: World) -> None:
        """No workspace outlives its run, not even an empty one."""
        assert not [path for path in world.private_entries if path.startswith("agent/staging-")]

    exploration = chaos.explore(
        run=lambda: publish(topic, reader, shared, own), recover=lambda: resume(reader, shared, own)
    )

    assert exploration.result == REPORT["title"]
    assert json.loads((shared / topic / "report.json").read_text()) == REPORT
    assert [letter["subject"] for letter in mail.resources("mails")] == [REPORT["title"]]
