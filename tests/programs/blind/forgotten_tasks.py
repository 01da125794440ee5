# SPDX-License-Identifier: MIT
# necropy: asyncio tasks that wait for answers that never come
# expect: {"rule": "task|coroutine|future", "type": "Task|__main__.ask|coroutine", "path": null, "count": 4000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import asyncio  # noqa: E402

waiting = {}


async def ask(number):
    answer = asyncio.get_running_loop().create_future()
    waiting[number] = answer
    request = {"number": number, "text": "question %d" % number}
    result = await answer
    return request, result


async def main():
    tasks = set()
    for number in range(4000):
        task = asyncio.ensure_future(ask(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.sleep(0)
    oracle.hold()


asyncio.run(main())


oracle.hold()
