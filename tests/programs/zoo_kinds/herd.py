# SPDX-License-Identifier: MIT
# necropy: the zoo: numbers: what a service has by the thousand, so that a rare mistake shows.
import collections
import datetime
import functools
import weakref

from zoo_kinds import animal


class Order:
    def __init__(self, number, customer):
        self.number, self.customer = number, customer
        self.lines = []
        self.placed = datetime.datetime(2020, 1, 1 + number % 28)
        self.state = "open" if number % 3 else "closed"
        if number % 5 == 0:
            self.note = "note %d" % number
        if number % 97 == 0:
            del self.state


class Line:
    __slots__ = ("order", "article", "count", "__weakref__")

    def __init__(self, order, article, count):
        self.order, self.article = order, article
        if count:
            self.count = count


Price = collections.namedtuple("Price", "net gross currency")


@animal
def orders():
    made = []
    for number in range(3000):
        order = Order(number, ("customer", number % 50))
        for line in range(3):
            order.lines.append(Line(order, "article %d" % (number * 3 + line), line))
        made.append(order)
    return made


@animal
def looked_at():
    """Every third had its __dict__ asked for."""
    made = [Order(number, None) for number in range(1500)]
    kept = [order.__dict__ for order in made[::3]]
    return made, kept[::2]


@animal
def mixtures():
    made = []
    for number in range(1500):
        made.append({"id": number, number: [number], "price": Price(number * 1.5, number * 2.5, "EUR"),
                     "tags": {"t%d" % (number % 7), number}, "when": datetime.date(2020, 1, 1 + number % 28)})
    return made


@animal
def handlers():
    made = []
    for number in range(500):
        order = Order(number, made)
        made.append((functools.partial(order.__init__, number), weakref.ref(order), lambda order=order: order,
                     collections.deque([order], maxlen=3), iter([order]), (item for item in [order])))
    return made
