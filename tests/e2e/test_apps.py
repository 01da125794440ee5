# SPDX-License-Identifier: MIT
# necropy: exact on real applications: extension types that no table here knows, walked by their own code.
"""programs/apps: one process each with packages of the distribution (python3-numpy python3-pandas python3-lxml
python3-sqlalchemy python3-cffi python3-cryptography python3-aiohttp python3-gevent python3-django; python3-pydantic-core and
python3-orjson of later suites, in a folder that NECROPY_ROOTS names).  tests/install.sh does not install them: what is
missing is skipped, and said."""
import json
import re
import subprocess
import sys
import unittest

import support
from support import compare, dump

LEAST = 0.9999
ALL = tuple((3, minor) for minor in range(8, 16))
APPS = {  # program: the modules that it needs
    "django_site": ("django",), "pandas_frames": ("numpy", "pandas"), "lxml_trees": ("lxml",),
    "sqlalchemy_orm": ("sqlalchemy",), "aiohttp_service": ("aiohttp",), "gevent_greenlets": ("gevent",),
    "crypto_keys": ("cryptography", "cffi"), "pydantic_core_models": ("pydantic_core", "orjson"),
}
_pythons = []


def imports(python, modules):
    root, inner = dump.split_root(python.path)
    done = subprocess.run([inner, "-c", "import " + ", ".join(modules)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: dump._enter(root, "/"), timeout=120)
    return done.returncode == 0


def python_with(case, modules):
    if not _pythons:
        found = [one for one in dump.interpreters(ALL, roots=True)[0] if not one.debug]
        _pythons.extend(sorted(found, key=lambda one: one.name.startswith("build")))  # distributions first
    for python in _pythons:
        if imports(python, modules):
            return python
    case.skipTest("no interpreter here has %s" % " and ".join(modules))


def check(self, name):
    python = python_with(self, APPS[name])
    living, core = self.dumped("apps/" + name, python, "kernel" if python.root else "gcore", truth=True, collect=True)
    options = support.options_for(python)
    export = self.export(core, living.folder, *options)
    verdict = compare.compare(compare.Truth(living.truth), export)
    if min(verdict["figures"].values()) < 1:
        print("\n%s, %s:" % (name, python.name), file=sys.stderr)
        compare.print_verdict(verdict, sys.stderr)
    for figure, value in verdict["figures"].items():
        with self.subTest(figure):
            self.assertGreaterEqual(value, LEAST)
    report = self.report(core, *options)
    with self.subTest("conservative"):
        self.assertEqual(report["coverage"]["conservative_types"], [])
    with self.subTest("memory"):
        self.assertLess(report["memory"]["unknown_bytes"], report["memory"]["bytes"] / 20)
    with self.subTest("reference counts"):
        # A few objects each are truly lost on import, by NumPy 28, by cffi 5, by pydantic-core and orjson 11.
        counts = report["coverage"]["reference_counts"]
        self.assertTrue(counts["reliable"])
        self.assertEqual(counts["deficit"], 0)
        self.assertLess(counts["unexplained"], 40)
    with self.subTest("garbage"), open(living.collect) as source:
        self.assertEqual(report["garbage"]["objects"], json.load(source)["collect"])
    return export, report


class Apps(support.Case):
    def test_pydantic_core_models(self):
        """pydantic-core itself loses a reference to its type Url with each Url that it makes."""
        python = python_with(self, APPS["pydantic_core_models"])
        script = ("import sys, pydantic_core; many = [pydantic_core.Url('https://a.example/') for _ in range(100)]; "
                  "print(sys.getrefcount(pydantic_core.Url) - sys.getrefcount(pydantic_core.SchemaValidator) > 150)")
        root, inner = dump.split_root(python.path)
        loses = subprocess.run([inner, "-c", script], stdout=subprocess.PIPE, timeout=120, check=True,
                               preexec_fn=lambda: dump._enter(root, "/")).stdout == b"True\n"
        _, report = check(self, "pydantic_core_models")
        found = [finding for finding in report["findings"] if finding["rule"] == "native-surplus" and finding["type"] == "type"]
        # A word that is left over on some stack may seem to explain one or two of the 500.
        lost = [int(number) for finding in found for line in finding["evidence"]
                for number in re.findall(r"(\d+) of them nobody's", line)]
        self.assertEqual(any(498 <= number <= 500 for number in lost), loses, lost)

    def test_objects_in_arrays_are_owned(self):
        """No tp_traverse visits them, and yet nobody must take them for lost."""
        export, _ = check(self, "pandas_frames")
        owned = {text for line in export.values() if line["type"] == "numpy.ndarray" for text in line.get("owned", ())}
        things = [address for address, line in export.items() if line["type"] == "__main__.Thing"]
        self.assertGreater(len(things), 3500)
        self.assertGreaterEqual(sum(hex(address) in owned for address in things), len(things) - 2)
        self.assertEqual({export[address]["source"] for address in things}, {"gc-list"})


def add_test(name):
    def method(self):
        check(self, name)

    setattr(Apps, "test_" + name, method)


for _name in APPS:
    if _name not in ("pandas_frames", "pydantic_core_models"):
        add_test(_name)


if __name__ == "__main__":
    unittest.main()
