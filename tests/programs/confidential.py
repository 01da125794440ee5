# SPDX-License-Identifier: MIT
# necropy: a program that holds secrets in every form that memory has, for redacted snapshots.
"""Arguments: a seed, and tokens that only the command line has. token(seed, kind) is what it holds of a kind."""
import array
import asyncio
import collections
import ctypes
import dataclasses
import decimal
import gc
import io
import mmap
import os
import pathlib
import random
import sqlite3
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

KINDS = ("ascii long latin two four key attribute bytes bytearray memoryview array unicode int float complex field "
         "exception local docstring constant environment command file buffer wide mmap deque set freed sqlite path "
         "thread slot decimal stringio bytesio cell default subclass closure task nested purepath bits").split()
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
EIGHT = ("float", "complex")  # bytes of a double


def token(seed, kind):
    """Begins with a letter: 8 to 40 characters."""
    made = random.Random("%s %s" % (seed, kind))
    length = 8 if kind in EIGHT else 40 if kind == "long" else made.randrange(12, 32)
    return made.choice(LETTERS[:26]) + "".join(made.choice(LETTERS) for _ in range(length - 1))


@dataclasses.dataclass
class Record:
    field: str


class Slotted:
    __slots__ = ("slotted_name",)


class Attributes:
    def __init__(self):
        self.plain_attribute = 1


class Name(str):
    pass


class Number(int):
    pass


async def asyncronous(kept):
    task = asyncio.ensure_future(asyncio.sleep(3600))
    if hasattr(task, "set_name"):
        task.set_name(kept["task"])
    await asyncio.sleep(0)
    return task


def fail(message):
    inner_local = message + "!"
    raise ValueError(message, len(inner_local))


def hold(seed):
    keep = {}
    said = {kind: token(seed, kind) for kind in KINDS if kind not in ("environment", "command", "freed")}
    keep["texts"] = [said["ascii"], said["long"], "\xe9" + said["latin"], "\u0416" + said["two"], "\U0001f600" + said["four"]]
    keep["keys"] = {said["key"]: 1}
    keep["object"] = Attributes()
    setattr(keep["object"], said["attribute"], 1)
    keep["binary"] = [said["bytes"].encode(), bytearray(said["bytearray"].encode()),
                      memoryview(said["memoryview"].encode()), array.array("b", said["array"].encode()),
                      array.array("u", said["unicode"])]
    keep["numbers"] = [int.from_bytes(said["int"].encode(), "little"), struct.unpack("<d", said["float"].encode())[0],
                       complex(struct.unpack("<d", said["complex"].encode())[0], 1.5),
                       decimal.Decimal(int.from_bytes(said["decimal"].encode(), "big")),
                       Number(int.from_bytes(said["bits"].encode(), "little"))]
    keep["record"] = Record(said["field"])
    try:
        fail(said["exception"])
    except ValueError as error:
        keep["error"] = error
    made = {}
    exec("def made_at_run_time():\n    '''%s'''\n    return '%s'\n" % (said["docstring"], said["constant"]), made)
    keep["function"] = made["made_at_run_time"]
    with tempfile.NamedTemporaryFile("w", delete=False) as out:
        out.write(said["file"])
    with open(out.name) as source:
        keep["file"] = source.read()
    os.unlink(out.name)
    keep["buffer"] = ctypes.create_string_buffer(said["buffer"].encode(), 100)
    keep["wide"] = ctypes.create_unicode_buffer(said["wide"], 100)
    keep["mmap"] = mmap.mmap(-1, 8192)
    keep["mmap"].write(said["mmap"].encode())
    keep["deque"] = collections.deque([said["deque"]])
    keep["set"] = {said["set"]}
    keep["sqlite"] = sqlite3.connect(":memory:")
    keep["sqlite"].execute("create table t (x)")
    keep["sqlite"].execute("insert into t values (?)", (said["sqlite"],))
    folder = tempfile.mkdtemp()
    keep["path"] = open(os.path.join(folder, said["path"]), "w+")
    keep["mapped"] = None
    keep["path"].write("x" * 8192)
    keep["path"].flush()
    keep["mapped"] = mmap.mmap(keep["path"].fileno(), 8192, access=mmap.ACCESS_READ)
    os.unlink(keep["path"].name)
    os.rmdir(folder)
    keep["slotted"] = Slotted()
    keep["slotted"].slotted_name = said["slot"]
    keep["stringio"], keep["bytesio"] = io.StringIO(said["stringio"]), io.BytesIO(said["bytesio"].encode())
    keep["default"] = lambda argument=said["default"]: argument
    keep["closure"] = (lambda held: lambda: held)(said["closure"])
    keep["subclass"] = Name(said["subclass"])
    keep["nested"] = [{"outer": ({"inner": [said["nested"]] * 3},)}]
    keep["purepath"] = pathlib.PurePath("/srv") / said["purepath"]
    loop = asyncio.new_event_loop()
    keep["loop"], keep["task"] = loop, loop.run_until_complete(asyncronous(said))
    never = threading.Event()
    threading.Thread(target=never.wait, name=said["thread"], daemon=True).start()
    keep["cell"] = said["cell"]
    return keep


def main():
    seed = sys.argv[1]
    freed = [token(seed, "freed") * 12 + str(i) for i in range(3000)]
    del freed
    keep = hold(seed)
    local_secret = token(seed, "local")
    keep["cycle"] = keep
    [[] for _ in range(10)]
    for _ in range(50):
        pair = [Record("spare"), None]
        pair[1] = pair
    del pair
    oracle.hold()
    del local_secret


if __name__ == "__main__":
    gc.disable()
    main()
