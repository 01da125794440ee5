# SPDX-License-Identifier: MIT
# necropy: a process that holds every kind of object there is, for the oracle.
"""The zoo: the whole standard library imported, and every type family in every form.

Each family lives in zoo_kinds/; a family that this interpreter lacks is skipped and named on stderr with --verbose.
Garbage is made last, when the collector is off: cycles that gc.collect() would find.
"""
import gc
import os
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, os.pardir, "oracle")]

# These open windows and browsers, print poems, start servers, or are tests.
_LOUD = {"antigravity", "this", "idlelib", "turtledemo", "turtle", "tkinter", "_tkinter", "test", "lib2to3", "nis",
         "ensurepip", "__main__", "__phello__", "__hello__", "_testcapi", "_testinternalcapi", "_testimportmultiple",
         "_testmultiphase", "_testbuffer", "_testclinic", "_testsinglephase", "_testlimitedcapi",
         "_testexternalinspection", "_xxtestfuzz", "_ctypes_test", "_xxsubinterpreters", "xxlimited", "xxlimited_35",
         "xxsubtype", "pty", "rlcompleter"}
# For interpreters before 3.10, which do not list their own modules.
_OLD = ("argparse array ast asyncio base64 bdb bisect bz2 calendar cmath cmd code codecs collections colorsys compileall "
        "concurrent.futures configparser contextlib contextvars copy csv ctypes curses dataclasses datetime dbm decimal "
        "difflib dis doctest email enum fileinput fractions ftplib functools getopt gettext glob graphlib gzip hashlib "
        "heapq hmac html http imaplib inspect io ipaddress itertools json keyword linecache locale logging lzma mailbox "
        "mimetypes mmap multiprocessing netrc nntplib numbers operator optparse pathlib pdb pickle pickletools pkgutil "
        "platform plistlib poplib pprint profile queue quopri random re sched secrets selectors shelve shlex shutil "
        "smtplib socket socketserver sqlite3 ssl statistics string struct subprocess symtable tarfile tempfile textwrap "
        "threading timeit token tokenize trace traceback tracemalloc types typing unicodedata unittest urllib uuid venv "
        "warnings wave weakref webbrowser wsgiref xml xmlrpc zipapp zipfile zipimport zlib zoneinfo")
_PACKAGES = ("asyncio", "collections", "concurrent.futures", "ctypes", "curses", "dbm", "distutils", "email",
             "encodings", "html", "http", "importlib", "json", "logging", "multiprocessing", "os", "pathlib", "re",
             "sqlite3", "sysconfig", "tomllib", "unittest", "urllib", "wsgiref", "xml.dom", "xml.etree", "xml.parsers",
             "xml.sax", "xmlrpc", "zipfile", "zoneinfo", "importlib.metadata", "importlib.resources", "email.mime",
             "ctypes.macholib", "multiprocessing.dummy")
_LOUD_SUBMODULES = ("__main__", ".cp65001", ".mbcs", ".oem", "win32", "windows", "idlelib", ".test", "heap", "_wincon",
                    "ndbm_", "tool")


def import_everything():
    """The whole standard library, submodules of the usual packages included."""
    import importlib
    import pkgutil
    names = sorted(getattr(sys, "stdlib_module_names", _OLD.split()))
    for package in _PACKAGES:
        try:
            path = importlib.import_module(package).__path__
        except Exception:
            continue
        names += [package + "." + module.name for module in pkgutil.iter_modules(path)]
    failed = {}
    for name in names:
        if name.partition(".")[0] in _LOUD or any(word in name for word in _LOUD_SUBMODULES):
            continue
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed[name] = repr(error)
    return failed


def main():
    warnings.simplefilter("ignore")
    failed = import_everything()
    import zoo_kinds
    for name in zoo_kinds.FAMILIES:
        __import__("zoo_kinds." + name)
    if "--verbose" in sys.argv:
        for name, why in list(failed.items()) + list(zoo_kinds.MISSING.items()):
            os.write(2, ("missing: %s: %s\n" % (name, why)).encode())
    del failed
    import oracle
    gc.collect()
    gc.disable()
    gc.collect()
    zoo_kinds.litter()
    oracle.hold()


if __name__ == "__main__":
    main()
