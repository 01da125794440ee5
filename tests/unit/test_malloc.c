/* SPDX-License-Identifier: MIT
 * test_malloc.c: heaps of glibc's malloc, made by hand: the main arena, another one, chunks with a
 * mapping of their own, chunks in caches and fast bins; then such as contradict themselves.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dumpfmt/malloc.h"

#define LIBC UINT64_C(0x10000) /* its data */
#define LIBC_BYTES 0x2000
#define MAIN_ARENA (LIBC + 0xc60)
#define HEAP UINT64_C(0x555500000000)
#define HEAP_BYTES 0x4000
#define OTHER UINT64_C(0x7f0004000000) /* 64 MiB aligned */
#define OTHER_BYTES 0x3000
#define MAPPED UINT64_C(0x7f1000000000)
#define MAPPED_BYTES 0x8000
#define OTHER_ARENA (OTHER + 48)
#define BEHIND_BINS (bins_at + 254 * 8)

enum { IN_LIBC, IN_HEAP, IN_OTHER, IN_MAPPED, RANGES };

static const struct {
    uint64_t start, size;
} ranges[RANGES] = {
    {LIBC, LIBC_BYTES}, {HEAP, HEAP_BYTES}, {OTHER, OTHER_BYTES}, {MAPPED, MAPPED_BYTES}};
static uint8_t *bytes[RANGES];
static struct df_segment segments[RANGES];
static struct df_mapping mapping = {LIBC, LIBC + LIBC_BYTES, 0, "/lib/libc.so.6"};
static struct df_lwp lwp;
static struct df_core core;
static struct df_dump dump;
static struct df_load load = {LIBC, LIBC + LIBC_BYTES, PF_R | PF_W};
static struct df_module module;
static struct df_modules modules = {.items = &module, .count = 1};
static bool mangled;           /* links, as since 2.32 */
static uint64_t bins_at = 112; /* 104 up to 2.25, 24 from 2.43 on: no fast bins */

static void put(uint64_t address, uint64_t word)
{
    for (int i = 0; i < RANGES; i++)
        if (address - ranges[i].start < ranges[i].size)
            memcpy(bytes[i] + (address - ranges[i].start), &word, 8);
}

static void put_link(uint64_t address, uint64_t next)
{
    put(address, mangled ? next ^ address >> 12 : next);
}

static uint64_t add_chunk(uint64_t *at, uint64_t size, uint64_t flags)
{
    uint64_t chunk = *at;
    put(chunk + 8, size | flags);
    *at += size;
    return chunk;
}

static void make_arena(uint64_t arena, uint64_t top, uint64_t next, uint64_t system)
{
    put(arena + bins_at - 16, top);
    for (uint64_t bin = arena + bins_at; bin < arena + BEHIND_BINS; bin += 16) {
        put(bin, bin - 16);
        put(bin + 8, bin - 16);
    }
    put(arena + BEHIND_BINS + 16, next);
    put(arena + BEHIND_BINS + 40, system);
}

static void put_free(uint64_t arena, uint32_t bin, uint64_t chunk)
{
    uint64_t links = arena + bins_at + bin * UINT64_C(16);
    put(links, chunk);
    put(links + 8, chunk);
    put(chunk + 16, links - 16);
    put(chunk + 24, links - 16);
}

/* In the order of their addresses: U used, F free, T top. */
#define MAIN_STATES "UUFFFUFUT"
#define MAIN_STATES_NO_FAST "UUFFUUFUT"
static void make_main(uint64_t next)
{
    uint64_t at = HEAP, cache = add_chunk(&at, 0x290, 1) + 16;
    add_chunk(&at, 0x40, 1);
    uint64_t first = add_chunk(&at, 0x40, 1), second = add_chunk(&at, 0x40, 1);
    put(cache + 128 + 2 * 8, second + 16); /* the cache's list of chunks of 0x40 bytes */
    put_link(second + 16, first + 16);
    put_link(first + 16, 0);
    uint64_t fast = add_chunk(&at, 0x30, 1);
    if (bins_at > 80)
        put(MAIN_ARENA + bins_at - 16 - 80 + 8, fast);
    put_link(fast + 16, 0);
    add_chunk(&at, 0x100, 1);
    uint64_t idle = add_chunk(&at, 0x80, 1);
    add_chunk(&at, 0x20, 0);
    uint64_t top = at;
    add_chunk(&at, HEAP + HEAP_BYTES - at, 1);
    make_arena(MAIN_ARENA, top, next, HEAP_BYTES);
    put_free(MAIN_ARENA, 5, idle);
}

#define OTHER_STATES "UUT"
static void make_other(void)
{
    uint64_t at = (OTHER_ARENA + BEHIND_BINS + 16 + 40 + 15) & ~UINT64_C(15);
    put(OTHER, OTHER_ARENA);
    put(OTHER + 16, OTHER_BYTES);
    add_chunk(&at, 0x50, 5);
    add_chunk(&at, 0x400, 5);
    uint64_t top = at;
    add_chunk(&at, OTHER + OTHER_BYTES - at, 5);
    make_arena(OTHER_ARENA, top, MAIN_ARENA, OTHER_BYTES);
}

static void make_all(void)
{
    for (int i = 0; i < RANGES; i++)
        memset(bytes[i], 0, ranges[i].size);
    make_main(OTHER_ARENA);
    make_other();
    put(MAPPED + 0x1008, 0x2002);
    put(MAPPED + 0x2008, 0x1002); /* within the one before */
    put(MAPPED + 0x4008, 0x9002); /* too long */
    put(MAPPED + 0x5008, 0x1003);
    put(MAPPED + 0x7008, bins_at == 24 ? 0xff2 : 0x1002);
}

static struct df_malloc *open_malloc(void)
{
    struct df_malloc *malloc;
    assert_null(df_malloc_open(&dump, &malloc));
    return malloc;
}

static void check_area(const struct df_malloc *malloc, size_t i, const char *states)
{
    static const char letters[] = {
        [DF_CHUNK_USED] = 'U', [DF_CHUNK_FREE] = 'F', [DF_CHUNK_TOP] = 'T'};
    struct df_chunk_cursor cursor;
    struct df_chunk chunk;
    char found[32] = "";
    const struct df_malloc_area *area = &malloc->areas[i];
    uint64_t end = area->first;
    df_chunks_begin(malloc, dump.space, area, &cursor);
    for (size_t n = 0; df_chunks_next(&cursor, &chunk) && n < 31; n++) {
        found[n] = letters[chunk.state];
        assert_int_equal(chunk.start, end);
        assert_int_equal(chunk.address, chunk.start + 16);
        end = chunk.end;
    }
    assert_string_equal(found, states);
    assert_int_equal(end, area->end);
    assert_true(area->whole);
}

static void check_chunks(void)
{
    bool fast = bins_at > 80;
    make_all();
    struct df_malloc *malloc = open_malloc();
    assert_null(malloc->note);
    assert_int_equal(malloc->main_arena, MAIN_ARENA);
    assert_false(malloc->by_symbol);
    assert_int_equal(malloc->arenas, 2);
    assert_int_equal(malloc->area_count, 2);
    assert_int_equal(malloc->cached_count, fast ? 3 : 2);
    assert_int_equal(malloc->damaged, 0);
    check_area(malloc, 0, fast ? MAIN_STATES : MAIN_STATES_NO_FAST);
    check_area(malloc, 1, OTHER_STATES);
    df_malloc_close(malloc);
}

static void test_chunks(void **state)
{
    static const uint64_t places[] = {24, 104, 112};
    (void)state;
    for (int i = 0; i < 6; i++) {
        mangled = i & 1;
        bins_at = places[i / 2];
        check_chunks();
    }
    df_malloc_close(NULL);
}

/* Since 2.43 the size of a mapped chunk is that of its pages less a head. */
static void test_mapped_shorter(void **state)
{
    (void)state;
    bins_at = 24;
    make_all();
    struct df_malloc *malloc = open_malloc();
    df_malloc_find_mapped(malloc, &dump, NULL, 0);
    assert_int_equal(malloc->area_count, 4);
    assert_int_equal(malloc->areas[3].end, MAPPED + 0x8000);
    struct df_chunk_cursor cursor;
    struct df_chunk chunk;
    df_chunks_begin(malloc, dump.space, &malloc->areas[3], &cursor);
    assert_true(df_chunks_next(&cursor, &chunk));
    assert_int_equal(chunk.end, MAPPED + 0x7ff0);
    assert_false(df_chunks_next(&cursor, &chunk));
    df_malloc_close(malloc);
    bins_at = 112;
}

static void test_mapped(void **state)
{
    (void)state;
    make_all();
    struct df_malloc *malloc = open_malloc();
    df_malloc_find_mapped(malloc, &dump, NULL, 0);
    assert_int_equal(malloc->area_count, 4);
    check_area(malloc, 2, "U");
    check_area(malloc, 3, "U");
    assert_int_equal(malloc->areas[2].start, MAPPED + 0x1000);
    assert_int_equal(malloc->areas[2].end, MAPPED + 0x3000);
    assert_int_equal(malloc->areas[3].start, MAPPED + 0x7000);
    df_malloc_close(malloc);
    const struct df_malloc_span taken = {MAPPED, MAPPED + 0x2000};
    malloc = open_malloc(); /* something else is where the first one was */
    df_malloc_find_mapped(malloc, &dump, &taken, 1);
    assert_int_equal(malloc->area_count, 4);
    assert_int_equal(malloc->areas[2].start, MAPPED + 0x2000);
    df_malloc_close(malloc);
    lwp.sp = MAPPED + 0x6000; /* a stack: nothing below it */
    malloc = open_malloc();
    df_malloc_find_mapped(malloc, &dump, NULL, 0);
    assert_int_equal(malloc->area_count, 3);
    df_malloc_close(malloc);
    lwp.sp = 0;
}

static void test_nothing(void **state)
{
    (void)state;
    make_all();
    put(MAIN_ARENA + bins_at + 16 * 20, 8); /* no bins */
    struct df_malloc *malloc = open_malloc();
    assert_int_equal(malloc->area_count, 0);
    assert_non_null(strstr(malloc->note, "not found"));
    df_malloc_find_mapped(malloc, &dump, NULL, 0);
    assert_int_equal(malloc->area_count, 0);
    df_malloc_close(malloc);
    make_all();
    module.name = "ld-musl-x86_64.so.1"; /* what looks like glibc's there is not */
    malloc = open_malloc();
    assert_int_equal(malloc->area_count, 0);
    assert_non_null(strstr(malloc->note, "no glibc"));
    df_malloc_close(malloc);
    module.name = "libc.so.6";
}

/* Lists that go round or astray are left where they do; an area whose chunks do not lead to its end
 * is not whole. */
static void test_damage(void **state)
{
    uint64_t first = HEAP + 0x290 + 0x40;
    (void)state;
    mangled = true;
    make_all();
    put_link(first + 16, first + 0x40 + 16); /* a cache's list that goes round: no such cache */
    struct df_malloc *malloc = open_malloc();
    assert_int_equal(malloc->cached_count, 1);
    df_malloc_close(malloc);
    make_all();
    put_link(first + 2 * 0x40 + 16, first + 2 * 0x40); /* a fast bin's */
    malloc = open_malloc();
    assert_true(malloc->damaged);
    df_malloc_close(malloc);
    make_all();
    put(HEAP + 0x298, 0x48); /* a chunk of no size that there is */
    put(HEAP + 0x298, UINT64_MAX);
    malloc = open_malloc();
    assert_non_null(malloc->note);
    assert_int_equal(malloc->damaged, 1);
    df_malloc_close(malloc);
    make_all();
    put(OTHER_ARENA + BEHIND_BINS + 16, OTHER_ARENA); /* arenas that do not come back */
    malloc = open_malloc();
    assert_true(malloc->damaged || malloc->area_count);
    df_malloc_close(malloc);
    make_all();
    put(OTHER + 16, UINT64_C(1) << 50);
    malloc = open_malloc();
    assert_true(malloc->damaged);
    df_malloc_close(malloc);
}

static void walk_all(const struct df_malloc *malloc)
{
    for (size_t i = 0; i < malloc->area_count; i++) {
        const struct df_malloc_area *area = &malloc->areas[i];
        struct df_chunk_cursor cursor;
        struct df_chunk chunk;
        uint64_t at = area->first;
        assert_true(area->start < area->end && area->first >= area->start);
        assert_true(!i || malloc->areas[i - 1].end <= area->start);
        df_chunks_begin(malloc, dump.space, area, &cursor);
        while (df_chunks_next(&cursor, &chunk)) {
            assert_int_equal(chunk.start, at);
            assert_true(chunk.end > at && chunk.end <= area->end);
            at = chunk.end;
        }
    }
}

static void test_any_bytes(void **state)
{
    static const uint64_t words[] = {0,    1,     0x21,       0x40,     UINT64_MAX,
                                     HEAP, OTHER, MAIN_ARENA, HEAP + 16};
    uint64_t seed = 1;
    (void)state;
    for (int round = 0; round < 4000; round++) {
        mangled = round & 1;
        make_all();
        for (int i = 0; i < 1 + round % 4; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint64_t where = seed >> 33;
            const uint64_t starts[] = {MAIN_ARENA,
                                       HEAP,
                                       HEAP + 0x280,
                                       OTHER,
                                       MAIN_ARENA + BEHIND_BINS,
                                       OTHER_ARENA + BEHIND_BINS,
                                       MAPPED + 0x1000};
            uint64_t at = starts[where % 7] + (where >> 4) % 64 * 8;
            put(at, words[(where >> 12) % 9] + ((where >> 20 & 3) ? 0 : (where >> 22) % 4096));
        }
        struct df_malloc *malloc = open_malloc();
        df_malloc_find_mapped(malloc, &dump, NULL, 0);
        walk_all(malloc);
        df_malloc_close(malloc);
    }
}

static int make(void **state)
{
    (void)state;
    dump.space = df_aspace_create();
    for (int i = 0; i < RANGES; i++) {
        bytes[i] = calloc(1, ranges[i].size);
        df_aspace_add(dump.space, ranges[i].start, ranges[i].size, bytes[i], DF_FROM_CORE,
                      PF_R | PF_W);
        segments[i] = (struct df_segment){.address = ranges[i].start,
                                          .memory_size = ranges[i].size,
                                          .file_size = ranges[i].size,
                                          .flags = PF_R | PF_W};
    }
    df_err_free(df_aspace_seal(dump.space));
    core = (struct df_core){.segments = segments,
                            .segment_count = RANGES,
                            .mappings = &mapping,
                            .mapping_count = 1,
                            .lwps = &lwp,
                            .lwp_count = 1};
    module = (struct df_module){.name = "libc.so.6", .loads = &load, .load_count = 1};
    module.symbols_loaded = true;
    dump.core = &core;
    dump.modules = &modules;
    return 0;
}

static int drop(void **state)
{
    (void)state;
    df_aspace_destroy(dump.space);
    for (int i = 0; i < RANGES; i++)
        free(bytes[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),         cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_mapped_shorter), cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_damage),         cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
