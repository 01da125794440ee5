# SPDX-License-Identifier: MIT
# necropy: asyncio tasks in every state, and what the living process says of them.
"""Writes tasks.json into the current folder: of each task its name, state and stack, as asyncio tells them."""
import asyncio
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

kept = []


class Gate:
    """An awaitable that is written in Python."""

    def __init__(self, future):
        self.future = future

    def __await__(self):
        return (yield from self.future.__await__())


async def on_future(future):
    await future


async def through_gate(future):
    await Gate(future)


async def deep(depth, future):
    if depth:
        return await deep(depth - 1, future)
    return await future


async def on_queue(queue):
    return await queue.get()


async def on_lock(lock):
    async with lock:
        pass


async def on_task(task):
    await task


async def on_gather(loop):
    await asyncio.gather(loop.create_future(), asyncio.sleep(1000))


async def counted(future):
    yield 1
    await future
    yield 2


async def in_generator(future):
    async for _ in counted(future):
        pass


async def fails():
    text = "what the frame holds"
    raise LookupError("no such page: " + text)


async def succeeds():
    return {"answer": 42}


async def main():
    loop = asyncio.get_running_loop()
    future, queue, lock = loop.create_future(), asyncio.Queue(), asyncio.Lock()
    await lock.acquire()

    def start(coroutine, name):
        task = loop.create_task(coroutine)
        task.set_name(name)
        kept.append(task)
        return task

    for number in range(20):
        start(on_future(future), "on future %d" % number)
    start(through_gate(future), "through a gate")
    first = start(deep(5, future), "deep")
    start(on_queue(queue), "on queue")
    start(on_lock(lock), "on lock")
    start(on_task(first), "on task")
    start(on_gather(loop), "on gather")
    start(in_generator(future), "in generator")
    start(asyncio.sleep(500), "asleep")
    start(fails(), "failed")
    start(succeeds(), "succeeded")
    cancelled = start(on_future(loop.create_future()), "cancelled")
    unnamed = loop.create_task(on_future(future))
    kept.append(unnamed)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    start(on_future(future), "not started")
    rows = []
    for task in kept + [asyncio.current_task()]:
        stack = [] if task.done() else [[frame.f_code.co_name, frame.f_lineno] for frame in task.get_stack()]
        state = "cancelled" if task.cancelled() else "pending" if not task.done() else \
            "failed" if task.exception() else "finished"
        name = task.get_name() if task is not unnamed else ""
        rows.append({"id": id(task), "name": name, "state": state, "stack": stack})
    with open("tasks.json", "w") as out:
        json.dump(rows, out)
    oracle.hold()


if __name__ == "__main__":
    asyncio.run(main())
