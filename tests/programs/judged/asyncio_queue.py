# SPDX-License-Identifier: MIT
# necropy: an asyncio.Queue whose consumer died.
"""Producers put without a bound; the consumer task ended with an exception."""
# expect: {"rule": "queue", "type": "^__main__\\.Event$", "path": "^__main__\\.EVENTS\\._queue", "count": 10000}
import asyncio

EVENTS = None


class Event:
    def __init__(self, number):
        self.number = number
        self.kind = "click-%d" % number


async def consume():
    event = await EVENTS.get()
    raise ValueError("what is a %s?" % event.kind)


async def serve():
    global EVENTS
    EVENTS = asyncio.Queue()
    task = asyncio.ensure_future(consume())
    for number in range(10001):
        await EVENTS.put(Event(number))
        if number == 5:
            await asyncio.sleep(0)
    assert task.done()
    hold()


def hold():
    oracle.hold()


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    asyncio.new_event_loop().run_until_complete(serve())
