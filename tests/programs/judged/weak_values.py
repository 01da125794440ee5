# SPDX-License-Identifier: MIT
# necropy: a WeakValueDictionary is innocent; a list elsewhere keeps the values.
"""The identity map is weak, as it should be; the audit log has the strong references."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Entity$", "path": "^__main__\\.AUDIT\\.touched", "count": 6000}
import weakref

IDENTITY = weakref.WeakValueDictionary()


class Entity:
    def __init__(self, key):
        self.key = key
        self.fields = {"name": "entity %d" % key, "dirty": False}


class Audit:
    def __init__(self):
        self.touched = []


AUDIT = Audit()


def get(key):
    entity = IDENTITY.get(key)
    if entity is None:
        entity = IDENTITY[key] = Entity(key)
    AUDIT.touched.append(entity)
    return entity


def main():
    for key in range(6000):
        get(key)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
