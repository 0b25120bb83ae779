"""Contacts are imported through SQLAlchemy with a commit for each, and a table that is not empty counts as imported.

After a crash between two commits the next start is content with the first contact.
"""

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

PEOPLE = {"ada@example.test": "Ada", "grace@example.test": "Grace", "zoe@example.test": "Zoë"}


class Base(DeclarativeBase):
    """The declarative base of this agent."""


class Contact(Base):
    """One contact."""

    __tablename__ = "contacts"
    mail: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


def import_contacts(database):
    """Start or start again: import into an empty table."""
    engine = create_engine(f"sqlite:///{database}")
    try:
        with Session(engine) as session:
            if session.scalar(select(func.count()).select_from(Contact)):
                return "imported"
            for mail, name in PEOPLE.items():
                session.add(Contact(mail=mail, name=name))
                session.commit()
    finally:
        engine.dispose()
    return "imported"


BREAKS = {"all_or_nothing"}
CAUSES = ["left over: sqlite.insert:contacts.db:contacts in import_contacts"]


def explore(chaos, tmp_path):
    """One watched database with an empty table; the supervisor starts the agent again after a failure."""
    database = tmp_path / "contacts.db"
    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    engine.dispose()
    chaos.watch(database)
    chaos.explore(run=lambda: import_contacts(database))
