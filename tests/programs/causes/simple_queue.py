# SPDX-License-Identifier: MIT
# necropy: a SimpleQueue that nobody reads.
import service


def main():
    service.start()
    sink = service.module("metrics.sink", "import queue\n\npoints = queue.SimpleQueue()\n")
    for number in range(service.count(15000)):
        sink.points.put(("metric.%d" % (number % 9), number * 0.25, {"host": "h%d" % number}))
    service.rest()


if __name__ == "__main__":
    main()
