"""Tests as many write them: tables made for each test and dropped after it, and migrations there and back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, Numeric, String, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

HERE = Path(__file__).parent
URL = os.environ["SQLALCHEMY_URL"]


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), index=True)
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    price: Mapped[float] = mapped_column(Numeric(8, 2))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine(URL)
    Base.metadata.create_all(engine)
    try:
        with Session(engine) as session:
            yield session
    finally:
        Base.metadata.drop_all(engine)
        engine.dispose()


def test_lazy(session: Session) -> None:
    session.add_all([Author(name=f"A{n}", books=[Book(price=n), Book(price=n + 1)]) for n in range(15)])
    session.commit()
    total = 0
    for author in session.scalars(select(Author).where(Author.name.like("A%"))):
        total += len(author.books)
    assert total == 30


def test_sums(session: Session) -> None:
    session.add(Author(name="B", books=[Book(price=3)]))
    session.flush()
    found = session.execute(
        select(Author.name, func.sum(Book.price))
        .join(Book)
        .where(Book.price > 1, Author.id.in_([1, 2, 3]))
        .group_by(Author.name)
    ).all()
    assert len(found) == 1


def test_migrations_there_and_back() -> None:
    environment = os.environ | {"DATABASE_URL": os.environ["MIGRATED_URL"]}
    for step in (["upgrade", "head"], ["downgrade", "base"]):
        subprocess.run([sys.executable, "-m", "alembic", *step], cwd=HERE, env=environment, check=True)
