/* SPDX-License-Identifier: MIT
 * report_sample.h: a verdict in literal values, for the tests of the writers.
 */
#ifndef TESTS_REPORT_SAMPLE_H
#define TESTS_REPORT_SAMPLE_H

#include "analyzer/report/report.h"

static struct fi_type_row sample_types[] = {
    {"ui.Widget", 30000, 1680000, 24100000},
    {"dict", 1200, 300000, 2500000},
    {"evil\xff\"name\n", 1, 48, 48},
};
static struct fi_holder sample_holders[] = {
    {0x7f0000001000, "list", "ui.events.bus.listeners", "a list of 30 000 `Widget`", 240056,
     24100000, 90001, 0},
    {0x7f0000002000, "module", "logging", "a module", 72, 900000, 8000, 0},
};
static const char *sample_finalizers[] = {"shop.Node"};
static uint64_t sample_example[] = {0x7f0000003000, 0x7f0000003040};
static struct fi_cycle_group sample_groups[] = {
    {"2 × shop.Node", 15000, 30000, 1440000, true, sample_finalizers, 1, sample_example, 2},
    {"function, type", 12, 24, 9000, false, NULL, 0, NULL, 0},
};
static struct fi_local sample_locals[] = {{"backlog", "list", "<list of 3>", 0x7f0000004000, 1500}};
static struct fi_frame sample_frames[] = {
    {"consume", "/srv/app/queue.py", 33, sample_locals, 1},
    {"<module>", "/srv/app/main.py", 0, NULL, 0},
};
static struct fi_thread sample_threads[] = {
    {.name = "consumer",
     .native_id = 4242,
     .thread_id = 0x7f00,
     .holds_gil = true,
     .alive = true,
     .frames = sample_frames,
     .frame_count = 2,
     .frame_total = 2},
    {.name = NULL, .thread_id = 0x7f01},
};
static const char *sample_evidence[] = {"it is the only way to 90 001 objects"};
static struct fi_finding sample_findings[] = {{
    .rule = "largest-holder",
    .severity = FI_HIGH,
    .title = "30 000 `ui.Widget` (24.1 MB, 83 % of the heap) are held by "
             "`ui.events.bus.listeners`, a list",
    .type = "ui.Widget",
    .count = 30000,
    .shallow_bytes = 1680000,
    .retained_bytes = 24100000,
    .holder = {0x7f0000001000, "list", "ui.events.bus.listeners", "a list of 30 000 `Widget`",
               240056, 24100000, 90001},
    .evidence = sample_evidence,
    .evidence_count = 1,
    .advice = "What is added must be removed again.",
    .signature = "largest-holder:ui.events.bus.listeners:ui.Widget",
}};
static struct fi_memory_row sample_memory[] = {{"Python objects", 60000000, 0},
                                               {"core file headers and notes", 2700000, 0}};
static struct fi_count sample_sources[] = {{"gc-list", 100000}, {"referent", 900000}};
static const char *sample_missing[] = {"/usr/lib/libm.so.6: no file found"};

static const struct fi_verdict sample_verdict = {
    .core = {.path = "/var/crash/core.4242",
             .command = "python3 app.py",
             .executable = "/usr/bin/python3.11",
             .machine = "x86-64",
             .captured_by = "kernel",
             .bytes = 62700000,
             .pid = 4242,
             .signal = 6,
             .signal_name = "SIGABRT",
             .missing_files = sample_missing,
             .missing_file_count = 1},
    .python = {.version = "3.11.2",
               .layout_source = "dwarf",
               .hexversion = 0x030b02f0,
               .thresholds = {700, 10, 10},
               .counts = {5, 1, 0},
               .stats = {{10, 20, 0}, {1, 2, 0}, {0, 0, 0}},
               .interpreters = 1},
    .coverage = {.objects = 1030451,
                 .references = 1470000,
                 .by_source = sample_sources,
                 .by_source_count = 2,
                 .complete = true},
    .memory = {.total = 62700000, .rows = sample_memory, .row_count = 2},
    .types = sample_types,
    .type_count = 3,
    .dominators = sample_holders,
    .dominator_count = 2,
    .cycles = {.count = 15012,
               .objects = 30024,
               .bytes = 1449000,
               .groups = sample_groups,
               .group_count = 2},
    .garbage = {.objects = 30000,
                .freed_objects = 30000,
                .bytes = 1440000,
                .cycles = 15000,
                .with_finalizer = 30000,
                .types = sample_types,
                .type_count = 1},
    .threads = sample_threads,
    .thread_count = 2,
    .findings = sample_findings,
    .finding_count = 1,
    .heap_bytes = 29000000,
};

#endif
