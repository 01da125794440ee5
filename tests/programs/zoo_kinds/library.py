# SPDX-License-Identifier: MIT
# necropy: the zoo: what the library's own C types hold: io, re, datetime, json, pickle, sqlite3, xml, ssl and others.
import _io
import bz2
import csv
import datetime
import hashlib
import hmac
import io
import json
import logging
import lzma
import os
import pickle
import random
import re
import select
import selectors
import socket
import sqlite3
import string
import struct
import subprocess
import tempfile
import uuid
import zlib
import xml.dom.minidom
import xml.etree.ElementTree as ElementTree
from xml.parsers import expat

from zoo_kinds import animal


@animal
def streams():
    path = tempfile.mkstemp()[1]
    binary, raw, text = open(path, "r+b"), open(path, "rb", buffering=0), open(path, "w", encoding="utf-8", newline="")
    text.write("some text")
    binary.write(b"pending")
    os.unlink(path)
    grown = io.BytesIO()
    grown.write(b"x" * 3000)
    shared = io.BytesIO(b"shared buffer" * 50)
    taken = io.BytesIO(b"taken" * 20)
    value = taken.getvalue()
    exported = io.BytesIO(b"exported" * 9)
    buffer = exported.getbuffer()
    string_io = io.StringIO("start\r\n", newline="\r\n")
    string_io.write("more \u20ac")
    accumulating = io.StringIO()
    accumulating.write("only writes")
    closed = io.BytesIO(b"closed")
    closed.close()
    read, write = os.pipe()
    pair = io.BufferedRWPair(open(read, "rb", buffering=0), open(write, "wb", buffering=0))
    decoded = io.TextIOWrapper(io.BytesIO("line\nline\u20ac\n".encode()), encoding="utf-8")
    decoded.readline()
    attributed = io.BytesIO(b"a")
    attributed.attribute = [attributed]

    class TextSub(io.TextIOWrapper):
        pass

    class RawSub(io.RawIOBase):
        pass

    return [binary, raw, text, grown, shared, taken, value, exported, buffer, string_io, accumulating, closed, pair,
            decoded, attributed, io.BufferedRandom(io.BytesIO(b"r")), io.BufferedReader(io.BytesIO(b"q")),
            io.BufferedWriter(io.BytesIO()), TextSub(io.BytesIO()), RawSub(), io.IncrementalNewlineDecoder(None, True),
            _io.FileIO("/dev/null"), tempfile.TemporaryFile(), tempfile.SpooledTemporaryFile(), io.StringIO()]


@animal
def regular_expressions():
    pattern = re.compile(r"(?P<word>\w+)\s(\d+)?(?P<rest>.*)", re.I)
    match = pattern.match("hello 42 rest of it")
    match.regs
    match.lastgroup
    scanner = pattern.scanner("a 1\nb 2")
    scanner.search()
    return [pattern, match, scanner, re.compile(b"bytes"), re.match("", ""), re.Scanner([("a", None)]),
            re.compile("(a)|(b)").match("b"), string.Template("$a"), string.Formatter(), re.compile("[\u0100-\u0300]+")]


@animal
def dates():
    zone = datetime.timezone(datetime.timedelta(hours=2), "TWO")

    class Zone(datetime.tzinfo):
        def __init__(self):
            self.attribute = []

    class Date(datetime.datetime):
        pass

    mine = Date(2020, 1, 1, tzinfo=Zone())
    mine.attribute = ["a"]
    return [datetime.date(2020, 1, 1), datetime.time(1, 2), datetime.time(1, 2, tzinfo=zone), zone,
            datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=zone), datetime.timedelta(1, 2, 3),
            datetime.timezone.utc, datetime.datetime.now(datetime.timezone.utc), Zone(), mine,
            datetime.timezone(datetime.timedelta(0, 60)), datetime.datetime(2020, 1, 1).isocalendar()]


@animal
def time_zones():
    import zoneinfo
    made = [zoneinfo.ZoneInfo("UTC")]
    for name in ("Europe/Berlin", "America/New_York", "Asia/Tokyo"):
        made += [zoneinfo.ZoneInfo(name), zoneinfo.ZoneInfo.no_cache(name)]
    made.append(datetime.datetime(2020, 7, 1, tzinfo=made[-1]))
    made[-1].utcoffset()
    return made


@animal
def serializers():
    pickler, unpickler = pickle.Pickler(io.BytesIO()), pickle.Unpickler(io.BytesIO(pickle.dumps([[1], {"a": (2,)}], 2)))
    shared = ["shared"]
    pickler.dump([shared, shared, {"k": shared}])
    unpickler.load()
    persistent = pickle.Pickler(io.BytesIO())
    persistent.dispatch_table = {}
    writer, reader = csv.writer(io.StringIO()), csv.reader(iter(["a,b", "'c"]), dialect="excel-tab")
    next(reader)
    decoder, encoder = json.JSONDecoder(object_hook=dict), json.JSONEncoder(default=str)
    decoder.decode('{"a": [1, {"b": null}]}')
    iterating = encoder.iterencode([1, {"a": [2]}])
    next(iterating)
    return [pickler, unpickler, persistent, pickler.memo, unpickler.memo, writer, reader, csv.Dialect, decoder, encoder,
            iterating, struct.Struct("<iq10s"), struct.iter_unpack("i", bytes(16)), csv.DictReader(iter(["a", "1"])),
            json.decoder.scanner.make_scanner(decoder), csv.get_dialect("excel"), struct.Struct("")]


@animal
def c_json_encoder():
    from json import encoder
    return encoder.c_make_encoder({}, str, encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True)


@animal
def databases():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.create_function("f", 1, lambda value: value)
    connection.create_aggregate("g", 1, type("G", (), {"step": None, "finalize": None}))
    connection.create_collation("c", lambda one, two: 0)
    connection.set_trace_callback(lambda text: None)
    connection.execute("create table t (a, b)")
    connection.executemany("insert into t values (?, ?)", [(number, "text%d" % number) for number in range(50)])
    cursor = connection.execute("select * from t")
    row = cursor.fetchone()
    done = connection.execute("select 1")
    done.fetchall()
    closed = sqlite3.connect(":memory:")
    closed.close()

    class ConnectionSub(sqlite3.Connection):
        pass

    subclass = sqlite3.connect(":memory:", factory=ConnectionSub)
    subclass.attribute = []
    return [connection, cursor, row, done, closed, subclass, row.keys(), iter(row), connection.cursor()]


@animal
def blobs():
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (b blob)")
    connection.execute("insert into t values (zeroblob(10))")
    return [connection, connection.blobopen("t", "b", 1)]


@animal
def trees():
    root = ElementTree.fromstring("<a x='1'>text<b><c/>tail</b><d y='2'/>" + "<e/>" * 20 + "</a>")
    built = ElementTree.Element("tag", {"k": "v"})
    ElementTree.SubElement(built, "child").text = "inner"
    builder = ElementTree.TreeBuilder()
    builder.start("open", {"a": "b"})
    builder.data("joined ")
    builder.data("text")
    parser = ElementTree.XMLParser()
    parser.feed("<unfinished><deep a='1'>some")
    pull = ElementTree.XMLPullParser(["start", "end"])
    pull.feed("<a><b>")
    iterator, texts = root.iter(), root.itertext()
    next(iterator)
    next(texts)
    plain = expat.ParserCreate(namespace_separator=" ")
    plain.StartElementHandler = lambda name, attributes: None
    plain.Parse("<a><b>")
    child = plain.ExternalEntityParserCreate("context")
    document = xml.dom.minidom.parseString("<a><b c='d'>text</b></a>")
    comment = ElementTree.Comment("c")
    return [root, built, builder, parser, pull, iterator, texts, plain, child, document, comment,
            ElementTree.ElementTree(root), root.find("b").attrib, root.iterfind("b"), ElementTree.Element("bare")]


@animal
def digests():
    md5 = hashlib.md5(b"x")
    made = [md5, hashlib.sha256(b"y"), hashlib.blake2b(key=b"k"), hashlib.blake2s(), hashlib.sha3_256(),
            hashlib.shake_128(), hmac.new(b"k", b"m", "sha256"), md5.copy(), hashlib.sha512()]
    return made


@animal
def compressors():
    decompressor = zlib.decompressobj()
    decompressor.decompress(zlib.compress(b"abc" * 100) + b"unused tail")
    waiting = zlib.decompressobj(zdict=b"abcdef")
    return [zlib.compressobj(), decompressor, waiting, bz2.BZ2Compressor(), bz2.BZ2Decompressor(), lzma.LZMACompressor(),
            lzma.LZMADecompressor(), zlib.decompressobj().copy()]


@animal
def randoms():
    class RandomSub(random.Random):
        pass

    mine = RandomSub(5)
    mine.attribute = []
    return [random.Random(1), random.SystemRandom(), mine, random.getstate()[1][:5], uuid.uuid4(), uuid.uuid5(
        uuid.NAMESPACE_DNS, "x")]


@animal
def sockets():
    one, two = socket.socketpair()
    plain = socket.socket()
    plain.settimeout(5)
    selector = selectors.DefaultSelector()
    selector.register(one, selectors.EVENT_READ, ["data"])
    polling = select.poll()
    polling.register(one)
    epoll = select.epoll()
    epoll.register(two.fileno())
    makefile = one.makefile("rw")
    return [one, two, plain, selector, polling, epoll, makefile, selectors.SelectSelector(), socket.AF_INET,
            socket.socket(socket.AF_UNIX)]


@animal
def tls():
    import ssl
    context = ssl.create_default_context()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.sni_callback = lambda *arguments: None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(b"bytes")
    memory = client.wrap_bio(incoming, outgoing, server_hostname="example.org")
    one, two = socket.socketpair()
    wrapped = client.wrap_socket(one, server_hostname="example.org", do_handshake_on_connect=False)
    return [context, server, client, incoming, outgoing, memory, wrapped, two, context.get_ca_certs()[:2]]


@animal
def loggers():
    logger = logging.getLogger("zoo.library")
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.info("a record %s", [1])
    return [logger, handler, logging.LogRecord("n", 20, "p", 1, "m %s", ([],), None), logging.LoggerAdapter(logger, {})]


@animal
def processes():
    finished = subprocess.Popen(["true"], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    finished.wait()
    return [finished, subprocess.CompletedProcess(["a"], 0)]


@animal
def syntax_trees():
    import ast
    import symtable
    import tokenize
    tokens = tokenize.generate_tokens(io.StringIO("a = [1,\n2]\n").readline)
    next(tokens)
    return [ast.parse("def f(x):\n    return [x for x in range(10) if x]\n"), tokens,
            symtable.symtable("def f(a): return lambda: a", "<zoo>", "exec"), ast.parse("1 + 2j", mode="eval")]


@animal
def odds_and_ends():
    import argparse
    import codecs
    import configparser
    import difflib
    import email.message
    import ipaddress
    import pathlib
    import unicodedata
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=int, choices=[1, 2])
    config = configparser.ConfigParser()
    config.read_string("[a]\nb = c\n")
    message = email.message.EmailMessage()
    message["Subject"] = "zoo"
    paths = [pathlib.Path("/a/b"), pathlib.PurePosixPath("c"), pathlib.Path("/a") / "x.tar.gz"]
    paths[0].parts, paths[2].suffix, hash(paths[0]), str(paths[1])
    incremental = codecs.getincrementaldecoder("shift_jis")()
    incremental.decode(b"\x82")
    return [parser, config, message, paths, incremental, codecs.lookup("utf-8"), codecs.getreader("big5")(io.BytesIO()),
            codecs.getincrementalencoder("utf-16")(), difflib.SequenceMatcher(None, "abc", "abd"),
            ipaddress.ip_network("10.0.0.0/8"), unicodedata.ucd_3_2_0, codecs.charmap_build("".join(map(chr, range(256)))),
            codecs.getwriter("gb18030")(io.BytesIO())]


@animal
def key_value_stores():
    import dbm
    import shelve
    folder = tempfile.mkdtemp()
    store = dbm.open(os.path.join(folder, "store"), "n")
    store["a"] = "b"
    return [store, shelve.Shelf({})]


@animal
def rarities():
    """Types that hardly anybody has ever met."""
    import cProfile
    import _random
    import _string
    profiler = cProfile.Profile()
    profiler.runcall(sorted, [[2], [1]], key=len)
    return [pickle.PickleBuffer(bytearray(b"x")), profiler, profiler.getstats(), _random.Random(3),
            _string.formatter_parser("{a} {b!r:>5}"), _string.formatter_field_name_split("a.b[0]")[1]]


@animal
def builtin_digests():
    made = []
    for module, names in (("_md5", "md5"), ("_sha1", "sha1"), ("_sha256", "sha256 sha224"), ("_sha512", "sha512 sha384"),
                          ("_sha2", "sha256 sha224 sha512 sha384"), ("_sha3", "sha3_224 sha3_256 shake_128")):
        try:
            made += [getattr(__import__(module), name)(b"x") for name in names.split()]
        except ImportError:
            pass
    return made


@animal
def semaphores():
    import multiprocessing
    return [multiprocessing.Lock(), multiprocessing.Semaphore(2)]
