# SPDX-License-Identifier: MIT
# necropy: a process with something to say in every section of a report.
"""Threads that wait and one that handles an exception, asyncio tasks in several states, dead cycles with and without
__del__, something in gc.garbage, a cache and listeners that grow; tracemalloc is on."""
import asyncio
import gc
import os
import queue
import sys
import threading
import tracemalloc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

tracemalloc.start(5)
CACHE = {}
LISTENERS = []
LOCK = threading.Lock()


class Listener:
    def __init__(self, number):
        self.number = number
        self.history = [number, "panel %d" % number]


class Dropped:
    def __init__(self):
        self.itself = self


class Finalized(Dropped):
    def __del__(self):
        pass


def wait_for_lock(ready):
    text, numbers = "a local", list(range(50))
    ready.release()
    with LOCK:
        return text, numbers


def handle(ready, forever):
    try:
        raise ValueError("who handles %s?" % threading.current_thread().name)
    except ValueError:
        ready.release()
        forever.wait()


def start_threads():
    ready = threading.Semaphore(0)
    LOCK.acquire()
    for target, arguments in ((wait_for_lock, (ready,)), (wait_for_lock, (ready,)), (handle, (ready, threading.Event()))):
        threading.Thread(target=target, args=arguments, name=target.__name__, daemon=True).start()
        ready.acquire()
    threading.Thread(target=queue.Queue().get, name="consumer", daemon=True).start()


async def wait_deep(depth, future):
    return await (wait_deep(depth - 1, future) if depth else future)


async def fail():
    raise KeyError("no such order")


def leak():
    for number in range(3000):
        LISTENERS.append(Listener(number))
        CACHE["key %d" % number] = "value %d" % number * 10
    gc.collect()
    gc.disable()
    gc.garbage.append(Listener(-1))
    for _ in range(500):
        Finalized()
        Dropped()


async def main():
    loop = asyncio.get_running_loop()
    kept = [loop.create_task(wait_deep(3, loop.create_future())) for _ in range(40)]
    kept += [loop.create_task(fail()) for _ in range(2)] + [loop.create_task(asyncio.sleep(3600))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    kept.append(loop.create_task(asyncio.sleep(0)))
    leak()
    oracle.hold()


if __name__ == "__main__":
    start_threads()
    asyncio.run(main())
