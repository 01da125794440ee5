# SPDX-License-Identifier: MIT
# necropy: an asyncio.Queue without a bound.
import asyncio

import service

SOURCE = '''
class Message:
    def __init__(self, number):
        self.number, self.text = number, "message %d" % number

class Broker:
    def __init__(self, queue):
        self.pending = queue

broker = None
'''


async def produce(broker, count):
    broker.broker = broker.Broker(asyncio.Queue())
    for number in range(count):
        broker.broker.pending.put_nowait(broker.Message(number))
    service.rest()


def main():
    service.start()
    broker = service.module("chat.broker", SOURCE)
    asyncio.run(produce(broker, service.count(10000)))


if __name__ == "__main__":
    main()
