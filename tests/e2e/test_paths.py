# SPDX-License-Identifier: MIT
# necropy: how many references must go before an object is freed, and which.
import json
import unittest

import support

# The references that must go: their paths, and what holds them.
HELD = {
    "One": {("__main__.LOG[0]", "list")},
    "OneInFront": {("__main__.BOX", "dict")},
    "OneAndGarbage": {("__main__.LOG[1]", "list")},
    "Three": {("__main__.THREE", "dict"), ("__main__.TABLE['three']", "dict"),
              ('<thread "MainThread">.main().local', None)},
    "Crowd": {("__main__.CROWD", "dict"), ("__main__.BY_NUMBER", "dict")},
}


class Paths(support.Case):
    def check(self, python):
        _, core = self.dumped("held", python)
        for name, wanted in HELD.items():
            with self.subTest(python=python.name, type=name):
                made = json.loads(self.necropy("path", core, "--type", "__main__." + name, "--json")[0])["to_free"]
                self.assertEqual({(cut["path"], cut["holder_type"]) for cut in made["cut"]}, wanted)
                self.assertEqual((made["references"], made["more"]), (len(wanted), False))
                self.assertEqual(len(made["ways"]), len(wanted))
                self.check_ways(made["ways"])
        made = json.loads(self.necropy("path", core, "--type", "__main__.Many", "--json")[0])["to_free"]
        self.assertEqual((made["references"], made["more"], made["cut"]), (16, True, []))
        self.check_ways(made["ways"])
        return core

    def check_ways(self, ways):
        """No two share a step; short ones come first."""
        seen = set()
        for way in ways:
            steps = [step["address"] for step in way["steps"]]
            self.assertEqual(len(steps), len(set(steps)), way["path"])
            for step, edge in zip(way["steps"], zip([None] + steps, steps)):
                if step["type"] == "module" or step["label"] == ".__dict__":
                    continue  # modules stay, ways may share them
                self.assertNotIn(edge, seen)
                seen.add(edge)
        lengths = [len(way["steps"]) for way in ways]
        self.assertEqual(lengths, sorted(lengths))

    def test_versions(self):
        for python in support.usual(support.pythons(self)):
            self.check(python)

    def test_text(self):
        _, core = self.dumped("held", support.first_python(self))
        text = self.necropy("path", core, "--type", "__main__.Three")[0]
        self.assertIn("3 references must go before it is freed", text)
        self.assertIn("a root (frame)", text)
        self.assertIn("Ways that share no reference", text)
        text = self.necropy("path", core, "--type", "__main__.Crowd")[0]
        self.assertIn("2 references must go before they are all freed", text)
        text = self.necropy("path", core, "--type", "__main__.Many")[0]
        self.assertIn("More than 16 references must go before it is freed", text)
        text = self.necropy("path", core, "--type", "__main__.One")[0]
        self.assertIn("1 reference must go before it is freed: every way passes it", text)

    def test_garbage(self):
        _, core = self.dumped("moments", support.first_python(self), arguments=["callback"])
        text = self.necropy("path", core, "--type", "__main__.Junk")[0]
        self.assertIn("nothing alive holds them", text)


if __name__ == "__main__":
    unittest.main()
