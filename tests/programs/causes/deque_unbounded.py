# SPDX-License-Identifier: MIT
# necropy: a deque without maxlen that was meant to hold the last few.
import service

SOURCE = '''
import collections

class Monitor:
    def __init__(self):
        self.samples = collections.deque()

monitor = Monitor()
'''


def main():
    service.start()
    monitoring = service.module("ops.monitoring", SOURCE)
    for number in range(service.count(25000)):
        monitoring.monitor.samples.append((number, number * 0.1))
    service.rest()


if __name__ == "__main__":
    main()
