# SPDX-License-Identifier: MIT
# necropy: what the end-to-end tests share: where things are, running necropy, interpreters and cores.
"""Environment: NECROPY, the binary (default: build/ in the repository); NECROPY_PYTHONS, see oracle/dump.py;
NECROPY_SMALL=1 takes one interpreter and one kind of core only (for sanitizer builds); NECROPY_FULL=1 takes all that are
at hand, which takes its time; without either, some."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
ROOT = os.path.dirname(TESTS)
GOLDEN = os.path.join(TESTS, "golden")
sys.path.insert(0, os.path.join(TESTS, "oracle"))
import compare  # noqa: E402,F401
import dump  # noqa: E402
from dump import Living  # noqa: E402,F401

NECROPY = os.path.abspath(os.environ.get("NECROPY") or os.path.join(ROOT, "build", "analyzer", "necropy"))
SMALL = bool(os.environ.get("NECROPY_SMALL"))
FULL = bool(os.environ.get("NECROPY_FULL"))
_USUAL = ((3, 8), (3, 10), (3, 13))
PATIENCE = 600
_CACHE = tempfile.TemporaryDirectory(prefix="necropy-cache-")
_found = None

# What no run may ever say, whatever its exit status.
_CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed|Segmentation fault|"
                    r"stack smashing|free\(\): |malloc\(\): ")


class Case(unittest.TestCase):
    maxDiff = 4000

    def run_necropy(self, *arguments, **options):
        """Run it; check that it neither crashed nor leaked; (status, stdout, stderr)."""
        if not os.path.exists(NECROPY):
            self.fail("no necropy at %s: build it, or set NECROPY" % NECROPY)
        environment = dict(os.environ, XDG_CACHE_HOME=_CACHE.name, NO_COLOR="1", LC_ALL="C.UTF-8")
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        environment.update(options.pop("env", {}))
        done = subprocess.run([NECROPY] + [str(argument) for argument in arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=PATIENCE, env=environment,
                              **options)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        self.assertIsNone(_CRASH.search(err), err[:4000])
        self.assertGreaterEqual(done.returncode, 0, "died of signal %d: %s" % (-done.returncode, err[:4000]))
        return done.returncode, out, err

    def necropy(self, *arguments, status=0, **options):
        """Run it and check the exit status (None: any): (stdout, stderr) as text."""
        got, out, err = self.run_necropy(*arguments, **options)
        if status is not None:
            self.assertEqual(got, status, "necropy %s\n%s\n%s" % (
                " ".join(map(str, arguments)), err[:4000], out[-2000:]))
        return out, err

    def report(self, core, *options, status=0):
        """The JSON report of a core, as values; checked against the schema where that is possible."""
        made = json.loads(self.necropy("report", core, "--json", "-", *options, status=status)[0])
        problems = schema_problems(made)
        self.assertEqual(problems, [], "the report is not as its schema says")
        return made

    def export(self, core, folder, *options, status=0):
        """The export of a core as {address: line}."""
        path = os.path.join(folder, "export.ndjson")
        self.necropy("export", core, "--format", "ndjson", "-o", path, *options, status=status)
        return compare.read_export(path)

    def dumped(self, program, python, how="gcore", arguments=(), collect=False, truth=False):
        """A living program and its core: (Living, path); closed with the test."""
        living = Living(program, arguments, python=python.path, truth=truth, collect=collect)
        self.addCleanup(living.close)
        try:
            return living, living.dump(how)
        except dump.Skip as why:
            living.close()
            self.skipTest(str(why))


def schema_problems(report):
    """What the JSON Schema in the repository has against a report; without python3-jsonschema nothing."""
    try:
        import jsonschema
    except ImportError:
        return []
    with open(os.path.join(ROOT, "analyzer", "report", "report.schema.json")) as source:
        validator = jsonschema.Draft7Validator(json.load(source))
    return ["%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:300])
            for error in list(validator.iter_errors(report))[:20]]


def pythons(case):
    """The interpreters to test with; the test is skipped where there is none."""
    global _found
    if _found is None:
        _found, skipped = dump.interpreters()
        for sentence in skipped:
            print("skipped: " + sentence, file=sys.stderr)
    if not _found:
        case.skipTest("no Python with debug information (Debian: python3-dbg)")
    return _found[:1] if SMALL else _found


def usual(found):
    """Of many interpreters those that a usual run has time for: the first (Debian's), the oldest, one between, the
    newest that is here everywhere. All of them with NECROPY_FULL=1, one with NECROPY_SMALL=1."""
    if FULL or SMALL:
        return found[:1] if SMALL else found
    return [python for index, python in enumerate(found)
            if not index or (python.version[:2] in _USUAL and not python.root and not python.debug)]


def each_core(check):
    """A class decorator's argument: check(self, python, how) becomes a test for each interpreter and kind of core."""
    def decorate(kind):
        found = (dump.interpreters()[0] or [None])[:1 if SMALL else None]
        for python in found:
            for how in ("gcore",) if SMALL else ("gcore", "kernel"):
                name = "test_%s_%s" % (re.sub(r"\W", "_", python.name) if python else "nothing", how)

                def method(self, python=python, how=how):
                    if python is None:
                        self.skipTest("no Python with debug information (Debian: python3-dbg)")
                    check(self, python, how)

                setattr(kind, name, method)
        return kind
    return decorate


def options_for(python):
    """What necropy must be told of an interpreter's core."""
    return ("--sysroot", python.root) if python.root else ()


def first_python(case):
    """The interpreter of the scenario tests that need but one."""
    return pythons(case)[0]
