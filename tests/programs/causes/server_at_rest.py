# SPDX-License-Identifier: MIT
# necropy: a healthy asyncio server: clients are connected and say nothing at the moment.
import asyncio

import service

CLIENTS = 150


async def serve(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            break
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    clients = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(CLIENTS)]
    for reader, writer in clients:
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
    service.rest()


if __name__ == "__main__":
    service.start()
    asyncio.run(main())
