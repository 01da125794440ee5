# SPDX-License-Identifier: MIT
# necropy: texts of objects against the repr() that the living process had of them.
"""Of a builtin object in full: exactly repr().  Of others, and of what is cut: what programs/texts.py expects."""
import json
import os
import re
import sys
import unittest

import support

# What must not be written to a terminal, however it got into a name.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Texts(support.Case):
    def check(self, python):
        living = support.Living("texts", python=python.path, env={"TEXTS_SEED": os.environ.get("TEXTS_SEED", "1")})
        self.addCleanup(living.close)
        with open(os.path.join(living._inside, "texts.json")) as source:
            truth = json.load(source)
        try:
            core = living.dump("kernel" if python.root else "gcore")
        except support.dump.Skip as why:
            self.skipTest(str(why))
        options = support.options_for(python)
        self.exact(core, truth, options)
        self.others(core, truth, options)
        self.exact(core, truth, options + ("--ignore-debug-info",))  # layouts from the table
        self.limits(core, truth, options)
        self.terminal(core, truth, options)

    def fields(self, core, address, *options):
        shown = json.loads(self.necropy("show", core, "0x%x" % address, "--full", "--limit", "0", "--json", *options)[0])
        self.assertEqual(shown["fields_are"], "items")
        self.assertEqual(shown["field_total"], len(shown["fields"]))
        return shown["fields"]

    def exact(self, core, truth, options):
        fields = self.fields(core, truth["exact_list"], *options)
        self.assertEqual(len(fields), len(truth["exact"]))
        wrong = ["%s (%s)\n  is   %.300s\n  says %.300s" % (field["name"], field["type"], wanted, field["text"])
                 for field, wanted in zip(fields, truth["exact"]) if field["text"] != wanted]
        self.assertEqual(wrong, [], "%d of %d differ:\n%s" % (len(wrong), len(fields), "\n".join(wrong[:40])))

    def others(self, core, truth, options):
        fields = self.fields(core, truth["texts_list"], *options)
        self.assertEqual(len(fields), len(truth["texts"]))
        wrong = ["%s (%s)\n  wanted %s\n  says   %.300s" % (field["name"], field["type"], wanted, field["text"])
                 for field, wanted in zip(fields, truth["texts"]) if not re.fullmatch(wanted, field["text"])]
        self.assertEqual(wrong, [], "%d of %d differ:\n%s" % (len(wrong), len(fields), "\n".join(wrong[:40])))

    def limits(self, core, truth, options):
        """What is cut is short, begins like the whole, and says that it is cut."""
        shown = json.loads(self.necropy("show", core, "0x%x" % truth["exact_list"], "--json", "--limit", "0", *options)[0])
        self.assertLess(len(shown["text"]), 600)
        self.assertRegex(shown["text"], r"… \d+ more\]$")
        cut = 0
        for field, whole in zip(shown["fields"], truth["exact"]):
            text = field["text"]
            self.assertLess(len(text), 400, whole[:300])
            if text == whole:
                continue
            if len(whole) <= 60 and field["type"] != "module":  # modules have their file in the long text
                self.assertIn("…", text)
            if len(whole) > 1000:
                cut += 1
                self.assertIn("…", text)
            if field["type"] in ("str", "list"):
                begun = text[:text.index("…")].rstrip("'\", ")[:20]
                self.assertTrue(whole.startswith(begun) or text[0] == '"' != whole[0], (text, whole[:300]))
        self.assertGreater(cut, 5)

    def terminal(self, core, truth, options):
        """No control character in whatever is printed, in JSON neither."""
        evil = [field for field in self.fields(core, truth["texts_list"], *options) if "Evil" in field["type"]]
        self.assertEqual(len(evil), 1)
        for arguments in (("show", core, evil[0]["address"]), ("show", core, evil[0]["address"], "--json"),
                          ("path", core, evil[0]["address"]), ("types", core, "--limit", "0"),
                          ("types", core, "--limit", "0", "--json"), ("threads", core), ("report", core),
                          ("refs", core, "--address", evil[0]["address"]), ("export", core, "--format", "ndjson"),
                          ("show", core, "--type", "__main__.Evil\x1b[31m\x9b\u202e"),
                          ("show", core, "--type", "no\x1b[31m\x9b\u202esuch")):
            status, out, err = self.run_necropy(*(arguments + options))
            found = _CONTROL.search(out + err)
            self.assertIsNone(found, "%s: %r" % (arguments, found and (out + err)[max(0, found.start() - 80):
                                                                                     found.start() + 40]))


def each():
    found = support.dump.interpreters(supported=tuple((3, minor) for minor in range(8, 16)), roots=True)[0]
    for python in support.usual(found) or [None]:
        name = re.sub(r"\W", "_", python.name) if python else "nothing"

        def method(self, python=python):
            if python is None:
                self.skipTest("no Python with debug information (Debian: python3-dbg)")
            self.check(python)

        setattr(Texts, "test_" + name, method)


each()

if __name__ == "__main__":
    sys.exit(unittest.main())
