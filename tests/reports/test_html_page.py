"""The recovery page: one file with all of a report, that needs nothing else."""

import re
from html.parser import HTMLParser
from xml.dom.minidom import parseString

from rollproof.reports.html_page import render
from rollproof.reports.lanes import picture

from .findings import POST, STRUCK, TEST, TITLE, besides, exploration, report, step, violation


class _Page(HTMLParser):
    """All texts of a page, the attributes of its elements, and whether each element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "wbr", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without an end of its own."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """See that the innermost element ends."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def test_a_page_shows_all_of_a_finding() -> None:
    """Title, sentence, line to blame, states, kind and cure, replay, story; each element is closed."""
    page = _Page(render(report(exploration(violation(blame=besides())))))
    text = " ".join(page.texts)
    assert re.search(r"1 more place\s+besides\s+myagent.py:11", text)
    for said in (TITLE, "A second mail is at api.mail.test", "in mail()", "called from myagent.py:21", "repeated"):
        assert said in text
    for said in ("a stable Idempotency-Key on this call", f"--chaos-replay='http.timeout@{POST}#1:after'", "25 more"):
        assert said in text
    assert "What green means here" in text
    assert [attributes["data-severity"] for tag, attributes in page.elements if tag == "article"] == ["blocker"]


def test_a_page_says_how_struck_runs_ended() -> None:
    """In its first block, before any finding, with what a budget left out; none without struck runs."""
    html = render(report(exploration(violation(), struck=STRUCK, errors=["not explored: 0 of 9 crashes were tried"])))
    text = " ".join(_Page(html.partition("<article")[0] + "</section></main></body></html>").texts)
    for said in ("How the struck runs ended", "rolled back", "1.01 s (95 %: 31 s, longest 400 s)", "1234"):
        assert said in text
    assert "1 not all explored" in text
    assert "not judged" not in text
    assert "Could not be judged" not in text
    none = exploration()
    assert "struck" not in render(report(none))
    del none["struck"]  # type: ignore[misc]
    assert "struck" not in render(report(none))


def test_a_page_needs_no_other_file() -> None:
    """Nothing is loaded, and what agents, models and services say is text, whatever it looks like."""
    evil = '</script><script>alert(1)</script><img src="https://x.test/a.png">'
    story = [step(f"http.post:{evil}#1", evil, 1, phase="fault", life=evil, fate="torn", within=[evil])]
    html = render(
        report(exploration(violation(title=evil, sentence=evil, diff=[evil], story=story, kind=evil), test=evil))
    )
    page = _Page(html)
    assert [tag for tag, _ in page.elements if tag in ("script", "img", "link", "iframe")] == ["script"]
    assert not [attributes for _, attributes in page.elements if {"src", "action"} & set(attributes)]
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in page.elements)
    assert not re.search(r"url\(|@import|fetch\(", html)
    assert "default-src 'none'" in html


def test_fifty_findings_are_less_than_a_megabyte() -> None:
    """A page can be mailed: long stories, large states, hundreds of cells, and a retry storm that is told once."""
    story = [step(f"file.write:shared/{number}.md#1", "300 bytes", 20, fate="kept") for number in range(20)]
    story += [step(f"{POST}#{number}", "raises ReadTimeout", 29) for number in range(60)]
    states = {when: {"shared/report.md": f"{when}: {'x' * 5000}"} for when in ("before", "fault", "end")}
    found = violation(story=[*story, *violation()["story"]], states={**states, "right": {}})
    cells = [
        {"point": f"file.write:shared/{n % 20}.md#1", "fault": f"storage.{n}", "verdict": "holds"} for n in range(300)
    ]
    cells = [{**cell, "invariants": [], "schedule": "", "count": 3, "merged": 0} for cell in cells]
    html = render(report(*[exploration(found, cells=cells)] * 50))
    assert len(html.encode()) < 1_000_000
    assert html.count("(and 59 more steps like it)") == 2 * 50


def test_what_is_generated_anew_is_not_wrong() -> None:
    """An id differs in each run; what the difference names is wrong; two right halves are told from each other."""

    def row(name: str, end: object, *right: object) -> dict[str, dict[str, object]]:
        return {"before": {}, "fault": {}, "end": {name: end}, "right": {name: list(right)}}

    def page(states: dict[str, dict[str, object]], diff: str) -> str:
        return render(report(exploration(violation(states=states, diff=[diff]), cells=[])))

    order, other = [{"id": "order_e0a229972c56ee632af5"}], [{"id": "order_f71a71bd3ba6e4df4914"}]
    assert '<tr class="wrong">' not in page(row("shop.test/orders", order, None, other), "+ shared/a: file")
    assert '<tr class="wrong">' in page(row("shop.test/orders", order, None, other), "~ shop.test/orders: id")
    assert '<tr class="wrong">' in page(row("shop.test/orders", order * 2, None, other), "")
    first, second = row("a.txt", "new", "old", "new"), row("b.txt", "old", "old", "new")
    half = page({when: {**first[when], **second[when]} for when in first}, "~ a.txt: line 1")
    assert "together they are neither as before nor as after a complete run" in half
    assert re.findall(r'<span class="badge">(as [a-z ]+)<', half) == ["as when done", "as before"]


def test_a_result_without_stories_is_shown() -> None:
    """Where the parts of a finding are empty, its cause stands for its title, as in every view; its place is there."""
    cause = {"promise": "all_or_nothing", "way": "twice", "effect": POST, "file": "myagent.py", "line": 29}
    cause |= {"function": "mail", "statement": "httpx.post()", "exception": ""}
    empty = {"before": {}, "fault": {}, "end": {}, "right": {}}
    bare = violation(title="", sentence="", story=[], states=empty, blame=[], exchange=[], kind="", cause=cause)
    text = " ".join(_Page(render(report(exploration(bare)))).texts)
    assert f"twice: {POST}, myagent.py:29" in text
    assert "myagent.py:29, in mail(): httpx.post()" in text
    assert TEST in text


def test_a_picture_has_a_lane_for_each_life_and_each_outside() -> None:
    """The fault is shaded, what is too much is red; it says in words what it shows."""
    svg = picture(
        [
            *violation()["story"],
            step("file.remove:shared/report.md#1", "removed", phase="recovery", life="recover", fate="undone"),
        ]
    )
    lanes = re.findall(r'<text x="2"[^>]*>([^<]+)<', svg)
    assert lanes == ["run", "recover", "agent/", "shared/", "api.mail.test"]
    assert svg.count('class="band"') == 1
    assert re.search(r'class="bad"[^>]*>POST mails 201<', svg)
    assert 'role="img" aria-label="run: ' in svg
    assert picture([]) == ""


def test_a_picture_is_xml_whatever_a_story_has() -> None:
    """Colours of a terminal, a name of a file that is no text, and markup: as an image it is drawn or is nothing."""
    outcome = "raises ValueError: \x1b[31m<b>&\x00"
    svg = picture([step("file.write:shared/\udcff#1", outcome, phase="fault", fate="kept")])
    (title,) = parseString(svg.encode()).getElementsByTagName("title")
    drawn = title.firstChild.data
    assert drawn == "raises ValueError: \ufffd[31m<b>&\ufffd"


def test_a_long_story_keeps_what_is_near_the_fault() -> None:
    """A picture with a hundred steps helps nobody: the fault, what is wrong and the ends of processes are kept."""
    many = [step(f"file.write:shared/{number}#1", "3 bytes", fate="kept") for number in range(99)]
    svg = picture([*many, *violation()["story"]])
    assert svg.count("<circle") == 10
    assert "(after 95 steps that the picture leaves out)" in svg
    assert "answer lost" in svg
    assert "returned" in svg
