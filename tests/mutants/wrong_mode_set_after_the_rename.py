"""A page is drafted with mkstemp, renamed into place, and made readable for the web server afterwards.

A crash between the two leaves a page that nobody but the agent can read; its content is perfect.
"""

import os
import tempfile

PAGE = "<h1>Prices</h1>\n<p>Panel: 219.00</p>\n"


def publish(site, own):
    """Draft, move, open up."""
    descriptor, draft = tempfile.mkstemp(prefix="page-", suffix=".part", dir=own)
    with open(descriptor, "w") as file:
        file.write(PAGE)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, site / "prices.html")
    os.chmod(site / "prices.html", 0o644)
    return "published"


def restart(own):
    """Remove the draft of a run that died."""
    for draft in own.glob("page-*.part"):
        draft.unlink(missing_ok=True)


BREAKS = {"all_or_nothing"}
CAUSES = ["not the same: file.replace:site/prices.html in publish"]


def explore(chaos, tmp_path):
    """The watched site with an older page, and a private folder for drafts."""
    site, own = tmp_path / "site", tmp_path / "agent"
    site.mkdir()
    own.mkdir()
    (site / "prices.html").write_text("<h1>Prices</h1>\n")
    (site / "prices.html").chmod(0o644)
    chaos.watch(site)
    chaos.private(own)
    chaos.explore(run=lambda: publish(site, own), recover=lambda: restart(own))
