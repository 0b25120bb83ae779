"""A draft is kept, read again and published, and nobody compares what is read with what was written.

A disk that lies gives back another digit, or half of the draft, and that is published as if it were right.
"""

from tests.exploring import two_folders

DRAFT = "In 2025 solar power grew by 1234567890 kilowatt hours, and wind by 42 percent."


def write_atomically(path, text, own):
    """Replace a file as a whole."""
    unfinished = own / f"{path.name}.tmp"
    unfinished.write_text(text)
    unfinished.replace(path)


def publish(shared, own):
    """Write the draft, if it is not there yet, and publish what is read of it."""
    draft = own / "draft.md"
    if not draft.exists():
        write_atomically(draft, DRAFT, own)
    write_atomically(shared / "page.md", draft.read_text(), own)


FAULTS = ("process.kill", "storage.bit_flip", "storage.truncated_file")
BREAKS = {"all_or_nothing"}
CAUSES = ["not the same: file.replace:shared/page.md in write_atomically"]


def explore(chaos, tmp_path):
    """One page, and a private folder with its draft; the supervisor starts the agent again after a failure."""
    shared, own = two_folders(chaos, tmp_path)
    chaos.explore(run=lambda: publish(shared, own))
