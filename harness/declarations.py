"""The declarations of a test: the outside, and the twins that answer for services."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .boundary.process.steps import step
from .values import arguments
from .values.calling import checked
from .values.errors import ChaosError
from .values.hosts import Hosts
from .values.options import Options

if TYPE_CHECKING:
    from pathlib import Path

    from .boundary.media.own_requests import OwnRequests
    from .network.networks import Networks
    from .twins.cassette import Cassette
    from .twins.credentials import Token
    from .twins.fill import Fill
    from .twins.handled import HandledService
    from .twins.llm import ModelTwin
    from .twins.mailbox import Mailbox
    from .twins.mcp import McpTwin
    from .twins.replies import Replies
    from .twins.rest import RestTwin
    from .values.history import Invariant
    from .values.network import Network
    from .values.sources import Service, Twin, WorldSource
    from .values.world import World

    _Service = TypeVar("_Service", bound=Service)


@dataclass(frozen=True)
class Declared:
    """All that a test has declared so far.

    Attributes:
        options: what was asked for.
        paths: of `watch` and `private`.
        services: sources that are no paths, twins and mailboxes included.
        twins: services that answer HTTP.
        mailboxes: by their names in small letters.
        invariants: the test's own.
        secrets: what no output may have, by what it is.
        hosts: real ones that may be reached, or asked for in vain.
        environment: variables for an agent, where they are missing.
        calls: of the fixture since the last exploration.
        cassettes: of models, by their files.
    """

    options: Options
    paths: "list[arguments.DeclaredPath]" = field(default_factory=list)
    services: "list[WorldSource]" = field(default_factory=list)
    twins: "list[Twin]" = field(default_factory=list)
    mailboxes: "dict[str, Mailbox]" = field(default_factory=dict)
    invariants: "list[Invariant]" = field(default_factory=list)
    secrets: dict[str, bytes] = field(default_factory=dict)
    hosts: Hosts = field(default_factory=Hosts)
    environment: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    cassettes: "dict[Path, Cassette]" = field(default_factory=dict)

    @cached_property
    def networks(self) -> "Networks":
        """Relays and servers beside the test."""
        from .network.networks import Networks  # not before: it is half of what an ordinary run would import

        return Networks(self.options)

    @property
    def made(self) -> "Networks | None":
        """The networks where there are any; they are not made."""
        return vars(self).get("networks")

    @cached_property
    def own_requests(self) -> "OwnRequests":
        """Return the seam by which the test itself reaches its twins."""
        from .boundary.media.own_requests import OwnRequests

        return OwnRequests(self.twins, self.hosts.allowed)


@checked
class Declarations:
    """The half of the fixture ``chaos`` that says what is outside; see the contract for each call.

    Args:
        declared: what is declared goes there.
    """

    def __init__(self, declared: Declared) -> None:
        self._declared = declared

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
        found = arguments.source_of(source, self._declared.options.sources)
        arguments.check_for_paths(found, name, ignore, anything)
        self._declared.services.append(found)
        self._declared.calls.append("watch")

    def private(self, path: Any, *, ignore: Sequence[str] = (), anything: bool = False) -> None:
        """Declare a folder that the agent keeps for itself: put back, not compared, searched for leftovers."""
        self._add(path, None, ignore, private=True, anything=anything)

    def llm(
        self,
        replies: "Replies | None" = None,
        *,
        base_url: str | None = None,
        cassette: "str | os.PathLike[str] | None" = None,
    ) -> "ModelTwin":
        """Answer the requests of a model's SDK; `replies` maps a substring of the last user message to a reply.

        Without `base_url` it answers for OpenAI, Anthropic and Gemini at their own addresses, and OpenAI's twin is
        returned; the others are served by their address: ``chaos.serve("https://api.anthropic.com")``.

        `cassette` is a file, relative to pytest's root, with what the real provider said: an ordinary run records it
        where it is missing (not in CI), and every later run is answered from it. `replies` may be left out then; where
        both are given, the cassette comes first, and `replies` are for what is not in it.
        """
        from .twins.llm import PROVIDERS, ModelTwin, default_credentials

        recorded = None if cassette is None else self._cassette(cassette, alone=replies is None)
        urls = [base_url] if base_url else PROVIDERS
        twins = [ModelTwin(replies, base_url=url, cassette=recorded) for url in urls]
        for twin in twins:
            self._add_twin(twin, "llm")
        self._declared.environment.update(default_credentials())
        return twins[0]

    def api(
        self,
        base_url: str,
        *,
        token: "Token | None" = None,
        settled: Callable[[dict[str, Any]], bool] | None = None,
        seed: Mapping[str, Sequence[dict[str, Any]]] | None = None,
        lag: int = 0,
    ) -> "RestTwin":
        """Declare a stateful REST service below `base_url`, and return it.

        `token` is the credential that it wants: a bearer token, or ``("basic", user, password)``, ``("header",
        "X-Api-Key", key)``, ``("query", "api_key", key)``.
        `seed` is what there is before the run, ``{"things": [{…}]}``; with `lag`, lists show what was created only
        after so many further requests.
        """
        from .twins.credentials import Credential
        from .twins.rest import RestTwin

        arguments.check_seed(seed)
        arguments.check_lag(lag, "chaos.api")
        declared = self._declared
        twin = RestTwin(base_url, token=token, settled=settled, seed=declared.options.seed, resources=seed, lag=lag)
        self._add_twin(twin, "api")
        if token is not None:
            credential = Credential.of(token)
            declared.secrets[f"the token of {base_url}"] = credential.sent.encode()
            if credential.form == "basic":
                declared.secrets[f"the password of {base_url}"] = credential.secret.encode()
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

        others = {t.base_url for t in self._declared.twins if getattr(t, "command", ()) != tuple(command or ())}
        twin = declared(tools, base_url, command, token, self._declared.options.seed, others)
        self._add_twin(twin, "mcp")
        if token is not None:
            self._declared.secrets[f"the token of {base_url}"] = token.encode()
        return twin

    def service(
        self,
        base_url: str,
        handler: Any,
        *,
        state: Any = None,
        refuse: Callable[[str], object] | None = None,
        kind: str = "http",
        lag: int = 0,
    ) -> "HandledService":
        """Declare a service of one's own, and return it: ``handler(request, state)`` answers and changes the state.

        See `rollproof.twins.handled.HandledService`; the handler may be an ASGI or WSGI application, or an OpenAPI
        document (path or dict): paths, schemas, status codes and error bodies come from it, what is sent is checked
        against it, and things are kept by path, see `rollproof.twins.openapi.OpenApi`; with `lag`, its lists show what
        was made only after so many further requests. A handler has that by route: ``.route(…, lag=2)``.
        """
        from .twins.handled import HandledService

        twin = HandledService(base_url, handler, state=state, refuse=refuse, kind=kind, lag=lag)
        self._add_twin(twin, "service")
        return twin

    @overload
    def twin(self, twin: str, /, *args: Any, **named: Any) -> Any: ...
    @overload
    def twin(self, twin: "_Service", /) -> "_Service": ...
    def twin(self, twin: Any, /, *args: Any, **named: Any) -> Any:
        """Declare a twin of one's own, a `Service`, or what `pytest_chaos_twins` has by this name; returns it."""
        from .values.sources import Secretive

        self._add_twin(made := arguments.twin_of(twin, self._declared.options.twins, args, named), "twin")
        own = made.own_secrets if isinstance(made, Secretive) else {}
        self._declared.secrets.update({name: secret.encode() for name, secret in own.items()})
        return made

    def mailbox(self, name: str = "mail.test", *, login: tuple[str, str] | None = None) -> "Mailbox":
        """Declare a mailbox behind a real SMTP server that the agent knows as `name`, and return it.

        With `login` the server wants this user and password. It ends with the test.
        """
        from .twins.mailbox import Mailbox

        if name.lower() in self._declared.mailboxes:
            raise ChaosError("twice", f"{name!r} is a mailbox already", "declare each mail server once")
        mailbox = self._declared.mailboxes[name.lower()] = Mailbox(name, login=login)
        self._declared.services.append(mailbox)
        self._declared.calls.append("mailbox")
        if login is not None:
            self._declared.secrets[f"the password of {mailbox.name}"] = login[1].encode()
        return mailbox

    def allow_network(self, host: str) -> None:
        """Permit connections to one real host, named without a port; the statement then does not say exhaustive."""
        self._declared.hosts.allow(host)
        self._declared.calls.append("allow_network")

    def offline(self, host: str) -> None:
        """Say that the agent may ask this host and not get there, as for a look for updates: refused, and no error."""
        self._declared.hosts.keep_away(host)
        self._declared.calls.append("offline")

    def network(self, name: str, upstream: object) -> "Network":
        """Declare a server that the test runs at `upstream` (``host:port``), of any protocol; returns where to find it.

        The agent is pointed there: ``.host``, ``.port``, ``.url``. With ``--chaos`` a relay stands there, and every
        connection and every exchange with the server is a point; without, it is the server's own address. What the
        server keeps has to be watched, by a path or a `WorldSource`; `upstream` may be what `watch` takes for one, with
        an ``address``: it is watched then.
        """
        upstream = arguments.recognized(upstream, self._declared.options.sources)
        network = self._declared.networks.network(name, upstream)
        self._declared.calls.append("network")
        if not isinstance(upstream, str) and upstream not in self._declared.services:
            self.watch(upstream)
        return network

    def serve(self, twin: "Twin | str", *, tls: bool = False) -> "Network":
        """Serve a twin on a real port too, for any client; returns where, as `network` does.

        `twin` is one that `api`, `llm`, `mcp`, `service` or `twin` returned, or its base URL. Needs uvicorn.
        With `tls` it is reached by HTTPS, and ``.ca`` is the file of the authority that the client has to trust.
        A server of tools has a ``.command`` too, which starts it as a subprocess for a client that wants one.
        """
        network = self._declared.networks.serve(self._declared.twins, twin, tls=tls)
        self._declared.calls.append("serve")
        return network

    @cached_property
    def fill(self) -> "Fill":
        """Seeded people, addresses, texts and awkward names for what a test leaves open."""
        from .twins.fill import fill

        return fill(self._declared.options.seed)

    def invariant(self, check: "Callable[[World], object]") -> "Callable[[World], object]":
        """Add a check of one's own: ``check(world)`` raises AssertionError; usable as a decorator."""
        from .values.history import of_function

        arguments.check_function(check, "chaos.invariant")
        self._declared.invariants.append(of_function(check))
        self._declared.calls.append("invariant")
        return check

    def _cassette(self, path: object, *, alone: bool) -> "Cassette":
        from .network.provider import ask
        from .twins.cassette import Cassette, Recorder, may_record
        from .twins.llm import default_credentials

        declared, options = self._declared, self._declared.options
        file = arguments.file_of(path, options.projects)
        if file in declared.cassettes:
            raise ChaosError("twice", f"{file} is the cassette of another chaos.llm", "give each a file of its own")
        recorder = Recorder(ask, default_credentials(), options.active) if may_record(file, options.record) else None
        declared.cassettes[file] = Cassette(file, recorder, alone=alone, environment=os.environ)
        return declared.cassettes[file]

    def _add(self, path: Any, name: str | None, ignore: Sequence[str], *, private: bool, anything: bool) -> None:
        self._declared.paths.append((arguments.path_of(path), name, private, arguments.patterns(ignore), anything))
        self._declared.calls.append("private" if private else "watch")

    def _add_twin(self, twin: "Twin", call: str) -> None:
        if any(t.base_url == twin.base_url for t in self._declared.twins):
            raise ChaosError("twice", f"{twin.base_url} has a twin already", "declare each service once")
        self._declared.twins.append(twin)
        self._declared.services.append(twin)
        self._declared.calls.append(call)
        self._declared.own_requests.begin()
