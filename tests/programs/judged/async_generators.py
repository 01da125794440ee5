# SPDX-License-Identifier: MIT
# necropy: async generators that were started and never closed.
"""Each subscriber takes one item of a stream and goes away; the streams stay in a dict."""
# expect: {"rule": "piled-up-tasks", "type": "^async_generator$", "path": "^__main__\\.STREAMS", "count": 1500}
import asyncio

STREAMS = {}


async def stream(number):
    window = ["item %d of %d" % (index, number) for index in range(20)]
    for item in window:
        yield item


async def first(number):
    STREAMS[number] = stream(number)
    async for item in STREAMS[number]:
        return item


async def serve():
    for number in range(1500):
        await first(number)
    hold()


def hold():
    oracle.hold()


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    asyncio.new_event_loop().run_until_complete(serve())
