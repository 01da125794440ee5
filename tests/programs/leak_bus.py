# SPDX-License-Identifier: MIT
# necropy: a service that leaks event listeners through its bus.
"""30 000 listeners subscribe and never unsubscribe: what holds them is `ui.events.bus.listeners`."""
import gc
import os
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = int(os.environ.get("NECROPY_LEAK", "30000"))
SOURCE = '''
class Bus:
    """Keeps who listens; forgets nobody."""

    def __init__(self):
        self.listeners = []
        self.published = 0

    def subscribe(self, listener):
        self.listeners.append(listener)

    def publish(self, event):
        self.published += 1


class Listener:
    """A panel that wants to know."""

    def __init__(self, number):
        self.number = number
        self.title = "panel %d" % number
        self.history = [number, self.title]


bus = Bus()
'''


def module(name, source):
    """A module as if it had been imported from a file."""
    made = types.ModuleType(name)
    sys.modules[name] = made
    exec(compile(source, name.replace(".", "/") + ".py", "exec"), made.__dict__)
    parent, _, leaf = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], leaf, made)
    return made


def main():
    module("ui", "").__path__ = []
    events = module("ui.events", SOURCE)
    for number in range(COUNT):
        events.bus.subscribe(events.Listener(number))
    events.bus.publish("ready")
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
