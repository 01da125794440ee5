# SPDX-License-Identifier: MIT
# necropy: bound methods in the lists of a signal: nobody disconnects.
import service

SOURCE = '''
class Signal:
    def __init__(self):
        self._receivers = {}

    def connect(self, name, receiver):
        self._receivers.setdefault(name, []).append(receiver)

class Panel:
    def __init__(self, number):
        self.number = number
        self.cells = [number, "panel %d" % number]

    def redraw(self, sender):
        return self.number

signal = Signal()
'''


def main():
    service.start()
    ui = service.module("ui.signals", SOURCE)
    for number in range(service.count(10000)):
        ui.signal.connect("resize", ui.Panel(number).redraw)
    service.rest()


if __name__ == "__main__":
    main()
