# SPDX-License-Identifier: MIT
# necropy: the zoo: threads that are waiting, with their locals, locks, pools and generators that run elsewhere.
import concurrent.futures
import queue
import threading

from zoo_kinds import animal

NEVER = threading.Event()
READY = threading.Semaphore(0)


def wait_in_generator():
    """A generator that is running (in its thread) when the process is dumped."""
    held = ["held by a running generator"]
    READY.release()
    NEVER.wait()
    yield held


def drain(generator, box):
    box.append(generator)
    for _ in generator:
        pass


def worker(storage, number):
    storage.number = [number]
    storage.cyclic = storage
    backlog = [{"job": number}] * 3
    READY.release()
    NEVER.wait()
    return backlog


class LocalSub(threading.local):
    def __init__(self, start=None):
        self.start = start


@animal
def threads():
    """Named threads with thread locals, one of them inside a generator."""
    box, storage, subclass = [], threading.local(), LocalSub([1])
    storage.main = ["main"]
    subclass.x = [2]
    made = [threading.Thread(target=worker, args=(storage, number), name="zoo-%d" % number, daemon=True)
            for number in range(4)]
    made.append(threading.Thread(target=drain, args=(wait_in_generator(), box), name="zoo-generator", daemon=True))
    made.append(threading.Timer(10000, print))
    made[-1].daemon = True
    for thread in made:
        thread.start()
    for _ in range(5):
        READY.acquire()
    unstarted = threading.Thread(target=print, name="unstarted")
    finished = threading.Thread(target=len, args=([],))
    finished.start()
    finished.join()
    return [made, box, storage, subclass, unstarted, finished, threading.local()]


@animal
def locks():
    held, recursive, condition = threading.Lock(), threading.RLock(), threading.Condition()
    held.acquire()
    recursive.acquire()
    recursive.acquire()
    return [held, recursive, condition, threading.Semaphore(3), threading.BoundedSemaphore(2), threading.Event(),
            threading.Barrier(3), threading.Lock()]


@animal
def pools():
    pool = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="zoo-pool")
    waiting = [pool.submit(NEVER.wait) for _ in range(4)]
    done = concurrent.futures.Future()
    done.set_result(["done"])
    failed = concurrent.futures.Future()
    failed.set_exception(ValueError("failed"))
    done.add_done_callback(repr)
    return [pool, waiting, done, failed]


@animal
def consumers():
    fifo, simple = queue.Queue(), queue.SimpleQueue()
    made = [threading.Thread(target=source.get, name="zoo-consumer", daemon=True) for source in (fifo, simple)]
    for thread in made:
        thread.start()
    return [fifo, simple, made]


@animal
def settle():
    """Every thread is to be deep in its wait, not on its way to it."""
    import time
    time.sleep(0.3)
