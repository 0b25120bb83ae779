"""GitHub's issues, with their comments and labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..values.world import Row
from .github_calls import COMMENTS, ISSUES, LABELS, ME, PULLS, Action, Call, invalid, no, not_found

_FIELDS = ("title", "body", "state", "state_reason", "assignees", "milestone")


def numbered(call: Call) -> Row:
    """Return the issue or pull request that the path names."""
    key = f"{call.repo}#{call.parts['number']}"
    found: Row | None = call.state[ISSUES].get(key) or call.state[PULLS].get(key)
    return found if found is not None else not_found()


def begin(call: Call, name: str, fields: Row) -> Row:
    """Add an issue or a pull request: both are counted together."""
    number = call.service.counted(call.state, f"number {call.repo}", most=5)
    common: Row = {"number": number, "body": call.given.get("body"), "state": "open", "assignees": []}
    row = call.add(name, {"title": call.given["title"], **common, "labels": [], **fields}, f"{call.repo}#{number}")
    row["assignees"] = call.given.get("assignees") or []
    _label(call, row, call.given.get("labels") or [])
    return row


def shown_issue(call: Call, row: Row) -> Row:
    """Return an issue as GitHub answers it."""
    comments = sum(one["of"] == f"{call.repo}#{row['number']}" for one in call.state[COMMENTS].values())
    labels = [_shown_label(call, call.state[LABELS][f"{call.repo}/{name}"]) for name in row["labels"]]
    pull = {"pull_request": {"url": call.url(f"pulls/{row['number']}")}} if "head" in row else {}
    seen = {"labels": labels, "comments": comments, "assignees": [{"login": name} for name in row["assignees"]]}
    return call.shown({**row, **seen, **pull}, f"issues/{row['number']}", updated_at=row["created_at"])


def create_issue(call: Call) -> object:
    """Open an issue."""
    call.need("Issue", "title")
    return 201, shown_issue(call, begin(call, ISSUES, {}))


def list_issues(call: Call) -> object:
    """Answer with issues, the newest first."""
    query = call.request.query
    rows = [row for row in call.own(ISSUES) if query.get("state", "open") in ("all", row["state"])]
    wanted = set(filter(None, query.get("labels", "").split(",")))
    rows = [row for row in rows if wanted <= set(row["labels"])]
    by_me, assignee = query.get("creator", ME["login"]) == ME["login"], query.get("assignee", "")
    rows = [row for row in rows if by_me and _is_assigned(row, assignee)]
    known = ("state", "labels", "direction", "creator", "assignee")
    return call.page((shown_issue(call, row) for row in in_order(rows, query)), *known)


def _is_assigned(row: Row, assignee: str) -> bool:
    """Return whether an issue is assigned as a query wants it: to a person, to anybody (``*``), to nobody."""
    if assignee in ("", "*", "none"):
        return not assignee or bool(row["assignees"]) == (assignee == "*")
    return assignee in row["assignees"]


def in_order(rows: list[Row], query: Mapping[str, str]) -> list[Row]:
    """Return rows as they are asked for: the newest first, unless the query says otherwise."""
    return rows if query.get("direction") == "asc" else rows[::-1]


def change(call: Call) -> Row:
    """Change an issue or a pull request: what it says, its labels, whether it is open."""
    row = numbered(call)
    if call.given.get("state") not in (None, "open", "closed"):
        invalid({"resource": "Issue", "field": "state", "code": "invalid"})
    if not isinstance(call.given.get("title", ""), str):
        invalid({"resource": "Issue", "field": "title", "code": "invalid"})
    row.update({key: value for key, value in call.given.items() if key in _FIELDS})
    if "labels" in call.given:
        row["labels"] = []
        _label(call, row, call.given["labels"])
    return row


def change_issue(call: Call) -> object:
    """Change an issue, and answer with it."""
    return shown_issue(call, change(call))


def list_comments(call: Call) -> object:
    """Answer with the comments of an issue."""
    of = f"{call.repo}#{numbered(call)['number']}"
    return call.page(_comment(call, row) for row in call.own(COMMENTS) if row["of"] == of)


def _comment(call: Call, row: Row) -> Row:
    number = row["of"].partition("#")[2]
    kept = {key: value for key, value in row.items() if key != "of"}
    return call.shown(kept, f"issues/comments/{row['id']}", issue_url=call.url(f"issues/{number}"))


def create_comment(call: Call) -> object:
    """Comment an issue."""
    of = f"{call.repo}#{numbered(call)['number']}"
    call.need("IssueComment", "body")
    return 201, _comment(call, call.add(COMMENTS, {"of": of, "body": call.given["body"]}))


def on_comment(call: Call) -> object:
    """Read, change or delete a comment."""
    row = call.there(COMMENTS, id=call.parts["id"])
    if call.request.method == "DELETE":
        del call.state[COMMENTS][call.parts["id"]]
        return 204, None
    row["body"] = call.given.get("body", row["body"])
    return _comment(call, row)


def _label(call: Call, row: Row, labels: Sequence[Any]) -> None:
    """Give an issue labels; those that the repository does not have yet are created."""
    for one in labels:
        name = one["name"] if isinstance(one, dict) else str(one)
        if f"{call.repo}/{name}" not in call.state[LABELS]:
            call.add(LABELS, {"name": name, "color": "ededed", "description": None}, f"{call.repo}/{name}")
        row["labels"] += [name] if name not in row["labels"] else []


def _shown_label(call: Call, row: Row) -> Row:
    return call.shown(row, f"labels/{row['name']}", default=False)


def list_labels(call: Call) -> object:
    """Answer with the labels of the repository, or of an issue."""
    rows = call.own(LABELS)
    if "number" in call.parts:
        rows = [call.state[LABELS][f"{call.repo}/{name}"] for name in numbered(call)["labels"]]
    return call.page(_shown_label(call, row) for row in rows)


def create_label(call: Call) -> object:
    """Create a label."""
    call.need("Label", "name")
    key, name = f"{call.repo}/{call.given['name']}", call.given["name"]
    if key in call.state[LABELS]:
        invalid({"resource": "Label", "field": "name", "code": "already_exists"})
    fields = {"name": name, "color": call.given.get("color", "ededed"), "description": call.given.get("description")}
    return 201, _shown_label(call, call.add(LABELS, fields, key))


def set_labels(call: Call) -> object:
    """Add labels to an issue, put others in their place, or take all away."""
    row = numbered(call)
    if call.request.method != "POST":
        row["labels"] = []
    _label(call, row, call.given.get("labels") or [])
    return (204, None) if call.request.method == "DELETE" else list_labels(call)


def take_label(call: Call) -> object:
    """Take one label from an issue."""
    row, name = numbered(call), call.parts["label"]
    if name not in row["labels"]:
        no(404, "Label does not exist")
    row["labels"].remove(name)
    return list_labels(call)


def on_label(call: Call) -> object:
    """Read a label, or delete it."""
    row = call.there(LABELS, name=call.parts["label"])
    if call.request.method == "DELETE":
        del call.state[LABELS][f"{call.repo}/{row['name']}"]
        for one in (*call.own(ISSUES), *call.own(PULLS)):
            one["labels"] = [name for name in one["labels"] if name != row["name"]]
        return 204, None
    return _shown_label(call, row)


ROUTES: Mapping[tuple[str, str], Action] = {
    ("POST", "/issues"): create_issue,
    ("GET", "/issues"): list_issues,
    ("GET", "/issues/{number}"): lambda call: shown_issue(call, numbered(call)),
    ("PATCH", "/issues/{number}"): change_issue,
    ("GET", "/issues/{number}/comments"): list_comments,
    ("POST", "/issues/{number}/comments"): create_comment,
    **{(method, "/issues/comments/{id}"): on_comment for method in ("GET", "PATCH", "DELETE")},
    ("GET", "/issues/{number}/labels"): list_labels,
    **{(method, "/issues/{number}/labels"): set_labels for method in ("POST", "PUT", "DELETE")},
    ("DELETE", "/issues/{number}/labels/{label}"): take_label,
    ("GET", "/labels"): list_labels,
    ("POST", "/labels"): create_label,
    **{(method, "/labels/{label}"): on_label for method in ("GET", "DELETE")},
}
"""What answers below a repository, by method and path."""
