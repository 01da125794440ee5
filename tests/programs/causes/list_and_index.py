# SPDX-License-Identifier: MIT
# necropy: the same objects in a list and in an index: neither alone keeps them.
import service

SOURCE = '''
class Job:
    def __init__(self, number):
        self.number, self.state = number, "done"

class Scheduler:
    def __init__(self):
        self.history = []
        self.by_number = {}

    def run(self, number):
        job = Job(number)
        self.history.append(job)
        self.by_number[number] = job

scheduler = Scheduler()
'''


def main():
    service.start()
    jobs = service.module("jobs.scheduler", SOURCE)
    for number in range(service.count(20000)):
        jobs.scheduler.run(number)
    service.rest()


if __name__ == "__main__":
    main()
