# SPDX-License-Identifier: MIT
# necropy: a task for each job, all waiting for an answer that nobody will ever give.
import asyncio

import service

SOURCE = '''
import asyncio

class Job:
    def __init__(self, number):
        self.number, self.text = number, "job %d" % number

class Worker:
    def __init__(self):
        self.tasks = set()

    async def poll(self, job):
        answer = asyncio.get_running_loop().create_future()
        text = job.text * 2
        await answer
        return text

    def submit(self, job):
        self.tasks.add(asyncio.ensure_future(self.poll(job)))

worker = Worker()
'''


async def run(jobs, count):
    for number in range(count):
        jobs.worker.submit(jobs.Job(number))
    await asyncio.sleep(0)
    service.rest()


def main():
    service.start()
    asyncio.run(run(service.module("shop.jobs", SOURCE), service.count(8000)))


if __name__ == "__main__":
    main()
