"""The watched folder is full of other people's locks, drafts and staging folders; the agent removes only its own.

A naive harness accuses it: after recovery the folder still has `import.lock`, `~upload.tmp` and `staging/`, as before.
"""

import os
import tempfile

PREFIX, SUFFIX = ".weekly-", ".part"
TEXT = "# Week 12\n\n- two releases\n- no incident\n"


def publish_weekly(shared):
    """Write a draft beside the target and rename it over the last issue."""
    descriptor, draft = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=shared)
    with open(descriptor, "w") as file:
        file.write(TEXT)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, shared / "weekly.md")
    return "published"


def remove_drafts(shared):
    """Remove what carries the agent's own prefix and suffix, and nothing else."""
    if not shared.exists():
        return
    for draft in shared.glob(f"{PREFIX}*{SUFFIX}"):
        draft.unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """A folder that several programs share."""
    shared = tmp_path / "shared"
    (shared / "staging").mkdir(parents=True)
    (shared / "staging" / "half.bin").write_bytes(b"\x00\x01" * 40)
    (shared / "import.lock").write_text("4711\n")
    (shared / "~upload.tmp").write_text("first half of somebody's upl")
    (shared / "weekly.md.bak").write_text("# Week 10\n")
    (shared / "weekly.md").write_text("# Week 11\n")
    chaos.watch(shared)
    chaos.explore(run=lambda: publish_weekly(shared), recover=lambda: remove_drafts(shared))
