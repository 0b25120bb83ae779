"""GitHub's repositories as trees of files: commits, refs, contents, merges."""

import json
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Iterator, Mapping
from hashlib import sha1
from typing import Any

from ..values.world import Row
from .github_calls import COMMITS, ME, REFS, REPOS, Action, Call, no, not_found
from .ready_service import State

Files = dict[str, str]
"""Path → content in base64."""


def commit(call: Call, branch: str, message: str, files: Files, parents: list[str]) -> Row:
    """Add a commit and let a branch point at it."""
    made = {"repo": call.repo, "message": message, "files": files, "parents": parents, "date": call.date()}
    sha = sha1(json.dumps(made).encode()).hexdigest()  # as git names them
    call.state[COMMITS][sha] = made
    point(call, f"refs/heads/{branch}", sha)
    return {"sha": sha, **made}


def point(call: Call, ref: str, sha: str) -> Row:
    """Point a ref at a commit."""
    row: Row = {"repo": call.repo, "ref": ref, "sha": sha}
    call.state[REFS][f"{call.repo}/{ref}"] = row
    return row


def head(call: Call, name: str) -> str:
    """Return the commit that a branch, a tag or a sha stands for; refuses with 404 where there is none."""
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        if (row := call.state[REFS].get(f"{call.repo}/{ref}")) is not None:
            return str(row["sha"])
    return name if call.state[COMMITS].get(name, {}).get("repo") == call.repo else str(not_found())


def default_branch(call: Call) -> str:
    """Return the branch that is meant where none is named."""
    return str(call.state[REPOS][call.repo]["default_branch"])


def history(state: State, sha: str) -> Iterator[str]:
    """Yield a commit and the first parents before it, the newest first."""
    while sha:
        yield sha
        sha = next(iter(state[COMMITS][sha]["parents"]), "")


def _shown(call: Call, sha: str) -> Row:
    made = call.state[COMMITS][sha]
    parents = [{"sha": parent, "url": call.url(f"commits/{parent}")} for parent in made["parents"]]
    person = {"name": ME["login"], "email": "agent@users.noreply.github.com", "date": made["date"]}
    inner = {"message": made["message"], "author": person, "committer": person, "tree": {"sha": sha}}
    address = {"url": call.url(f"commits/{sha}"), "html_url": f"https://github.com/{call.repo}/commit/{sha}"}
    return {"sha": sha, "node_id": f"C_{sha}", **address, "commit": inner, "parents": parents, **inner}


def read_commit(call: Call) -> object:
    """Answer with a commit."""
    return _shown(call, head(call, call.parts["sha"]))


def list_commits(call: Call) -> object:
    """Answer with the history of a branch."""
    start = head(call, call.request.query.get("sha") or default_branch(call))
    return call.page([_shown(call, sha) for sha in history(call.state, start)], "sha")


def _branch(call: Call, ref: Row) -> Row:
    sha = ref["sha"]
    name = ref["ref"].removeprefix("refs/heads/")
    return {"name": name, "commit": {"sha": sha, "url": call.url(f"commits/{sha}")}, "protected": False}


def list_branches(call: Call) -> object:
    """Answer with all branches."""
    return call.page([_branch(call, row) for row in call.own(REFS) if row["ref"].startswith("refs/heads/")])


def read_branch(call: Call) -> object:
    """Answer with a branch."""
    found = call.state[REFS].get(f"{call.repo}/refs/heads/{call.parts['branch']}")
    return _branch(call, found if found is not None else no(404, "Branch not found"))


def _ref(call: Call, row: Row) -> Row:
    target = {"type": "commit", "sha": row["sha"], "url": call.url(f"git/commits/{row['sha']}")}
    return {"ref": row["ref"], "node_id": f"R_{row['ref']}", "url": call.url(f"git/{row['ref']}"), "object": target}


def create_ref(call: Call) -> object:
    """Create a branch or a tag."""
    call.need("Reference", "ref", "sha")
    ref, sha = call.given["ref"], call.given["sha"]
    if not ref.startswith("refs/") or ref.count("/") < 2:
        no(422, "Reference name must start with 'refs/'.")
    if f"{call.repo}/{ref}" in call.state[REFS]:
        no(422, "Reference already exists")
    if sha not in call.state[COMMITS]:
        no(422, "Object does not exist")
    return 201, _ref(call, point(call, ref, sha))


def on_ref(call: Call) -> object:
    """Read, move or delete what the end of the path names."""
    row = call.state[REFS].get(f"{call.repo}/refs/{call.parts['rest']}")
    match call.request.method:
        case "GET":
            return _ref(call, row if row is not None else not_found())
        case _ if row is None:
            return no(422, "Reference does not exist")
        case "DELETE":
            del call.state[REFS][f"{call.repo}/{row['ref']}"]
            return 204, None
        case "PATCH":
            sha = call.given.get("sha")
            if sha not in call.state[COMMITS]:
                no(422, "Object does not exist")
            if not call.given.get("force") and row["sha"] not in _all_before(call.state, str(sha)):
                no(422, "Update is not a fast forward")
            return _ref(call, point(call, row["ref"], str(sha)))
    return not_found()


def _all_before(state: State, sha: str) -> list[str]:
    """Return a commit and all that it stands on, nearest first."""
    found = [sha]
    for one in found:
        found += [parent for parent in state[COMMITS][one]["parents"] if parent not in found]
    return found


def blob(content: str) -> str:
    """Return git's name of a content in base64."""
    plain = b64decode(content)
    return sha1(b"blob %d\0" % len(plain) + plain).hexdigest()  # as git names them


def _file(call: Call, path: str, content: str) -> Row:
    size, name = len(b64decode(content)), path.rpartition("/")[2]
    where = {"url": call.url(f"contents/{path}"), "html_url": f"https://github.com/{call.repo}/blob/main/{path}"}
    kind = {"type": "file", "name": name, "path": path, "size": size, "sha": blob(content)}
    return {**kind, "encoding": "base64", "content": content, **where, "git_url": None, "download_url": None}


def on_contents(call: Call) -> object:
    """Read, write or delete the file that the end of the path names, or list a folder."""
    path, given = call.parts["rest"].strip("/"), {**call.request.query, **call.given}
    branch = str(given.get("branch") or given.get("ref") or default_branch(call))
    sha = head(call, branch)
    files: Files = call.state[COMMITS][sha]["files"]
    if call.request.method == "GET":
        below = [(name, text) for name, text in files.items() if not path or name.startswith(f"{path}/")]
        return _file(call, path, files[path]) if path in files else _folder(call, path, below)
    if call.request.method not in ("PUT", "DELETE") or not path:
        return not_found()
    if not given.get("message"):
        no(422, 'Invalid request.\n\n"message" wasn\'t supplied.')
    _check_sha(path, files, given.get("sha"), deletes=call.request.method == "DELETE")
    left = {name: text for name, text in files.items() if name != path}
    if call.request.method == "DELETE":
        made = commit(call, branch, given["message"], left, [sha])
        return {"content": None, "commit": _shown(call, made["sha"])}
    content = _content(given)
    made = commit(call, branch, given["message"], {**left, path: content}, [sha])
    answer = {"content": _file(call, path, content), "commit": _shown(call, made["sha"])}
    return 200 if path in files else 201, answer


def _content(given: Mapping[str, Any]) -> str:
    try:
        return b64encode(b64decode(str(given.get("content", "")), validate=False)).decode()
    except NoBase64:
        return str(no(422, "content is not valid Base64"))


def _check_sha(path: str, files: Files, sha: object, *, deletes: bool) -> None:
    if path not in files:
        if deletes:
            not_found()
        return
    if not sha:
        no(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if sha != blob(files[path]):
        no(409, f"{path} does not match {sha}")


def _folder(call: Call, path: str, below: list[tuple[str, str]]) -> object:
    if not below:
        return not_found()
    start = len(path) + 1 if path else 0
    plain = {name: text for name, text in below if "/" not in name[start:]}
    folders = dict.fromkeys(name[: name.index("/", start)] for name, _ in below if "/" in name[start:])
    inner = [{**_file(call, name, text), "content": None} for name, text in plain.items()]
    return inner + [{"type": "dir", "path": name, "name": name[start:], "size": 0, "sha": ""} for name in folders]


def merge(call: Call, into: str, from_: str, message: str) -> str:
    """Merge a branch into another one and return the commit; refuses where both have changed the same file."""
    ours, theirs = head(call, into), head(call, from_)
    reached = set(_all_before(call.state, ours))
    base = next((sha for sha in _all_before(call.state, theirs) if sha in reached), "")
    was: Files = call.state[COMMITS][base]["files"] if base else {}
    here, there = call.state[COMMITS][ours]["files"], call.state[COMMITS][theirs]["files"]
    changed = {path for path in {*was, *there} if was.get(path) != there.get(path)}
    if any(here.get(path) not in (was.get(path), there.get(path)) for path in changed):
        no(405, "Pull Request is not mergeable")
    merged = {path: text for path, text in here.items() if path not in changed}
    merged |= {path: there[path] for path in sorted(changed) if path in there}
    return str(commit(call, into, message, merged, [ours, theirs])["sha"])


def live(state: State) -> list[Row]:
    """Return refs as a person sees them: a branch with its files and the messages of its commits."""
    rows = []
    for row in state[REFS].values():
        shas = list(history(state, row["sha"]))
        files = {path: _text(content) for path, content in state[COMMITS][row["sha"]]["files"].items()}
        seen = {"files": files, "commits": [state[COMMITS][sha]["message"] for sha in reversed(shas)]}
        rows.append({"repo": row["repo"], "ref": row["ref"], **(seen if row["ref"].startswith("refs/heads/") else {})})
    return rows


def _text(content: str) -> str:
    plain = b64decode(content)
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return f"{len(plain)} bytes {blob(content)}"


ROUTES: Mapping[tuple[str, str], Action] = {
    ("GET", "/commits"): list_commits,
    ("GET", "/commits/{sha}"): read_commit,
    ("GET", "/git/commits/{sha}"): read_commit,
    ("GET", "/branches"): list_branches,
    ("GET", "/branches/{branch}"): read_branch,
    ("POST", "/git/refs"): create_ref,
}
"""What answers below a repository, by method and path."""
