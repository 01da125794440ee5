# SPDX-License-Identifier: MIT
# necropy: a service that answers requests, with caches as services have them, and perhaps one leak.
"""request_leak.py LEAK [REQUESTS [busy]]: answers so many requests and is ready; NECROPY_REQUESTS more (1000)
whenever SIGUSR1 comes, and is ready again.  LEAK: seen, audit, sessions, chain, buffer, or none.

All that is healthy here fills in the first requests, some of it with more memory than the leak takes: modules imported
when they are first needed, an LRU cache of pages, functools.lru_cache, a deque of the latest, counters, sessions that
expire, a pool of buffers.
"""
import collections
import functools
import gc
import os
import random
import signal
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

HANDLERS = '''
SEEN = {}
ROUTES = {}


class Entry:
    def __init__(self, number):
        self.number = number
        self.path = "/orders/%d?from=%d" % (number, number * 7)
        self.headers = {"agent": "browser %d" % number, "length": number + 1000}


class Handler:
    """One for each route; each counts what it answered."""

    def __init__(self, route):
        self.route = route
        self.answered = collections.Counter()
        self.history = None
        self.body = bytearray()
'''
CACHE = '''
class Pages:
    """The pages that were asked for last."""

    def __init__(self, maxsize):
        self.maxsize = maxsize
        self.pages = collections.OrderedDict()

    def get(self, key):
        page = self.pages.pop(key, None) or (("<p>%s</p>" % key) * 150)
        self.pages[key] = page
        while len(self.pages) > self.maxsize:
            self.pages.popitem(last=False)
        return page


class Session:
    def __init__(self, user):
        self.user = "user-%d" % user
        self.basket = []
        self.visits = 0


pages = Pages(250)
sessions = collections.OrderedDict()
latest = collections.deque(maxlen=200)
buffers = []


@functools.lru_cache(maxsize=128)
def render(number):
    return "rendered %d" % number * 20
'''
AUDIT = '''
class Journal:
    def __init__(self):
        self.lines = []
        self.head = None


class Line:
    def __init__(self, text, before):
        self.text = text
        self.before = before


journal = Journal()
'''


def module(name, source):
    """A module as if it had been imported from a file."""
    made = types.ModuleType(name)
    sys.modules[name] = made
    made.__dict__.update(collections=collections, functools=functools)
    exec(compile(source, name.replace(".", "/") + ".py", "exec"), made.__dict__)
    parent, _, leaf = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], leaf, made)
    return made


module("shop", "").__path__ = []
handlers, cache, audit = module("shop.handlers", HANDLERS), module("shop.cache", CACHE), module("shop.audit", AUDIT)


def leak_seen(number, handler, session):
    handlers.SEEN["request-%d" % number] = handlers.Entry(number)


def leak_audit(number, handler, session):
    audit.journal.lines.append(audit.Line("answered %d" % number, None))


def leak_sessions(number, handler, session):
    session.basket.append({"item": "item %d" % number, "price": number / 7})


def leak_chain(number, handler, session):
    audit.journal.head = audit.Line("answered %d" % number, audit.journal.head)


def leak_buffer(number, handler, session):
    handler.body.extend(b"%08d" % number * 20)


LEAKS = {"seen": leak_seen, "audit": leak_audit, "sessions": leak_sessions, "chain": leak_chain, "buffer": leak_buffer,
         "none": lambda number, handler, session: None}


def session_of(user):
    session = cache.sessions.pop(user, None) or cache.Session(user)
    cache.sessions[user] = session
    if len(cache.sessions) > 100:
        cache.sessions.popitem(last=False)
    session.visits += 1
    return session


def answer(number, leak):
    import decimal
    import html.entities
    import json
    route = "/route/%d" % (number % 12)
    handler = handlers.ROUTES.setdefault(route, handlers.Handler(route))
    handler.answered[number % 7] += 1
    session = session_of(random.randrange(100))
    page = cache.pages.get(random.randrange(400))
    cache.render(number % 500)
    cache.latest.append({"number": number, "text": json.dumps({"page": len(page), "price": str(decimal.Decimal(number) / 7)})})
    if len(cache.buffers) < 16:
        cache.buffers.append(bytearray(16384))
    html.entities.name2codepoint.get("amp")
    leak(number, handler, session)


def main():
    leak, numbers = LEAKS[sys.argv[1]], iter(range(1, 1 << 30))
    more = int(os.environ.get("NECROPY_REQUESTS", "1000"))

    def serve(count):
        for _ in range(count):
            answer(next(numbers), leak)
        gc.collect()

    def again(signal_number, frame):
        serve(more)
        os.write(1, b"ready %d\n" % os.getpid())

    serve(int(sys.argv[2] if len(sys.argv) > 2 else 0))
    signal.signal(signal.SIGUSR1, again)
    (busy if sys.argv[3:] == ["busy"] else oracle.hold)()


def busy():
    """Dumped in the middle of a request, whose locals hold what the modules hold."""
    seen, lines, entries = handlers.SEEN, audit.journal.lines, list(handlers.SEEN.values())
    oracle.hold()
    return seen, lines, entries


if __name__ == "__main__":
    main()
