# SPDX-License-Identifier: MIT
# necropy: programs with one illness each, and the diagnosis that is expected.
import json
import os
import re
import unittest

import support


def type_row(report, name):
    rows = [row for row in report["types"] if row["type"] == name]
    return rows[0] if rows else {"type": name, "count": 0, "retained_bytes": 0}


class Scenario(support.Case):
    def diagnose(self, program, check, how="kernel", **options):
        """check(living, core, report) for each interpreter."""
        for python in support.pythons(self):
            with self.subTest(python.name):
                living, core = self.dumped(program, python, how, **options)
                check(living, core, self.report(core))
                living.close()

    def collector(self, living):
        with open(living.collect) as source:
            return json.load(source)


class Leaks(Scenario):
    def test_listeners_of_a_bus(self):
        def check(living, core, report):
            self.assertEqual(type_row(report, "ui.events.Listener")["count"], 30000)
            self.assertEqual(report["dominators"][0]["path"], "ui.events.bus.listeners")
            self.assertEqual(report["dominators"][0]["type"], "list")
            first = report["findings"][0]
            self.assertEqual(first["holder"]["path"], "ui.events.bus.listeners")
            self.assertEqual((first["type"], first["count"]), ("ui.events.Listener", 30000))
            text, _ = self.necropy("report", core)
            self.assertIn("ui.events.bus.listeners", "\n".join(text.splitlines()[:15]), "the answer comes first")

        self.diagnose("leak_bus", check)

    def test_rows_in_a_class_level_dict(self):
        def check(living, core, report):
            self.assertEqual(type_row(report, "shop.models.Row")["count"], 30000)
            self.assertEqual(report["findings"][0]["holder"]["path"], "shop.models.Repo._by_id")
            self.assertEqual(report["findings"][0]["count"], 30000)
            path, _ = self.necropy("path", core, "--type", "shop.models.Row")
            self.assertIn("shop.models.Repo._by_id['k", path)

        self.diagnose("repo_cache", check)

    def test_unbounded_cache(self):
        def check(living, core, report):
            self.assertEqual(type_row(report, "__main__.Profile")["count"], 20000)
            self.assertIn("__main__.load_profile", report["findings"][0]["holder"]["path"])

        self.diagnose("lru_unbounded", check)


class Cycles(Scenario):
    def test_cycles_with_finalizers(self):
        def check(living, core, report):
            said = self.collector(living)["collect"]
            groups = [group for group in report["cycles"]["groups"] if "__main__.Connection" in group["signature"]]
            self.assertEqual(len(groups), 1, report["cycles"]["groups"])
            group = groups[0]
            self.assertEqual((group["count"], group["objects"]), (15000, 30000))
            self.assertTrue(group["garbage"])
            self.assertEqual(group["finalizers"], ["__main__.Connection"])
            self.assertEqual(report["garbage"]["objects"], said)
            self.assertEqual(report["garbage"]["with_finalizer"]["objects"], 15000)
            self.assertFalse(report["python"]["gc"]["enabled"])
            rules = [finding["rule"] for finding in report["findings"]]
            self.assertTrue(any("garbage" in rule or "finalizer" in rule for rule in rules), rules)

        self.diagnose("cycles_del", check, collect=True)

    def test_filled_gc_garbage(self):
        def check(living, core, report):
            self.assertEqual(report["garbage"]["objects"], self.collector(living)["collect"])
            self.assertEqual(report["python"]["gc"]["debug_flags"], 32)
            self.assertTrue(any("gc.garbage" in finding["title"] for finding in report["findings"]),
                            [finding["title"] for finding in report["findings"]])
            path, _ = self.necropy("path", core, "--type", "__main__.Job")
            self.assertIn("gc.garbage[", path)

        self.diagnose("garbage_debug", check, collect=True)


def marks(program):
    """{(thread, function): [line, ...]} from the program's `# at:` marks."""
    found = {}
    with open(os.path.join(support.TESTS, "programs", program + ".py")) as source:
        for number, line in enumerate(source, 1):
            mark = re.search(r"# at: (\S+) (\S+)$", line)
            if mark:
                found.setdefault(mark.groups(), []).append(number)
    return found


class Threads(Scenario):
    def check(self, living, report):
        threads = {thread["name"]: thread for thread in report["threads"]}
        self.assertLessEqual({"MainThread", "consumer", "sleeper", "generator", "worker"}, set(threads))
        for (name, function), lines in marks("threads").items():
            frames = [frame for frame in threads[name]["frames"]
                      if frame["function"].split(".")[-1] == function and str(frame["file"]).endswith("threads.py")]
            self.assertEqual(sorted({frame["line"] for frame in frames}), lines, (name, function))
        self.assertEqual(threads["MainThread"]["native_id"], living.pid)
        native = [thread["native_id"] for thread in report["threads"]]
        self.assertEqual(len(native), len(set(native)))

    def locals_of(self, report, thread, function):
        for each in report["threads"]:
            if each["name"] == thread:
                for frame in each["frames"]:
                    if frame["function"].split(".")[-1] == function:
                        return {local["name"]: local for local in frame["locals"]}
        self.fail("no frame %s in thread %s" % (function, thread))

    def test_threads_frames_and_locals(self):
        def check(living, core, report):
            self.check(living, report)
            consume = self.locals_of(report, "consumer", "consume")
            self.assertEqual({name: local["type"] for name, local in consume.items()}, {
                "source": "queue.Queue", "label": "str", "backlog": "__main__.Backlog", "taken": "list"})
            self.assertIn("label", consume["label"]["text"])
            self.assertGreater(consume["backlog"]["retained_bytes"], 150000)
            main = self.locals_of(report, "MainThread", "main")
            self.assertLessEqual({"argument", "threads"}, set(main))
            self.assertIn("held", self.locals_of(report, "generator", "produce"))
            self.assertEqual(self.locals_of(report, "worker", "run")["lock"]["type"], "_thread.lock")
            self.assertIn("marker", self.locals_of(report, "sleeper", "descend"))
            text, _ = self.necropy("threads", core)
            for word in ("consumer", "sleeper", "consume", "threads.py"):
                self.assertIn(word, text)

        self.diagnose("threads", check)

    def test_native_frames(self):
        """Which C function each thread is in: only `threads` says it."""
        def check(living, core, report):
            self.assertEqual([thread["native_frames"] for thread in report["threads"]], [None] * len(report["threads"]))
            text, _ = self.necropy("threads", core)
            if "built without libdw" in text:
                self.skipTest("necropy was built without libdw")
            made = dict(report, threads=json.loads(self.necropy("threads", core, "--json")[0])["threads"])
            self.assertEqual(support.schema_problems(made), [])
            native = {thread["name"]: thread["native_frames"] for thread in made["threads"]}
            sleeper = [frame["symbol"] for frame in native["sleeper"]]
            self.assertRegex(sleeper[0], r"clock_nanosleep|select")
            self.assertRegex(native["sleeper"][0]["module"], r"^libc[-.]")
            evaluations = [index for index, name in enumerate(sleeper) if name and "_PyEval_EvalFrameDefault" in name]
            self.assertGreater(min(evaluations), 0)
            self.assertRegex(native["sleeper"][-1]["module"], r"^(libc|libpthread)[-.]", "down to where the thread began")
            self.assertRegex(str([frame["symbol"] for frame in native["MainThread"]]), r"_PyEval_EvalFrameDefault.*Py_RunMain")
            for name, frames in native.items():
                self.assertTrue(any("_PyEval_EvalFrameDefault" in str(frame["symbol"]) for frame in frames), name)
            main, rows = text.split("MainThread (")[1], len(native["MainThread"])
            self.assertEqual(len(re.findall(r"(?m)^      \S+\+0x", main)), min(rows, 12))
            self.assertEqual("%d more (--limit 0)" % (rows - 12) in main, rows > 12)
            whole, _ = self.necropy("threads", core, "--limit", "0")
            self.assertEqual(sum(map(len, native.values())), len(re.findall(r"(?m)^      \S+\+0x", whole)))

        self.diagnose("threads", check)

    def test_local_as_a_root(self):
        python = support.first_python(self)
        _, core = self.dumped("threads", python, "kernel")
        path, _ = self.necropy("path", core, "--type", "__main__.Backlog")
        self.assertIn('<thread "consumer">.consume().backlog', path)


if __name__ == "__main__":
    unittest.main()
