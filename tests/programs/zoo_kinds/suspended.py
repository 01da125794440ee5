# SPDX-License-Identifier: MIT
# necropy: the zoo: generators, coroutines, tasks, frames, tracebacks, exceptions, context variables.
import asyncio
import contextlib
import contextvars
import sys
import types

from zoo_kinds import animal, rubbish


def counting(start, step=1):
    local = [start]
    with contextlib.suppress(ValueError):
        for number in range(start, start + 100, step):
            received = yield number, local
            local.append(received)
    return local


def delegating(depth):
    held = {"depth": depth}
    if depth:
        yield from delegating(depth - 1)
    else:
        yield held


def in_handler():
    try:
        raise ValueError(["in flight"])
    except ValueError as problem:
        yield problem
        yield "still here"


@animal
def generators():
    created, suspended, exhausted, closed, handler = counting(1), counting(2), counting(3, 99), counting(4), in_handler()
    next(suspended)
    suspended.send(["sent"])
    list(exhausted)
    next(closed)
    closed.close()
    next(handler)
    deep = delegating(12)
    next(deep)
    failed = (1 // zero for zero in [0])
    with contextlib.suppress(ZeroDivisionError):
        next(failed)
    expression = ([x, y] for x in [1, 2] for y in "ab")
    next(expression)
    framed = counting(5)
    next(framed)
    return [created, suspended, exhausted, closed, handler, deep, failed, expression, framed, framed.gi_frame,
            created.gi_frame, delegating(3), (lambda: (yield))()]


class Awaitable:
    def __await__(self):
        value = yield ["awaiting"]
        return value


async def coroutine(depth):
    local = {"depth": depth}
    if depth:
        return await coroutine(depth - 1)
    async with contextlib.AsyncExitStack() as stack:
        await Awaitable()
    return local, stack


async def async_counting():
    local = []
    for number in range(5):
        local.append(number)
        yield local


@types.coroutine
def old_style():
    yield ["old"]


@animal
def coroutines():
    created, suspended, done = coroutine(0), coroutine(5), coroutine(0)
    suspended.send(None)
    try:
        done.send(None)
        done.send(1)
    except StopIteration:
        pass
    old = old_style()
    old.send(None)
    wrapper = Awaitable().__await__()
    next(wrapper)
    origin = coroutine(1)
    return [created, suspended, done, old, wrapper, origin, suspended.cr_await, coroutine(1).__await__()]


@animal
def coroutine_origins():
    sys.set_coroutine_origin_tracking_depth(5)
    try:
        return [coroutine(1), async_counting()]
    finally:
        sys.set_coroutine_origin_tracking_depth(0)


@animal
def async_generators():
    created, suspended, asend, athrow = async_counting(), async_counting(), async_counting(), async_counting()

    async def use():
        await suspended.__anext__()

    with contextlib.suppress(StopIteration):
        use().send(None)
    started = asend.asend(None)
    with contextlib.suppress(StopIteration):
        started.send(None)
    waiting = created.__anext__()
    nexting = anext(created, "default") if sys.version_info >= (3, 10) else None

    async def loop():
        return [item async for item in async_counting()]

    return [created, suspended, asend, started, waiting, nexting, athrow.athrow(ValueError("x")), athrow.aclose(), loop()]


async def sleeper(name, future):
    payload = [name] * 3
    await future
    return payload


class TaskSub(asyncio.Task):
    pass


class FutureSub(asyncio.Future):
    pass


@animal
def event_loop():
    """A loop that was stopped with tasks pending, done, failed and cancelled."""
    loop = asyncio.new_event_loop()
    variable = contextvars.ContextVar("request", default=None)

    async def fail():
        raise RuntimeError("task failed")

    async def immediately():
        return ["result"]

    async def prepare():
        variable.set(["request"])
        future, subclassed = loop.create_future(), FutureSub(loop=loop)
        subclassed.attribute = []
        future.add_done_callback(print)
        future.add_done_callback(lambda done: None)
        tasks = [loop.create_task(sleeper("s%d" % number, future)) for number in range(10)]
        tasks.append(TaskSub(sleeper("sub", subclassed), loop=loop))
        failed, done = loop.create_task(fail()), loop.create_task(immediately())
        cancelled = loop.create_task(sleeper("c", loop.create_future()))
        gathered = asyncio.gather(*tasks[:3], return_exceptions=True)
        shielded = asyncio.shield(tasks[4])
        waiting = loop.create_task(asyncio.wait_for(loop.create_future(), 1000))
        lock, event, condition, queue = asyncio.Lock(), asyncio.Event(), asyncio.Condition(), asyncio.Queue(3)
        await lock.acquire()
        blocked = [loop.create_task(lock.acquire()), loop.create_task(event.wait()), loop.create_task(queue.get())]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        handle, timer = loop.call_later(2000, print, "never"), loop.call_later(1000, print, ["later"])
        return [future, subclassed, tasks, failed, done, cancelled, gathered, shielded, waiting, lock, event, condition,
                queue, blocked, handle, timer, asyncio.Semaphore(2)]

    made = loop.run_until_complete(prepare())
    iterator = iter(made[0])
    next(iterator)
    return [loop, made, variable, iterator, asyncio.all_tasks(loop)]


def deep_failure(depth):
    held = {"depth": depth}
    if depth:
        return deep_failure(depth - 1)
    raise KeyError("deep", held)


def caught(function, *arguments):
    try:
        function(*arguments)
    except BaseException as problem:
        return problem


class Problem(Exception):
    def __init__(self, *arguments, code=0):
        super().__init__(*arguments)
        self.code = [code]


@animal
def exceptions():
    def chained():
        try:
            deep_failure(3)
        except KeyError as cause:
            raise Problem("outer", code=3) from cause

    def in_context():
        try:
            raise ValueError("first")
        except ValueError:
            raise TypeError("second")

    class Slots(Exception):
        __slots__ = ("slot",)

    slotted = Slots("s")
    slotted.slot = ["x"]
    problem = Problem([1])
    problem.__notes__ = ["a note"]
    return [caught(deep_failure, 10), caught(chained), caught(in_context), problem, slotted, Exception(), MemoryError(),
            OSError(2, "no file", "/a/path", None, "/b"), caught(open, "/no/such/file"), SystemExit(["why"]),
            StopIteration([1]), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), caught(b"\xff".decode, "utf-8"),
            UnicodeEncodeError("ascii", "\xe9", 0, 1, "bad"), UnicodeTranslateError("\xe9", 0, 1, "bad"),
            caught(compile, "a b", "<zoo>", "exec"), ImportError("no", name="n", path="p"), caught(__import__, "no_zoo"),
            caught(getattr, [], "nothing"), caught(lambda: undefined_name), KeyboardInterrupt(), ValueError,  # noqa: F821
            caught(lambda: {}[("key",)]), RecursionError("r"), AssertionError([]), BlockingIOError(1, "x", 3)]


@animal
def exception_groups():
    inner = ExceptionGroup("inner", [ValueError(1), caught(deep_failure, 2)])  # noqa: F821
    return [inner, BaseExceptionGroup("outer", [inner, KeyboardInterrupt()]), inner.split(ValueError)]  # noqa: F821


@animal
def tracebacks_and_frames():
    problem = caught(deep_failure, 6)
    trace = problem.__traceback__

    def frame_of_finished():
        local, other = ["local"], {"o": 1}

        def inner():
            return local
        return sys._getframe(), inner

    frame = frame_of_finished()
    traced = sys._getframe()
    looked = caught(deep_failure, 2)
    looked.__traceback__.tb_frame.f_locals
    made = types.TracebackType(trace, frame[0], 0, 1)
    return [trace, trace.tb_frame, trace.tb_next, frame, made, traced.f_back is None, looked]


@animal
def frame_locals():
    """f_locals: a dict up to 3.12, a proxy since."""
    problem = caught(deep_failure, 4)
    frame = problem.__traceback__.tb_next.tb_frame
    table = frame.f_locals
    return [problem, table, frame]


@animal
def context_variables():
    variables = [contextvars.ContextVar("v%d" % number, default=[number]) for number in range(200)]
    tokens = [variable.set([variable.name]) for variable in variables[:150]]
    copied = contextvars.copy_context()
    variables[0].reset(tokens[0])
    other = contextvars.Context()
    other.run(variables[3].set, "inside")
    few = contextvars.Context()
    for variable in variables[:3]:
        few.run(variable.set, {})
    iterators = [iter(copied), copied.keys(), copied.values(), copied.items()]
    for iterator in iterators:
        next(iter(iterator))
    return [variables, tokens, copied, other, few, contextvars.Context(), iterators]


@animal
def context_managers():
    @contextlib.contextmanager
    def managed():
        held = ["held"]
        yield held

    entered = managed()
    entered.__enter__()
    stack = contextlib.ExitStack()
    stack.callback(print, [1])
    stack.enter_context(contextlib.nullcontext([2]))
    return [entered, managed(), stack, contextlib.closing([]), contextlib.redirect_stdout(None)]


@rubbish
def dead_exceptions():
    """No generators: the collector closes them first, and what that frees by itself gc.collect() does not count."""
    problem = caught(deep_failure, 3)
    problem.__traceback__.tb_frame.f_locals["problem"] = None
    holder = {"problem": problem}
    problem.holder = holder
