# SPDX-License-Identifier: MIT
# necropy: an SQLAlchemy ORM session on sqlite.
"""sqlalchemy_orm.py: mapped classes, identity maps, results with their C rows, compiled statements."""
import gc
import os
import sys

import sqlalchemy
from sqlalchemy import orm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {}
Base = orm.declarative_base()


class Author(Base):
    __tablename__ = "author"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    name = sqlalchemy.Column(sqlalchemy.String(80), index=True)
    books = orm.relationship("Book", back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    title = sqlalchemy.Column(sqlalchemy.String)
    price = sqlalchemy.Column(sqlalchemy.Numeric(8, 2))
    author_id = sqlalchemy.Column(sqlalchemy.ForeignKey("author.id"))
    author = orm.relationship(Author, back_populates="books")


def main():
    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    session = orm.Session(engine)
    for number in range(200):
        session.add(Author(name="Author %d" % number, books=[Book(title="Book %d" % other, price=other) for other in range(4)]))
    session.commit()
    KEPT["loaded"] = session.query(Author).options(orm.selectinload(Author.books)).all()
    KEPT["lazy"] = orm.Session(engine).query(Book).filter(Book.price > 1).limit(100).all()
    KEPT["authors"] = [book.author for book in KEPT["lazy"]]
    KEPT["rows"] = session.execute(sqlalchemy.select(Book.title, Author.name).join(Author)).all()
    KEPT["mappings"] = session.execute(sqlalchemy.select(Book.__table__)).mappings().all()[:50]
    KEPT["open"] = session.execute(sqlalchemy.select(Book.id, Book.title))
    KEPT["first"] = KEPT["open"].fetchmany(5)
    connection = KEPT["connection"] = engine.connect()
    KEPT["raw"] = connection.exec_driver_sql("select * from book").fetchmany(20)
    KEPT["dirty"] = KEPT["loaded"][:30]
    for author in KEPT["dirty"]:
        author.name += "!"
    KEPT["session"] = session
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
