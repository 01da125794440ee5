#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: every field of what a snapshot saves is saved.
"""check_saved.py: the fields of the structs that saved.h saves, read off the headers, against the functions that describe
them for codec.h. A field that none of them names would be lost in a snapshot without anybody's notice.

Each lost field is a line "HEADER: struct NAME: field"; the exit status is 1 when there is any.
"""
import glob
import os
import re
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))
FOLDER = os.path.join(ROOT, "analyzer", "findings")
WHOLES = {"fi_verdict": "pool", "fi_profile": "pool", "fi_traces": "pool"}  # what is saved, and its field that is not


def plain(path):
    with open(path, encoding="utf-8") as source:
        return re.sub(r"/\*.*?\*/", " ", source.read(), flags=re.S)


def structs():
    """{name: (header, {field: name of its struct or None})} of all headers of the folder."""
    found = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.h")) + [os.path.join(ROOT, "analyzer", "cpython", "tracemalloc.h")]):
        for name, body in re.findall(r"^struct (\w+)\s*\{(.*?)^\};", plain(path), re.S | re.M):
            fields = {}
            for declaration in body.split(";"):
                kind = re.match(r"\s*(?:const\s+)?(?:(struct|enum)\s+)?(\w+)\b(.*)", declaration, re.S)
                if not kind:
                    continue
                for declared in kind.group(3).split(","):
                    field = re.search(r"(\w+)\s*(?:\[\w+\])?\s*$", declared)
                    fields[field.group(1) if field else declared.strip()] = kind.group(2) if kind.group(1) == "struct" else None
            found[name] = (os.path.relpath(path, ROOT), fields)
    return found


def described():
    """{struct: the fields that its functions in saved_*.c name}"""
    found = {}
    for path in glob.glob(os.path.join(FOLDER, "saved_*.c")):
        for head, body in re.findall(r"^(\w[^;{}]*\))\n\{(.*?)^\}", plain(path), re.S | re.M):
            kind = re.search(r"struct (\w+) \*it\b", head + body)
            if kind and "fi_codec *c" in head:
                named = re.findall(r"\(c, &?it->(\w+)|, it->(\w+), (?:\w+)\)", body)
                found.setdefault(kind.group(1), set()).update(name for pair in named for name in pair if name)
    return found


def reachable(known, names):
    pending, seen = [name for name in names if name in known], []
    while pending:
        name = pending.pop()
        if name in known and name not in seen:
            seen.append(name)
            pending.extend(kind for kind in known[name][1].values() if kind)
    return seen


def main():
    known, named = structs(), described()
    lost = fields = 0
    for name in sorted(reachable(known, WHOLES)):
        header, wanted = known[name]
        for field in wanted:
            fields += 1
            if field not in named.get(name, ()) and field != WHOLES.get(name):
                lost += 1
                print(f"{header}: struct {name}: {field} is in no function of analyzer/findings/saved_*.c")
    print(f"{fields} fields, {lost} lost")
    return 1 if lost or not fields else 0


if __name__ == "__main__":
    sys.exit(main())
