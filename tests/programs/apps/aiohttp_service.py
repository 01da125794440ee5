# SPDX-License-Identifier: MIT
# necropy: an aiohttp server and its clients in one process.
"""aiohttp_service.py: dumped inside the event loop, with open connections, a web socket and waiting tasks."""
import asyncio
import gc
import os
import sys

import aiohttp
from aiohttp import web

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {"bodies": [], "requests": []}


async def hello(request):
    KEPT["requests"].append(request)
    request["user"] = request.query.get("user")
    return web.json_response({"hello": request.query.get("user"), "headers": dict(request.headers)})


async def slow(request):
    KEPT["requests"].append(request)
    await asyncio.sleep(1000)
    return web.Response(text="never")


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str("echo " + message.data)
    return socket


async def main():
    app = web.Application(middlewares=[web.normalize_path_middleware()])
    app.add_routes([web.get("/hello/{name}", hello), web.post("/hello/{name}", hello), web.get("/slow", slow), web.get("/echo", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = "http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1]
    session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
    for number in range(150):
        async with session.get(base + "/hello/n%d" % number, params={"user": "u%d" % number}) as response:
            KEPT["bodies"].append((await response.json(), response if number % 10 == 0 else None))
        async with session.post(base + "/hello/x", data={"field": "value %d" % number}) as response:
            await response.text()
    KEPT["waiting"] = [asyncio.create_task(session.get(base + "/slow")) for _ in range(10)]
    socket = KEPT["socket"] = await session.ws_connect(base + "/echo")
    for number in range(20):
        await socket.send_str(str(number))
        KEPT["bodies"].append(await socket.receive())
    await asyncio.sleep(0.2)
    KEPT["all"] = app, runner, session
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    asyncio.run(main())
