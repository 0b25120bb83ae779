"""Rolling back an upload removes its file, and forgets the row that points at it (SQLAlchemy).

The catalog goes on naming a file that is gone.
"""

import os

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

TEXT = "Warranty\n\nTen years on the panel.\n"


class Base(DeclarativeBase):
    """The declarative base of this agent."""


class Upload(Base):
    """One file and whether all of it is there."""

    __tablename__ = "uploads"
    name: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    complete: Mapped[bool]


def catalog(shared):
    """Open the catalog in the shared folder."""
    return create_engine(f"sqlite:///{shared / 'catalog.db'}")


def upload(shared, name, text):
    """Enter the file as incomplete, write it, mark it complete."""
    engine = catalog(shared)
    try:
        with Session(engine) as session, session.begin():
            session.add(Upload(name=name, size=len(text), complete=False))
        with open(shared / name, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with Session(engine) as session, session.begin():
            session.get_one(Upload, name).complete = True
    finally:
        engine.dispose()
    return "uploaded"


def roll_back(shared):
    """Take incomplete uploads back."""
    engine = catalog(shared)
    try:
        with Session(engine) as session:
            for incomplete in session.scalars(select(Upload).where(~Upload.complete)):
                (shared / incomplete.name).unlink(missing_ok=True)
    finally:
        engine.dispose()


BREAKS = {"all_or_nothing"}
CAUSES = ["not the same: sqlite.insert:shared/catalog.db:uploads in upload"]


def explore(chaos, tmp_path):
    """One watched folder with the catalog and the files."""
    shared = tmp_path / "shared"
    shared.mkdir()
    engine = catalog(shared)
    Base.metadata.create_all(engine)
    engine.dispose()
    chaos.watch(shared)
    chaos.explore(run=lambda: upload(shared, "warranty.txt", TEXT), recover=lambda: roll_back(shared))
