/* SPDX-License-Identifier: MIT
 * test_saved.c: answers to bytes and back; what is not such bytes is refused.
 */
#include "tests/support/cmocka_all.h"

#include "analyzer/algo/reach.h"
#include "analyzer/findings/saved.h"
#include "analyzer/report/report.h"
#include "tests/unit/report_sample.h"

/* ---- a verdict with something in every field ---- */

static const char *rich_names[] = {"Task-1", NULL};
static uint64_t rich_examples[] = {0x7f0000005000, UINT64_MAX};
static struct fi_native_frame rich_native[] = {
    {"PyEval_EvalFrame", "libpython3.11.so.1.0", 0x1234, 0x7fff00001234},
    {NULL, "app", 7, 0x400007},
    {NULL, NULL, 0, 1},
};
static struct fi_exception rich_exceptions[] = {
    {true, true, 0x7f0000006000, "MemoryError", "MemoryError()", "large numbers: `n` = 9",
     sample_frames, 2},
    {false, false, 0x7f0000006100, "KeyError", NULL, NULL, NULL, 0},
};
static struct fi_thread rich_threads[] = {
    {.name = "consumer",
     .native_id = 4242,
     .thread_id = 0x7f00,
     .holds_gil = true,
     .alive = true,
     .interpreter = 1,
     .frames = sample_frames,
     .frame_count = 2,
     .frame_total = 20000,
     .native = rich_native,
     .native_count = 3,
     .native_total = 3,
     .wait = {"the lock `shop.lock`, a lock", "futex", "it runs", "MainThread", 1, 0x7f0000007000,
              -1},
     .exceptions = rich_exceptions,
     .exception_count = 2},
    {.name = NULL, .native_id = -7, .thread_id = 0x7f01, .wait = {.owner_thread = -1}},
};
static struct fi_task_group rich_groups[] = {
    {"waiting", "shop.serve", 500, 123456, 3, sample_frames, 2, "a future", NULL, rich_names,
     rich_examples, 2},
    {"failed", NULL, 1, 99, 0, NULL, 0, NULL, "ValueError('x')", NULL, NULL, 0},
};
static struct fi_count rich_types[] = {{"numpy.ndarray", 12}};
static struct fi_count rich_unreadable[] = {{"a dict's table", 2}};

static struct fi_verdict rich(void)
{
    struct fi_verdict verdict = sample_verdict;

    verdict.core.container = "zstd";
    verdict.core.truncated = true;
    verdict.core.lost_bytes = 4096;
    verdict.core.lost_notes = 20;
    verdict.core.left_out_bytes = 1 << 20;
    verdict.python.thresholds[1] = INT32_MIN;
    verdict.python.gc_debug_flags = 32;
    verdict.python.frozen = 3;
    verdict.python.gc_collecting = verdict.python.debug_build = true;
    verdict.coverage.balance = (struct fi_balance){true, 100, 1, 2, 3, 4, 5, 0x7f0000001000};
    verdict.coverage.by_reference_kind = verdict.coverage.by_walk = sample_sources;
    verdict.coverage.by_reference_kind_count = verdict.coverage.by_walk_count = 1;
    verdict.coverage.conservative_types = rich_types;
    verdict.coverage.unreadable = rich_unreadable;
    verdict.coverage.conservative_type_count = verdict.coverage.unreadable_count = 1;
    verdict.coverage.cut = "the core is truncated: 4.10 kB of memory are missing";
    verdict.coverage.emulator_note = "no emulator";
    verdict.memory.unknown = 17;
    verdict.memory.allocator = (struct fi_allocator){true, 64, 4000, 123456, 9};
    verdict.memory.note = "malloc's memory was not read";
    verdict.memory.summary = "Most of it is Python's.";
    verdict.garbage.with_finalizer_types = verdict.garbage.uncollectable_types = sample_types;
    verdict.garbage.with_finalizer_type_count = 2;
    verdict.garbage.uncollectable_type_count = 1;
    verdict.garbage.uncollectable = 5;
    verdict.garbage.in_gc_garbage = 6;
    verdict.threads = rich_threads;
    verdict.native_note = "Native frames are not shown: no reason.";
    verdict.tasks = (struct fi_tasks){501, 500, 0, 1, 0, rich_groups, 2, 40};
    verdict.gap = "part of the core could not be read";
    return verdict;
}

/* ---- what a report says of it ---- */

static const enum rp_section sections[] = {RP_REPORT,   RP_FINDINGS, RP_TYPES,
                                           RP_RETAINED, RP_CYCLES,   RP_GARBAGE,
                                           RP_THREADS,  RP_TASKS,    RP_MEMORY};

static char *all_reports(const struct fi_verdict *verdict)
{
    struct rp_style style = {.limit = 0};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
        assert_ok(rp_json(stream, verdict, sections[i]));
        assert_ok(rp_text(stream, verdict, sections[i], &style));
    }
    fprintf(stream, "%s\n", verdict->gap ? verdict->gap : "-");
    fclose(stream);
    return text;
}

static const struct fi_verdict_options everything = {.native_frames = UINT32_MAX};

struct saved {
    uint8_t *bytes;
    size_t size;
};

static struct saved save(const struct fi_verdict *verdict)
{
    struct saved saved;
    void *bytes;

    assert_ok(fi_verdict_save(verdict, &bytes, &saved.size));
    saved.bytes = bytes;
    return saved;
}

static struct fi_verdict *load(struct saved saved, const struct fi_verdict_options *options)
{
    struct fi_verdict *verdict = NULL;

    assert_ok(fi_verdict_load(saved.bytes, saved.size, options, &verdict));
    return verdict;
}

static void check_same(const struct fi_verdict *expected, const struct fi_verdict *got)
{
    char *before = all_reports(expected), *after = all_reports(got);

    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void round_trip(void **state)
{
    (void)state;
    struct fi_verdict verdict = rich();
    struct saved saved = save(&verdict), again;
    struct fi_verdict *loaded = load(saved, &everything);

    again = save(loaded);
    assert_int_equal(saved.size, again.size);
    assert_memory_equal(saved.bytes, again.bytes, saved.size);
    memset(saved.bytes, 0xAA, saved.size); /* what is loaded needs the bytes no more */
    check_same(&verdict, loaded);
    assert_int_equal(loaded->threads[0].wait.owner_thread, 1);
    assert_int_equal(loaded->threads[0].exceptions[0].memory, true);
    assert_int_equal(loaded->coverage.balance.deficit_example, 0x7f0000001000);
    fi_verdict_free(loaded);
    free(saved.bytes);
    free(again.bytes);
}

static void constant_and_empty(void **state)
{
    (void)state;
    static const struct fi_verdict empty = {.core = {.path = "core", .machine = "aarch64"},
                                            .python = {.version = ""}};
    const struct fi_verdict *const verdicts[] = {&sample_verdict, &empty};

    for (int i = 0; i < 2; i++) {
        struct saved saved = save(verdicts[i]);
        struct fi_verdict *loaded = load(saved, &everything);

        check_same(verdicts[i], loaded);
        fi_verdict_free(loaded);
        free(saved.bytes);
    }
}

static void a_name_is_needed(void **state)
{
    (void)state;
    struct fi_verdict verdict = rich();
    void *bytes;
    size_t size;

    verdict.python.version = NULL;
    assert_fails(fi_verdict_save(&verdict, &bytes, &size), DF_ERR_INPUT, "version");
}

/* ---- what was asked for is cut from what was saved ---- */

static void cut_on_load(void **state)
{
    (void)state;
    struct fi_verdict verdict = rich();
    struct saved saved = save(&verdict);
    struct fi_verdict_options options = {.limit = 1, .native_frames = 2};
    struct fi_verdict *loaded = load(saved, &options);

    assert_int_equal(loaded->dominator_count, 1);
    assert_int_equal(loaded->type_count, verdict.type_count);
    assert_int_equal(loaded->threads[0].native_count, 2);
    assert_int_equal(loaded->threads[0].native_total, 3);
    assert_int_equal(loaded->finding_count, 1);
    assert_non_null(loaded->native_note);
    fi_verdict_free(loaded);

    loaded = load(saved, &(struct fi_verdict_options){.no_findings = true});
    assert_int_equal(loaded->dominator_count, 2);
    assert_null(loaded->threads[0].native);
    assert_int_equal(loaded->threads[0].native_count, 0);
    assert_int_equal(loaded->threads[0].native_total, 0);
    assert_null(loaded->native_note);
    assert_int_equal(loaded->finding_count, 0);
    fi_verdict_free(loaded);
    free(saved.bytes);
}

static void no_code_to_verify_with(void **state)
{
    (void)state;
    struct saved saved = save(&sample_verdict);
    struct fi_verdict *loaded = NULL;

    assert_fails(fi_verdict_load(saved.bytes, saved.size,
                                 &(struct fi_verdict_options){.verify = true}, &loaded),
                 DF_ERR_USAGE, "without comparing");
    assert_null(loaded);
    free(saved.bytes);
}

/* ---- damage ---- */

static void every_truncation(void **state)
{
    (void)state;
    struct fi_verdict verdict = rich(), *loaded = NULL;
    struct saved saved = save(&verdict);

    for (size_t size = 0; size < saved.size; size++) {
        uint8_t *part = malloc(size + !size); /* its end is where the sanitizer looks */

        memcpy(part, saved.bytes, size);
        assert_fails(fi_verdict_load(part, size, &everything, &loaded), DF_ERR_INPUT,
                     "this snapshot is damaged");
        free(part);
    }
    uint8_t *longer = malloc(saved.size + 1);
    memcpy(longer, saved.bytes, saved.size);
    longer[saved.size] = 0;
    assert_fails(fi_verdict_load(longer, saved.size + 1, &everything, &loaded), DF_ERR_INPUT,
                 "the end");
    free(longer);
    free(saved.bytes);
}

/* Either it is refused, or it is a verdict that can be written and saved. */
static void try_verdict(const uint8_t *bytes, size_t size)
{
    struct fi_verdict *loaded = NULL;
    struct df_err *err = fi_verdict_load(bytes, size, &everything, &loaded);
    struct saved again;

    if (err) {
        assert_true(df_err_code(err) == DF_ERR_INPUT || df_err_code(err) == DF_ERR_UNSUPPORTED);
        df_err_free(err);
        return;
    }
    free(all_reports(loaded));
    again = save(loaded);
    free(again.bytes);
    fi_verdict_free(loaded);
}

static const uint8_t flips[] = {0x01, 0x80, 0xFF};

static void every_byte_flipped(void **state)
{
    (void)state;
    struct fi_verdict verdict = rich();
    struct saved saved = save(&verdict);

    for (size_t at = 0; at < saved.size; at++)
        for (size_t i = 0; i < sizeof(flips); i++) {
            saved.bytes[at] ^= flips[i];
            try_verdict(saved.bytes, saved.size);
            saved.bytes[at] ^= flips[i];
        }
    free(saved.bytes);
}

/* A count of four thousand million in place of each byte: refused before anything is made. */
static void huge_counts(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0xFF, 0xFF, 0xFF, 0xFF, 0x0F};
    struct fi_verdict verdict = rich();
    struct saved saved = save(&verdict);
    uint8_t *bytes = malloc(saved.size + sizeof(huge));

    for (size_t at = 0; at < saved.size; at++) {
        memcpy(bytes, saved.bytes, at);
        memcpy(bytes + at, huge, sizeof(huge));
        memcpy(bytes + at + sizeof(huge), saved.bytes + at + 1, saved.size - at - 1);
        try_verdict(bytes, saved.size - 1 + sizeof(huge));
    }
    free(bytes);
    free(saved.bytes);
}

static void of_another_version(void **state)
{
    (void)state;
    struct saved saved = save(&sample_verdict);
    struct fi_verdict *verdict = NULL;
    struct fi_profile *profile = NULL;

    assert_fails(fi_profile_load(saved.bytes, saved.size, &profile), DF_ERR_UNSUPPORTED,
                 "another version");
    saved.bytes[5] ^= 1;
    assert_fails(fi_verdict_load(saved.bytes, saved.size, &everything, &verdict),
                 DF_ERR_UNSUPPORTED, "another version");
    free(saved.bytes);
}

/* ---- profiles ---- */

static struct fi_shape rich_shapes[] = {
    {AL_NONE,
     FI_HOP_ROOT,
     FI_SHAPE_MODULE | FI_SHAPE_NAMESPACE,
     "shop",
     "module",
     1,
     72,
     0,
     0,
     {0}},
    {0, FI_HOP_ATTRIBUTE, 0, ".LOG", "list", 1, 56000, 3, 4, {256, 7}},
    {1, FI_HOP_ELEMENT, 0, "[*]", "shop.Line", 7000, 480000, 0, 0, {0}},
};

static struct fi_profile rich_profile(uint64_t lines)
{
    struct fi_profile profile = {.path = "/var/crash/core.1",
                                 .executable = "/usr/bin/python3",
                                 .machine = "x86-64",
                                 .version = "3.11.2",
                                 .debug_build = true,
                                 .pid = 4242,
                                 .gap = lines ? "part could not be read" : NULL,
                                 .objects = 7100 + lines,
                                 .heap_bytes = 700000 + 100 * lines,
                                 .types = sample_types,
                                 .type_count = 3,
                                 .shapes = rich_shapes,
                                 .shape_count = 3};

    rich_shapes[2].count = 7000 + lines;
    rich_shapes[2].own_bytes = 480000 + 100 * lines;
    return profile;
}

static char *diff_of(const struct fi_profile *old, const struct fi_profile *new)
{
    const struct fi_profile *profiles[] = {old, new};
    struct rp_style style = {.limit = 0};
    struct fi_diff *diff = NULL;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    assert_ok(fi_diff_make(profiles, 2, &diff));
    assert_ok(rp_diff_json(stream, diff, 0));
    assert_ok(rp_diff_text(stream, diff, &style));
    fclose(stream);
    fi_diff_free(diff);
    return text;
}

static struct fi_profile *load_profile(const void *bytes, size_t size)
{
    struct fi_profile *profile = NULL;

    assert_ok(fi_profile_load(bytes, size, &profile));
    return profile;
}

static void profiles(void **state)
{
    (void)state;
    struct fi_profile old = rich_profile(0);
    struct fi_profile *loaded[2];
    void *bytes[2], *again;
    size_t size[2], again_size;

    assert_ok(fi_profile_save(&old, &bytes[0], &size[0]));
    loaded[0] = load_profile(bytes[0], size[0]);
    struct fi_profile new = rich_profile(50000);
    assert_ok(fi_profile_save(&new, &bytes[1], &size[1]));
    loaded[1] = load_profile(bytes[1], size[1]);
    char *expected = diff_of(loaded[0], &new), *got = diff_of(loaded[0], loaded[1]);
    assert_string_equal(expected, got);
    assert_non_null(strstr(got, "shop.LOG"));
    assert_ok(fi_profile_save(loaded[1], &again, &again_size));
    assert_int_equal(again_size, size[1]);
    assert_memory_equal(again, bytes[1], again_size);
    free(expected);
    free(got);
    free(again);
    for (int i = 0; i < 2; i++) {
        free(bytes[i]);
        fi_profile_free(loaded[i]);
    }
}

static void damaged_profiles(void **state)
{
    (void)state;
    struct fi_profile whole = rich_profile(0), *loaded = NULL;
    uint8_t *bytes;
    size_t size;
    void *saved;

    assert_ok(fi_profile_save(&whole, &saved, &size));
    bytes = saved;
    for (size_t cut = 0; cut < size; cut++)
        assert_fails(fi_profile_load(bytes, cut, &loaded), DF_ERR_INPUT, "damaged");
    for (size_t at = 0; at < size; at++)
        for (size_t i = 0; i < sizeof(flips); i++) {
            bytes[at] ^= flips[i];
            struct df_err *err = fi_profile_load(bytes, size, &loaded);
            bytes[at] ^= flips[i];
            if (!err) {
                free(diff_of(&whole, loaded));
                fi_profile_free(loaded);
            }
            df_err_free(err);
        }
    free(saved);
}

static void check_refused_profile(void)
{
    struct fi_profile profile = rich_profile(0), *loaded = NULL;
    void *bytes;
    size_t size;

    assert_ok(fi_profile_save(&profile, &bytes, &size));
    assert_fails(fi_profile_load(bytes, size, &loaded), DF_ERR_INPUT, "tree of paths");
    free(bytes);
}

static void shapes_that_are_no_tree(void **state)
{
    (void)state;
    rich_shapes[1].above = 1;
    check_refused_profile();
    rich_shapes[1].above = 2;
    check_refused_profile();
    rich_shapes[1].above = 0;
    rich_shapes[0].own_bytes = UINT64_MAX;
    check_refused_profile();
    rich_shapes[0].own_bytes = 72;
    rich_shapes[0].rest_objects = UINT64_MAX / 2;
    check_refused_profile();
    rich_shapes[0].rest_objects = 0;
}

/* ---- what tracemalloc wrote down ---- */

static struct py_trace_stack rich_stacks[] = {{0, 2, 2}, {2, 1, 30}, {3, 3, 3}};
static struct py_trace_frame rich_frames[] = {{0, 10}, {1, 20}, {0, 10}, {1, 7}, {0, 0}, {2, 5}};
static const char *rich_files[] = {"<frozen importlib>", "/srv/app.py", "/srv/b.py"};
static struct fi_trace_sum rich_sums[] = {{0, 5000, 50}, {1, 64, 1}, {2, 5000, 50}};
static struct fi_trace_sum rich_row_sums[] = {{2, 4800, 48}};
static struct fi_trace_type rich_rows[] = {
    {"dict", 7, 7, NULL, 0},
    {"shop.Row", 60, 12, rich_row_sums, 1},
};

static struct fi_traces rich_traces(void)
{
    return (struct fi_traces){.state = PY_TRACING_ON,
                              .max_frames = 3,
                              .traced_bytes = 10064,
                              .peak_bytes = 20000,
                              .own_bytes = 512,
                              .blocks = 101,
                              .damaged = 2,
                              .stacks = rich_stacks,
                              .stack_count = 3,
                              .frames = rich_frames,
                              .frame_count = 6,
                              .files = rich_files,
                              .file_count = 3,
                              .sums = rich_sums,
                              .sum_count = 3,
                              .types = rich_rows,
                              .type_count = 2,
                              .gap = "cut"};
}

static char *all_allocations(const struct fi_traces *traces)
{
    struct rp_style style = {.limit = 0};
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    for (enum fi_allocation_group group = FI_BY_LINE; group <= FI_BY_TRACEBACK; group++)
        for (uint32_t i = 0; i <= traces->type_count; i++) {
            const struct fi_trace_type *type = i ? &traces->types[i - 1] : NULL;
            struct fi_allocations *made = NULL;

            assert_ok(fi_allocations_of(traces, group, type, &made));
            assert_ok(rp_allocations_json(stream, made, 0));
            assert_ok(rp_allocations_text(stream, made, &style));
            fi_allocations_free(made);
        }
    fprintf(stream, "%s\n", traces->gap ? traces->gap : "-");
    fclose(stream);
    return text;
}

static void rows_of_traces(void **state)
{
    (void)state;
    struct fi_traces traces = rich_traces();
    struct fi_allocations *made = NULL;

    assert_ok(fi_allocations_of(&traces, FI_BY_LINE, NULL, &made));
    assert_int_equal(made->row_count, 2); /* the first two end in one line */
    assert_int_equal(made->rows[0].size, 5064);
    assert_int_equal(made->rows[0].count, 51);
    assert_string_equal(made->rows[1].frames[0].file, "/srv/app.py");
    assert_int_equal(made->rows[1].frames[0].line, 7);
    assert_int_equal(made->size, 10064);
    fi_allocations_free(made);
    assert_ok(fi_allocations_of(&traces, FI_BY_TRACEBACK, &traces.types[1], &made));
    assert_int_equal(made->row_count, 1);
    assert_int_equal(made->rows[0].frame_count, 3);
    assert_string_equal(made->rows[0].frames[0].file, "/srv/b.py"); /* the oldest call */
    assert_int_equal(made->objects, 60);
    assert_int_equal(made->untraced, 12);
    fi_allocations_free(made);
}

static void traces_round_trip(void **state)
{
    (void)state;
    for (enum py_tracing tracing = PY_TRACING_OFF; tracing <= PY_TRACING_LOST; tracing++) {
        struct fi_traces traces = rich_traces(), *loaded = NULL;
        void *bytes, *again;
        size_t size, again_size;

        traces.state = tracing;
        assert_ok(fi_traces_save(&traces, &bytes, &size));
        assert_ok(fi_traces_load(bytes, size, &loaded));
        char *expected = all_allocations(&traces), *got = all_allocations(loaded);
        assert_string_equal(expected, got);
        assert_ok(fi_traces_save(loaded, &again, &again_size));
        assert_int_equal(size, again_size);
        assert_memory_equal(bytes, again, size);
        free(expected);
        free(got);
        free(bytes);
        free(again);
        fi_traces_free(loaded);
    }
}

static void damaged_traces(void **state)
{
    (void)state;
    struct fi_traces traces = rich_traces(), *loaded = NULL;
    uint8_t *bytes;
    size_t size;
    void *saved;

    assert_ok(fi_traces_save(&traces, &saved, &size));
    bytes = saved;
    for (size_t cut = 0; cut < size; cut++)
        assert_fails(fi_traces_load(bytes, cut, &loaded), DF_ERR_INPUT, "damaged");
    for (size_t at = 0; at < size; at++)
        for (size_t i = 0; i < sizeof(flips); i++) {
            bytes[at] ^= flips[i];
            struct df_err *err = fi_traces_load(bytes, size, &loaded);
            bytes[at] ^= flips[i];
            if (!err) {
                free(all_allocations(loaded));
                fi_traces_free(loaded);
            }
            df_err_free(err);
        }
    free(saved);
}

static void check_refused_traces(void)
{
    struct fi_traces traces = rich_traces(), *loaded = NULL;
    void *bytes;
    size_t size;

    assert_ok(fi_traces_save(&traces, &bytes, &size));
    assert_fails(fi_traces_load(bytes, size, &loaded), DF_ERR_INPUT, "tracebacks");
    free(bytes);
}

static void traces_of_nothing(void **state)
{
    (void)state;
    rich_sums[1].stack = 3;
    check_refused_traces();
    rich_sums[1].stack = 1;
    rich_row_sums[0].stack = UINT32_MAX;
    check_refused_traces();
    rich_row_sums[0].stack = 2;
    rich_frames[5].file = 3;
    check_refused_traces();
    rich_frames[5].file = 2;
    rich_stacks[1].count = 0;
    check_refused_traces();
    rich_stacks[1].count = 1;
    rich_stacks[2].first = 2; /* within another */
    check_refused_traces();
    rich_stacks[2] = (struct py_trace_stack){3, 4, 4};
    check_refused_traces();
    rich_stacks[2].count = 3;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(constant_and_empty),
        cmocka_unit_test(a_name_is_needed),
        cmocka_unit_test(cut_on_load),
        cmocka_unit_test(no_code_to_verify_with),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_byte_flipped),
        cmocka_unit_test(huge_counts),
        cmocka_unit_test(of_another_version),
        cmocka_unit_test(profiles),
        cmocka_unit_test(damaged_profiles),
        cmocka_unit_test(shapes_that_are_no_tree),
        cmocka_unit_test(rows_of_traces),
        cmocka_unit_test(traces_round_trip),
        cmocka_unit_test(damaged_traces),
        cmocka_unit_test(traces_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
