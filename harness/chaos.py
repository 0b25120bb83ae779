"""What a test says: what is outside, what the agent does, and how it comes back."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .boundary.process.steps import step
from .reports.terminal import fail_where_needed
from .values import arguments
from .values.errors import ChaosError
from .values.exploration import Exploration
from .values.hosts import Hosts, hosts_of
from .values.options import Options
from .values.replaying import ReplayCommand

if TYPE_CHECKING:
    from .boundary.media.own_requests import OwnRequests
    from .engine.config import ExplorationConfig
    from .network.networks import Networks
    from .twins.fill import Fill
    from .twins.handled import HandledService
    from .twins.llm import ModelTwin
    from .twins.mailbox import Mailbox
    from .twins.mcp import McpTwin
    from .twins.replies import Replies
    from .twins.rest import RestTwin
    from .values.events import Reader
    from .values.history import Invariant
    from .values.network import Network
    from .values.sources import Service, Twin, WorldSource
    from .values.world import World

    _Check = Callable[[World], object]
    _Service = TypeVar("_Service", bound=Service)

_Function = Callable[[], Any]
_Errors = arguments.Errors


class Chaos:
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
        self._options, self._test, self._tell, self._readers = options, test, tell, readers
        self._paths: list[arguments.DeclaredPath] = []
        self._services: list[WorldSource] = []
        self._twins: list[Twin] = []
        self._mailboxes: dict[str, Mailbox] = {}
        self._invariants: list[Invariant] = []
        self._secrets: dict[str, bytes] = {}
        self._hosts = Hosts()
        self._made: Networks | None = None
        self._environment: dict[str, str] = {}
        self._elsewhere: list[Exploration] = []
        self._told = False
        self._labels: list[str] = []
        self._late = ""  # what was called last since the last exploration
        self.explored = False
        self.replay = options.replay or ReplayCommand.of_test(test, options.seed)

    step = staticmethod(step)

    def watch(
        self, source: Any, *, name: str | None = None, ignore: Sequence[str] = (), anything: bool = False
    ) -> None:
        """Declare external state: a directory, a file, an SQLite file, or an object with the `WorldSource` protocol.

        An object that `pytest_chaos_sources` of a plugin knows, such as the client of a store, is a source too. All of
        it is put back again and again. A home, the project, or a folder with a virtual environment in it is refused,
        unless `anything` says that this is meant.
        """
        if isinstance(source, (str, os.PathLike)):
            self._add(source, name, ignore, private=False, anything=anything)
            return
        found = arguments.source_of(source, self._options.sources)
        arguments.check_for_paths(found, name, ignore, anything)
        self._services.append(found)
        self._late = "watch"

    def private(self, path: Any, *, ignore: Sequence[str] = (), anything: bool = False) -> None:
        """Declare a folder that the agent keeps for itself: put back, not compared, searched for leftovers."""
        self._add(path, None, ignore, private=True, anything=anything)

    def llm(self, replies: "Replies", *, base_url: str | None = None) -> "ModelTwin":
        """Answer the requests of a model's SDK; `replies` maps a substring of the last user message to a reply.

        Without `base_url` it answers for OpenAI and Anthropic at their own addresses, and OpenAI's twin is returned;
        Anthropic's is served by its address: ``chaos.serve("https://api.anthropic.com")``.
        """
        from .twins.llm import PROVIDERS, ModelTwin, default_credentials

        twins = [ModelTwin(replies, base_url=url) for url in ([base_url] if base_url else PROVIDERS)]
        for twin in twins:
            self._add_twin(twin, "llm")
        self._environment.update(default_credentials())
        return twins[0]

    def api(
        self, base_url: str, *, token: str | None = None, settled: Callable[[dict[str, Any]], bool] | None = None
    ) -> "RestTwin":
        """Declare a stateful REST service below `base_url`, and return it."""
        from .twins.rest import RestTwin

        twin = RestTwin(base_url, token=token, settled=settled, seed=self._options.seed)
        self._add_twin(twin, "api")
        if token is not None:
            self._secrets[f"the token of {base_url}"] = token.encode()
        return twin

    def mcp(
        self,
        tools: Mapping[str, Any],
        *,
        base_url: str | None = None,
        command: Sequence[str] | None = None,
        token: str | None = None,
    ) -> "McpTwin":
        """Declare a server of tools (Model Context Protocol), and return it.

        It is reached over streamable HTTP at `base_url`, or it is the subprocess that the agent starts by `command`. A
        tool is a function, or a pair of its schema and a function; see `rollproof.twins.mcp_tools.tools_of`.
        """
        from .twins.mcp import declared

        others = {t.base_url for t in self._twins if getattr(t, "command", ()) != tuple(command or ())}
        twin = declared(tools, base_url, command, token, self._options.seed, others)
        self._add_twin(twin, "mcp")
        if token is not None:
            self._secrets[f"the token of {base_url}"] = token.encode()
        return twin

    def service(
        self,
        base_url: str,
        handler: Any,
        *,
        state: Any = None,
        refuse: Callable[[str], object] | None = None,
        kind: str = "http",
    ) -> "HandledService":
        """Declare a service of one's own, and return it: ``handler(request, state)`` answers and changes the state.

        See `rollproof.twins.handled.HandledService`; the handler may be an ASGI or WSGI application, too.
        """
        from .twins.handled import HandledService

        twin = HandledService(base_url, handler, state=state, refuse=refuse, kind=kind)
        self._add_twin(twin, "service")
        return twin

    @overload
    def twin(self, twin: str, /, *args: Any, **named: Any) -> Any: ...
    @overload
    def twin(self, twin: "_Service", /) -> "_Service": ...
    def twin(self, twin: Any, /, *args: Any, **named: Any) -> Any:
        """Declare a twin of one's own, a `Service`, or what `pytest_chaos_twins` has by this name; returns it."""
        self._add_twin(made := arguments.twin_of(twin, self._options.twins, args, named), "twin")
        return made

    def mailbox(self, name: str = "mail.test", *, login: tuple[str, str] | None = None) -> "Mailbox":
        """Declare a mailbox behind a real SMTP server that the agent knows as `name`, and return it.

        With `login` the server wants this user and password. It ends with the test.
        """
        from .twins.mailbox import Mailbox

        if name.lower() in self._mailboxes:
            raise ChaosError("twice", f"{name!r} is a mailbox already", "declare each mail server once")
        mailbox = self._mailboxes[name.lower()] = Mailbox(name, login=login)
        self._services.append(mailbox)
        self._late = "mailbox"
        if login is not None:
            self._secrets[f"the password of {mailbox.name}"] = login[1].encode()
        return mailbox

    def allow_network(self, host: str) -> None:
        """Permit connections to one real host, named without a port; the statement then does not say exhaustive."""
        self._hosts.allow(host)
        self._late = "allow_network"

    def offline(self, host: str) -> None:
        """Say that the agent may ask this host and not get there, as for a look for updates: refused, and no error."""
        self._hosts.keep_away(host)
        self._late = "offline"

    def network(self, name: str, upstream: object) -> "Network":
        """Declare a server that the test runs at `upstream` (``host:port``), of any protocol; returns where to find it.

        The agent is pointed there: ``.host``, ``.port``, ``.url``. With ``--chaos`` a relay stands there, and every
        connection and every exchange with the server is a point; without, it is the server's own address. What the
        server keeps has to be watched, by a path or a `WorldSource`; `upstream` may be what `watch` takes for one, with
        an ``address``: it is watched then.
        """
        upstream = arguments.recognized(upstream, self._options.sources)
        network, self._late = self._networks.network(name, upstream), "network"
        if not isinstance(upstream, str) and upstream not in self._services:
            self.watch(upstream)
        return network

    def serve(self, twin: "Twin | str", *, tls: bool = False) -> "Network":
        """Let a twin be reached on a real port too, by any client; returns where, as `network` does.

        `twin` is what `api`, `llm` or `mcp` returned, or the base URL that it was declared for. Needs uvicorn.
        With `tls` it is reached by HTTPS, and ``.ca`` is the file of the authority that the client has to trust.
        A server of tools has a ``.command`` too, which starts it as a subprocess for a client that wants one.
        """
        network, self._late = self._networks.serve(self._twins, twin, tls=tls), "serve"
        return network

    @property
    def _networks(self) -> "Networks":
        if self._made is None:
            from .network.networks import Networks  # not before: it is half of what an ordinary run would import

            self._made = Networks(self._options)
        return self._made

    @cached_property
    def fill(self) -> "Fill":
        """Seeded people, addresses, texts and awkward names for what a test leaves open."""
        from .twins.fill import fill

        return fill(self._options.seed)

    def invariant(self, check: "Callable[[World], object]") -> "Callable[[World], object]":
        """Add a check of one's own: ``check(world)`` raises AssertionError; usable as a decorator."""
        from .values.history import of_function

        arguments.check_function(check, "chaos.invariant")
        self._invariants.append(of_function(check))
        self._late = "invariant"
        return check

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
        self.explored, self._late = True, ""
        arguments.check_arguments(run, recover, allow, errors)
        self._hosts.check({*hosts_of(self._twins), *self._mailboxes})
        from .boundary.media.seams import seams
        from .boundary.process.ordinary import environment

        mailboxes = {name: (box.host, box.port) for name, box in self._mailboxes.items()}
        own = self._own_requests.exploring if self._twins else nullcontext
        with environment(self._environment), own(), seams(mailboxes, self._twins, exploring=self._options.active):
            if not self._options.active:
                return self._once(run)
            result = self._exploration(run, recover or run, allow, retry, errors, name or "")
        if result.elsewhere:
            self._elsewhere.append(result)
        else:
            self._told = True
            self._tell(result)
            fail_where_needed(self._options.runs.failing(result), self.replay)
        return result

    def close(self) -> None:
        """End what runs beside the test."""
        if self._twins:
            self._own_requests.end()
        if self._made is not None:
            self._made.close()
        for mailbox in self._mailboxes.values():
            mailbox.close()

    def finish(self) -> None:
        """Fail a replay whose point was in none of the test's explorations; raise ChaosError for what came too late."""
        __tracebackhide__ = True
        if self._late:
            raise arguments.declared_late(self._late)
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
            pytest.skip(f"chaos: none {what} in this test (--chaos-faults, --chaos-shard)")

    def _label(self, name: str) -> str:
        """Return what tells the next exploration apart from those before it: its name, or which one it is."""
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
        sources = tuple(Source(*path) for path in arguments.named(self._paths))
        check_sources(sources, self._options.projects)
        options, keys = self._options, {f"${name}": os.environ.get(name, "").encode() for name in self._environment}
        secrets = {label: value for label, value in {**keys, **self._secrets}.items() if value}
        return ExplorationConfig(
            run,
            recover,
            sources,
            tuple(self._services),
            tuple(self._twins),
            options.faults,
            options.known,
            (*options.invariants, *self._invariants),
            secrets,
            options.leftover_names,
            options.seed,
            allow,
            retry,
            errors,
            hosts=frozenset(self._hosts.allowed),
            offline=frozenset(self._hosts.offline),
            relays=tuple(self._networks.relays),
            proxies=self._networks.proxies,
            servers=tuple(self._networks.servers),
            readers=(Reader((Printed,), lambda printed: print(printed.text, end="")), *self._readers),
            outlets=options.outlets(),
            first=options.first,
            depth=options.depth,
            budget_s=options.budget_s,
            shard=options.shard,
            reuse=options.reuse,
            root=next(iter(options.projects), None),
            keep=options.keep,
            converse=options.converse,
            cleaner=Cleaner(secrets.values(), os.environ),
            guard=partial(guard, options.records, sources, options.controller),
        )

    @cached_property
    def _own_requests(self) -> "OwnRequests":
        from .boundary.media.own_requests import OwnRequests

        return OwnRequests(self._twins, self._hosts.allowed)

    def _once(self, run: Callable[[], Any]) -> Exploration:
        """Run without a fault, here: an ordinary test."""
        from .engine.ordinary import run_once

        problem = lambda: None if self._made is None else self._made.problem  # noqa: E731  # of a twin on a real port
        result, said = run_once(run, self._twins, lambda: self._networks.reach(self._hosts), problem)
        return Exploration(test=self._test, result=result, statement=said)

    def _add(self, path: Any, name: str | None, ignore: Sequence[str], *, private: bool, anything: bool) -> None:
        self._paths.append((arguments.path_of(path), name, private, arguments.patterns(ignore), anything))
        self._late = "private" if private else "watch"

    def _add_twin(self, twin: "Twin", call: str) -> None:
        if any(t.base_url == twin.base_url for t in self._twins):
            raise ChaosError("twice", f"{twin.base_url} has a twin already", "declare each service once")
        self._twins.append(twin)
        self._services.append(twin)
        self._late = call
        self._own_requests.begin()
