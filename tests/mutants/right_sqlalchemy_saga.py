"""An order is a draft with its payment key, a payment, and a confirmation; all through SQLAlchemy, rolled forward.

A naive harness accuses it: the key is new in every run, ids come from the database, and a payment is posted twice.
"""

import uuid

import httpx
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

PAYMENTS = "https://api.pay.test/payments"


class Base(DeclarativeBase):
    """The declarative base of this agent."""


class Order(Base):
    """One order; `payment` is what the service called its payment."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str]
    payment: Mapped[str | None]
    items: Mapped[list["Item"]] = relationship(cascade="all, delete-orphan")


class Item(Base):
    """One line of an order."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    sku: Mapped[str]


def opened(database):
    """Return an engine; whoever opens it disposes of it."""
    return create_engine(f"sqlite:///{database}")


def pay(session, order):
    """Post the payment under the order's own key and note its name."""
    body = {"order": order.number}
    answer = httpx.post(PAYMENTS, json=body, headers={"Idempotency-Key": order.key}, timeout=10)
    answer.raise_for_status()
    order.payment = answer.json()["id"]
    session.commit()


def place(database, number, skus):
    """Draft, pay, confirm."""
    engine = opened(database)
    try:
        with Session(engine) as session:
            order = Order(number=number, key=uuid.uuid4().hex, items=[Item(sku=sku) for sku in skus])
            session.add(order)
            session.commit()
            pay(session, order)
    finally:
        engine.dispose()
    return {"order": number, "state": "paid"}


def resume(database):
    """Finish every draft: its key makes a second payment harmless."""
    engine = opened(database)
    try:
        with Session(engine) as session:
            for order in session.scalars(select(Order).where(Order.payment.is_(None))).all():
                pay(session, order)
    finally:
        engine.dispose()


BREAKS = set()


def explore(chaos, tmp_path):
    """The shop's database with an earlier order, and a payment service."""
    database = tmp_path / "shop.db"
    engine = opened(database)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Order(number="A-1", key="old", payment="payment-of-A-1", items=[Item(sku="cable")]))
        session.commit()
    engine.dispose()
    chaos.watch(database)
    chaos.api("https://api.pay.test")
    chaos.explore(run=lambda: place(database, "A-2", ("panel", "battery")), recover=lambda: resume(database))
