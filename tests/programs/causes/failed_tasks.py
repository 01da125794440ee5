# SPDX-License-Identifier: MIT
# necropy: tasks that failed; nobody has looked, and their exceptions hold what they worked on.
import asyncio

import service

SOURCE = '''
import asyncio

class Order:
    def __init__(self, number):
        self.number, self.lines = number, ["line %d of %d" % (line, number) for line in range(10)]

history = []

async def charge(order):
    receipt = [line.upper() for line in order.lines]
    await asyncio.sleep(0)
    raise ConnectionError("no bank for order %d" % order.number)
'''


async def run(source, count):
    for number in range(count):
        source.history.append(asyncio.ensure_future(source.charge(source.Order(number))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    service.rest()


def main():
    service.start()
    asyncio.run(run(service.module("shop.payments", SOURCE), service.count(5000)))


if __name__ == "__main__":
    main()
