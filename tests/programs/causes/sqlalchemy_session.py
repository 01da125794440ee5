# SPDX-License-Identifier: MIT
# necropy: an SQLAlchemy session that is never closed, and whose objects somebody keeps.
import sqlalchemy
from sqlalchemy import orm

import service

Base = orm.declarative_base()


class Order(Base):
    __tablename__ = "orders"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    note = sqlalchemy.Column(sqlalchemy.String)


def main():
    service.start()
    shop = service.module("shop.database", "session = None\n")
    engine = sqlalchemy.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    shop.session = orm.Session(engine)
    for number in range(service.count(5000)):
        shop.session.add(Order(note="order %d" % number))
    service.rest()


if __name__ == "__main__":
    main()
