# SPDX-License-Identifier: MIT
# necropy: threads that wait, each for something else; exceptions that are in flight.
"""Threads are named after what they wait for."""
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

plain_lock, owned_lock = threading.Lock(), threading.RLock()
jobs, event, condition = queue.Queue(), threading.Event(), threading.Condition()
here, there = socket.socketpair()


def wait_for_lock():
    with plain_lock:
        pass


def wait_for_owned_lock():
    with owned_lock:
        pass


def wait_for_job():
    jobs.get()


def wait_for_event():
    event.wait()


def wait_for_condition():
    with condition:
        condition.wait()


def sleep():
    time.sleep(100000)


def receive():
    here.recv(10)


def poll():
    select.select([there], [], [])


def wait_for_future():
    Future().result()


def wait_for_child():
    subprocess.call(["/bin/sleep", "100000"])


def handle_error():
    try:
        number = 7
        {}[number]
    except KeyError:
        try:
            raise OSError(28, "No space left on device", "/var/spool/mail")
        except OSError:
            event.wait()


def run_out():
    wanted = 1 << 60
    try:
        bytearray(wanted)
    except MemoryError:
        event.wait()


def spin():
    count = 0
    while True:
        count += 1


def join(thread):
    thread.join()


def main():
    plain_lock.acquire()
    owned_lock.acquire()
    targets = {"lock": wait_for_lock, "owned lock": wait_for_owned_lock, "queue": wait_for_job, "event": wait_for_event,
               "condition": wait_for_condition, "sleep": sleep, "socket": receive, "select": poll,
               "future": wait_for_future, "child": wait_for_child, "handled": handle_error, "memory": run_out}
    threads = {}
    for name, target in targets.items():
        threads[name] = threading.Thread(target=target, name=name, daemon=True)
        threads[name].start()
    threading.Thread(target=join, args=(threads["sleep"],), name="join", daemon=True).start()
    pool = ThreadPoolExecutor(1)
    pool.submit(len, "idle").result()
    if "spin" in sys.argv:
        threading.Thread(target=spin, name="spin", daemon=True).start()
    time.sleep(0.5)
    oracle.hold()


if __name__ == "__main__":
    main()
