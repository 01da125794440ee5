# SPDX-License-Identifier: MIT
# necropy: a queue.Queue without a bound, whose producer is faster than its consumer.
import service

SOURCE = '''
import queue

class Task:
    def __init__(self, number):
        self.number = number
        self.payload = "payload %d" % number

class Dispatcher:
    def __init__(self):
        self.inbox = queue.Queue()

dispatcher = Dispatcher()
'''


def main():
    service.start()
    tasks = service.module("jobs.tasks", SOURCE)
    for number in range(service.count(10000)):
        tasks.dispatcher.inbox.put(tasks.Task(number))
    service.rest()


if __name__ == "__main__":
    main()
