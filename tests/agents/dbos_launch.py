"""A launch of DBOS with an SQLite system database, as its documentation shows it."""

import contextlib

from dbos import DBOS, DBOSConfig


@contextlib.contextmanager
def launched(database):
    """Launch DBOS on this system database, which starts what an earlier process left pending."""
    config: DBOSConfig = {
        "name": "shop",
        "system_database_url": f"sqlite:///{database}",
        "application_version": "1",
        "log_level": "CRITICAL",
    }
    DBOS(config=config)
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()
