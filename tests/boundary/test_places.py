"""Every effect has its place in the agent's own code, whoever carries it out, and also where the process is killed."""

import asyncio
import contextlib
import functools
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from rollproof.boundary.process.places import is_own
from rollproof.engine.process_runs import ProcessRun

from ..exploring import line_of
from .stage import Stage


def lines(process: ProcessRun, target: str) -> list[int]:
    """Return the innermost line of each effect on a target, in order, each once."""
    places = [process.places[point] for point in process.points if point.target == target]
    return list(dict.fromkeys(place[0].line for place in places))


def test_a_place_is_the_agents_own_frame(stage: Stage) -> None:
    """Frames of Python's library and of installed packages are none; the callers follow, the innermost first."""

    def copy() -> None:
        shutil.copyfile(stage.elsewhere / "a", stage.shared / "copy.txt")

    def run() -> None:
        (stage.elsewhere / "a").write_text("a")
        copy()  # a call

    process = stage.run_process(run)
    (place,) = {process.places[point] for point in process.points if point.target == "shared/copy.txt"}
    assert [frame.line for frame in place[:2]] == [
        line_of(__file__, "shutil.copyfile(stage.elsewhere"),
        line_of(__file__, "copy()  # a"),
    ]
    assert [frame.function.rpartition(".")[2] for frame in place[:2]] == ["copy", "run"]
    assert {frame.file for frame in place} == {__file__}


def test_a_killed_process_leaves_the_places_of_what_it_did(stage: Stage) -> None:
    """Nothing of it could tell any more: the parent keeps each point as it is reached."""

    def run() -> None:
        (stage.shared / "first.txt").write_text("1")
        (stage.shared / "second.txt").write_text("2")

    process = stage.run_process(run, "process.kill@file.open:shared/second.txt#1:after", trace=False)
    assert process.outcome.kind == "killed"
    assert [str(point) for point in process.points] == [
        "file.open:shared/first.txt#1",
        "file.write:shared/first.txt#1",
        "file.open:shared/second.txt#1",
    ]
    assert lines(process, "shared/first.txt") == [line_of(__file__, '(stage.shared / "first.txt").write_text("1")')]
    assert lines(process, "shared/second.txt") == [line_of(__file__, '(stage.shared / "second.txt").write_text("2")')]


def test_who_dies_by_itself_leaves_them_too(stage: Stage) -> None:
    """A process that the system ends, in the middle of C code, says nothing."""

    def run() -> None:
        import ctypes

        (stage.shared / "last.txt").write_text("1")
        ctypes.string_at(0)

    process = stage.run_process(run, trace=False)
    assert "SIGSEGV" in process.outcome.error
    assert lines(process, "shared/last.txt") == [line_of(__file__, '(stage.shared / "last.txt").write_text("1")')]


WAYS: dict[str, Callable[[Callable[[], object]], Any]] = {}


def way(start: Callable[..., Any]) -> Callable[..., Any]:
    """Note a way to hand work to a library that has no frame of the agent's where it is done."""
    WAYS[start.__name__] = start
    return start


@way
def a_thread(work: Callable[[], object]) -> None:
    """Start a thread."""
    thread = threading.Thread(target=work)
    thread.start()  # a_thread
    thread.join()


@way
def a_pool(work: Callable[[], object]) -> None:
    """Hand work to a thread of a pool that did something else before."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(len, "").result()
        pool.submit(work).result()  # a_pool


@way
async def to_thread(work: Callable[[], object]) -> None:
    """Await a thread."""
    await asyncio.to_thread(len, "")
    await asyncio.to_thread(work)  # to_thread


@way
async def an_executor(work: Callable[[], object]) -> None:
    """Await a thread of the loop's pool."""
    await asyncio.get_running_loop().run_in_executor(None, work)  # an_executor


@way
async def a_task(work: Callable[[], object]) -> None:
    """Start a task whose coroutine is a library's."""
    await asyncio.create_task(asyncio.to_thread(work))  # a_task


@way
async def a_callback(work: Callable[[], object]) -> None:
    """Await a group of tasks."""
    await asyncio.gather(asyncio.to_thread(work))  # a_callback


@pytest.mark.parametrize("name", WAYS)
def test_work_of_a_library_has_the_place_of_who_handed_it_over(stage: Stage, name: str) -> None:
    """The function that makes the effect is Python's own, and runs in another thread."""
    (stage.elsewhere / "a").write_text("a")
    work = functools.partial(shutil.copyfile, stage.elsewhere / "a", stage.shared / "copy.txt")
    process = stage.run_process(lambda: WAYS[name](work))
    lines_of_file = Path(__file__).read_text().splitlines()
    (line,) = lines(process, "shared/copy.txt")
    assert lines_of_file[line - 1].endswith(f"# {name}"), lines_of_file[line - 1]


def test_statements_of_aiosqlite_have_the_place_of_who_awaits_them(stage: Stage) -> None:
    """A thread of its own carries them out; each has the line of its `await`."""

    async def run() -> None:
        async with aiosqlite.connect(stage.shared / "a.db") as database:
            await database.execute("CREATE TABLE one (x)")
            await database.execute("INSERT INTO one VALUES (1)")
            await database.commit()

    process = stage.run_process(run)
    assert lines(process, "shared/a.db:one") == [
        line_of(__file__, 'await database.execute("CREATE'),
        line_of(__file__, 'await database.execute("INSERT'),
    ]


def test_what_has_no_place_of_its_own_has_that_of_the_exploration(stage: Stage) -> None:
    """A run that is a library's function alone: the call that started it is shown."""
    (stage.elsewhere / "a").write_text("a")
    process = stage.run_process(functools.partial(shutil.copyfile, stage.elsewhere / "a", stage.shared / "copy.txt"))
    (place,) = {process.places[point] for point in process.points}
    assert place[0].function == "Stage.executor"


def test_what_is_raised_has_the_place_where_that_happened(stage: Stage) -> None:
    """The agent's innermost frame, though a library raised; of a group of exceptions the first."""

    async def fails() -> None:
        (stage.shared / "a.txt").write_text("a")
        int("no number")

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())

    raised = stage.run_process(run).outcome.raised
    assert raised is not None
    assert raised.type == "ExceptionGroup"
    assert raised.place[0].line == line_of(__file__, 'int("no number")')


def test_a_stack_without_any_frame_of_the_agent_is_handed_over_by_its_task(stage: Stage) -> None:
    """A context manager of a library that is left in a task of the agent has the line of its block."""

    async def run() -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.copyfile, stage.elsewhere / "a", stage.shared / "copy.txt")
            (stage.elsewhere / "a").write_text("a")

    assert lines(stage.run_process(run), "shared/copy.txt") == [
        line_of(__file__, "with contextlib.ExitStack() as stack:")
    ]


def test_only_the_agents_own_files_are_its_own() -> None:
    """Neither the library, nor what is installed, nor Rollproof, but for its scenarios."""
    import json

    import rollproof
    from rollproof.scenarios import test_publish_report

    assert is_own(__file__)
    assert is_own(str(test_publish_report.__file__))
    assert not is_own(json.__file__)
    assert not is_own(pytest.__file__)
    assert not is_own(str(rollproof.__file__))
    assert not is_own("<frozen importlib._bootstrap>")
