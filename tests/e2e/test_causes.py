# SPDX-License-Identifier: MIT
# necropy: one program a cause (tests/programs/causes): the first three findings must name it.
"""For each program: a finding with this rule, type, holder path and count (within 1 per cent) is among the first three, at
several versions of Python; the first line of the report agrees with the first finding; another dump of the same program,
with other hashes at other addresses, has the same findings; healthy programs have none that is grave."""
import re
import subprocess
import unittest

import support
from support import dump

CAUSES = {  # program: (rule, type, path, count)
    "module_list": ("growing-container", "dict", "shop.audit.records", 30000),
    "class_dict": ("growing-container", "shop.models.Row", "shop.models.Repo._by_id", 5000),
    "instance_set": ("growing-container", "str", "crawl.crawler.seen", 40000),
    "nested_lists": ("growing-container", "tuple", "shop.stats.events", 30000),
    "ordered_dict": ("growing-container", "web.app.Session", "web.app.app.store._sessions", 12000),
    "list_and_index": ("growing-container", "jobs.scheduler.Job", "jobs.scheduler.scheduler.by_number", 20000),
    "two_globals": ("growing-container", "dict", "shop.index.by_number", 20000),
    "linked_list": ("growing-container", "editor.undo.Step", "editor.undo.editor.last", 15000),
    "signal_handler": ("growing-container", "dict", "ops.signals.received", 8000),
    "middleware": ("growing-container", "web.application.Request", "web.application.application.middleware[0].timings", 8000),
    "weak_innocent": ("growing-container", "office.documents.Document", "office.documents.history", 10000),
    "cached_too": ("growing-container", "shop.invoices.Invoice", "shop.invoices.printed", 6000),
    "lru_unbounded": ("unbounded-cache", "shop.profiles.Profile", "shop.profiles.load_profile", 8000),
    "lru_method": ("unbounded-cache", "shop.reports.Report", "shop.reports.Report.total", 3000),
    "memo_closure": ("unbounded-cache", "dict", "shop.pages.fetch.__closure__[1].cell_contents", 9000),
    "closure_capture": ("closure-capture", "function", "shop.callbacks.callbacks", 4000),
    "bound_listeners": ("listeners", "ui.signals.Panel", "ui.signals.signal._receivers['resize']", 10000),
    "atexit_callbacks": ("atexit-callbacks", "shop.uploads.Upload", "<interpreter>.atexit.callbacks", 4000),
    "thread_local": ("thread-local", "dict", "web.context.context.requests", 8000),
    "thread_frame": ("thread-frame", "dict", '<thread "consumer">.consume().backlog', 12000),
    "thread_herd": ("thread-frame", "list", '<thread "poll-*">.poll().answers', 120),
    "queue_queue": ("queue", "jobs.tasks.Task", "jobs.tasks.dispatcher.inbox.queue", 10000),
    "simple_queue": ("queue", "tuple", r"metrics.sink.points", 15000),
    "asyncio_queue": ("queue", "chat.broker.Message", "chat.broker.broker.pending._queue", 10000),
    "deque_unbounded": ("queue", "tuple", "ops.monitoring.monitor.samples", 25000),
    "executor_backlog": ("queue", "concurrent.futures.thread._WorkItem", "shop.mail.mailer.pool._work_queue", 5000),
    "runtime_classes": ("runtime-classes", "shop.factory.ReportRow", "shop.factory.kinds", 1500),
    "runtime_modules": ("runtime-modules", "module", "sys.modules", 600),
    "huge_bytearray": ("large-object", "bytearray", "net.capture.buffer", 1),
    "log_handlers": ("logging-handlers", "__main__.TenantHandler", ".manager.loggerDict['shop.tenants'].handlers", 3000),
    "mock_calls": ("mock-calls", "unittest.mock._Call", "shop.billing.gateway", 6000),
    "warnings_registry": ("warnings-registry", "bool", "__main__.__warningregistry__", 8000),
    "django_queries": ("django-query-log", "dict", ".queries_log", 6000),
    "sqlalchemy_session": ("sqlalchemy-session", "__main__.Order", "shop.database.session._new", 5000),
}
HEALTHY = ("causes/healthy", "causes/server_at_rest", "apps/django_site", "apps/pandas_frames", "apps/sqlalchemy_orm",
           "apps/aiohttp_service", "apps/gevent_greenlets", "apps/lxml_trees", "apps/crypto_keys")
NEEDS = {"django_queries": "django", "sqlalchemy_session": "sqlalchemy", "django_site": "django", "pandas_frames": "pandas",
         "sqlalchemy_orm": "sqlalchemy", "aiohttp_service": "aiohttp", "gevent_greenlets": "gevent", "lxml_trees": "lxml",
         "crypto_keys": "cryptography"}
ALL = tuple((3, minor) for minor in range(8, 16))
USUAL = ((3, 8), (3, 11), (3, 13))


def interpreters():
    found = [one for one in dump.interpreters(ALL, roots=True)[0] if not one.debug and not re.search(r"\dt$", one.path)]
    if support.SMALL:
        return found[:1]
    if support.FULL:
        return found
    versions = {}
    for one in found:
        if one.version[:2] in USUAL and not one.root:
            versions.setdefault(one.version[:2], one)
    return list(versions.values())


def has(python, program):
    module = NEEDS.get(program.rpartition("/")[2])
    if not module:
        return True
    root, inner = dump.split_root(python.path)
    return not subprocess.run([inner, "-c", "import " + module], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: dump._enter(root, "/"), timeout=120).returncode


class Causes(support.Case):
    def findings(self, program, python, env=None):
        living = support.Living(program, python=python.path, env=env)
        self.addCleanup(living.close)
        try:
            core = living.dump("kernel" if python.root else "gcore")
        except dump.Skip as why:
            self.skipTest(str(why))
        options = support.options_for(python)
        report, text = self.report(core, *options), self.necropy("report", core, *options)[0]
        living.close()
        return report["findings"], text

    def check_cause(self, program, python):
        rule, kind, path, count = CAUSES[program]
        findings, text = self.findings("causes/" + program, python)
        said = [(one["rule"], one["type"], (one["holder"] or {}).get("path"), one["count"]) for one in findings[:3]]
        named = [one for one in findings[:3] if one["rule"] == rule and one["type"] == kind and
                 path in str((one["holder"] or {}).get("path")) and abs(one["count"] - count) <= count // 100]
        self.assertTrue(named, said)
        self.assertNotEqual(named[0]["severity"], "low")
        self.assertTrue(named[0]["advice"])
        lead = " ".join(text.split("\n\n")[1].split())
        self.assertIn((findings[0]["holder"] or {}).get("path") or findings[0]["title"][:40], lead)

    def test_healthy(self):
        for program in HEALTHY:
            for python in interpreters():
                if not has(python, program):
                    continue
                with self.subTest("%s, %s" % (program, python.name)):
                    findings, _ = self.findings(program, python)
                    self.assertEqual([one["title"] for one in findings if one["severity"] == "high"], [])

    def test_the_same_in_another_dump(self):
        """Hash seeds differ, addresses do; types, counts, paths and signatures do not."""
        python = interpreters()[0]
        for program in sorted(CAUSES):
            if not has(python, program):
                continue
            seen = []
            for seed in ("1", "77"):
                findings, _ = self.findings("causes/" + program, python, {"PYTHONHASHSEED": seed})
                seen.append([one for one in findings if one["severity"] != "low"])
            with self.subTest(program):
                self.assertEqual(*([(one["rule"], one["severity"], one["type"], (one["holder"] or {}).get("path"),
                                     one["signature"]) for one in findings] for findings in seen))
                for one, other in zip(*seen):  # the interpreter's own texts among duplicates differ by one or two
                    self.assertLessEqual(abs(one["count"] - other["count"]), one["count"] // 100)

    def test_sizes(self):
        """From few to many: the same cause is named first."""
        python = interpreters()[0]
        for program in ("module_list", "class_dict", "queue_queue", "lru_unbounded", "bound_listeners"):
            rule, kind, path, _ = CAUSES[program]
            for count in (2000, 200000):
                with self.subTest("%s, %d" % (program, count)):
                    findings, _ = self.findings("causes/" + program, python, {"NECROPY_LEAK": str(count)})
                    first = findings[0]
                    self.assertEqual((first["rule"], first["type"], first["holder"]["path"]), (rule, kind, path))
                    self.assertLessEqual(abs(first["count"] - count), count // 100)
                    if count > 2000:
                        self.assertEqual(first["severity"], "high")


def add_test(program):
    def method(self):
        asked = False
        for python in interpreters():
            if has(python, program):
                asked = True
                with self.subTest(python.name):
                    self.check_cause(program, python)
        if not asked:
            self.skipTest("no interpreter here has %s" % NEEDS.get(program, "debug information"))

    setattr(Causes, "test_cause_" + program, method)


for _name in CAUSES:
    add_test(_name)


if __name__ == "__main__":
    unittest.main()
