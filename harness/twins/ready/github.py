"""GitHub: issues, pull requests, files and releases, as the parts of its REST API that agents use most."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from ...values.errors import ChaosError, shown
from ...values.http import HttpRequest
from ...values.world import Row
from ..github_calls import (
    COMMENTS,
    COMMITS,
    HEADERS,
    ISSUES,
    LABELS,
    ME,
    NAMES,
    PULLS,
    REFS,
    RELEASES,
    REPOS,
    Action,
    Call,
    invalid,
    no,
    not_found,
    refusal,
)
from ..github_git import ROUTES as OF_GIT
from ..github_git import commit, default_branch, head, live, merge, on_contents, on_ref, point
from ..github_issues import ROUTES as OF_ISSUES
from ..github_issues import begin, change, in_order, shown_issue
from ..ready_service import Provider, ReadyService, State

_DEEP = re.compile(r"/repos/([^/]+)/([^/]+)/(contents|git/refs|git/ref)/?(.*)")

_NO_KEYS = "GitHub documents no idempotency key: before something is made again, look for it in the list that has it"


def github(
    token: str | None = None,
    *,
    base_url: str = "https://api.github.com",
    repositories: Mapping[str, Mapping[str, str]] | Sequence[str] = ("acme/site",),
) -> ReadyService:
    """GitHub: issues, comments, labels, pull requests, files, branches, releases.

    Its user is ``agent``. A closed issue, and a pull request that was closed without a merge, count as gone with their
    comments. A branch is its files and the messages of its commits.

    Args:
        token: the only one that is accepted; None accepts each.
        base_url: where the client sends its requests.
        repositories: ``["acme/site"]``, or with the files of each: ``{"acme/site": {"README.md": "# Site"}}``.
    """
    state: State = {**{name: {} for name in NAMES}, COMMITS: {}}
    made: list[ReadyService] = []

    def elsewhere(request: HttpRequest, state: State) -> object:
        """Answer for paths that end with the path of a file, or with the name of a ref."""
        found = _DEEP.fullmatch(request.path.removeprefix(urlsplit(made[0].base_url).path))
        if found is None:
            return not_found()
        owner, name, kind, rest = map(unquote, found.groups())
        action = on_contents if kind == "contents" else on_ref
        return _answer(made[0], action, request, state, {"owner": owner, "name": name, "rest": rest})

    service = ReadyService(base_url, Provider(refusal, _live, elsewhere, _NO_KEYS), state, token)
    made.append(service)
    for (method, path), action in _ROUTES.items():
        _route(service, method, f"/repos/{{owner}}/{{name}}{path}", action)
    service.own_route("GET", "/user", lambda request, state: (200, ME, HEADERS))
    begin = service.state
    _seed(service, begin, repositories)
    service.begin_with(begin)
    return service


def _seed(service: ReadyService, state: State, given: object) -> None:
    rows: object = {name: {} for name in given} if isinstance(given, (list, tuple)) else given
    if not isinstance(rows, Mapping) or not all(map(_is_repository, rows.keys(), rows.values())):
        hint = 'a list of names, or the files of each: {"acme/site": {"README.md": "# Site"}}'
        raise ChaosError("bad-seed", f"repositories={shown(given)} of github", hint)
    for repo, files in rows.items():
        call = Call(service, state, HttpRequest("GET", service.base_url), repo, {}, {})
        owner, _, name = repo.partition("/")
        row = {"name": name, "full_name": repo, "private": False, "default_branch": "main", "description": None}
        call.add(REPOS, {**row, "owner": {"login": owner, "id": 2, "type": "Organization"}}, repo)
        content = {path: b64encode(text.encode()).decode() for path, text in files.items()}
        commit(call, "main", "Initial commit", content, [])


def _is_repository(name: object, files: object) -> bool:
    is_named = isinstance(name, str) and name.count("/") == 1
    return is_named and isinstance(files, Mapping) and all(isinstance(text, str) for text in files.values())


def _route(service: ReadyService, method: str, path: str, action: Action) -> None:
    service.own_route(method, path, lambda request, state, **parts: _answer(service, action, request, state, parts))


def _answer(
    service: ReadyService, action: Action, request: HttpRequest, state: State, parts: Mapping[str, str]
) -> object:
    repo = f"{parts['owner']}/{parts['name']}"
    if repo not in state[REPOS]:
        not_found()
    try:
        given = request.json() if request.body else {}
    except ValueError:
        no(400, "Problems parsing JSON")
    given = {"labels": given} if isinstance(given, list) else given
    answer = action(Call(service, state, request, repo, given if isinstance(given, dict) else {}, parts))
    status, body, headers = (*answer, {})[:3] if isinstance(answer, tuple) else (200, answer, {})
    return status, body, {**HEADERS, **headers}


def _live(state: State) -> Mapping[str, Any]:
    numbered = {**state[ISSUES], **state[PULLS]}
    gone = {key for key, row in numbered.items() if row["state"] == "closed" and not row.get("merged")}
    there = {
        name: [{**row, "id": key} for key, row in state[name].items() if key not in gone] for name in (ISSUES, PULLS)
    }
    comments = [row for row in state[COMMENTS].values() if row["of"] not in gone]
    plain = {name: list(state[name].values()) for name in (REPOS, LABELS, RELEASES)}
    return {**plain, **there, COMMENTS: comments, REFS: live(state)}


def _repository(call: Call) -> object:
    row = call.state[REPOS][call.repo]
    return {**call.shown(row, ""), "url": call.url("").rstrip("/"), "permissions": {"push": True, "pull": True}}


def _pull(call: Call, row: Row) -> Row:
    ends = {}
    for end in ("head", "base"):
        ref = call.state[REFS].get(f"{call.repo}/refs/heads/{row[end]}", {})
        sha = ref.get("sha") or row["merge_commit_sha"]
        repo = _repository(call)
        ends[end] = {"ref": row[end], "label": f"{call.repo.partition('/')[0]}:{row[end]}", "sha": sha, "repo": repo}
    number = row["number"]
    issue = {**shown_issue(call, row), "issue_url": call.url(f"issues/{number}"), "mergeable": not row["merged"]}
    path = {"url": call.url(f"pulls/{number}"), "html_url": f"https://github.com/{call.repo}/pull/{number}"}
    return {**issue, **ends, **path}


def _create_pull(call: Call) -> object:
    call.need("PullRequest", "title", "head", "base")
    branch, base = call.given["head"].rpartition(":")[2], call.given["base"]
    for name, field in ((branch, "head"), (base, "base")):
        if f"{call.repo}/refs/heads/{name}" not in call.state[REFS]:
            invalid({"resource": "PullRequest", "field": field, "code": "invalid"})
    if any((row["head"], row["base"], row["state"]) == (branch, base, "open") for row in call.own(PULLS)):
        message = f"A pull request already exists for {call.repo.partition('/')[0]}:{branch}."
        invalid({"resource": "PullRequest", "code": "custom", "message": message})
    if head(call, branch) == head(call, base):
        message = f"No commits between {base} and {branch}"
        invalid({"resource": "PullRequest", "code": "custom", "message": message})
    ends = {"head": branch, "base": base, "draft": bool(call.given.get("draft"))}
    return 201, _pull(call, begin(call, PULLS, {**ends, "merged": False, "merge_commit_sha": None}))


def _list_pulls(call: Call) -> object:
    query = call.request.query
    rows = [row for row in call.own(PULLS) if query.get("state", "open") in ("all", row["state"])]
    branch = query.get("head", "").rpartition(":")[2]
    rows = [row for row in rows if branch in ("", row["head"]) and query.get("base", row["base"]) == row["base"]]
    known = ("state", "head", "base", "direction")
    return call.page((_pull(call, row) for row in in_order(rows, query)), *known)


def _merge(call: Call) -> object:
    row = call.there(PULLS, number=call.parts["number"])
    if row["state"] != "open":
        no(405, "Pull Request is not mergeable")
    if call.given.get("sha", head(call, row["head"])) != head(call, row["head"]):
        no(409, "Head branch was modified. Review and try the merge again.")
    message = call.given.get("commit_message") or f"Merge pull request #{row['number']} from {row['head']}"
    sha = merge(call, row["base"], row["head"], message)
    row.update(state="closed", merged=True, merge_commit_sha=sha)
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def _release(call: Call, row: Row) -> Row:
    return call.shown(row, f"releases/{row['id']}", author=ME, assets=[], upload_url=call.url(f"releases/{row['id']}"))


def _create_release(call: Call) -> object:
    call.need("Release", "tag_name")
    tag, given = call.given["tag_name"], call.given
    if any(row["tag_name"] == tag for row in call.own(RELEASES)):
        invalid({"resource": "Release", "code": "already_exists", "field": "tag_name"})
    if f"{call.repo}/refs/tags/{tag}" not in call.state[REFS] and not given.get("draft"):
        point(call, f"refs/tags/{tag}", head(call, given.get("target_commitish") or default_branch(call)))
    said = {"name": given.get("name"), "body": given.get("body"), "draft": bool(given.get("draft"))}
    row = {"tag_name": tag, **said, "prerelease": bool(given.get("prerelease")), "target_commitish": "main"}
    return 201, _release(call, call.add(RELEASES, row, f"{call.repo}/{tag}"))


def _on_release(call: Call) -> object:
    row = call.there(RELEASES, id=call.parts["id"])
    if call.request.method == "DELETE":
        del call.state[RELEASES][f"{call.repo}/{row['tag_name']}"]
        return 204, None
    row.update({key: call.given[key] for key in ("name", "body", "draft", "prerelease") if key in call.given})
    return _release(call, row)


def _change_pull(call: Call) -> object:
    return _pull(call, change(call))


def _find_release(call: Call) -> object:
    return _release(call, call.there(RELEASES, tag_name=call.parts["tag"]))


def _latest_release(call: Call) -> object:
    rows = [row for row in call.own(RELEASES) if not (row["draft"] or row["prerelease"])]
    return _release(call, rows[-1]) if rows else not_found()


_ROUTES: Mapping[tuple[str, str], Action] = {
    ("GET", ""): _repository,
    **OF_ISSUES,
    **OF_GIT,
    ("POST", "/pulls"): _create_pull,
    ("GET", "/pulls"): _list_pulls,
    ("GET", "/pulls/{number}"): lambda call: _pull(call, call.there(PULLS, number=call.parts["number"])),
    ("PATCH", "/pulls/{number}"): _change_pull,
    ("PUT", "/pulls/{number}/merge"): _merge,
    ("POST", "/releases"): _create_release,
    ("GET", "/releases"): lambda call: call.page(_release(call, row) for row in call.own(RELEASES)[::-1]),
    ("GET", "/releases/latest"): _latest_release,
    ("GET", "/releases/tags/{tag}"): _find_release,
    **{(method, "/releases/{id}"): _on_release for method in ("GET", "PATCH", "DELETE")},
}
"""What answers below a repository; what ends with the path of a file, or with a ref, is answered elsewhere."""
