/* SPDX-License-Identifier: MIT
 * test_diff.c: what grew between profiles, from literal shapes.
 */
#include "tests/support/cmocka_all.h"

#include "analyzer/findings/diff.h"
#include "analyzer/report/report.h"

/* shop.LOG, a list with elements; shop.cache, a dict with a limit; shop.name. */
struct figures {
    uint64_t log_count, cache_count, name_bytes;
};

#define SHAPES 7

static void fill(struct fi_shape *shapes, struct fi_profile *profile, struct figures figures)
{
    static const struct fi_shape made[SHAPES] = {
        {.above = AL_NONE,
         .hop = FI_HOP_ROOT,
         .flags = FI_SHAPE_MODULE | FI_SHAPE_NAMESPACE,
         .label = "shop",
         .type = "module",
         .count = 1,
         .own_bytes = 72},
        {.above = 0,
         .hop = FI_HOP_ATTRIBUTE,
         .flags = FI_SHAPE_MODULE,
         .label = ".LOG",
         .type = "list",
         .count = 1,
         .own_bytes = 56},
        {.above = 1,
         .hop = FI_HOP_ELEMENT,
         .flags = FI_SHAPE_MODULE,
         .label = "[*]",
         .type = "shop.Line"},
        {.above = 2,
         .hop = FI_HOP_ATTRIBUTE,
         .flags = FI_SHAPE_MODULE,
         .label = ".text",
         .type = "str"},
        {.above = 0,
         .hop = FI_HOP_ATTRIBUTE,
         .flags = FI_SHAPE_MODULE,
         .label = ".cache",
         .type = "dict",
         .count = 1,
         .own_bytes = 64,
         .limits = {256}},
        {.above = 4,
         .hop = FI_HOP_ELEMENT,
         .flags = FI_SHAPE_MODULE,
         .label = "[*]",
         .type = "bytes"},
        {.above = 0,
         .hop = FI_HOP_ATTRIBUTE,
         .flags = FI_SHAPE_MODULE,
         .label = ".name",
         .type = "str",
         .count = 1},
    };

    memcpy(shapes, made, sizeof(made));
    shapes[2].count = shapes[3].count = figures.log_count;
    shapes[2].own_bytes = 48 * figures.log_count;
    shapes[3].own_bytes = 100 * figures.log_count; /* most bytes are below the elements */
    shapes[5].count = figures.cache_count;
    shapes[5].own_bytes = 4000 * figures.cache_count;
    shapes[6].own_bytes = figures.name_bytes;
    *profile = (struct fi_profile){.path = "/tmp/core",
                                   .version = "3.11.2",
                                   .machine = "x86-64",
                                   .executable = "/usr/bin/python3",
                                   .shapes = shapes,
                                   .shape_count = SHAPES};
    for (uint32_t i = 0; i < SHAPES; i++) {
        profile->heap_bytes += shapes[i].own_bytes;
        profile->objects += shapes[i].count;
    }
}

struct made {
    struct fi_shape shapes[FI_MAX_DUMPS][SHAPES];
    struct fi_profile profile[FI_MAX_DUMPS];
    const struct fi_profile *list[FI_MAX_DUMPS];
};

static struct fi_diff *diff_of(struct made *made, const struct figures *figures, uint32_t count)
{
    struct fi_diff *diff;

    for (uint32_t i = 0; i < count; i++) {
        if (figures)
            fill(made->shapes[i], &made->profile[i], figures[i]);
        made->list[i] = &made->profile[i];
    }
    assert_ok(fi_diff_make(made->list, count, &diff));
    return diff;
}

/* The container whose elements multiply is named, not the module above, not the texts below; and a
 * full cache with more bytes comes after it. */
static void container_first(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{100, 10, 50}, {1100, 256, 50}};
    struct fi_diff *diff = diff_of(&made, figures, 2);

    assert_true(diff->grew);
    assert_int_equal(diff->path_count, 2);
    assert_string_equal(diff->paths[0].path, "shop.LOG[*]");
    assert_string_equal(diff->paths[0].holder, "shop.LOG");
    assert_string_equal(diff->paths[0].type, "shop.Line");
    assert_int_equal(diff->paths[0].grown_objects, 1000);
    assert_int_equal(diff->paths[0].grown_bytes, 148000);
    assert_int_equal(diff->paths[0].kind, FI_GROWS_ELEMENTS);
    assert_string_equal(diff->sentence,
                        "`shop.LOG` grew by 1 000 `Line` (148 kB), 13 % of all growth.");
    assert_string_equal(diff->paths[1].path, "shop.cache[*]");
    assert_int_equal(diff->paths[1].kind, FI_GROWS_LIMITED);
    assert_int_equal(diff->paths[1].limit, 256);
    assert_int_equal(diff->all_growth, 148000 + 246 * 4000);
    assert_int_equal(diff->grown_bytes, diff->all_growth);
    fi_diff_free(diff);
}

/* Without a limit in reach only a third dump tells. */
static void third_dump_tells(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{100, 10, 50}, {200, 500, 50}, {300, 500, 51}};
    struct fi_diff *diff = diff_of(&made, figures, 2);

    assert_string_equal(diff->paths[0].path, "shop.cache[*]");
    fi_diff_free(diff);
    diff = diff_of(&made, figures, 3);
    assert_string_equal(diff->paths[0].path, "shop.LOG[*]");
    assert_true(diff->paths[0].monotone);
    assert_false(diff->paths[1].monotone);
    assert_non_null(strstr(diff->sentence, "in each of 2 steps"));
    fi_diff_free(diff);
}

/* More lists that are as long as the others: the lists are named, not what is in them; but longer
 * lists are. */
static void holders_or_elements(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{10, 1, 1}, {20, 1, 1}};
    struct fi_diff *diff;

    for (uint32_t longer = 0; longer < 2; longer++) {
        for (uint32_t i = 0; i < 2; i++) {
            fill(made.shapes[i], &made.profile[i], figures[i]);
            made.shapes[i][3].hop = FI_HOP_ELEMENT; /* LOG[*][*] */
            made.shapes[i][3].label = "[*]";
            made.shapes[i][3].count = figures[i].log_count * (i && longer ? 2000 : 500);
            made.shapes[i][3].own_bytes = 50 * made.shapes[i][3].count;
        }
        diff = diff_of(&made, NULL, 2);
        assert_string_equal(diff->paths[0].path, longer ? "shop.LOG[*][*]" : "shop.LOG[*]");
        assert_int_equal(diff->paths[0].grown_objects, longer ? 35000 : 10);
        fi_diff_free(diff);
    }
}

static void own_size(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{1, 1, 50}, {1, 1, 500050}};
    struct fi_diff *diff = diff_of(&made, figures, 2);

    assert_string_equal(diff->paths[0].path, "shop.name");
    assert_null(diff->paths[0].holder);
    assert_int_equal(diff->paths[0].kind, FI_GROWS_SIZE);
    assert_int_equal(diff->paths[0].grown_bytes, 500000);
    assert_int_equal(diff->path_count, 1);
    fi_diff_free(diff);
}

static void nothing_grew(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{900, 10, 50}, {910, 10, 50}, {5, 10, 50}};
    struct fi_diff *diff = diff_of(&made, figures, 2);

    assert_false(diff->grew);
    assert_non_null(strstr(diff->sentence, "Nothing grew to speak of"));
    fi_diff_free(diff);
    diff = diff_of(&made, figures, 3);
    assert_false(diff->grew);
    assert_true(diff->grown_bytes < 0);
    assert_int_equal(diff->path_count, 0);
    fi_diff_free(diff);
}

/* Order of shapes and shapes that one dump has alone do not matter. */
static void shapes_by_text(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{100, 10, 50}, {1100, 10, 50}};
    static const uint32_t place[SHAPES] = {1, 4, 5, 6,
                                           2, 3, 0}; /* .cache before .LOG; without .name */
    struct fi_shape old[SHAPES];
    struct fi_diff *diff;

    fill(made.shapes[0], &made.profile[0], figures[0]);
    fill(made.shapes[1], &made.profile[1], figures[1]);
    memcpy(old, made.shapes[1], sizeof(old));
    for (uint32_t i = 0; i < SHAPES - 1; i++) { /* the last is left out */
        struct fi_shape *to = &made.shapes[1][place[i] - 1];

        *to = old[i];
        if (to->above != AL_NONE)
            to->above = place[to->above] - 1;
    }
    made.profile[1].shape_count = SHAPES - 1;
    diff = diff_of(&made, NULL, 2);
    assert_string_equal(diff->paths[0].path, "shop.LOG[*]");
    assert_int_equal(diff->paths[0].grown_bytes, 148000);
    assert_int_equal(diff->path_count, 1);
    fi_diff_free(diff);
}

static void warnings(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{1, 1, 1}, {1, 1, 1}};
    struct fi_diff *diff = diff_of(&made, figures, 2);

    assert_int_equal(diff->warning_count, 0);
    fi_diff_free(diff);
    made.profile[1].version = "3.11.9";
    diff = diff_of(&made, NULL, 2);
    assert_int_equal(diff->warning_count, 0);
    fi_diff_free(diff);
    made.profile[1].version = "3.1.9";
    made.profile[1].executable = "/opt/python";
    made.profile[1].machine = "aarch64";
    made.profile[1].debug_build = true;
    made.profile[0].gap = "part of it is missing";
    diff = diff_of(&made, NULL, 2);
    assert_int_equal(diff->warning_count, 5);
    fi_diff_free(diff);
}

static void types_by_name(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
    struct fi_type_row old[] = {{"a", 5, 50, 50}, {"b", 7, 700, 900}, {"gone", 1, 10, 10}};
    struct fi_type_row middle[] = {{"b", 8, 800, 1000}, {"new", 9, 9000, 9000}, {"a", 5, 50, 50}};
    struct fi_type_row new[] = {{"new", 9, 9000, 9000}, {"a", 5, 50, 50}, {"b", 9, 900, 1100}};
    struct fi_diff *diff;

    for (uint32_t i = 0; i < 3; i++) {
        fill(made.shapes[i], &made.profile[i], figures[i]);
        made.profile[i].types = i == 0 ? old : i == 1 ? middle : new;
        made.profile[i].type_count = 3;
    }
    diff = diff_of(&made, NULL, 3);
    assert_int_equal(diff->type_count, 3); /* a is the same */
    assert_string_equal(diff->types[0].type, "b");
    assert_true(diff->types[0].monotone);
    assert_int_equal(diff->types[0].counts[1], 8);
    assert_int_equal(diff->types[0].retained[2], 1100);
    assert_string_equal(diff->types[1].type, "new");
    assert_int_equal(diff->types[1].grown_bytes, 9000);
    assert_string_equal(diff->types[2].type, "gone");
    assert_int_equal(diff->types[2].grown_objects, -1);
    fi_diff_free(diff);
}

static void text_and_json(void **state)
{
    (void)state;
    static struct made made;
    static const struct figures figures[] = {{100, 10, 50}, {1100, 256, 50}};
    struct fi_diff *diff = diff_of(&made, figures, 2);
    char *text = NULL, *json = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    assert_ok(rp_diff_text(stream, diff, NULL));
    fclose(stream);
    assert_non_null(strstr(text, "+148 kB   13 %  100 → 1 100  shop.LOG[*]    shop.Line\n"));
    assert_non_null(strstr(text, "full: has a limit"));
    stream = open_memstream(&json, &size);
    assert_ok(rp_diff_json(stream, diff, 1));
    fclose(stream);
    assert_non_null(strstr(json, "\"path\": \"shop.LOG[*]\""));
    assert_null(strstr(json, "shop.cache[*]"));
    free(text);
    free(json);
    fi_diff_free(diff);
}

static void too_few(void **state)
{
    (void)state;
    static struct made made;
    struct fi_diff *diff;
    struct df_err *err = fi_diff_make(made.list, 1, &diff);

    assert_non_null(err);
    df_err_free(err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(container_first), cmocka_unit_test(third_dump_tells),
        cmocka_unit_test(own_size),        cmocka_unit_test(holders_or_elements),
        cmocka_unit_test(nothing_grew),    cmocka_unit_test(shapes_by_text),
        cmocka_unit_test(warnings),        cmocka_unit_test(types_by_name),
        cmocka_unit_test(text_and_json),   cmocka_unit_test(too_few),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
