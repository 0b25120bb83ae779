"""Each recipient is checked off in the agent's database before the notice goes out to them.

After a crash or an error between the two the next start skips that recipient: one notice is lost, and the run says
done.
"""

import aiosqlite
import httpx

SERVICE = "https://api.notices.test"
PEOPLE = ("ada@example.test", "grace@example.test")


async def notify_all(notice, own):
    """Start or start again: whoever is checked off is not asked twice."""
    async with aiosqlite.connect(own / "progress.db") as database:
        await database.execute("CREATE TABLE IF NOT EXISTS sent (notice TEXT, person TEXT, UNIQUE (notice, person))")
        await database.commit()
        async with httpx.AsyncClient(base_url=SERVICE, timeout=10) as client:
            for person in PEOPLE:
                if await is_sent(database, notice, person):
                    continue
                await database.execute("INSERT INTO sent VALUES (?, ?)", (notice, person))
                await database.commit()
                await send(client, notice, person)
    return "everybody knows"


async def is_sent(database, notice, person):
    """Whether the checkpoint names this person."""
    query = "SELECT 1 FROM sent WHERE notice = ? AND person = ?"
    async with database.execute(query, (notice, person)) as cursor:
        return await cursor.fetchone() is not None


async def send(client, notice, person):
    """Post one notice; its key makes a repeat harmless."""
    key = {"Idempotency-Key": f"{notice}-{person}"}
    answer = await client.post("/notices", json={"notice": notice, "to": person}, headers=key)
    answer.raise_for_status()


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:api.notices.test/notices in send"]


def explore(chaos, tmp_path):
    """Two notices at one service, one private folder with the checkpoint database."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SERVICE)
    chaos.explore(run=lambda: notify_all("outage-3", own))
