# SPDX-License-Identifier: MIT
# necropy: asyncio tasks that wait forever for a lock.
"""Each request starts a task that waits for a lock somebody holds; the set of background tasks keeps them."""
# expect: {"rule": "piled-up-tasks", "type": "Task$", "path": "^__main__\\.BACKGROUND", "count": 3000}
import asyncio

BACKGROUND = set()


async def write(lock, number):
    record = {"number": number, "text": "record %d" % number}
    async with lock:
        return record


async def serve():
    lock = asyncio.Lock()
    await lock.acquire()
    for number in range(3000):
        task = asyncio.ensure_future(write(lock, number))
        BACKGROUND.add(task)
        task.add_done_callback(BACKGROUND.discard)
        if number % 100 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    hold()


def hold():
    oracle.hold()


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    asyncio.new_event_loop().run_until_complete(serve())
