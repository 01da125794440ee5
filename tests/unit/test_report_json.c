/* SPDX-License-Identifier: MIT
 * test_report_json.c: the report for a machine, from literal values, read back.
 */
#include "tests/support/cmocka_all.h"

#include <jansson.h>

#include "analyzer/report/report.h"
#include "tests/unit/report_sample.h"

static json_t *json_of(enum rp_section section)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_ok(rp_json(stream, &sample_verdict, section));
    fclose(stream);
    assert_int_equal(text[size - 1], '\n');
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    if (!value)
        fail_msg("%s in:\n%s", error.text, text);
    free(text);
    return value;
}

static json_t *at(json_t *value, const char *path)
{
    char copy[200];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *key = strtok(copy, "."); key; key = strtok(NULL, ".")) {
        bool index = key[0] >= '0' && key[0] <= '9';
        value = index ? json_array_get(value, (size_t)atoi(key)) : json_object_get(value, key);
        if (!value)
            fail_msg("no %s in %s", key, path);
    }
    return value;
}

static void check_text(json_t *report, const char *path, const char *expected)
{
    assert_non_null(json_string_value(at(report, path)));
    assert_string_equal(json_string_value(at(report, path)), expected);
}

static void check_number(json_t *report, const char *path, json_int_t expected)
{
    assert_true(json_is_integer(at(report, path)));
    assert_int_equal(json_integer_value(at(report, path)), expected);
}

static void whole_report(void **state)
{
    (void)state;
    json_t *report = json_of(RP_REPORT);
    check_number(report, "schema_version", 1);
    check_text(report, "tool.name", "necropy");
    check_text(report, "core.path", "/var/crash/core.4242");
    check_text(report, "core.signal", "SIGABRT");
    check_text(report, "core.missing_files.0", "/usr/lib/libm.so.6: no file found");
    check_number(report, "python.hexversion", 0x030b02f0);
    assert_true(json_is_false(at(report, "python.gc.enabled")));
    check_number(report, "python.gc.thresholds.0", 700);
    check_number(report, "python.gc.stats.1.collected", 2);
    check_number(report, "coverage.by_source.referent", 900000);
    assert_true(json_is_true(at(report, "coverage.complete")));
    check_number(report, "memory.bytes", 62700000);
    check_number(report, "memory.parts.1.bytes", 2700000);
    check_number(report, "types.0.count", 30000);
    check_text(report, "dominators.0.path", "ui.events.bus.listeners");
    check_text(report, "dominators.0.address", "0x7f0000001000");
    check_text(report, "cycles.groups.0.signature", "2 × shop.Node");
    check_text(report, "cycles.groups.0.finalizers.0", "shop.Node");
    check_text(report, "cycles.groups.0.example.1", "0x7f0000003040");
    check_number(report, "garbage.with_finalizer.objects", 30000);
    check_number(report, "garbage.uncollectable.objects", 0);
    check_number(report, "threads.0.frames.0.line", 33);
    assert_true(json_is_null(at(report, "threads.0.frames.1.line")));
    check_text(report, "threads.0.frames.0.locals.0.text", "<list of 3>");
    assert_true(json_is_null(at(report, "threads.1.name")));
    check_text(report, "findings.0.severity", "high");
    check_text(report, "findings.0.holder.path", "ui.events.bus.listeners");
    json_decref(report);
}

static void any_bytes_in_names(void **state)
{
    (void)state;
    json_t *report = json_of(RP_TYPES);
    check_text(report, "types.2.type", "evil\xef\xbf\xbd\"name\n");
    json_decref(report);
}

static void sections_have_their_members(void **state)
{
    (void)state;
    static const struct {
        enum rp_section section;
        const char *has, *has_not;
    } cases[] = {
        {RP_FINDINGS, "findings", "types"},  {RP_TYPES, "types", "dominators"},
        {RP_RETAINED, "dominators", "core"}, {RP_CYCLES, "cycles", "garbage"},
        {RP_GARBAGE, "garbage", "cycles"},   {RP_THREADS, "threads", "findings"},
        {RP_MEMORY, "memory", "threads"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *report = json_of(cases[i].section);
        assert_non_null(json_object_get(report, cases[i].has));
        assert_null(json_object_get(report, cases[i].has_not));
        check_number(report, "schema_version", 1);
        json_decref(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_report),
        cmocka_unit_test(any_bytes_in_names),
        cmocka_unit_test(sections_have_their_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
