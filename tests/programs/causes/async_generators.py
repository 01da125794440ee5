# SPDX-License-Identifier: MIT
# necropy: asynchronous generators that nobody reads to their end or closes.
import asyncio

import service

SOURCE = '''
streams = []

async def rows(query):
    page = [query + str(number) for number in range(5)]
    for row in page:
        yield row

async def first(query):
    stream = rows(query)
    streams.append(stream)
    async for row in stream:
        return row
'''


async def run(source, count):
    for number in range(count):
        await source.first("query %d " % number)
    service.rest()


def main():
    service.start()
    asyncio.run(run(service.module("shop.queries", SOURCE), service.count(6000)))


if __name__ == "__main__":
    main()
