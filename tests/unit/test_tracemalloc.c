/* SPDX-License-Identifier: MIT
 * test_tracemalloc.c: tracemalloc's tables, made by hand in both forms that its hash table has had:
 * sane ones, and such as lie. However they lie, reading ends soon, keeps what is good, counts what
 * is not, and asks for no more memory than there was.
 */
#include <elf.h>

#include "analyzer/cpython/tracemalloc.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/pybuild.h"

#define BUCKETS 16
#define ENTRY 64 /* bytes that are taken for an entry of either form */
#define TRACES 20

struct made {
    struct pb *pb;
    bool inline_data; /* 3.8 */
    uint64_t state, traces, domains, foreign, stack, deep, entries[TRACES];
    uint64_t file_a, file_b, file_c;
    struct df_load load;
};

static void field(struct pb *pb, enum py_field which, uint32_t offset, unsigned size)
{
    pb->py.layout.offset[which] = offset;
    pb->py.layout.size[which] = (uint8_t)size;
}
#define FIELD(tag, name, at, bytes) field(pb, PY_F_##tag##_##name, at, bytes)
#define STRUCT(tag, bytes) (pb->py.layout.struct_size[PY_S_##tag] = (bytes))

static void layout_state(struct pb *pb)
{
    FIELD(runtime, tracemalloc, 0, 255);
    FIELD(tracing, config, 0, 12);
    FIELD(tracing, traced_memory, 16, 8);
    FIELD(tracing, peak_traced_memory, 24, 8);
    FIELD(tracing, traces, 32, 8);
    FIELD(tracing, domains, 40, 8);
    FIELD(tracingconfig, tracing, 4, 4);
    FIELD(tracingconfig, max_nframe, 8, 4);
    FIELD(trace, size, 0, 8);
    FIELD(trace, traceback, 8, 8);
    STRUCT(trace, 16);
    FIELD(traceframe, filename, 0, 8);
    FIELD(traceframe, lineno, 8, 4);
    STRUCT(traceframe, 12);
}

static void layout_tables(struct pb *pb, bool inline_data)
{
    FIELD(hashtable, nentries, 0, 8);
    FIELD(hashtable, nbuckets, 8, 8);
    FIELD(hashtable, buckets, 16, 8);
    FIELD(hashentry, next, 0, 8);
    FIELD(hashentry, key_hash, 8, 8);
    FIELD(tracestack, nframe, 8, inline_data ? 4 : 2);
    FIELD(tracestack, frames, 12, 12);
    STRUCT(hashentry, inline_data ? 16 : 32);
    if (inline_data) {
        FIELD(hashtable, key_size, 24, 8);
        FIELD(hashtable, data_size, 32, 8);
    } else {
        FIELD(hashentry, key, 16, 8);
        FIELD(hashentry, value, 24, 8);
        FIELD(tracestack, total_nframe, 10, 2);
    }
}

static void put_bytes(struct pb *pb, uint64_t address, uint64_t value, size_t size)
{
    memcpy(pb->memory + (address - PB_BASE), &value, size);
}

static uint64_t make_table(struct made *made)
{
    struct pb *pb = made->pb;
    uint64_t table = pb_take(pb, 64);
    pb_put(pb, table + 8, BUCKETS);
    pb_put(pb, table + 16, pb_take(pb, BUCKETS * 8));
    if (made->inline_data) {
        pb_put(pb, table + 24, 12);
        pb_put(pb, table + 32, 16);
    }
    return table;
}

/* An entry, first in its bucket. value: an address; what is there is copied for inline data. */
static uint64_t add_entry(struct made *made, uint64_t table, uint64_t key, uint32_t domain,
                          uint64_t value)
{
    struct pb *pb = made->pb;
    uint64_t entry = pb_take(pb, ENTRY), hash = key >> 4;
    uint64_t bucket = pb_get(pb, table + 16) + (hash & (BUCKETS - 1)) * 8;
    pb_put(pb, entry, pb_get(pb, bucket));
    pb_put(pb, entry + 8, hash);
    pb_put(pb, entry + 16, key);
    if (made->inline_data) {
        put_bytes(pb, entry + 24, domain, 4);
        put_bytes(pb, entry + 28, pb_get(pb, value), 8);
        put_bytes(pb, entry + 36, pb_get(pb, value + 8), 8);
    } else {
        pb_put(pb, entry + 24, value);
    }
    pb_put(pb, bucket, entry);
    pb_put(pb, table, pb_get(pb, table) + 1);
    return entry;
}

static uint64_t make_trace(struct pb *pb, uint64_t size, uint64_t stack)
{
    uint64_t trace = pb_take(pb, 16);
    pb_put(pb, trace, size);
    pb_put(pb, trace + 8, stack);
    return trace;
}

static uint64_t make_stack(struct made *made, size_t count, const uint64_t *files,
                           const uint32_t *lines)
{
    struct pb *pb = made->pb;
    uint64_t stack = pb_take(pb, 12 + count * 12);
    put_bytes(pb, stack + 8, count, 2);
    if (!made->inline_data)
        put_bytes(pb, stack + 10, count + 1, 2);
    for (size_t i = 0; i < count; i++) {
        put_bytes(pb, stack + 12 + i * 12, files[i], 8);
        put_bytes(pb, stack + 20 + i * 12, lines[i], 4);
    }
    return stack;
}

/* Blocks 0x10000, 0x10010, ... of 100 bytes and up; every third one from the deeper place. Two in
 * another domain, one of them at an address that Python has too. */
static void make_traces(struct made *made)
{
    struct pb *pb = made->pb;
    uint64_t files[] = {made->file_b, made->file_a, made->file_c};
    const uint32_t lines[] = {7, 11, 13};
    made->stack = make_stack(made, 1, files, lines);
    made->deep = make_stack(made, 3, files, lines);
    made->traces = make_table(made);
    for (uint32_t i = 0; i < TRACES; i++)
        made->entries[i] = add_entry(made, made->traces, 0x10000 + i * 16u, 0,
                                     make_trace(pb, 100 + i, i % 3 ? made->stack : made->deep));
    made->foreign = made->inline_data ? made->traces : make_table(made);
    add_entry(made, made->foreign, 0x50, 9, make_trace(pb, 5000, made->stack));
    if (made->inline_data)
        return; /* two keys of one address would do, but the hash would be another */
    add_entry(made, made->foreign, 0x10000, 9, make_trace(pb, 6000, made->deep));
    made->domains = make_table(made);
    add_entry(made, made->domains, 9, 0, made->foreign);
}

static void create(struct made *made, bool inline_data)
{
    const uint32_t escaped[] = {'/', 0xdce9, 'a'}, wide[] = {'/', 0x1f40d};
    *made =
        (struct made){.pb = pb_create(&pb_forms[inline_data ? 0 : 4]), .inline_data = inline_data};
    struct pb *pb = made->pb;
    layout_state(pb);
    layout_tables(pb, inline_data);
    made->file_a = pb_str(pb, "/a.py");
    made->file_b = pb_str_wide(pb, 3, escaped, 2);
    made->file_c = pb_str_wide(pb, 2, wide, 4);
    make_traces(made);
    made->state = pb_take(pb, 64);
    put_bytes(pb, made->state + 4, 1, 4);
    put_bytes(pb, made->state + 8, 25, 4);
    pb_put(pb, made->state + 16, 12345);
    pb_put(pb, made->state + 24, 23456);
    pb_put(pb, made->state + 32, made->traces);
    pb_put(pb, made->state + 40, made->domains);
    pb->py.runtime = made->state;
    pb_open(pb);
}

static struct py_tracemalloc *open_traced(const struct made *made)
{
    struct py_tracemalloc *traced;
    assert_null(py_tracemalloc_open(&made->pb->py, &traced));
    return traced;
}

static void test_sane(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct made made;
        create(&made, form);
        struct py_tracemalloc *traced = open_traced(&made);
        assert_int_equal(traced->state, PY_TRACING_ON);
        assert_int_equal(traced->damaged, 0);
        assert_int_equal(traced->max_frames, 25);
        assert_int_equal(traced->traced_bytes, 12345);
        assert_int_equal(traced->peak_bytes, 23456);
        assert_int_equal(traced->trace_count, TRACES + (form ? 1 : 2));
        assert_int_equal(traced->own_count, TRACES);
        assert_int_equal(traced->stack_count, 2);
        assert_int_equal(traced->frame_count, 4);
        assert_int_equal(traced->own_bytes, (form ? 1 : 2) * BUCKETS * 8 +
                                                (form ? 21 * (16 + 12 + 16) : 22 * (32 + 16)) +
                                                2 * 12 + 4 * 12);
        /* By code points: U+DCE9, which UTF-8 cannot say, before U+1F40D. */
        assert_int_equal(traced->file_count, 3);
        assert_string_equal(traced->files[0], "/a.py");
        assert_string_equal(traced->files[1], "/\xef\xbf\xbd"
                                              "a");
        assert_string_equal(traced->files[2], "/\xf0\x9f\x90\x8d");
        for (uint32_t i = 0; i < TRACES; i++) {
            const struct py_trace *trace = py_trace_at(traced, 0x10000 + i * 16u);
            const struct py_trace_stack *stack = &traced->stacks[trace->stack];
            assert_int_equal(trace->size, 100 + i);
            assert_int_equal(stack->count, i % 3 ? 1 : 3);
            assert_int_equal(stack->total, form ? 0 : stack->count + 1);
            assert_int_equal(traced->frames[stack->first].file, 1);
            assert_int_equal(traced->frames[stack->first].line, 7);
            assert_int_equal(traced->frames[stack->first + stack->count - 1].line, i % 3 ? 7 : 13);
        }
        assert_int_equal(traced->traces[TRACES].domain, 9);
        assert_int_equal(traced->traces[TRACES].size, 5000);
        assert_null(py_trace_at(traced, 0x50)); /* not Python's own */
        assert_null(py_trace_at(traced, 0x10008));
        assert_null(py_trace_at(traced, 0xffff));
        assert_int_equal(py_trace_around(traced, 0x10008)->address, 0x10000);
        assert_int_equal(py_trace_around(traced, 0x10130 + 118)->size, 119);
        assert_null(py_trace_around(traced, 0x10130 + 119));
        py_tracemalloc_close(traced);
        pb_destroy(made.pb);
    }
}

static void test_off(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    put_bytes(made.pb, made.state + 4, 0, 4);
    struct py_tracemalloc *traced = open_traced(&made);
    assert_int_equal(traced->state, PY_TRACING_OFF);
    assert_int_equal(traced->trace_count, 0);
    assert_null(py_trace_at(traced, 0x10000));
    assert_null(py_trace_around(traced, 0x10000));
    py_tracemalloc_close(traced);
    py_tracemalloc_close(NULL);
    put_bytes(made.pb, made.state + 4, 1, 4);
    pb_put(made.pb, made.state + 32, PB_NOWHERE);
    traced = open_traced(&made);
    assert_int_equal(traced->state, PY_TRACING_LOST);
    py_tracemalloc_close(traced);
    pb_destroy(made.pb);
}

/* Two objects of one text are one file. */
static void test_same_text(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    uint64_t again = pb_str(made.pb, "/a.py");
    put_bytes(made.pb, made.stack + 12, again, 8);
    struct py_tracemalloc *traced = open_traced(&made);
    assert_int_equal(traced->file_count, 3);
    assert_int_equal(traced->damaged, 0);
    py_tracemalloc_close(traced);
    pb_destroy(made.pb);
}

/* 3.15's later releases: texts in the place of str objects, surrogates in them. */
static void test_texts_for_names(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    struct pb *pb = made.pb;
    static const char *const texts[] = {"/\xed\xb3\xa9", "/a\xc3\xb6\xff", "/\xf0\x9f\x90\x8d"};
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t text = pb_take(pb, 16);
        memcpy(pb->memory + (text - PB_BASE), texts[i], strlen(texts[i]) + 1);
        put_bytes(pb, made.deep + 12 + i * 12, text, 8);
        if (i == 0)
            put_bytes(pb, made.stack + 12, text, 8);
    }
    struct py_tracemalloc *traced = open_traced(&made);
    assert_int_equal(traced->damaged, 0);
    assert_int_equal(traced->file_count, 3);
    assert_string_equal(traced->files[0], "/a\xc3\xb6\xc3\xbf");
    assert_string_equal(traced->files[1], "/\xef\xbf\xbd");
    assert_string_equal(traced->files[2], "/\xf0\x9f\x90\x8d");
    py_tracemalloc_close(traced);
    put_bytes(pb, made.deep + 12 + 24, PB_NOWHERE, 8);
    traced = open_traced(&made);
    assert_int_equal(traced->damaged, 1);
    assert_string_equal(traced->files[0], "<unreadable>");
    py_tracemalloc_close(traced);
    pb_destroy(pb);
}

/* A chain that comes back to itself costs what is behind the loop, and nothing is counted twice. */
static void test_closed_chain(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct made made;
        create(&made, form);
        pb_put(made.pb, made.entries[0], made.entries[16]); /* the two of one bucket */
        struct py_tracemalloc *traced = open_traced(&made);
        assert_int_equal(traced->damaged, 1);
        assert_int_equal(traced->own_count, TRACES);
        py_tracemalloc_close(traced);
        pb_put(made.pb, made.entries[5], made.entries[5]);
        traced = open_traced(&made);
        assert_int_equal(traced->damaged, 2);
        assert_int_equal(traced->own_count, TRACES);
        py_tracemalloc_close(traced);
        pb_destroy(made.pb);
    }
}

/* A chain that goes on into another bucket's is left there: no chain is walked twice. */
static void test_wrong_bucket(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    for (uint32_t i = 0; i < 4; i++)
        pb_put(made.pb, made.entries[i], made.entries[19]);
    struct py_tracemalloc *traced = open_traced(&made);
    assert_int_equal(traced->damaged, 4); /* 3 stands in the bucket of 19, behind it: a loop */
    assert_int_equal(traced->own_count, TRACES);
    py_tracemalloc_close(traced);
    pb_destroy(made.pb);
}

/* What cannot be: more frames than are kept, than there were; more bytes than were traced. */
static void test_contradictions(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    struct pb *pb = made.pb;
    put_bytes(pb, made.deep + 10, 2, 2);
    struct py_tracemalloc *traced = open_traced(&made);
    assert_int_equal(traced->damaged, 7 + 1); /* every third, and one in the other domain */
    assert_int_equal(traced->own_count, TRACES - 7);
    py_tracemalloc_close(traced);
    put_bytes(pb, made.deep + 10, 4, 2);
    put_bytes(pb, made.state + 8, 2, 4);
    traced = open_traced(&made);
    assert_int_equal(traced->damaged, 7 + 1);
    py_tracemalloc_close(traced);
    put_bytes(pb, made.state + 8, 3, 4);
    pb_put(pb, made.state + 16, 5500);
    traced = open_traced(&made);
    assert_int_equal(traced->damaged, 1);
    assert_int_equal(traced->trace_count, TRACES + 1);
    py_tracemalloc_close(traced);
    pb_destroy(pb);
}

static const uint64_t lies[] = {
    0,          1,        7,       UINT64_MAX, UINT64_C(1) << 63,     UINT64_C(1) << 40,
    1u << 31,   65535,    PB_BASE, PB_LOST,    PB_LOST - 4,           PB_LOST - 8,
    PB_NOWHERE, 1u << 20, 3,       32,         UINT64_C(1) << 47 | 8, 0xfffffff8,
};

static void check_bounded(const struct made *made)
{
    struct py_tracemalloc *traced = open_traced(made);
    assert_true(traced->trace_count <= PB_SIZE / 16);
    assert_true(traced->frame_count <= PB_SIZE / 12);
    assert_true(traced->file_count <= traced->frame_count);
    assert_true(traced->own_count <= traced->trace_count);
    for (size_t i = 0; i < traced->trace_count; i++) {
        const struct py_trace *trace = &traced->traces[i];
        assert_true(trace->stack < traced->stack_count);
        assert_true(traced->stacks[trace->stack].count > 0);
        assert_true(traced->stacks[trace->stack].first + traced->stacks[trace->stack].count <=
                    traced->frame_count);
        assert_true(!i || traced->traces[i - 1].domain < trace->domain ||
                    traced->traces[i - 1].address < trace->address);
    }
    for (uint32_t i = 0; i < traced->frame_count; i++)
        assert_true(traced->frames[i].file < traced->file_count);
    py_tracemalloc_close(traced);
}

/* Every word of every structure says every lie. */
static void test_lies(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct made made;
        create(&made, form);
        struct pb *pb = made.pb;
        const struct {
            uint64_t address, bytes;
        } parts[] = {{made.state, 64},      {made.traces, 64},
                     {made.domains, 64},    {made.foreign, 64},
                     {made.stack, 24},      {made.deep, 48},
                     {made.entries[4], 48}, {pb_get(pb, made.traces + 16), BUCKETS * 8},
                     {made.file_a, 64},     {made.file_c, 64}};
        for (size_t part = 0; part < sizeof(parts) / sizeof(*parts); part++)
            for (uint64_t at = 0; parts[part].address && at < parts[part].bytes; at += 4)
                for (size_t lie = 0; lie < sizeof(lies) / sizeof(*lies); lie++) {
                    uint8_t kept[8], *place = pb->memory + (parts[part].address + at - PB_BASE);
                    memcpy(kept, place, 8);
                    memcpy(place, &lies[lie], 8);
                    check_bounded(&made);
                    memcpy(place, kept, 8);
                }
        check_bounded(&made);
        pb_destroy(pb);
    }
}

/* A table of domains that holds itself, and one table many times over: the cost is bounded. */
static void test_domains_of_domains(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    for (uint32_t i = 0; i < 200; i++)
        add_entry(&made, made.domains, 100 + i * 16u, 0, i % 2 ? made.traces : made.domains);
    check_bounded(&made);
    pb_put(made.pb, made.state + 40, made.traces);
    check_bounded(&made);
    pb_destroy(made.pb);
}

/* Tracebacks that overlap, each longer than there is room for side by side. */
static void test_overlapping_tracebacks(void **state)
{
    struct made made;
    (void)state;
    create(&made, false);
    struct pb *pb = made.pb;
    uint64_t many = pb_take(pb, 8000 * 8);
    put_bytes(pb, made.state + 8, 0, 4); /* how many are kept is not known */
    for (uint32_t i = 0; i < 400; i++) {
        put_bytes(pb, many + i * 16u + 8, 4000 | 4000u << 16, 4);
        add_entry(&made, made.traces, 0x900000 + i * 16u, 0, make_trace(pb, 1, many + i * 16u));
    }
    check_bounded(&made);
    pb_destroy(pb);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void test_random_damage(void **state)
{
    (void)state;
    for (uint32_t round = 1; round <= 600; round++) {
        struct made made;
        uint32_t seed = round * 2654435761u | 1;
        create(&made, round % 2);
        uint64_t used = made.pb->top - made.file_a;
        for (uint32_t i = 0; i < 1 + round % 20; i++)
            made.pb->memory[made.file_a - PB_BASE + next_random(&seed) % used] =
                (uint8_t)next_random(&seed);
        check_bounded(&made);
        pb_destroy(made.pb);
    }
}

/* Up to 3.11, stripped: no symbol says where the tables are. */
static void test_search(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct made made;
        create(&made, form);
        struct pb *pb = made.pb;
        uint64_t file = pb_str(pb, "/b.py");
        const uint32_t line = 3;
        uint64_t smaller = make_table(&made), stack = make_stack(&made, 1, &file, &line);
        add_entry(&made, smaller, 0x70, 0, make_trace(pb, 1, stack));
        uint64_t data = pb_take(pb, 4096);
        made.load = (struct df_load){data, data + 4096, PF_R | PF_W};
        pb->py.layout.offset[PY_F_runtime_tracemalloc] = PY_ABSENT;
        pb->module.loads = &made.load;
        pb->module.load_count = 1;
        pb->module.symbols_loaded = true;
        pb->py.module = &pb->module;
        struct py_tracemalloc *traced = open_traced(&made);
        assert_int_equal(traced->state, PY_TRACING_UNKNOWN);
        py_tracemalloc_close(traced);
        pb_put(pb, data + 80, file);
        pb_put(pb, data + 96, smaller); /* like one, but less */
        pb_put(pb, data + 1000, made.traces);
        pb_put(pb, data + 1064, made.domains);
        traced = open_traced(&made);
        assert_int_equal(traced->state, PY_TRACING_ON);
        assert_int_equal(traced->own_count, TRACES);
        assert_int_equal(traced->trace_count, TRACES + (form ? 1 : 2));
        assert_int_equal(traced->damaged, 0);
        assert_int_equal(traced->peak_bytes, 0);
        assert_true(traced->traced_bytes > 5000);
        py_tracemalloc_close(traced);
        put_bytes(pb, made.deep + 12, 0, 8); /* a file name that is none: no table of traces */
        traced = open_traced(&made);
        assert_int_equal(traced->trace_count, 1);
        py_tracemalloc_close(traced);
        pb->module.loads = NULL;
        pb->module.load_count = 0;
        pb_destroy(pb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sane),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_same_text),
        cmocka_unit_test(test_texts_for_names),
        cmocka_unit_test(test_closed_chain),
        cmocka_unit_test(test_wrong_bucket),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_domains_of_domains),
        cmocka_unit_test(test_overlapping_tracebacks),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
