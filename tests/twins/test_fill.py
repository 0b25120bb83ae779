"""What scenarios leave open is filled the same way for the same seed, and awkwardly where asked."""

import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.twins.fill import fill


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_seed_fills_the_same(seed: int) -> None:
    """Two streams of one seed agree call by call."""
    one, other = fill(seed), fill(seed)
    for _ in range(12):
        assert (one.person(), one.address(), one.text()) == (other.person(), other.address(), other.text())
        assert one.awkward_name() == other.awkward_name()


def test_another_seed_fills_something_else() -> None:
    """Seeds matter."""
    assert fill(1).person() != fill(2).person()


def test_people_are_distinct_and_cannot_be_mailed() -> None:
    """No address twice, all in domains reserved for examples."""
    stream = fill(0)
    emails = [stream.person().email for _ in range(50)]
    assert len(set(emails)) == 50
    assert all(email.rpartition("@")[2] in {"example.com", "example.org", "example.net"} for email in emails)


def test_texts_are_paragraphs() -> None:
    """More than a word, at most 400 characters."""
    stream = fill(0)
    assert all(40 <= len(stream.text()) <= 400 for _ in range(50))


def test_awkward_names_are_file_names(tmp_path: Path) -> None:
    """Linux takes every one of them, with room for a suffix, and gives it back."""
    stream = fill(3)
    names = [stream.awkward_name() for _ in range(30)]
    for name in names:
        (tmp_path / f"{name}.md.tmp-123456").write_text("x")
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.md.tmp-123456" for name in names}
    assert all(len(name.encode()) <= 200 for name in names)
    assert max(len(name.encode()) for name in names) == 200
    assert any(not name.isascii() for name in names)


def test_faker_is_loaded_only_when_asked() -> None:
    """Importing the room costs no faker."""
    code = "from rollproof.twins import fill, llm, rest; import sys; assert 'faker' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
