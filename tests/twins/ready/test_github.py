"""GitHub's twin and PyGithub: issues, files, pull requests, errors; and an issue that an exploration sees twice."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from github import Auth, Github, GithubException, GithubRetry
from rollproof.testing import check_twin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest

from tests.exploring import explored, only

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
FILES = {"acme/site": {"README.md": "# Site", "docs/a.md": "A"}}


def site(token: str = TOKEN, **more: Any) -> Any:
    """Return the repository, as an agent has it; PyGithub waits between requests unless it is told not to."""
    hub = Github(auth=Auth.Token(token), seconds_between_requests=0, seconds_between_writes=0, **more)
    return hub.get_repo("acme/site")


def live(twin: Any, name: str) -> list[dict[str, Any]]:
    """Return what a person sees of one kind."""
    found: list[dict[str, Any]] = twin.describe(twin.save()).get(f"api.github.com/repos/*/*/{name}", [])
    return found


def refused(call: Any, *args: Any, **given: Any) -> tuple[int, str]:
    """Return the status and the message of a call that GitHub refuses."""
    with pytest.raises(GithubException) as problem:
        call(*args, **given)
    return problem.value.status, str(problem.value.data)


def test_issues_have_comments_and_labels(declared: Any) -> None:
    """A closed issue counts as gone, with its comments."""
    twin, repo = declared("github", TOKEN), site()
    issue = repo.create_issue("Broken link", body="On the first page", labels=["bug"])
    assert (issue.number, issue.labels[0].name, issue.user.login) == (1, "bug", "agent")
    comment = issue.create_comment("I look into it")
    comment.edit("Mended")
    assert [one.body for one in repo.get_issue(1).get_comments()] == ["Mended"]
    issue.add_to_labels("urgent")
    issue.remove_from_labels("bug")
    assert [label.name for label in repo.get_issue(1).labels] == ["urgent"]
    issue.set_labels("bug")
    issue.create_comment("Twice").delete()
    assert [(row["title"], row["labels"]) for row in live(twin, "issues")] == [("Broken link", ["bug"])]
    assert [row["body"] for row in live(twin, "issues/comments")] == ["Mended"]
    issue.edit(state="closed", title="Link")
    assert (live(twin, "issues"), live(twin, "issues/comments"), issue.state) == ([], [], "closed")
    assert [one.title for one in repo.get_issues(state="closed")] == ["Link"]
    assert repo.get_label("urgent").color == "ededed"
    assert refused(repo.create_label, "bug", "ff0000")[0] == 422
    repo.get_label("bug").delete()
    assert [label.name for label in repo.get_labels()] == ["urgent"]


def test_files_are_written_over_what_was_read(declared: Any) -> None:
    """The sha of a file is wanted, and another one is a conflict."""
    twin, repo = declared("github", repositories=FILES), site()
    readme = repo.get_contents("README.md")
    assert readme.decoded_content == b"# Site"
    repo.update_file("README.md", "Title", "# Our site", readme.sha)
    assert refused(repo.update_file, "README.md", "Again", "# No", readme.sha)[0] == 409
    assert refused(repo.create_file, "README.md", "Again", "# No")[0] == 422
    made = repo.create_file("docs/new page.md", "New", "N")
    assert (made["content"].path, made["commit"].commit.message) == ("docs/new page.md", "New")
    assert [one.path for one in repo.get_contents("docs")] == ["docs/a.md", "docs/new page.md"]
    assert [one.type for one in repo.get_contents("")] == ["file", "dir"]
    repo.delete_file("docs/a.md", "Less", repo.get_contents("docs/a.md").sha)
    assert refused(repo.get_contents, "docs/a.md")[0] == 404
    (main,) = live(twin, "git/refs")
    assert main["files"] == {"docs/new page.md": "N", "README.md": "# Our site"}
    assert main["commits"] == ["Initial commit", "Title", "New", "Less"]
    assert repo.get_commits()[0].commit.message == "Less"


def test_pull_requests_are_merged(declared: Any) -> None:
    """A branch is made, changed, proposed once, merged once; what both sides changed is refused."""
    twin, repo = declared("github", repositories=FILES), site()
    for name in ("feature/x", "late"):
        repo.create_git_ref(f"refs/heads/{name}", repo.get_branch("main").commit.sha)
    repo.update_file("docs/a.md", "Better", "B", repo.get_contents("docs/a.md").sha, branch="feature/x")
    repo.update_file("docs/a.md", "Other", "C", repo.get_contents("docs/a.md").sha, branch="late")
    assert refused(repo.create_git_ref, "refs/heads/late", repo.get_branch("main").commit.sha)[0] == 422
    pull = repo.create_pull("main", "feature/x", title="Better docs", body="See")
    assert "already exists" in refused(repo.create_pull, "main", "feature/x", title="Again")[1]
    assert [one.number for one in repo.get_pulls(head="acme:feature/x")] == [pull.number]
    pull.create_issue_comment("Ready")
    pull.add_to_labels("docs")
    assert pull.merge().merged
    assert (repo.get_pull(pull.number).merged, repo.get_contents("docs/a.md").decoded_content) == (True, b"B")
    assert refused(pull.merge)[0] == 405
    late = repo.create_pull("main", "late", title="Late")
    assert refused(late.merge)[0] == 405
    late.edit(state="closed")
    repo.get_git_ref("heads/late").delete()
    assert [row["title"] for row in live(twin, "pulls")] == ["Better docs"]
    assert [branch.name for branch in repo.get_branches()] == ["main", "feature/x"]
    main, branch = repo.get_git_ref("heads/main"), repo.get_git_ref("heads/feature/x")
    branch.edit(main.object.sha)
    before = repo.get_commits()[1].sha
    assert "fast forward" in refused(branch.edit, before)[1]
    branch.edit(before, force=True)


def test_releases_have_a_tag_of_their_own(declared: Any) -> None:
    """Each tag is released once; the tag stays where the release is deleted."""
    twin, repo = declared("github"), site()
    release = repo.create_git_release("v1", "One", "The first")
    assert refused(repo.create_git_release, "v1", "One", "Again")[0] == 422
    assert (repo.get_release("v1").name, repo.get_latest_release().tag_name) == ("One", "v1")
    release.update_release("Uno", "The first")
    assert [one.name for one in repo.get_releases()] == ["Uno"]
    release.delete_release()
    assert live(twin, "releases") == []
    assert [row["ref"] for row in live(twin, "git/refs")] == ["refs/heads/main", "refs/tags/v1"]


def test_lists_have_pages_and_errors_have_githubs_words(declared: Any) -> None:
    """PyGithub follows ``Link``; what is not there, a wrong key, a rate limit, a field that is missing."""
    twin, repo = declared("github", TOKEN), site(per_page=2)
    for number in range(5):
        repo.create_issue(f"Issue {number}", labels=["bug"] if number % 2 else [])
    assert [one.number for one in repo.get_issues()] == [5, 4, 3, 2, 1]
    assert repo.get_issues().totalCount == 5
    assert [one.number for one in repo.get_issues(labels=["bug"], direction="asc")] == [2, 4]
    assert refused(repo.get_issue, 9)[0] == 404
    assert refused(repo.create_issue, "")[0] == 422
    assert refused(site, "ghp_other")[0] == 401
    limited = twin.refuse(HttpRequest("GET", "https://api.github.com/user"), 429, {"retry-after": "2"})
    assert (limited.status, limited.headers["retry-after"], limited.headers["x-ratelimit-limit"]) == (403, "2", "5000")
    for wrong in (["site"], {"acme/site": {"x": b"1"}}, {"acme/site": None}):
        with pytest.raises(ChaosError, match="repositories="):
            declared("github", base_url="https://git.test/api/v3", repositories=wrong)


def test_issues_are_filtered_by_people_and_what_is_ignored_is_told(declared: Any) -> None:
    """By who opened them and whose they are; a filter that is not there is a sentence of the statement."""
    twin, repo = declared("github", TOKEN), site()
    repo.create_issue("Mine", assignees=["ada"])
    repo.create_issue("Nobody's")
    asked = {"assignee": {"ada": ["Mine"], "*": ["Mine"], "none": ["Nobody's"], "bob": []}, "creator": {"bob": []}}
    for name, cases in asked.items():
        for value, titles in cases.items():
            assert [one.title for one in repo.get_issues(**{name: value})] == titles
    assert [one.title for one in repo.get_issues(creator="agent", sort="updated")] == ["Nobody's", "Mine"]
    assert (twin.remarks, twin.own_secrets) == ([], {"the token of https://api.github.com": TOKEN})
    assert len(list(repo.get_issues(since=datetime(2030, 1, 1, tzinfo=UTC), sort="comments"))) == 2
    told = ["nobody understands 'since' of GET", "nobody understands 'sort' of GET"]
    assert sorted(text.partition(" api.")[0] for text in twin.remarks) == told


def test_it_is_a_twin(declared: Any) -> None:
    """It keeps the contract of every twin; the name of a point has no names of repositories in it."""
    twin = declared("github", base_url="https://git.test/api/v3")
    url = "https://git.test/api/v3/repos/acme/site/issues"
    check_twin(twin, HttpRequest("POST", url, {}, b'{"title": "a"}'))
    assert twin.target(HttpRequest("GET", f"{url}/7/comments")) == "git.test/api/v3/repos/*/*/issues/*/comments"
    put = HttpRequest("PUT", url.replace("issues", "contents/a%20b.md"), {}, b'{"message": "m", "content": "YQ=="}')
    assert (twin.handle(put).status, twin.handle(put).status) == (201, 422)
    assert twin.handle(HttpRequest("POST", url, {}, b"{")).status == 400
    nowhere = HttpRequest("PUT", url.replace("issues", "contents/"), {}, put.body)
    before, wrong = twin.save(), (b'{"title": "a", "labels": 5}', b'{"title": "a", "assignees": 5}', b'{"title": []}')
    assert [twin.handle(HttpRequest("POST", url, {}, body)).status for body in wrong] == [422] * 3
    assert twin.handle(HttpRequest("PATCH", f"{url}/1", {}, b'{"title": ["a"]}')).status == 422
    assert (twin.handle(nowhere).status, twin.save()) == (404, before)


def report(careful: bool) -> str:
    """Open an issue about a broken link; PyGithub sends even a POST again, unless it is told not to."""
    repo = site(retry=GithubRetry(total=2, allowed_methods={"GET"}) if careful else GithubRetry(total=2))
    if not careful or all(issue.title != "Broken link" for issue in repo.get_issues()):
        repo.create_issue("Broken link")
    return "reported"


@pytest.mark.parametrize("careful", [False, True])
def test_an_exploration_sees_a_second_issue(careful: bool, tmp_path: Path) -> None:
    """The answer is lost; the SDK's own retry opens the issue again, an agent that looks first opens none."""

    def explore(chaos: Any, folder: Path) -> None:
        chaos.twin("github", TOKEN)
        chaos.explore(lambda: report(careful), lambda: report(True))

    faults = only("http.timeout", *["http.rate_limited"] * careful)
    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **faults)
    assert result.errors == ()
    assert "http.post:api.github.com/repos/*/*/issues#1" in {cell.point for cell in result.cells}
    assert [finding.title for finding in result.violations] == (
        [] if careful else ["Issue 'Broken link' is there twice"]
    )
