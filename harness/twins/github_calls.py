"""A request to GitHub, the things of a repository that it is about, and GitHub's words for what is wrong with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..values.http import HttpRequest
from ..values.world import Row
from .answers import Refused
from .listing import WORDS, BadQuery, paged
from .ready_service import ReadyService, State

REPOS, ISSUES, PULLS, COMMENTS, LABELS, REFS, RELEASES = NAMES = (
    "repos",
    "repos/*/*/issues",
    "repos/*/*/pulls",
    "repos/*/*/issues/comments",
    "repos/*/*/labels",
    "repos/*/*/git/refs",
    "repos/*/*/releases",
)
"""What a service keeps, as a person sees it, by the paths of its lists."""
COMMITS = "_commits"
ME = {"login": "agent", "id": 1, "type": "User"}
_DOCS = "https://docs.github.com/rest"
_LIMITS = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999", "x-ratelimit-used": "1"}
HEADERS = {**_LIMITS, "x-ratelimit-reset": "1768435200", "x-ratelimit-resource": "core", "x-github-media-type": "json"}
"""Of each answer: requests are not counted, since a count would be another state after each."""
_MOST_A_PAGE = 100
_SORTS = ("created", "updated")  # the same here: a change moves no date


@dataclass(frozen=True, slots=True)
class Call:
    """A request about a repository.

    Attributes:
        service: makes ids and times.
        state: of the service.
        request: as it came.
        repo: ``owner/name``.
        given: the object in its body.
        parts: what stood in the path where a route has a name.
    """

    service: ReadyService
    state: State
    request: HttpRequest
    repo: str
    given: Row
    parts: Mapping[str, str]

    def own(self, name: str) -> list[Row]:
        """Return the repository's things of a kind, in the order of creation."""
        return [row for row in self.state[name].values() if row["repo"] == self.repo]

    def there(self, kind: str, /, **wanted: Any) -> Row:
        """Return the thing of a kind with these values, as texts; refuses with 404 where there is none."""
        rows = (row for row in self.own(kind) if all(str(row[key]) == str(value) for key, value in wanted.items()))
        found = next(rows, None)
        return found if found is not None else not_found()

    def need(self, resource: str, *names: str) -> None:
        """Refuse a request without one of these fields."""
        for name in names:
            if not isinstance(self.given.get(name), str) or not self.given[name]:
                invalid({"resource": resource, "field": name, "code": "missing_field"})

    def add(self, name: str, fields: Row, key: str = "") -> Row:
        """Add a thing of the repository, with an id and a date, under a key or its id."""
        id = self.service.counted(self.state, "id", 1_000_000, most=900)
        row = {"id": id, "repo": self.repo, "created_at": self.date(), **fields}
        self.state[name][key or str(id)] = row
        return row

    def date(self) -> str:
        """Return the time at which something is created."""
        return f"{datetime.fromtimestamp(self.service.time(self.state), UTC):%Y-%m-%dT%H:%M:%SZ}"

    def page(self, rows: Iterable[Row], *known: str) -> tuple[int, list[Row], dict[str, str]]:
        """Return the page of rows that the query asks for; what it asks beside what is `known` is told as ignored."""
        query = self.request.query
        for name in query:
            if name not in (*known, *WORDS[:-1]) and not (name == "sort" and query[name] in _SORTS):
                what = f"nobody understands {name!r} of GET {self.service.target(self.request)}"
                self.service.remark(f"{what}: it is no part of the ready-made GitHub, so it was ignored")
        request = self.request
        if query.get("per_page", "").isdigit() and int(query["per_page"]) > _MOST_A_PAGE:
            request = replace(request, url=request.url.replace(f"per_page={query['per_page']}", "per_page=100"))
        try:
            found, link = paged(list(rows), request)
        except BadQuery as problem:
            invalid({"message": str(problem), "code": "custom"})
        return 200, list(found), {"link": link} if link else {}

    def url(self, path: str) -> str:
        """Return the address of something of the repository."""
        return f"{self.service.base_url}/repos/{self.repo}/{path}"

    def shown(self, row: Row, path: str, **more: Any) -> Row:
        """Return a thing as GitHub answers it, at its path."""
        kept = {key: value for key, value in row.items() if key != "repo"}
        html = f"https://github.com/{self.repo}/{path}"
        return {"url": self.url(path), "html_url": html, "node_id": f"N_{row['id']}", "user": ME, **kept, **more}


Action = Callable[[Call], object]
"""What a request does; returns its answer."""


def no(status: int, message: str, errors: Sequence[Row] = ()) -> Any:
    """Refuse a request."""
    said = {"message": message, **({"errors": list(errors)} if errors else {})}
    raise Refused((status, {**said, "documentation_url": _DOCS, "status": str(status)}, HEADERS))


def not_found() -> Any:
    """Refuse a request for what is not there."""
    return no(404, "Not Found")


def invalid(*errors: Row) -> Any:
    """Refuse a request whose fields are not right."""
    return no(422, "Validation Failed", errors)


def refusal(status: int, reason: str) -> object:
    """Return GitHub's answer to a request that it does not look at; 403 where there are too many."""
    usual = {401: "Bad credentials", 429: "You have exceeded a secondary rate limit.", 503: "Service unavailable"}
    if status == 400:  # only the body can be wrong here: a path or a query is text
        status, usual = 422, {422: "Invalid request."}
    body = {"message": reason or usual.get(status, "Server Error"), "documentation_url": _DOCS}
    if status == 429:
        return 403, body, {**HEADERS, "x-ratelimit-remaining": "4000", "retry-after": "60"}
    return status, body, HEADERS
