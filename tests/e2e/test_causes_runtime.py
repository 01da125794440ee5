# SPDX-License-Identifier: MIT
# necropy: tasks, threads, exceptions and what is open: the cause is among the first findings, and states are as they were.
"""With NECROPY_FULL=1 also the interpreters of NECROPY_ROOTS (3.14, 3.15)."""
import json
import os
import unittest

import support
from support import dump

VERSIONS = ((3, 8), (3, 11), (3, 13)) + (((3, 10), (3, 12), (3, 14), (3, 15)) if support.FULL else ())
# program: (rule, type, holder's path, count, words of the title)
CAUSES = {
    "piled_tasks": ("piled-up-tasks", "_asyncio.Task", "shop.jobs.worker.tasks", 8000, ["Worker.poll", "jobs.py:15"]),
    "failed_tasks": ("piled-up-tasks", "_asyncio.Task", "shop.payments.history", 5000, ["charge", "failed"]),
    "never_awaited": ("piled-up-tasks", "coroutine", "shop.mail.mailer.outbox", 9000, ["Mailer.send", "never awaited"]),
    "async_generators": ("piled-up-tasks", "async_generator", "shop.queries.streams", 6000, ["rows", "queries.py:7"]),
    "kept_tracebacks": ("retained-tracebacks", "shop.imports.BadRow", "shop.imports.errors", 4000, ["8 000 frames"]),
    "kept_frames": ("retained-frames", "frame", "shop.audit.audit.calls", 3000, ["3 000 frames of functions"]),
    "open_files": ("unclosed-files", "_io.FileIO", "shop.files.archive.logs", 300, ["files are open"]),
    "open_sockets": ("unclosed-sockets", "socket.socket", "shop.http.Client.pool", 250, ["sockets are open"]),
    "sqlite_connections": ("open-connections", "sqlite3.Connection", "shop.database.connections", 150, ["are open"]),
    "child_processes": ("unwaited-children", "subprocess.Popen", "shop.convert.converter.children", 120, ["waited for"]),
    "open_mmaps": ("open-mappings", "mmap.mmap", "shop.tiles.maps", 400, ["mappings are open"]),
}
# thread: what it waits for, the system call, in words
WAITS = {
    "lock": (r"^`__main__\.plain_lock`", "futex"),
    "owned lock": (r"^`__main__\.owned_lock`.*which the thread `MainThread` has", "futex"),
    "queue": (r"something to come into `__main__\.jobs`, a `queue\.Queue`", "futex"),
    "event": (r"the event to be set: `__main__\.event`", "futex"),
    "condition": (r"the condition to be notified: `__main__\.condition`", "futex"),
    "sleep": (r"time to pass", "clock_nanosleep|pselect6|select"),
    "socket": (r"data from `__main__\.here`, a `socket\.socket` \(descriptor \d+\)", "recvfrom"),
    "select": (r"descriptors to become ready", "select|pselect6"),
    "future": (r"the result of a `concurrent\.futures\._base\.Future`", "futex"),
    "child": (r"a child process to end", "wait4"),
    "join": (r"the end of the thread `sleep`", "futex"),
    "handled": (r"the event to be set", "futex"),
    "memory": (r"the event to be set", "futex"),
    "ThreadPoolExecutor-0_0": (r"idle thread of a pool", "futex"),
    "MainThread": (r"a signal", "pause"),
}
_STATES = {"waiting": "pending", "ready": "pending", "running": "pending", "not started": "pending"}


def interpreters(case):
    """One of each version."""
    found, skipped = dump.interpreters(VERSIONS, roots=support.FULL)
    one = {}
    for python in found:
        if not python.debug:
            one.setdefault(python.version[:2], python)
    if not one:
        case.skipTest("no Python with debug information (Debian: python3-dbg)")
    return list(one.values())[:1] if support.SMALL else list(one.values())


class Runtime(support.Case):
    def each(self, program, check, *options, truth=None):
        for python in interpreters(self):
            with self.subTest(python.name):
                living = support.Living(program, python=python.path)
                self.addCleanup(living.close)
                said = None
                if truth:
                    with open(os.path.join(living._inside, truth)) as source:
                        said = json.load(source)
                try:
                    core = living.dump("kernel" if python.root else "gcore")
                except dump.Skip as why:
                    self.skipTest(str(why))
                check(self.report(core, *(support.options_for(python) + options)), said)
                living.close()

    def near(self, count, expected):
        self.assertLessEqual(abs(count - expected), expected / 100, (count, expected))


class Causes(Runtime):
    def cause(self, program):
        rule, kind, path, count, words = CAUSES[program]

        def check(report, _):
            first = report["findings"][:3]
            found = [each for each in first if each["rule"] == rule and each["holder"] and each["holder"]["path"] == path]
            self.assertEqual(len(found), 1, [(each["rule"], each["title"]) for each in report["findings"]])
            self.assertEqual(found[0]["type"], kind)
            self.near(found[0]["count"], count)
            for word in words:
                self.assertIn(word, found[0]["title"])
            self.assertNotRegex(found[0]["signature"], r"0x|\d{3}")
            self.assertIn(path, found[0]["signature"])

        self.each("causes/" + program, check)

    def test_who_holds_failed_tasks_is_told_once(self):
        def check(report, _):
            rules = [each["rule"] for each in report["findings"] if (each["holder"] or {}).get("path") == "shop.payments.history"]
            self.assertEqual(rules, ["piled-up-tasks"])

        self.each("causes/failed_tasks", check)

    def test_tasks_that_can_never_go_on(self):
        def check(report, _):
            group = report["tasks"]["groups"][0]
            self.assertEqual((group["coroutine"], group["state"]), ("Worker.poll", "waiting"))
            self.near(group["known_to_nobody_else"], 8000)
            self.assertEqual(report["findings"][0]["severity"], "high")

        self.each("causes/piled_tasks", check)

    def test_files_of_connections(self):
        def check(report, _):
            said = [each for each in report["findings"] if each["rule"] == "open-connections"][0]["evidence"]
            if not report["coverage"]["emulator_note"]:
                self.assertRegex(" ".join(said), r"/shop-\d+\.db'")

        self.each("causes/sqlite_connections", check)

    def test_a_server_at_rest(self):
        def check(report, _):
            ours = {"piled-up-tasks", "retained-tracebacks", "unclosed-files", "unclosed-sockets", "open-connections",
                    "open-cursors", "unwaited-children", "open-mappings", "deadlock", "memory-error"}
            self.assertEqual([each for each in report["findings"] if each["severity"] == "high" or each["rule"] in ours], [])
            group = report["tasks"]["groups"][0]
            self.assertEqual((group["coroutine"], group["count"], group["awaits"]), ("serve", 150, "data from a stream"))
            self.assertEqual(group["stack"][0]["function"], "serve")
            self.assertEqual(group["known_to_nobody_else"], 0)

        self.each("causes/server_at_rest", check)


for _program in CAUSES:
    setattr(Causes, "test_" + _program, lambda self, program=_program: self.cause(program))


class Tasks(Runtime):
    def compare(self, report, said):
        groups, told, members = report["tasks"]["groups"], {}, {}
        for group in groups:
            for example in group["examples"]:
                told[int(example["address"], 16)] = group, example["name"]
        self.assertEqual(sum(group["count"] for group in groups), report["tasks"]["count"])
        for task in said:
            group, name = told.get(task["id"], (None, None))
            if group is None:  # a large group names some of its members
                name, group = task["name"], next(each for each in groups if len(each["examples"]) < each["count"])
            if task["name"]:
                self.assertEqual(name, task["name"])
            elif task["id"] in told:
                self.assertRegex(name, r"^Task-\d+$")
            self.assertEqual(_STATES.get(group["state"], group["state"]), task["state"], task)
            stack = [[frame["function"].rpartition(".")[2], frame["line"]] for frame in group["stack"]]
            if task["stack"] and group["state"] == "running":
                self.assertEqual(stack[0][0], task["stack"][-1][0])  # it went on after it had looked
            elif task["stack"]:
                self.assertEqual(stack[0], task["stack"][0], task)
            members[task["name"]] = group
        return members

    def check(self, report, said):
        members = self.compare(report, said)
        # gather() has made a task of the sleep() that it was given
        self.assertEqual(report["tasks"]["count"], len(said) + 1)
        deep = [frame["function"] for frame in members["deep"]["stack"]]
        self.assertEqual(deep, ["deep"] * 6)
        awaits = {name: group["awaits"] for name, group in members.items()}
        self.assertEqual(awaits["on task"], "the task `deep`")
        self.assertEqual(awaits["on queue"], "an asyncio.Queue to give something")
        self.assertEqual(awaits["on lock"], "an asyncio.Lock to become free")
        self.assertEqual(awaits["asleep"], "a timer (asyncio.sleep)")
        self.assertEqual(awaits["on gather"], "several tasks (asyncio.gather)")
        self.assertEqual(awaits["through a gate"], "a future")
        self.assertEqual([frame["function"] for frame in members["through a gate"]["stack"]],
                         ["through_gate", "Gate.__await__"])
        self.assertEqual([frame["function"] for frame in members["in generator"]["stack"]], ["in_generator", "counted"])
        self.assertEqual(members["not started"]["state"], "not started")
        self.assertEqual(members["failed"]["error"], "LookupError('no such page: what the frame holds')")
        self.assertEqual({each: report["tasks"][each] for each in ("finished", "failed", "cancelled")},
                         {"finished": 1, "failed": 1, "cancelled": 1})
        self.assertEqual(sum(group["known_to_nobody_else"] for group in report["tasks"]["groups"]), 0)

    def test_states_and_stacks(self):
        self.each("tasks", self.check, truth="tasks.json")

    def test_without_debug_information(self):
        self.each("tasks", self.check, "--ignore-debug-info", truth="tasks.json")

    def test_text(self):
        python = interpreters(self)[0]
        living = support.Living("tasks", python=python.path)
        self.addCleanup(living.close)
        core = living.gcore()
        out, _ = self.necropy("tasks", core)
        self.assertIn("32 pending, 1 finished, 1 failed, 1 cancelled", out)
        self.assertRegex(out, r"21 tasks `on_future`: wait for a future \(")
        self.assertRegex(out, r"on task `on_task`: waits for the task `deep` \(")
        self.assertRegex(out, r"on_future at \S*tasks\.py:26")
        one, _ = self.necropy("tasks", core, "--limit", "1")
        self.assertIn("13 more groups of tasks", one)
        report, _ = self.necropy("report", core)
        self.assertRegex(report, r"(?m)^Tasks +32 pending")
        living.close()


class Threads(Runtime):
    def test_what_they_wait_for(self):
        def check(report, _):
            threads = {thread["name"]: thread["waits"] for thread in report["threads"]}
            for name, (words, call) in WAITS.items():
                self.assertRegex(threads[name]["for"] or "", words, name)
                self.assertRegex(threads[name]["system_call"] or "", "^(%s)$" % call, name)
            self.assertEqual(threads["owned lock"]["lock_held_by"], "MainThread")
            self.assertIsNone(threads["lock"]["lock_held_by"])
            self.assertIsNotNone(threads["socket"]["descriptor"])

        self.each("waits", check)

    def test_exceptions(self):
        def check(report, _):
            threads = {thread["name"]: thread["exceptions"] for thread in report["threads"]}
            self.assertEqual([(each["state"], each["type"]) for each in threads["handled"]], [("handled", "OSError")])
            self.assertIn("No space left on device", threads["handled"][0]["text"])
            frames = [(frame["function"], frame["line"]) for frame in threads["handled"][0]["traceback"]]
            self.assertEqual(frames, [("handle_error", 72)])
            memory = threads["memory"][0]
            self.assertEqual((memory["state"], memory["type"]), ("handled", "MemoryError"))
            self.assertIn("`wanted` = 1 152 921 504 606 846 976", memory["note"])
            self.assertEqual(threads["MainThread"], [])
            first = report["findings"][0]
            self.assertEqual((first["rule"], first["severity"]), ("memory-error", "high"))
            self.assertIn("`memory` ran out of memory in run_out", first["title"])

        self.each("waits", check)

    def test_a_deadlock(self):
        def check(report, _):
            first = report["findings"][0]
            self.assertEqual((first["rule"], first["count"], first["severity"]), ("deadlock", 3, "high"))
            for number in range(3):
                self.assertIn("transfer-%d" % number, first["title"])
            self.assertEqual(sum("__main__.accounts[%d]" % number in line for number in range(3)
                                 for line in first["evidence"]), 3)
            self.assertEqual(len([each for each in report["findings"] if each["rule"] == "deadlock"]), 1)

        self.each("deadlock", check)


if __name__ == "__main__":
    unittest.main()
