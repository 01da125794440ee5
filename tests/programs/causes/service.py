# SPDX-License-Identifier: MIT
# necropy: what surrounds a leak in a real service: imported modules, tables, caches with a bound, a pool of threads.
"""Every program of this folder has one illness; all that this module makes is healthy.

A program calls `start()`, leaks NECROPY_LEAK objects (default: its own figure), and calls `rest()`, which waits for the dump.
"""
import collections
import decimal
import email.message
import functools
import gc
import http.client
import json
import logging
import os
import re
import sys
import threading
import types
import weakref
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

log = logging.getLogger("service")
PRICES = {"article-%d" % number: decimal.Decimal(number) / 7 for number in range(400)}
COUNTRIES = [{"code": "C%03d" % number, "name": "Country %d" % number} for number in range(200)]
ROUTES = [(re.compile(r"^/api/v%d/(\w+)$" % number), "view_%d" % number) for number in range(20)]
_never = threading.Event()


class User:
    def __init__(self, number):
        self.number, self.name = number, "user %d" % number


users = weakref.WeakValueDictionary()
recent = collections.deque(maxlen=100)
_kept = [User(number) for number in range(300)]


@functools.lru_cache(maxsize=256)
def render(template, number):
    return json.dumps({"template": template, "number": number}) * 2


def count(usual):
    return int(os.environ.get("NECROPY_LEAK") or usual)


def module(name, source):
    """A module as if it had been imported from a file."""
    parent, _, leaf = name.rpartition(".")
    if parent and parent not in sys.modules:
        module(parent, "").__path__ = []
    made = types.ModuleType(name)
    sys.modules[name] = made
    made.__file__ = name.replace(".", "/") + ".py"
    exec(compile(source, made.__file__, "exec"), made.__dict__)
    if parent:
        setattr(sys.modules[parent], leaf, made)
    return made


def _serve(number):
    message = email.message.Message()
    message["Subject"] = "request %d" % number
    root = xml.etree.ElementTree.fromstring("<a><b>%d</b></a>" % number)
    recent.append((number, root[0].text, render("index", number % 40)))
    return http.client.responses.get(200)


def start():
    logging.basicConfig(stream=open(os.devnull, "w"))
    for user in _kept:
        users[user.number] = user
    pool = ThreadPoolExecutor(3)
    for number in range(500):
        pool.submit(_serve, number).result()
        log.warning("served %d", number)
    threading.Thread(target=_never.wait, name="idle", daemon=True).start()
    return pool


def rest():
    gc.collect()
    oracle.hold()
