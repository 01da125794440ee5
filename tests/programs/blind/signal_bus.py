# SPDX-License-Identifier: MIT
# necropy: bound methods connected to a signal and never disconnected
# expect: {"rule": "listener|bound|growing|container", "type": "__main__.Widget|method", "path": "^__main__\\.changed", "count": 12000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

class Signal:
    def __init__(self, name):
        self.name = name
        self._receivers = []

    def connect(self, receiver):
        self._receivers.append(receiver)

    def send(self, **values):
        for receiver in self._receivers:
            receiver(**values)


changed = Signal("changed")
opened = Signal("opened")


class Widget:
    def __init__(self, label):
        self.label = label
        self.cells = ["%s/%d" % (label, column) for column in range(5)]
        changed.connect(self.on_change)

    def on_change(self, **values):
        pass


for number in range(12000):
    Widget("widget %d" % number)
changed.send(value=1)


oracle.hold()
