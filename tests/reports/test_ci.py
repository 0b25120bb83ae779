"""Reports for services of continuous integration, made of the reported value."""

from rollproof.reports.ci import annotations, code_quality, markdown, sarif

from .findings import POST, STRUCK, TEST, TITLE, exploration, report, violation

KNOWN = violation(
    id="0a0a0a0a0a0a", known=True, new=False, reason="waits for the service's keys", title="A | B, 50 %: c"
)
PLAIN = violation(
    id="1b1b1b1b1b1b", title="", sentence="", kind="", blame=[], cause=None, severity="", new=None, message="x\ny"
)


def test_sarif_has_each_finding_at_its_line() -> None:
    """Level by severity, a fingerprint that survives edits, new or unchanged, known ones suppressed with a reason."""
    (run,) = sarif(report(exploration(violation(), KNOWN, PLAIN)))["runs"]
    first, known, plain = run["results"]
    location = first["locations"][0]["physicalLocation"]
    assert (location["artifactLocation"]["uri"], location["region"]["startLine"]) == ("myagent.py", 29)
    assert (first["level"], first["baselineState"]) == ("error", "new")
    assert first["partialFingerprints"] == {"rollproof/v1": "0123456789ab"}
    assert TITLE in first["message"]["text"]
    assert known["suppressions"] == [{"kind": "external", "justification": "waits for the service's keys"}]
    assert "baselineState" not in plain
    assert plain["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "test_myagent.py"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [first["ruleId"], plain["ruleId"]]


def test_code_quality_leaves_out_what_is_known() -> None:
    """GitLab's form has no way to say that a finding is known."""
    first, plain = code_quality(report(exploration(violation(), KNOWN, PLAIN)))
    assert first["severity"] == "blocker"
    assert first["location"] == {"path": "myagent.py", "lines": {"begin": 29}}
    assert plain["description"].startswith("all_or_nothing, honest_outcome broken")


def test_annotations_keep_their_form() -> None:
    """Colons, commas, percent signs and line breaks of a title or a sentence do not end a property or the command."""
    first, known, plain = annotations(report(exploration(violation(), KNOWN, PLAIN))).splitlines()
    assert first.startswith('::error file=myagent.py,line=29,title=Mail to "all" goes out twice::A second mail is at')
    assert known.startswith("::notice file=myagent.py,line=29,title=A | B%2C 50 %25%3A c::")
    assert plain.startswith(
        "::error file=test_myagent.py,line=1,title=all_or_nothing%2C honest_outcome broken::x%0Ay%0A"
    )
    assert f"--chaos-replay='http.timeout@{POST}#1:after'" in first


def test_markdown_tells_findings_and_what_was_explored() -> None:
    """The counts stand in the heading, a finding has its line and its command, and no text is taken for markup."""
    fixed = [{"id": "2c2c2c2c2c2c", "title": "An old one", "schedule": "", "replayed": True}]
    text = markdown(report(exploration(violation(), KNOWN, fixed=fixed)))
    assert text.startswith("## Recovery: 2 findings, 1 new, 1 known, 1 fixed\n")
    assert f"blocker · new · `{TEST}` · `myagent.py:29`" in text
    assert "### A \\| B, 50 %: c" in text
    assert "Fixed: An old one" in text
    assert f"| `{TEST}` | 7 | 340 | 2 | 0 |" in text
    assert "Struck runs" not in text
    assert "\n| `test_it.py::test_it[a\\|b]` | 7 |" in markdown(report(exploration(test="test_it.py::test_it[a|b]")))
    told = markdown(report(exploration(struck=STRUCK, label="a|b")))
    assert f"\nStruck runs of `{TEST}` a\\|b: 12 done, 5 rolled back, 1 wrong; recovery 1.01 s of virtual" in told
