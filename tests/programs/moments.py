# SPDX-License-Identifier: MIT
# necropy: a process that is dumped at an odd moment.
"""moments.py MOMENT: the first argument says when; MOMENTS lists them."""
import gc
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = 500


class Junk:
    """Refers to itself, so that only the collector can find it."""

    def __init__(self):
        self.self = self
        self.load = {"number": [self]}


class Dying:
    """Stops the process while the collector finalizes it."""

    def __init__(self):
        self.self = self

    def __del__(self, hold=oracle.hold):
        hold()


def make_junk():
    for _ in range(COUNT):
        Junk()


def callback():
    """The collection is about to start."""
    gc.collect()
    gc.disable()
    make_junk()
    gc.callbacks.append(lambda phase, info: phase == "start" and oracle.hold())
    gc.collect()


def finalizer():
    """The unreachable objects are on a list of the collector's own."""
    gc.collect()
    gc.disable()
    make_junk()
    Dying()
    make_junk()
    gc.collect()


def exiting():
    """An atexit handler runs."""
    import atexit
    kept = [Junk() for _ in range(COUNT)]
    atexit.register(lambda: (kept, oracle.hold()))


def ending():
    """The modules are being torn down."""
    oracle.open = open  # builtins is by then what it was before io gave it this one
    globals()["last"] = Dying()
    globals()["last"].self = None
    globals()["kept"] = [Junk() for _ in range(COUNT)]


def starting():
    """The site module is being imported, __main__ has not begun."""
    environment = dict(os.environ, PYTHONPATH=os.path.join(HERE, "starting"))
    os.execve(sys.executable, [sys.executable, "-c", "pass"], environment)


def forked():
    """A child of fork that lost its parent's threads."""
    import threading
    blocked = threading.Lock()
    blocked.acquire()
    for _ in range(3):
        threading.Thread(target=blocked.acquire, daemon=True).start()
    kept = [Junk() for _ in range(COUNT)]
    child = os.fork()
    if child == 0:
        oracle.hold()
    os.waitpid(child, 0)
    return kept


def running():
    """The thread holds the GIL and executes bytecode; no call is in progress."""
    import signal

    def spin():
        while True:
            pass

    signal.pause = spin
    kept = [Junk() for _ in range(COUNT)]
    oracle.hold()
    return kept


def several():
    """Other interpreters in the process, each with objects of its own (3.13+: and its own GIL)."""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    script = ("class Other:\n    def __init__(self):\n        self.load = {'number': [self]}\n"
              "kept = [Other() for _ in range(%d)]\n" % COUNT)
    identities = [interpreters.create() for _ in range(2)]  # they end with the last reference
    for identity in identities:
        interpreters.run_string(identity, script)
    oracle.hold()
    return identities


MOMENTS = {moment.__name__: moment
           for moment in (callback, finalizer, exiting, ending, starting, forked, running, several)}

if __name__ == "__main__":
    MOMENTS[sys.argv[1]]()
