/* SPDX-License-Identifier: MIT
 * test_alloc.c: arenas, pools and blocks of Python's allocator, made by hand: sane ones of both
 * pool sizes, and such as contradict themselves.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/cpython/alloc.h"

#define DATA UINT64_C(0x400000) /* the interpreter's variables */
#define DATA_BYTES 0x2000
#define STATE (DATA + 0x100) /* the interpreter's state */
#define TABLE (DATA + 0x1000)
#define HEAP UINT64_C(0x7f0000001000)
#define ARENA UINT64_C(0x100000)
#define ARENAS 2
#define HEADER 48

static uint8_t *data, *heap;
static struct df_dump dump;
static struct df_core core;
static struct df_module module;
static struct df_modules modules;
static struct df_load load = {DATA, DATA + DATA_BYTES, PF_R | PF_W};
static struct py py;
static struct py_interpreter interpreter = {.address = STATE};
static uint32_t pool_size;

static void put(uint64_t address, uint64_t value, size_t size)
{
    memcpy(address >= HEAP ? heap + (address - HEAP) : data + (address - DATA), &value, size);
}

static uint64_t arena_at(uint32_t i)
{
    return HEAP + i * ARENA;
}

static uint64_t pool_at(uint32_t arena, uint32_t pool)
{
    return ((arena_at(arena) + pool_size - 1) & ~(uint64_t)(pool_size - 1)) +
           (uint64_t)pool * pool_size;
}

static void entry(uint32_t i, uint64_t address, uint64_t next, uint32_t available, uint32_t total)
{
    uint64_t at = TABLE + i * 48;
    put(at, address, 8);
    put(at + 8, next, 8);
    put(at + 16, available, 4);
    put(at + 20, total, 4);
}

/* A pool of blocks of (class + 1) * 16 bytes, the first `carved` of them used; then each `skip`-th
 * is freed. Returns how many are in use. */
static uint32_t make_pool(uint64_t pool, uint32_t arena, uint32_t class, uint32_t carved,
                          uint32_t skip)
{
    uint32_t size = (class + 1) * 16, used = carved;
    uint64_t head = 0;
    for (uint32_t i = 0; skip && i < carved; i += skip, used--) {
        put(pool + HEADER + (uint64_t)i * size, head, 8);
        head = pool + HEADER + (uint64_t)i * size;
    }
    put(pool, used, 4);
    put(pool + 8, head, 8);
    put(pool + 32, arena, 4);
    put(pool + 36, class, 4);
    put(pool + 40, HEADER + carved * size, 4);
    put(pool + 44, pool_size - size, 4);
    return used;
}

static uint32_t capacity(uint32_t class)
{
    return (pool_size - HEADER) / ((class + 1) * 16);
}

static void with_pools(uint32_t size, bool layout)
{
    pool_size = size;
    memset(data, 0, DATA_BYTES);
    memset(heap, 0, ARENA * ARENAS + 0x10000);
    memset(py.layout.offset, 0xff, sizeof(py.layout.offset));
    memset(py.layout.struct_size, 0xff, sizeof(py.layout.struct_size));
    put(DATA + 0x40, TABLE, 8);
    put(DATA + 0x48, ARENAS, 4);
    put(DATA + 0x50, 5, 8);
    if (layout) { /* 3.13+: a pointer */
        py.layout.offset[PY_F_interp_obmalloc] = 8;
        py.layout.size[PY_F_interp_obmalloc] = 8;
        py.layout.offset[PY_F_obmalloc_arenas] = 0;
        py.layout.offset[PY_F_obmalloc_maxarenas] = 8;
        py.layout.size[PY_F_obmalloc_maxarenas] = 4;
        py.layout.offset[PY_F_obmalloc_raw_allocated_blocks] = 16;
        py.layout.size[PY_F_obmalloc_raw_allocated_blocks] = 8;
        put(STATE + 8, DATA + 0x40, 8);
    }
}

/* Two arenas; the second one has a free pool in its midst. Returns the blocks in use. */
static uint32_t make_heap(void)
{
    uint32_t total = (uint32_t)(ARENA / pool_size) - (pool_size > 4096), used = 0;
    entry(0, arena_at(0), pool_at(0, 3), total - 3, total);
    entry(1, arena_at(1), pool_at(1, 3), total - 2, total);
    used += make_pool(pool_at(0, 0), 0, 0, capacity(0), 0);
    used += make_pool(pool_at(0, 1), 0, 3, 20, 4);
    used += make_pool(pool_at(0, 2), 0, 31, capacity(31), 2);
    used += make_pool(pool_at(1, 0), 1, 5, 2, 2);
    make_pool(pool_at(1, 1), 1, 7, 3, 1);
    used += make_pool(pool_at(1, 2), 1, 7, 3, 0);
    return used;
}

static struct py_alloc *open_alloc(void)
{
    struct py_alloc *alloc;
    assert_null(py_alloc_open(&py, &alloc));
    return alloc;
}

static uint32_t count_free(const struct py_alloc *alloc, const struct py_pool *pool, bool *ret_good)
{
    uint64_t bits[PY_POOL_WORDS];
    uint32_t count = 0;
    *ret_good = py_pool_free(alloc, dump.space, pool, bits);
    for (uint32_t i = 0; i < PY_POOL_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(bits[i]);
    return count;
}

static void check_heap(const struct py_alloc *alloc, uint32_t used)
{
    assert_true(alloc->found);
    assert_int_equal(alloc->pool_size, pool_size);
    assert_int_equal(alloc->arena_count, 2);
    assert_int_equal(alloc->pool_count, 5);
    assert_int_equal(alloc->used_blocks, used);
    assert_int_equal(alloc->hook_size, 0);
    assert_int_equal(alloc->damaged_arenas + alloc->damaged_pools, 0);
    assert_int_equal(alloc->arenas[0].end, arena_at(1));
    assert_int_equal(alloc->arenas[0].free_pools, 0);
    assert_int_equal(alloc->arenas[1].free_pools, 1);
    for (uint32_t i = 0; i < alloc->pool_count; i++) {
        bool good;
        assert_int_equal(count_free(alloc, &alloc->pools[i], &good),
                         alloc->pools[i].carved - alloc->pools[i].used);
        assert_true(good);
    }
    assert_ptr_equal(py_arena_at(alloc, arena_at(1)), &alloc->arenas[1]);
    assert_null(py_arena_at(alloc, alloc->arenas[1].end));
    assert_null(py_arena_at(alloc, HEAP - 1));
}

static void test_pools(void **state)
{
    (void)state;
    for (uint32_t size = 4096; size <= 16384; size *= 4) {
        with_pools(size, true);
        uint32_t used = make_heap();
        struct py_alloc *alloc = open_alloc();
        check_heap(alloc, used);
        assert_int_equal(alloc->raw_blocks, 5);
        uint64_t bits[PY_POOL_WORDS];
        assert_true(py_pool_free(alloc, dump.space, &alloc->pools[1], bits));
        assert_int_equal(bits[0], 0x11111); /* each fourth of twenty */
        assert_int_equal(py_block_at(alloc, &alloc->pools[1], 1), pool_at(0, 1) + HEADER + 64);
        py_alloc_close(alloc);
    }
}

/* Without symbols and debug information: the pools lead to the table. */
static void test_search(void **state)
{
    (void)state;
    for (uint32_t size = 4096; size <= 16384; size *= 4) {
        with_pools(size, false);
        uint32_t used = make_heap();
        struct py_alloc *alloc = open_alloc();
        check_heap(alloc, used);
        py_alloc_close(alloc);
        put(DATA + 0x40, TABLE + 8, 8); /* nothing points to it */
        alloc = open_alloc();
        assert_false(alloc->found);
        py_alloc_close(alloc);
    }
}

static void test_hooks(void **state)
{
    (void)state;
    with_pools(4096, true);
    make_heap();
    for (uint32_t pool = 0; pool < 3; pool++)
        for (uint32_t i = 0; i < 8; i++) {
            uint64_t size = 16 * (pool == 0 ? 1 : pool == 1 ? 4 : 32);
            put(pool_at(0, pool) + HEADER + i * size + 8, UINT64_C(0xfdfdfdfdfdfdfd6f), 8);
        }
    for (uint32_t pool = 0; pool < 3; pool += 2)
        put(pool_at(1, pool) + HEADER + 8, UINT64_C(0xfdfdfdfdfdfdfd6d), 8);
    struct py_alloc *alloc = open_alloc();
    assert_int_equal(alloc->hook_size, 16);
    py_alloc_close(alloc);
}

static void test_off(void **state)
{
    (void)state;
    with_pools(4096, true);
    struct py_alloc *alloc = open_alloc(); /* a table without arenas */
    assert_int_equal(alloc->arena_count, 0);
    assert_int_equal(alloc->pool_size, 0);
    py_alloc_close(alloc);
    put(DATA + 0x40, 0, 8);
    alloc = open_alloc();
    assert_false(alloc->found);
    py_alloc_close(alloc);
    py_alloc_close(NULL);
}

static void test_lying_chains(void **state)
{
    (void)state;
    with_pools(4096, true);
    make_heap();
    struct py_alloc *alloc = open_alloc();
    const struct py_pool *pool = &alloc->pools[1];
    uint64_t block = pool->address + HEADER;
    const uint64_t leads[] = {block + 16 * 64, block + 8,      pool->address + 4096, 8,
                              UINT64_MAX,      block + 25 * 64};
    bool good;
    for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++) {
        put(block + 16 * 64, leads[i], 8); /* the head of its list; the first one: to itself */
        count_free(alloc, pool, &good);
        assert_false(good);
    }
    put(block + 16 * 64, block + 64, 8); /* to a used one: longer than the count says, or wrong */
    put(block + 64, block + 2 * 64, 8);
    put(block + 2 * 64, block + 3 * 64, 8);
    put(block + 3 * 64, block + 5 * 64, 8);
    put(block + 5 * 64, block + 6 * 64, 8);
    assert_true(count_free(alloc, pool, &good) <= pool->carved - pool->used);
    assert_false(good);
    py_alloc_close(alloc);
}

static void check_left_out(uint64_t arenas, uint64_t pools)
{
    struct py_alloc *alloc = open_alloc();
    assert_int_equal(alloc->damaged_arenas, arenas);
    assert_int_equal(alloc->damaged_pools, pools);
    py_alloc_close(alloc);
}

static void test_lying_numbers(void **state)
{
    (void)state;
    with_pools(4096, true);
    make_heap();
    put(pool_at(0, 1) + 36, 32, 4); /* no such class */
    check_left_out(0, 1);
    make_heap();
    put(pool_at(0, 1), 1u << 31, 4); /* more in use than there are */
    check_left_out(0, 1);
    make_heap();
    put(pool_at(0, 1) + 40, 49, 4);
    check_left_out(0, 1);
    make_heap();
    entry(1, arena_at(1), pool_at(1, 3) + 16, 254, 256);
    check_left_out(1, 0);
    entry(1, arena_at(1), pool_at(1, 3), 257, 256);
    check_left_out(1, 0);
    entry(1, arena_at(1), pool_at(1, 3), 254, UINT32_MAX);
    check_left_out(1, 0);
    entry(1, UINT64_MAX - 4095, pool_at(1, 3), 254, 256);
    check_left_out(1, 0);
    entry(1, arena_at(0), pool_at(0, 3), 253, 256); /* twice */
    check_left_out(1, 0);
    entry(1, arena_at(40), pool_at(40, 3), 253, 256); /* not in the dump */
    check_left_out(1, 0);
    make_heap();
    put(DATA + 0x48, 1 << 24, 4); /* as long as can be: ends with the memory */
    check_left_out(1, 0);
    put(DATA + 0x48, UINT32_MAX, 4);
    check_left_out(0, 0);
}

static void test_any_bytes(void **state)
{
    uint64_t seed = 1;
    (void)state;
    with_pools(4096, true);
    for (int round = 0; round < 3000; round++) {
        if (round % 50 == 0)
            with_pools(round % 100 ? 4096 : 16384, round % 150 != 0), make_heap();
        for (int i = 0; i < 4; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint64_t where = seed >> 33, bits = seed >> 20;
            uint64_t pool = pool_at((uint32_t)where & 1, (where >> 1) % 4);
            uint64_t at = where & 256 ? TABLE + (where >> 9) % 96 : pool + (where >> 9) % 128;
            put(at, bits & 1 ? bits : bits & 0xff, 1 + bits % 4);
        }
        struct py_alloc *alloc = open_alloc();
        for (uint32_t i = 0; i < alloc->pool_count; i++) {
            bool good;
            const struct py_pool *pool = &alloc->pools[i];
            assert_true(count_free(alloc, pool, &good) <= pool->carved);
            assert_true(py_block_at(alloc, pool, pool->carved) <= pool->address + alloc->pool_size);
        }
        py_alloc_close(alloc);
    }
}

static int make(void **state)
{
    (void)state;
    data = calloc(1, DATA_BYTES);
    heap = calloc(1, ARENA * ARENAS + 0x10000);
    dump.space = df_aspace_create();
    df_aspace_add(dump.space, DATA, DATA_BYTES, data, DF_FROM_CORE, PF_R | PF_W);
    df_aspace_add(dump.space, HEAP, ARENA * ARENAS + 0x10000, heap, DF_FROM_CORE, PF_R | PF_W);
    df_err_free(df_aspace_seal(dump.space));
    module = (struct df_module){.name = "libpython", .loads = &load, .load_count = 1};
    module.symbols_loaded = true;
    modules = (struct df_modules){.items = &module, .count = 1};
    dump.core = &core;
    dump.modules = &modules;
    py = (struct py){
        .dump = &dump, .module = &module, .interpreters = &interpreter, .interpreter_count = 1};
    return 0;
}

static int drop(void **state)
{
    (void)state;
    df_aspace_destroy(dump.space);
    free(data);
    free(heap);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pools),        cmocka_unit_test(test_search),
        cmocka_unit_test(test_hooks),        cmocka_unit_test(test_off),
        cmocka_unit_test(test_lying_chains), cmocka_unit_test(test_lying_numbers),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
