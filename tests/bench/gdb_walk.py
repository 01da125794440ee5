# SPDX-License-Identifier: MIT
# necropy: what a person without a tool would do: gdb's Python walks the collector's oldest generation in a core.
"""Run by gdb: `gdb -batch PYTHON CORE -x gdb_walk.py`; prints "walked OBJECTS SECONDS"."""
import time

import gdb

MOST = 20000
# 3.7 and 3.8, then 3.9 to 3.13, then since 3.14.
LISTS = ("_PyRuntime.gc.generations[2].head", "_PyRuntime.interpreters.head->gc.generations[2].head",
         "_PyRuntime.interpreters.head->gc.old[1].head")


def find_head():
    for text in LISTS:
        try:
            head = gdb.parse_and_eval(text)
            if int(head["_gc_next"]) & ~3:
                return head
        except gdb.error:
            continue
    raise gdb.GdbError("no list of the collector: no debug information?")


def walk():
    head, kind, link = find_head(), gdb.lookup_type("PyObject").pointer(), gdb.lookup_type("PyGC_Head").pointer()
    end, node, count, names = int(head.address), head["_gc_next"].cast(link), 0, {}
    started = time.process_time()
    while int(node) != end and count < MOST:
        thing = (node + 1).cast(kind)
        name = thing["ob_type"]["tp_name"].string(errors="replace")
        names[name] = names.get(name, 0) + 1
        node, count = node["_gc_next"].cast(link), count + 1
    print("walked %d %f" % (count, time.process_time() - started))


walk()
