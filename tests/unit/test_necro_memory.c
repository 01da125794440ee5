/* SPDX-License-Identifier: MIT
 * test_necro_memory.c: an address space that was saved reads as it did; what is damaged in it is
 * said, and reads as absent; tables that lie are refused.
 */
#include "tests/support/cmocka_all.h"

#include <elf.h>
#include <pthread.h>

#include "dumpfmt/necro_memory.h"

#define SIZE 0x90000u
#define RANGES 8
#define THREADS 4

static const struct {
    uint64_t start, size;
    uint32_t from; /* in `bytes`; UINT32_MAX: absent */
    uint8_t origin, flags;
} model[RANGES] = {
    {0x10000, 0x10000, 0, DF_FROM_CORE, PF_R | PF_W},       /* exactly a chunk */
    {0x20000, 0x10000, 0x20000, DF_FROM_CORE, PF_R | PF_W}, /* its neighbour, not contiguous */
    {0x31234, 0x45678, 0x1234, DF_FROM_CORE, PF_R},
    {0x80000, 0x1000, UINT32_MAX, DF_ABSENT, PF_R},
    {0x81000, 1, 5, DF_FROM_FILE, PF_R | PF_X},
    {0x81001, 0xfff, 0x70000, DF_FROM_CORE, PF_R},                 /* zero */
    {0x7fffffff0000, 0x20000, 0x50000, DF_FROM_CORE, PF_R | PF_W}, /* with zeros in the middle */
    {0xfffffffff000, 0x1000, 0, DF_FROM_FILE, PF_R},
};

static char path[] = "/tmp/necropy-memory-XXXXXX";
static uint8_t bytes[SIZE];

static struct df_aspace *make(void)
{
    struct df_aspace *space = df_aspace_create();
    for (size_t i = 0; i < RANGES; i++)
        df_aspace_add(space, model[i].start, model[i].size,
                      model[i].from == UINT32_MAX ? NULL : bytes + model[i].from, model[i].origin,
                      model[i].flags);
    assert_ok(df_aspace_seal(space));
    assert_int_equal(space->count, RANGES);
    return space;
}

static int set_up(void **state)
{
    uint32_t random = 7;
    (void)state;
    for (uint32_t i = 0; i < SIZE; i++) {
        random = random * 1664525 + 1013904223;
        bool noise = i >= 0x20000 && i < 0x40000;
        bytes[i] = i >= 0x58000 && i < 0x80000 ? 0 : (uint8_t)(noise ? random >> 24 : i / 64);
    }
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

struct opened {
    struct df_file file;
    struct df_necro *necro;
    struct df_memory *memory;
    struct df_aspace *space;
};

static void save(const struct df_memory_filter *filter, uint32_t jobs)
{
    struct df_necro_writer *writer;
    struct df_aspace *space = make();
    assert_ok(df_necro_create(path, jobs, &writer));
    assert_ok(df_memory_save(space, filter, writer));
    assert_ok(df_necro_commit(writer));
    df_aspace_destroy(space);
}

/* The file in memory that can be changed. */
static struct df_file load(void)
{
    struct df_file *mapped;
    assert_ok(df_file_open(path, &mapped));
    uint8_t *copy = aligned_alloc(4096, (mapped->size + 4095) & ~UINT64_C(4095));
    memcpy(copy, mapped->data, mapped->size);
    struct df_file ret = {.path = path, .data = copy, .size = mapped->size, .fd = -1};
    df_file_close(mapped);
    return ret;
}

static struct opened open_file(struct df_file file)
{
    return (struct opened){.file = file};
}

static void open_all(struct opened *opened)
{
    assert_ok(df_necro_open(&opened->file, &opened->necro));
    assert_ok(df_memory_open(opened->necro, &opened->memory));
    opened->space = df_memory_space(opened->memory);
}

static void close_all(struct opened *opened)
{
    df_memory_close(opened->memory);
    df_necro_close(opened->necro);
}

static void drop(struct opened *opened)
{
    close_all(opened);
    free((void *)(uintptr_t)opened->file.data);
}

static void check_range(const struct df_aspace *space, size_t i, const uint8_t *expected)
{
    static uint8_t copy[SIZE];
    uint64_t start = model[i].start, size = model[i].size;
    assert_true(df_read(space, start, copy, size));
    assert_memory_equal(copy, expected, size);
    const uint8_t *whole = df_ptr(space, start, size);
    assert_non_null(whole);
    assert_memory_equal(whole, expected, size);
    assert_null(df_ptr(space, start, size + 1));
    assert_ptr_equal(df_ptr(space, start + size / 2, 1), whole + size / 2);
}

static void comes_back(void **state)
{
    (void)state;
    save(NULL, 2);
    struct opened opened = open_file(load());
    open_all(&opened);
    struct df_aspace *space = opened.space;
    assert_int_equal(space->count, RANGES);
    for (size_t i = 0; i < RANGES; i++) {
        const struct df_range *range = &space->ranges[i];
        assert_int_equal(range->start, model[i].start);
        assert_int_equal(range->end, model[i].start + model[i].size);
        assert_int_equal(range->origin, model[i].origin);
        assert_int_equal(range->flags, model[i].flags);
        assert_int_equal(range->host != NULL, model[i].origin != DF_ABSENT);
        assert_int_equal(df_contiguous(space, range->start),
                         model[i].origin == DF_ABSENT ? 0 : model[i].size);
    }
    /* Across a chunk's end before anything is there. */
    uint16_t word;
    assert_non_null(df_ptr(space, 0x3ffff, 2));
    memcpy(&word, df_ptr(space, 0x3ffff, 2), 2);
    assert_memory_equal(&word, bytes + 0x1234 + (0x3ffff - 0x31234), 2);
    for (size_t i = 0; i < RANGES; i++)
        if (model[i].origin != DF_ABSENT)
            check_range(space, i, bytes + model[i].from);
    assert_null(df_ptr(space, 0x80000, 1));
    assert_null(df_ptr(space, 0x5000, 1));
    uint64_t across;
    assert_true(df_u64(space, 0x1fffc, &across)); /* two ranges */
    assert_memory_equal(&across, bytes + 0xfffc, 4);
    assert_memory_equal((uint8_t *)&across + 4, bytes + 0x20000, 4);
    assert_null(df_necro_damage(opened.necro));
    drop(&opened);
}

static void an_empty_space_comes_back(void **state)
{
    (void)state;
    struct df_necro_writer *writer;
    struct df_aspace *space = df_aspace_create();
    assert_ok(df_aspace_seal(space));
    assert_ok(df_necro_create(path, 1, &writer));
    assert_ok(df_memory_save(space, NULL, writer));
    assert_ok(df_necro_commit(writer));
    df_aspace_destroy(space);
    struct opened opened = open_file(load());
    open_all(&opened);
    assert_int_equal(opened.space->count, 0);
    assert_null(df_ptr(opened.space, 0x10000, 1));
    drop(&opened);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    save(NULL, 1);
    struct df_file one = load();
    save(NULL, 5);
    struct df_file five = load();
    assert_int_equal(one.size, five.size);
    assert_memory_equal(one.data, five.data, one.size);
    free((void *)(uintptr_t)one.data);
    free((void *)(uintptr_t)five.data);
}

static bool no_code(void *context, const struct df_range *range)
{
    return range->flags != *(const uint8_t *)context;
}

/* What is to be zeroed follows from the address alone. */
static void odd_pages_go(void *context, uint64_t address, uint8_t *chunk, uint32_t size)
{
    (void)context;
    assert_true(size <= 0x10000 && (address & 0xffff) + size <= 0x10000);
    for (uint32_t i = 0; i < size; i++)
        if ((address + i) >> 12 & 1)
            chunk[i] = 0;
}

static void filters_are_obeyed(void **state)
{
    (void)state;
    static uint8_t expected[SIZE];
    uint8_t code = PF_R | PF_X;
    struct df_memory_filter filter = {no_code, odd_pages_go, &code, NULL};
    save(&filter, 3);
    struct opened opened = open_file(load());
    open_all(&opened);
    assert_int_equal(opened.space->count, RANGES);
    const struct df_range *range = df_aspace_range(opened.space, 0x81000);
    assert_int_equal(range->origin, DF_ABSENT);
    assert_int_equal(range->flags, PF_R | PF_X);
    assert_null(df_ptr(opened.space, 0x81000, 1));
    for (size_t i = 0; i < RANGES; i++) {
        if (model[i].origin == DF_ABSENT || model[i].flags == code)
            continue;
        for (uint64_t at = 0; at < model[i].size; at++)
            expected[at] = (model[i].start + at) >> 12 & 1 ? 0 : bytes[model[i].from + at];
        check_range(opened.space, i, expected);
    }
    drop(&opened);
}

static void *read_all(void *argument)
{
    const struct df_aspace *space = argument;
    uint64_t sum = 0;
    for (size_t i = 0; i < RANGES; i++)
        for (uint64_t at = 0; at < model[i].size && model[i].origin; at += 4093) {
            const uint8_t *byte = df_ptr(space, model[i].start + at, 1);
            sum += byte ? *byte : 1000000;
        }
    return (void *)(uintptr_t)sum;
}

static void threads_may_read_at_once(void **state)
{
    (void)state;
    save(NULL, 1);
    struct df_aspace *model_space = make();
    void *expected = read_all(model_space), *sums[THREADS];
    df_aspace_destroy(model_space);
    for (int round = 0; round < 20; round++) {
        struct opened opened = open_file(load());
        pthread_t threads[THREADS];
        open_all(&opened);
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, read_all, opened.space), 0);
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(threads[i], &sums[i]);
            assert_ptr_equal(sums[i], expected);
        }
        drop(&opened);
    }
}

/* A byte of the stored chunks is changed: all that reads is right; what does not is said. */
static void damage_is_said(void **state)
{
    (void)state;
    save(NULL, 1);
    struct opened opened = open_file(load());
    const uint8_t *stored;
    uint64_t size;
    open_all(&opened);
    assert_ok(df_necro_section(opened.necro, "mem.bytes", 1, &stored, &size));
    close_all(&opened);
    assert_true(size > 1000);
    for (uint64_t at = 0; at < size; at += size / 97) {
        uint8_t *byte = (uint8_t *)(uintptr_t)stored + at;
        *byte ^= 4;
        open_all(&opened);
        assert_null(df_necro_damage(opened.necro));
        size_t gone = 0;
        for (size_t i = 0; i < RANGES; i++)
            for (uint64_t page = 0; page < model[i].size && model[i].origin; page += 4096) {
                const uint8_t *there = df_ptr(opened.space, model[i].start + page, 1);
                if (there)
                    assert_int_equal(*there, bytes[model[i].from + page]);
                gone += !there;
            }
        assert_true(gone);
        assert_non_null(strstr(df_necro_damage(opened.necro), "this snapshot is damaged: a part"));
        close_all(&opened);
        *byte ^= 4;
    }
    free((void *)(uintptr_t)opened.file.data);
}

struct range_row {
    uint64_t start, end, chunk;
    uint8_t origin, flags, rest[6];
};
struct chunk_row {
    uint64_t offset;
    uint32_t stored, reserved;
    uint64_t checksum;
};

static void write_tables(const struct range_row *ranges, size_t count,
                         const struct chunk_row *chunks, size_t chunk_count)
{
    struct df_necro_writer *writer;
    assert_ok(df_necro_create(path, 1, &writer));
    assert_ok(df_necro_add(writer, "mem.bytes", DF_NECRO_PARTS, bytes, 1, 4096));
    assert_ok(
        df_necro_add(writer, "mem.chunks", DF_NECRO_PACKED, chunks, sizeof(*chunks), chunk_count));
    assert_ok(df_necro_add(writer, "mem.ranges", DF_NECRO_PACKED, ranges, sizeof(*ranges), count));
    assert_ok(df_necro_commit(writer));
}

static void hostile_ranges_are_refused(void **state)
{
    (void)state;
    static const struct range_row wrong[][2] = {
        {{0x2000, 0x3000, 0, 1, 4, {0}}, {0x1000, 0x2000, 1, 1, 4, {0}}}, /* not sorted */
        {{0x1000, 0x3000, 0, 1, 4, {0}}, {0x2000, 0x4000, 1, 1, 4, {0}}}, /* overlapping */
        {{0x1000, 0x1000, 0, 1, 4, {0}}, {0x2000, 0x3000, 1, 1, 4, {0}}}, /* empty */
        {{0x2000, 0x1000, 0, 1, 4, {0}}, {0x2000, 0x3000, 1, 1, 4, {0}}},
        {{0x1000, 0x2000, 0, 1, 4, {0}}, {0x2000, UINT64_C(1) << 49, 1, 0, 4, {0}}},
        {{0x1000, 0x2000, 0, 1, 4, {0}}, {0x2000, 0x3000, 3, 1, 4, {0}}}, /* no such chunk */
        {{0x1000, 0x2000, 0, 1, 4, {0}}, {0x2000, 0x3000, UINT64_MAX, 1, 4, {0}}},
        {{0x1000, 0x2000, 0, 1, 4, {0}}, {0x2000, 0x92000, 1, 1, 4, {0}}}, /* more than there are */
        {{0x1000, 0x2000, 0, 1, 4, {0}}, {0x2000, 0x3000, 0, 1, 4, {0}}},  /* one chunk twice */
        {{0x1000, 0x2000, 0, 3, 4, {0}}, {0x2000, 0x3000, 1, 1, 4, {0}}},  /* from elsewhere */
    };
    static const struct chunk_row chunks[3];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct df_memory *memory;
        write_tables(wrong[i], 2, chunks, 3);
        struct opened opened = open_file(load());
        assert_ok(df_necro_open(&opened.file, &opened.necro));
        assert_fails(df_memory_open(opened.necro, &memory), DF_ERR_INPUT,
                     "this snapshot is damaged");
        drop(&opened);
    }
}

static void hostile_chunks_are_damaged(void **state)
{
    (void)state;
    static const struct range_row range = {0x1000, 0x2000, 0, 1, 4, {0}};
    static const struct chunk_row wrong[] = {
        {4097, 1, 0, 0}, {0, 4097, 0, 0},  {UINT64_MAX, 2, 0, 0}, {0, UINT32_MAX, 0, 0},
        {0, 0, 1, 0},    {0, 0, 0, 12345}, {0, 4096, 0, 1},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        write_tables(&range, 1, &wrong[i], 1);
        struct opened opened = open_file(load());
        open_all(&opened);
        assert_null(df_ptr(opened.space, 0x1000, 1));
        assert_non_null(df_necro_damage(opened.necro));
        drop(&opened);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(an_empty_space_comes_back),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(filters_are_obeyed),
        cmocka_unit_test(threads_may_read_at_once),
        cmocka_unit_test(damage_is_said),
        cmocka_unit_test(hostile_ranges_are_refused),
        cmocka_unit_test(hostile_chunks_are_damaged),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
