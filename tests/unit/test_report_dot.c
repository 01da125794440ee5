/* SPDX-License-Identifier: MIT
 * test_report_dot.c: pictures from literal values.
 */
#include "tests/support/cmocka_all.h"

#include "analyzer/report/report.h"

static struct fi_picture_node nodes[] = {
    {.address = 0x7f01,
     .type = "module",
     .text = "<module ui.events>",
     .size = 72,
     .retained_bytes = 5000,
     .folded = 1,
     .root = true,
     .root_path = "ui.events",
     .depth = 2},
    {.address = 0x7f02,
     .type = "list",
     .text = "<list of 30000>",
     .size = 88,
     .retained_bytes = 4000,
     .folded = 1,
     .depth = 1,
     .cut = true,
     .hidden = 7},
    {.address = 0x7f03,
     .type = "ui.Widget",
     .text = "<Widget at 0x7f03>",
     .size = 56,
     .retained_bytes = 56,
     .folded = 30000,
     .target = true},
    {.address = 0x7f04,
     .type = "dict",
     .text = "{'a\"b\\n': 1}",
     .size = 64,
     .retained_bytes = 64,
     .folded = 1,
     .garbage = true},
};
static struct fi_picture_edge edges[] = {
    {.from = 0, .to = 1, .label = ".bus.listeners", .count = 1},
    {.from = 1, .to = 2, .label = "[0] +2", .count = 30000},
    {.from = 3, .to = 2, .label = "['say \"hi\"']", .count = 1},
};
static const struct fi_picture picture = {.title = "what holds ui.Widget",
                                          .nodes = nodes,
                                          .node_count = 4,
                                          .edges = edges,
                                          .edge_count = 3};

static char *dot_of(const struct fi_picture *drawn)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_ok(rp_picture_dot(stream, drawn));
    fclose(stream);
    return text;
}

static void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("`%s` is not in:\n%s", part, text);
}

static void everything_is_drawn(void **state)
{
    (void)state;
    char *text = dot_of(&picture);
    assert_int_equal(strncmp(text, "digraph necropy {\n", 18), 0);
    check_contains(text, "what holds ui.Widget");
    check_contains(text, "n0 [label=\"module\\nroot: ui.events\\n72 B, retains "
                         "5.00 kB\"");
    check_contains(text, "n2 [label=\"ui.Widget × 30 000\\n56 B\"");
    check_contains(text, "n0 -> n1 [label=\".bus.listeners\"]");
    check_contains(text, "n1 -> n2 [label=\"[0] +2\\n× 30 000\", penwidth=1.8]");
    free(text);
}

static void what_is_hidden_is_said(void **state)
{
    (void)state;
    char *text = dot_of(&picture);
    check_contains(text, "m1 [label=\"… 7 more\"");
    check_contains(text, "m1 -> n1 ");
    free(text);
}

static void texts_are_escaped(void **state)
{
    (void)state;
    char *text = dot_of(&picture);
    check_contains(text, "{'a\\\"b\\\\n': 1}");
    check_contains(text, "['say \\\"hi\\\"']");
    free(text);
}

static void picture_as_json(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_ok(rp_picture_json(stream, &picture));
    fclose(stream);
    check_contains(text, "\"title\": \"what holds ui.Widget\"");
    check_contains(text, "\"count\": 30000");
    check_contains(text, "\"hidden\": 7");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_drawn),
        cmocka_unit_test(what_is_hidden_is_said),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(picture_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
