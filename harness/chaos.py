"""The fixture of a test: it declares the outside, and explores an agent with its recovery."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .declarations import Declarations, Declared
from .reports.terminal import fail_where_needed
from .values import arguments
from .values.calling import checked
from .values.exploration import Exploration
from .values.hosts import hosts_of
from .values.options import Options
from .values.replaying import ReplayCommand

if TYPE_CHECKING:
    from .engine.config import ExplorationConfig
    from .values.events import Reader
    from .values.world import World

    _Check = Callable[[World], object]

_Function = Callable[[], Any]
_Errors = arguments.Errors


@checked
class Chaos(Declarations):
    """The fixture ``chaos``; see the contract for each call.

    Args:
        options: what was asked for.
        test: the test's id, for reports.
        tell: receives every finished exploration.
        readers: are told what happens while one runs.

    Attributes:
        replay: the command that replays the test's schedules.
    """

    def __init__(
        self,
        options: Options,
        test: str = "",
        tell: Callable[[Exploration], None] = lambda result: None,
        readers: "Sequence[Reader]" = (),
    ) -> None:
        super().__init__(declared := Declared(options))
        self._options, self._declared = options, declared
        self._test, self._tell, self._readers = test, tell, readers
        self._elsewhere: list[Exploration] = []
        self._told = False
        self._labels: list[str] = []
        self.explored = False
        self.replay = options.replay or ReplayCommand.of_test(test, options.seed)

    def explore(
        self,
        run: Callable[[], Any],
        recover: Callable[[], Any] | None = None,
        *,
        allow: "Callable[[World], object] | None" = None,
        retry: bool = True,
        errors: _Errors = "recover",
        name: str | None = None,
    ) -> Exploration:
        """Explore, and fail the test with the smallest schedule that breaks an invariant.

        Returns:
            What was explored; without ``--chaos`` the fault-free run alone.

        Raises:
            ChaosError: for what cannot be explored.
        """
        __tracebackhide__ = True
        self.explored = True
        self._declared.calls.clear()
        arguments.check_arguments(run, recover, allow, errors)
        declared = self._declared
        declared.hosts.check({*hosts_of(declared.twins), *declared.mailboxes})
        from .boundary.media.seams import seams
        from .boundary.process.ordinary import environment

        mailboxes = {name: (box.host, box.port) for name, box in declared.mailboxes.items()}
        own = declared.own_requests.exploring if declared.twins else nullcontext
        seen = seams(mailboxes, declared.twins, exploring=self._options.active)
        with environment(declared.environment), own(), seen:
            if not self._options.active:
                return self._once(run)
            try:
                result = self._exploration(run, recover or run, allow, retry, errors, name or "")
            finally:
                for cassette in declared.cassettes.values():
                    cassette.keep_what_there_is()
        if result.elsewhere:
            self._elsewhere.append(result)
        else:
            self._told = True
            self._tell(result)
            fail_where_needed(self._options.runs.failing(result), self.replay)
        return result

    def close(self) -> None:
        """End what runs beside the test."""
        if self._declared.twins:
            self._declared.own_requests.end()
        if self._declared.made is not None:
            self._declared.made.close()
        for mailbox in self._declared.mailboxes.values():
            mailbox.close()

    def finish(self) -> None:
        """Fail a replay whose point was in none of the test's explorations; raise ChaosError for what came too late."""
        __tracebackhide__ = True
        if self._declared.calls:
            raise arguments.declared_late(self._declared.calls[-1])
        if self._elsewhere and not self._told:
            for result in self._elsewhere:
                self._tell(result)
            fail_where_needed(self._options.runs.failing(self._elsewhere[0]), self.replay)

    def _exploration(
        self, run: _Function, recover: _Function, allow: "_Check | None", retry: bool, errors: _Errors, name: str
    ) -> Exploration:
        from .engine.explore import Explorer, NothingSelected

        options, label = self._options, self._label(name)
        config = replace(self._config(run, recover, allow, retry, errors), test=self._test, name=name, label=label)
        first, runs = tuple(options.failed_before.get(label, ())), options.runs
        explorer = Explorer(replace(config, failed_before=first, earlier=runs.of(label), accepted=runs.accepted))
        try:
            schedule = options.schedule
            if options.dry_run:
                return explorer.dry_run(schedule)
            return explorer.replay(schedule) if schedule else explorer.explore(reduce=options.reduce)
        except BaseException as problem:
            if explorer.partial is not None:
                self._tell(explorer.partial)
                # pytest would show all that every function of ours was called with, which takes it minutes
                raise problem.with_traceback(None) from None
            if not isinstance(problem, NothingSelected):
                raise
            import pytest

            what = "of the selected faults can strike"
            if options.shard[1] > 1:
                self._tell(problem.result)  # the whole is known when all of its shards are
                what = "of this shard's schedules is"
            why = problem.why or f"none {what} in this test (--chaos-faults, --chaos-points, --chaos-shard)"
            pytest.skip(f"chaos: {why}")

    def _label(self, name: str) -> str:
        """Return the text by which the next exploration is told apart from earlier ones: name, number, or both."""
        number = len(self._labels) + 1
        again = name in self._labels if name else number > 1
        self._labels.append(", ".join(filter(None, (name, f"exploration {number}" if again else ""))))
        return self._labels[-1]

    def _config(
        self, run: _Function, recover: _Function, allow: "_Check | None", retry: bool, errors: _Errors
    ) -> "ExplorationConfig":
        from .engine.config import ExplorationConfig
        from .guard.guarding import guard
        from .values.cleaning import Cleaner
        from .values.events import Printed, Reader
        from .world.storage.checks import check_sources
        from .world.storage.disk import Source

        arguments.check_platform()
        options, declared = self._options, self._declared
        sources = tuple(Source(*path) for path in arguments.named(declared.paths))
        check_sources(sources, options.projects)
        keys = {f"${name}": os.environ.get(name, "").encode() for name in declared.environment}
        secrets = {label: value for label, value in {**keys, **declared.secrets}.items() if value}
        return ExplorationConfig(
            run,
            recover,
            sources,
            tuple(declared.services),
            tuple(declared.twins),
            options.faults,
            options.known,
            (*options.invariants, *declared.invariants),
            secrets,
            options.leftover_names,
            options.seed,
            allow,
            retry,
            errors,
            hosts=frozenset(declared.hosts.allowed),
            offline=frozenset(declared.hosts.offline),
            relays=tuple(declared.networks.relays),
            proxies=declared.networks.proxies,
            servers=tuple(declared.networks.servers),
            readers=(Reader((Printed,), lambda printed: print(printed.text, end="")), *self._readers),
            outlets=options.outlets(),
            first=options.first,
            depth=options.depth if options.minutes is None else 1,
            draws=None if options.minutes is None else (options.depth, 60 * options.minutes),
            points=options.points,
            budget_s=options.budget_s,
            shard=options.shard,
            reuse=options.reuse,
            root=next(iter(options.projects), None),
            keep=options.keep,
            converse=options.converse,
            cleaner=Cleaner(secrets.values(), os.environ),
            guard=partial(guard, options.records, sources, options.controller),
        )

    def _once(self, run: Callable[[], Any]) -> Exploration:
        """Run without a fault, here: an ordinary test."""
        from .engine.ordinary import run_once

        problem = lambda: None if self._declared.made is None else self._declared.made.problem  # noqa: E731  # of a twin on a real port
        cassettes = self._declared.cassettes.values()
        try:
            result, said = run_once(
                run, self._declared.twins, lambda: self._declared.networks.reach(self._declared.hosts), problem
            )
        except Exception as failed:
            if (refused := next(filter(None, (each.refused for each in cassettes)), None)) is not None:
                raise refused from failed
            raise
        said = "; ".join([said, *(line for each in cassettes for line in each.remarks)])
        for each in cassettes:
            each.keep()
        return Exploration(test=self._test, result=result, statement=said)
