/* SPDX-License-Identifier: MIT
 * test_texts_hostile.c: texts of objects whose words are anything: each other's addresses, numbers,
 * memory that is not there. Every text ends, is as short as it was asked to be, and is printable.
 */
#include "tests/support/objects_check.h"

#include <stdio.h>

#define WORDS 24 /* of an object */
#define ROUNDS 12

static const char *const names[] = {
    "float",
    "complex",
    "bytearray",
    "memoryview",
    "array.array",
    "frozenset",
    "range",
    "slice",
    "method",
    "builtin_function_or_method",
    "method_descriptor",
    "getset_descriptor",
    "method-wrapper",
    "module",
    "coroutine",
    "traceback",
    "property",
    "staticmethod",
    "classmethod",
    "functools.partial",
    "functools._lru_cache_wrapper",
    "cell",
    "weakref",
    "weakref.ProxyType",
    "mappingproxy",
    "dict_keys",
    "dict_values",
    "odict_items",
    "collections.deque",
    "collections.OrderedDict",
    "collections.defaultdict",
    "types.SimpleNamespace",
    "datetime.datetime",
    "datetime.date",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "zoneinfo.ZoneInfo",
    "decimal.Decimal",
    "re.Pattern",
    "_io.FileIO",
    "_io.BufferedReader",
    "_io.TextIOWrapper",
    "_io.BytesIO",
    "_socket.socket",
    "sqlite3.Connection",
    "_thread.lock",
    "_thread.RLock",
    "_asyncio.Task",
    "_asyncio.Future",
    "ContextVar",
    "numpy.ndarray",
    "code",
    "frame",
    "generator",
    "function",
};
enum { NAMES = sizeof(names) / sizeof(*names) };

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 17;
}

/* Fields that a form does not have get some place, so that every writer has something to read. */
static void give_places(struct py_layout *layout)
{
    uint32_t place = 0;
    for (enum py_field field = PY_F_range_start; field <= PY_F_sqlite_db; field++)
        if (layout->offset[field] == PY_ABSENT) {
            layout->offset[field] = 16 + 8 * (place++ % (WORDS - 4));
            layout->size[field] = 8;
        }
    layout->struct_size[PY_S_dequeblock] = 64 * 8 + 16;
}

static uint64_t some_word(struct pb *pb, const uint64_t *objects, size_t count, uint64_t *seed)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   7,
                                   64,
                                   UINT64_MAX,
                                   INT64_MAX,
                                   UINT64_C(1) << 40,
                                   PB_NOWHERE,
                                   PB_LOST - 8,
                                   0x3000000020,
                                   0x7fefffffffffffff,
                                   5000};
    uint64_t pick = next_random(seed);
    (void)pb;
    return pick % 3 ? objects[pick / 3 % count] : odd[pick / 3 % (sizeof(odd) / sizeof(*odd))];
}

static void check_printable(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
            fail_msg("not printable: %s", text);
}

static void check_texts(struct pb *pb, uint64_t object)
{
    static const struct py_text_options all = {0}, deep = {.max_characters = 500};
    char *brief = py_text(pb->objects, object, 60);
    char *longer = py_text_as(pb->objects, object, &deep);
    assert_true(strlen(brief) < 20000 && strlen(longer) < 100000);
    check_printable(brief);
    check_printable(longer);
    free(brief);
    free(longer);
    struct py_text_options limited = all;
    limited.max_characters = 20000;
    free(py_text_as(pb->objects, object, &limited));
}

static void test_words_of_all_kinds(void **state)
{
    struct pb *pb = *state;
    uint64_t objects[NAMES + 8], seed = 20261121;
    size_t count = 0;
    give_places(&pb->py.layout);
    for (size_t i = 0; i < NAMES; i++)
        objects[count++] =
            pb_object(pb, pb_static_type(pb, names[i], PY_TPFLAGS_READY, WORDS * 8, 0, pb->object),
                      WORDS * 8);
    objects[count++] = pb_str(pb, "it's a \x1b[31m text");
    objects[count++] = pb_int(pb, -5);
    objects[count++] = pb_list(pb, 3, objects, 3);
    objects[count++] = pb_tuple(pb, 3, objects + 3);
    objects[count++] = pb_dict(pb, PB_GENERAL, 2, objects + 5, objects + 7);
    pb_open(pb);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < NAMES; i++)
            for (uint64_t word = 2; word < WORDS; word++)
                pb_put(pb, objects[i] + word * 8, some_word(pb, objects, count, &seed));
        for (size_t i = 0; i < count; i++)
            check_texts(pb, objects[i]);
    }
}

/* Lists that hold one another, twice each, forty deep: 2^40 elements for who counts them all. */
static void test_lists_that_multiply(void **state)
{
    struct pb *pb = *state;
    uint64_t list = pb_list(pb, 0, NULL, 0);
    for (int i = 0; i < 39; i++)
        list = pb_list(pb, 2, (uint64_t[]){list, list}, 2);
    pb_open(pb);
    struct py_text_options options = {.max_characters = 100000};
    char *text = py_text_as(pb->objects, list, &options);
    assert_true(strlen(text) < 200000);
    free(text);
    free(py_text(pb->objects, list, 60));
}

/* A chain of ranges, of which each begins with the next: no container, and yet deep. */
static void test_chain_without_containers(void **state)
{
    struct pb *pb = *state;
    give_places(&pb->py.layout);
    uint64_t type = pb_static_type(pb, "range", PY_TPFLAGS_READY, 64, 0, pb->object);
    uint64_t ring[2000];
    for (size_t i = 0; i < 2000; i++)
        ring[i] = pb_object(pb, type, 64);
    for (size_t i = 0; i < 2000; i++)
        PB_SET(pb, ring[i], range, start, ring[(i + 1) % 2000]);
    pb_open(pb);
    char *text = py_text(pb->objects, ring[0], 60);
    assert_non_null(strstr(text, "…"));
    free(text);
}

int main(void)
{
    static const struct form_test tests[] = {
        {"words of all kinds", test_words_of_all_kinds},
        {"lists that multiply", test_lists_that_multiply},
        {"chain without containers", test_chain_without_containers},
    };
    return run_forms(tests, sizeof(tests) / sizeof(*tests));
}
