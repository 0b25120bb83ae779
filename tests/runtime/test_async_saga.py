"""Sagas on an event loop: steps that are awaited, and what cancellation leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mutation import mutated
from processes import DONE, ended, started
from rollproof.runtime import AsyncSaga, Decision, Found, Leases, NeedsPerson, Reality, Run, Saga, Status, Step, Store
from rollproof.runtime.calls import AsyncioInvoker
from rollproof.runtime.canonical import sha256
from rollproof.runtime.journal import Journal
from rollproof.runtime.locks import Lease, renewing
from rollproof.runtime.progress import all_runs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


class Outside:
    """What is outside, and when a step goes on."""

    def __init__(self) -> None:
        self.there: list[str] = []
        self.said: list[str] = []
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()

    async def act(self, run: Run) -> dict[str, Any]:
        """Leave something, and tell the step after it."""
        await asyncio.sleep(0)
        self.there.append(run.step)
        return {run.step: len(self.there)}

    async def wait(self, run: Run) -> None:
        """Leave something, and wait until somebody lets the step go on."""
        self.there.append(run.step)
        self.begun.set()
        await self.goes_on.wait()

    async def undo(self, run: Run) -> None:
        """Take it away, after something else had its turn."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if run.step in self.there:
            self.there.remove(run.step)
            self.said.append(f"undone {run.step}")


def status(store: Store) -> Status:
    """Give what became of the only run."""
    (progress,) = all_runs(Journal(store))
    return progress.status


def test_steps_of_both_kinds_are_taken_and_undone(store: Store) -> None:
    """Coroutine functions and plain ones, in one saga; variables pass between them."""

    async def story() -> None:
        outside = Outside()

        def plain(run: Run) -> dict[str, Any]:
            outside.there.append(run.step)
            return {"plain": run.variables["a"]}

        def fail(run: Run) -> None:
            raise ValueError("no")

        steps = [
            Step("a", outside.act, undo=outside.undo),
            Step("plain", plain, undo=lambda run: outside.there.remove("plain")),
        ]
        assert await AsyncSaga(store, "s", steps).run("goal", {}) == {"a": 1, "plain": 1}
        outside.there.clear()
        with pytest.raises(ValueError, match="no"):
            await AsyncSaga(store, "s", [*steps, Step("fail", fail, reads_only=True)]).run("goal", {})
        assert outside.there == []

    asyncio.run(story())


def test_other_tasks_go_on_while_a_step_waits(store: Store) -> None:
    """One run waits for what another task of the same loop does; and a second run waits for its lock."""

    async def story() -> list[dict[str, Any]]:
        outside = Outside()
        one = AsyncSaga(store, "one", [Step("a", outside.wait, undo=outside.undo)], lock="drive")
        other = AsyncSaga(store, "other", [Step("b", outside.act, undo=outside.undo)], lock="drive")
        runs = [asyncio.create_task(saga.run("goal", {})) for saga in (one, other)]
        await outside.begun.wait()
        assert outside.there == ["a"]
        outside.goes_on.set()
        return [await run for run in runs]

    assert asyncio.run(story()) == [{}, {"b": 2}]


async def cancelled(store: Store, steps: list[Step], outside: Outside, *, times: int = 1) -> asyncio.Task[Any]:
    """Start a run, cancel it when a step waits, so many times, and give it when it has ended."""
    task = asyncio.create_task(AsyncSaga(store, "s", steps).run("goal", {}))
    await outside.begun.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    return task


@pytest.mark.parametrize("times", [1, 2, 5])
def test_cancelling_undoes_and_is_not_stopped_by_cancelling_again(store: Store, times: int) -> None:
    """The act is stopped, all is undone however often somebody cancels, and the error leaves the run."""

    async def story() -> None:
        outside = Outside()
        steps = [Step(name, act, undo=outside.undo) for name, act in (("a", outside.act), ("b", outside.wait))]
        task = await cancelled(store, steps, outside, times=times)
        assert task.cancelled()
        assert outside.there == []
        assert outside.said == ["undone b", "undone a"]
        assert status(store) is Status.ROLLED_BACK
        assert Leases(store).all() == []

    asyncio.run(story())


def test_an_act_that_ends_in_spite_of_being_cancelled_is_the_last(store: Store) -> None:
    """It caught the error and returned: it is done, no other step begins, and all is undone."""

    async def story() -> None:
        outside = Outside()

        async def stubborn(run: Run) -> None:
            try:
                await outside.wait(run)
            except asyncio.CancelledError:
                outside.said.append("caught")

        steps = [Step("a", stubborn, undo=outside.undo), Step("b", outside.act, undo=outside.undo)]
        task = await cancelled(store, steps, outside)
        assert task.cancelled()
        assert outside.said == ["caught", "undone a"]
        assert outside.there == []

    asyncio.run(story())


def test_past_the_point_of_no_return_recovery_goes_forward(store: Store) -> None:
    """What is irreversible and under way is unknown: nothing is undone, and recovery repeats it with its key."""
    keys: list[str] = []

    async def story() -> None:
        outside = Outside()

        async def mail(run: Run) -> None:
            keys.append(run.key)
            if len(keys) == 1:
                await outside.wait(run)

        steps = [Step("a", outside.act, undo=outside.undo), Step("mail", mail, irreversible=True)]
        task = await cancelled(store, steps, outside)
        assert task.cancelled()
        assert status(store) is Status.RUNNING
        assert await AsyncSaga(store, "s", steps).recover() is Status.COMPLETED
        assert outside.said == []

    asyncio.run(story())
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_timeout_is_a_cancellation(store: Store) -> None:
    """What asyncio's own timeout cancels is undone when its error leaves the block."""

    async def story() -> None:
        outside = Outside()
        steps = [Step("a", outside.wait, undo=outside.undo)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await AsyncSaga(store, "s", steps).run("goal", {})
        assert outside.there == []

    asyncio.run(story())


def test_a_person_and_a_look_are_asked_for_too(store: Store) -> None:
    """Handing over and back, and what is outside, with coroutine functions."""

    async def story() -> None:
        async def ask(run: Run) -> None:
            if not run.variables.get("allowed"):
                raise NeedsPerson("too much")

        async def look(run: Run) -> Found:
            return Found(Reality.ABSENT)

        saga = AsyncSaga(store, "s", [Step("a", ask, undo=lambda run: None, look=look)])
        with pytest.raises(NeedsPerson):
            await saga.run("goal", {})
        run = all_runs(Journal(store))[0].run
        assert await saga.recover() is None
        assert await saga.hand_back(run, Decision.GO_ON, {"allowed": True}) is Status.COMPLETED
        assert [str(each) for each in await saga.differences(run)] == ["a: believed done, is absent"]
        assert await saga.roll_back(run) is Status.ROLLED_BACK

    asyncio.run(story())


def test_a_saga_that_is_not_asynchronous_awaits_nothing(store: Store) -> None:
    """A function that returns a coroutine is an error that says which class is meant, and the run is rolled back."""

    async def act(run: Run) -> None:
        raise AssertionError("never awaited")

    saga = Saga(store, "s", [Step("a", lambda run: act(run), undo=lambda run: None)])
    with pytest.raises(TypeError, match="'a' returned a coroutine and did nothing: AsyncSaga waits for those"):
        saga.run("goal", {})
    assert status(store) is Status.ROLLED_BACK


class SlowContents:
    """Contents that somebody else lets go on, as a bucket's service does."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.entered, self.goes_on = threading.Event(), threading.Event()

    def put(self, content: bytes) -> str:
        """Keep a content, once somebody lets it."""
        if self.kept:  # the first is what the run begins with
            self.entered.set()
            assert self.goes_on.wait(60)
        digest = sha256(content)
        self.kept[digest] = content
        return digest

    def get(self, digest: str) -> bytes:
        """Give a content."""
        return self.kept[digest]


def test_other_tasks_go_on_while_a_checkpoint_is_kept(store: Store) -> None:
    """A bucket takes long: meanwhile the loop does what else there is, here what the bucket waits for."""

    async def story() -> dict[str, Any]:
        outside, contents = Outside(), SlowContents()
        steps = [Step(name, outside.act, undo=outside.undo) for name in ("a", "b")]
        saga = AsyncSaga(store, "s", steps, contents=contents)
        run = asyncio.create_task(saga.run("goal", {}))
        await asyncio.to_thread(contents.entered.wait, 60)
        contents.goes_on.set()
        learned = await run
        assert (await saga.outcome(saga.runs()[0].run)).variables == learned
        return learned

    assert asyncio.run(story()) == {"a": 1, "b": 2}


def test_cancelling_while_a_checkpoint_is_kept_undoes_what_was_done(store: Store) -> None:
    """What is being kept is kept to its end; then no other step begins, and all is undone."""

    async def story() -> None:
        outside, contents = Outside(), SlowContents()
        steps = [Step(name, outside.act, undo=outside.undo) for name in ("a", "b")]
        task = asyncio.create_task(AsyncSaga(store, "s", steps, contents=contents).run("goal", {}))
        await asyncio.to_thread(contents.entered.wait, 60)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        contents.goes_on.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert outside.said == ["undone a"]
        assert outside.there == []
        assert status(store) is Status.ROLLED_BACK

    asyncio.run(story())


class WaitingStore(Store):
    """A store whose second connection waits in its transaction, as for another process that writes."""

    entered, goes_on = threading.Event(), threading.Event()

    def new_connection(self) -> Store:
        """Give the connection that waits."""
        return Waiting(self.path)


class Waiting(Store):
    """Its second connection."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Wait, once somebody knows that it does."""
        WaitingStore.entered.set()
        assert WaitingStore.goes_on.wait(60)
        with super().transaction():
            yield


def test_other_tasks_go_on_while_a_renewal_comes_to_its_end(tmp_path: Path) -> None:
    """A run ends while its lease is being renewed behind a process that writes: the loop is not held by that."""
    WaitingStore.entered.clear()
    WaitingStore.goes_on.clear()

    async def story() -> None:
        lease = Lease("drive", "run-1", 1, 0.0)
        with WaitingStore(tmp_path / "agent.db") as waiting:
            async with renewing(waiting, lambda: lease, 0.003, AsyncioInvoker().block):
                await asyncio.to_thread(WaitingStore.entered.wait, 60)
                asyncio.get_running_loop().call_soon(WaitingStore.goes_on.set)

    asyncio.run(story())


MUTANTS: list[tuple[str, str, str, Callable[[Store], None]]] = [
    ("checkpoints", "await invoker.block(partial(checkpoints.keep, memory))", "checkpoints.keep(memory)",
     test_other_tasks_go_on_while_a_checkpoint_is_kept),
    ("locks", "await block(thread.join)", "thread.join()",
     lambda store: test_other_tasks_go_on_while_a_renewal_comes_to_its_end(store.path.parent)),
    ("calls", "            self._acting.cancel()\n", "            pass\n",
     lambda store: test_cancelling_undoes_and_is_not_stopped_by_cancelling_again(store, 1)),
    ("calls", "            raise asyncio.CancelledError\n        result =", "            pass\n        result =",
     test_an_act_that_ends_in_spite_of_being_cancelled_is_the_last),
    ("calls", "await asyncio.shield(task)", "await task",
     lambda store: test_cancelling_undoes_and_is_not_stopped_by_cancelling_again(store, 5)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "old", "new", "check"), MUTANTS, ids=["keeping", "renewing", "goes on", "another act", "undo is stopped"]
)
def test_a_mutant_is_noticed(module: str, old: str, new: str, check: Callable[[Store], None], store: Store) -> None:
    """What holds the loop; a cancellation that stops nothing, lets other steps begin, or stops what is being undone."""
    with mutated(module, old, new):
        assert ended(started(lambda: check(store), at_most_s=2)) != DONE


def test_cancelling_ends_the_wait_for_a_lock(store: Store) -> None:
    """Nothing is begun yet: the error leaves at once, and no run was started."""

    async def story() -> None:
        outside = Outside()
        steps = [Step("a", outside.wait, undo=outside.undo)]
        other = asyncio.create_task(AsyncSaga(store, "other", steps, lock="drive").run("goal", {}))
        await outside.begun.wait()
        waiting = asyncio.create_task(AsyncSaga(store, "s", steps, lock="drive").run("goal", {}))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert [each.saga for each in all_runs(Journal(store))] == ["other"]
        outside.goes_on.set()
        await other

    asyncio.run(story())
