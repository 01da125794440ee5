/* SPDX-License-Identifier: MIT
 * test_mimalloc.c: the walk over an allocator's pages, on segments made by hand: free lists of all
 * kinds, abandoned pages, and pages that lie about themselves. Then what the collector and the
 * counts make of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/cpython/mimalloc.h"
#include "analyzer/cpython/python_internal.h"

#define SEGMENT_SIZE (UINT64_C(32) << 20)
#define SLICE (UINT64_C(64) << 10)
#define SEGMENT UINT64_C(0x200000000) /* 32 MiB aligned */
#define SECOND (SEGMENT + SEGMENT_SIZE)
#define BYTES (8 * SLICE) /* of each segment that are in the dump */
#define STATE UINT64_C(0x10000)
#define STATE_BYTES 0x4000
#define THREAD (STATE + 0x100)
#define OTHER_THREAD (STATE + 0x1100)
#define INTERPRETER (STATE + 0x2100)
#define RUNTIME (STATE + 0x2200)
#define HEAPS 0x10 /* in a thread */
#define HEAP_SIZE 0x340
#define PAGES 0x10 /* in a heap */
#define SLICES 264 /* in a segment */
#define PAGE_SIZE 96
#define MAX_FOUND 70000

static uint8_t *memory[3];
static struct df_dump dump;
static struct py py;
static struct py_thread threads[2];
static struct py_interpreter interpreter;
static uint64_t found[MAX_FOUND];
static size_t found_count, stop_after;

static uint8_t *host(uint64_t address)
{
    if (address >= SECOND)
        return memory[2] + (address - SECOND);
    return address >= SEGMENT ? memory[1] + (address - SEGMENT) : memory[0] + (address - STATE);
}

static void put(uint64_t address, uint64_t value, size_t size)
{
    memcpy(host(address), &value, size);
}

static void field(enum py_field which, uint32_t offset, uint8_t size)
{
    py.layout.offset[which] = offset;
    py.layout.size[which] = size;
}

#define FIELD(tag, name, offset, size) field(PY_F_##tag##_##name, offset, size)

static void make_layout(void)
{
    memset(py.layout.offset, 0xff, sizeof(py.layout.offset));
    memset(py.layout.struct_size, 0xff, sizeof(py.layout.struct_size));
    py.layout.free_threaded = true;
    py.layout.gc_shape = PY_GC_PAGES;
    py.layout.ref_shape = PY_COUNT_BIASED;
    py.layout.presize_dict_words = 2;
    FIELD(threadimpl, mi_initialized, 0, 4);
    FIELD(threadimpl, mi_heaps, HEAPS, 255);
    FIELD(threadimpl, refcounts, 0xf00, 8);
    FIELD(threadimpl, refcounts_size, 0xf08, 8);
    FIELD(miheap, thread_delayed_free, 0, 8);
    FIELD(miheap, pages, PAGES, 255);
    py.layout.struct_size[PY_S_miheap] = HEAP_SIZE;
    FIELD(miqueue, first, 0, 8);
    py.layout.struct_size[PY_S_miqueue] = 8;
    FIELD(mipage, slice_count, 0, 4);
    FIELD(mipage, tag, 8, 1);
    FIELD(mipage, capacity, 10, 2);
    FIELD(mipage, free, 16, 8);
    FIELD(mipage, xblock_size, 28, 4);
    FIELD(mipage, local_free, 32, 8);
    FIELD(mipage, xthread_free, 40, 8);
    FIELD(mipage, next, 56, 8);
    py.layout.struct_size[PY_S_mipage] = PAGE_SIZE;
    FIELD(misegment, abandoned_next, 176, 8);
    FIELD(misegment, segment_info_slices, 232, 8);
    FIELD(misegment, slice_entries, 248, 8);
    FIELD(misegment, slices, SLICES, 255);
    FIELD(interp, abandoned, 0x10, 8);
    FIELD(interp, abandoned_visited, 0x18, 8);
    FIELD(interp, unique_ids, 0x20, 8);
    FIELD(interp, unique_ids_size, 0x28, 8);
    FIELD(uniqueid, obj, 0, 8);
    py.layout.struct_size[PY_S_uniqueid] = 8;
    FIELD(runtime, allocators_debug, 0, 4);
    FIELD(object, ob_tid, 0, 8);
    FIELD(object, ob_gc_bits, 11, 1);
    FIELD(object, ob_ref_local, 12, 4);
    FIELD(object, ob_ref_shared, 16, 8);
}

static int set_up(void **state)
{
    (void)state;
    memset(&py, 0, sizeof(py));
    memset(threads, 0, sizeof(threads));
    for (int i = 0; i < 3; i++)
        memory[i] = calloc(1, i ? BYTES : STATE_BYTES);
    dump.space = df_aspace_create();
    df_aspace_add(dump.space, STATE, STATE_BYTES, memory[0], DF_FROM_CORE, 6);
    df_aspace_add(dump.space, SEGMENT, BYTES, memory[1], DF_FROM_CORE, 6);
    df_aspace_add(dump.space, SECOND, BYTES, memory[2], DF_FROM_CORE, 6);
    assert_null(df_aspace_seal(dump.space));
    interpreter.address = INTERPRETER;
    threads[0].address = THREAD;
    threads[1].address = OTHER_THREAD;
    py.dump = &dump;
    py.runtime = RUNTIME;
    py.threads = threads;
    py.thread_count = 2;
    py.interpreters = &interpreter;
    py.interpreter_count = 1;
    make_layout();
    put(THREAD, 1, 4);
    put(OTHER_THREAD, 1, 4);
    stop_after = MAX_FOUND;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    df_aspace_destroy(dump.space);
    for (int i = 0; i < 3; i++)
        free(memory[i]);
    df_map_deinit(&py.counts.objects);
    free(py.counts.items);
    return 0;
}

static uint64_t heap_of(uint64_t thread, enum py_mi_heap heap)
{
    return thread + HEAPS + (uint64_t)heap * HEAP_SIZE;
}

/* The entry of slice i, made a page. */
static uint64_t page_at(uint64_t segment, unsigned slice, uint64_t block_size, unsigned capacity)
{
    uint64_t page = segment + SLICES + slice * PAGE_SIZE;
    put(page, 1, 4);
    put(page + 8, PY_MI_GC, 1);
    put(page + 10, capacity, 2);
    put(page + 28, block_size, 4);
    return page;
}

static void enqueue(uint64_t thread, enum py_mi_heap heap, unsigned bin, uint64_t page)
{
    put(heap_of(thread, heap) + PAGES + bin * 8, page, 8);
}

static bool note(void *context, uint64_t block)
{
    (void)context;
    assert_true(found_count < MAX_FOUND);
    found[found_count++] = block;
    return found_count < stop_after;
}

static bool walk(enum py_mi_heap heap)
{
    found_count = 0;
    return py_mimalloc_blocks(&py, 0, heap, note, NULL);
}

static void blocks_of_a_page(void **state)
{
    (void)state;
    uint64_t page = page_at(SEGMENT, 1, 128, 4), start = SEGMENT + SLICE + 128;
    enqueue(THREAD, PY_MI_GC, 3, page);
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 4);
    assert_true(found[0] == start && found[3] == start + 3 * 128);
    assert_true(walk(PY_MI_OBJECTS)); /* another heap */
    assert_int_equal(found_count, 0);
}

/* _mi_segment_page_start: small blocks leave a gap at the start of their page. */
static void starts(void **state)
{
    (void)state;
    enqueue(THREAD, PY_MI_GC, 0, page_at(SEGMENT, 1, 64, 1));
    enqueue(THREAD, PY_MI_GC, 1, page_at(SEGMENT, 2, 1024, 1));
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 2);
    assert_true(found[0] == SEGMENT + SLICE + 192);
    assert_true(found[1] == SEGMENT + 2 * SLICE);
}

static void free_lists(void **state)
{
    (void)state;
    uint64_t page = page_at(SEGMENT, 1, 1024, 8), start = SEGMENT + SLICE;
    put(page + 16, start + 1024, 8); /* free: 1, 2 */
    put(start + 1024, start + 2048, 8);
    put(page + 32, start + 4096, 8);                     /* local_free: 4 */
    put(page + 40, (start + 5 * 1024) | 2, 8);           /* xthread_free, flagged: 5 */
    put(heap_of(THREAD, PY_MI_GC), start + 7 * 1024, 8); /* given back by another thread: 7 */
    enqueue(THREAD, PY_MI_GC, 3, page);
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 3);
    assert_true(found[0] == start && found[1] == start + 3072 && found[2] == start + 6 * 1024);
}

static void encoded_lists(void **state)
{
    (void)state;
    uint64_t page = page_at(SEGMENT, 1, 1024, 4), start = SEGMENT + SLICE;
    const uint64_t keys[2] = {13, 0x1234567};
    uint64_t words[2] = {start + 2048, page}; /* the page stands for the end */
    FIELD(mipage, keys, 64, 16);
    FIELD(miheap, keys, 8, 16);
    put(page + 64, keys[0], 8);
    put(page + 72, keys[1], 8);
    put(page + 16, start + 1024, 8);
    for (int i = 0; i < 2; i++) {
        uint64_t x = words[i] ^ keys[1];
        put(start + 1024 + (uint64_t)i * 1024, (x << keys[0] | x >> (64 - keys[0])) + keys[0], 8);
    }
    enqueue(THREAD, PY_MI_GC, 3, page);
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 2);
    assert_true(found[0] == start && found[1] == start + 3072);
}

static void all_threads_and_abandoned(void **state)
{
    (void)state;
    enqueue(THREAD, PY_MI_GC, 0, page_at(SEGMENT, 1, 1024, 1));
    enqueue(OTHER_THREAD, PY_MI_GC, 0, page_at(SEGMENT, 2, 1024, 2));
    put(SECOND + 232, 1, 8);
    put(SECOND + 248, 6, 8);
    page_at(SECOND, 1, 2048, 3);
    put(page_at(SECOND, 2, 2048, 3) + 8, PY_MI_OBJECTS, 1); /* another heap's */
    put(SECOND + SLICES + 3 * PAGE_SIZE, 2, 4);             /* free: two slices */
    page_at(SECOND, 5, 2048, 1);
    put(INTERPRETER + 0x10, SECOND | 5, 8); /* tagged */
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 1 + 2 + 3 + 1);
    put(OTHER_THREAD, 0, 4); /* not bound yet */
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 1 + 3 + 1);
    put(SECOND + 176, SECOND, 8); /* a segment that follows itself: its pages come once */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 1 + 3 + 1);
}

static void lying_pages(void **state)
{
    (void)state;
    uint64_t page = page_at(SEGMENT, 1, 1024, 64);
    enqueue(THREAD, PY_MI_GC, 0, page);
    assert_true(walk(PY_MI_GC));
    put(page + 10, 65, 2); /* more than fit */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 0);
    put(page + 10, 2, 2);
    put(page + 28, 0, 4); /* blocks of nothing */
    assert_false(walk(PY_MI_GC));
    put(page + 28, 0xfffffff8, 4); /* all of the page, twice */
    assert_false(walk(PY_MI_GC));
    put(page + 10, 1, 2);
    put(page, UINT32_MAX, 4); /* huge */
    assert_true(walk(PY_MI_GC));
    assert_int_equal(found_count, 1);
    put(page, 0, 4); /* no slices */
    assert_false(walk(PY_MI_GC));
    enqueue(THREAD, PY_MI_GC, 0, page + 8); /* between pages */
    assert_false(walk(PY_MI_GC));
    enqueue(THREAD, PY_MI_GC, 0, SEGMENT + SLICES); /* the segment's own slice */
    assert_false(walk(PY_MI_GC));
    enqueue(THREAD, PY_MI_GC, 0, UINT64_C(0x700000000000)); /* nowhere */
    assert_false(walk(PY_MI_GC));
    enqueue(THREAD, PY_MI_GC, 0, 0x1000); /* in no segment */
    assert_false(walk(PY_MI_GC));
}

static void lying_lists(void **state)
{
    (void)state;
    uint64_t page = page_at(SEGMENT, 1, 1024, 4), start = SEGMENT + SLICE;
    enqueue(THREAD, PY_MI_GC, 0, page);
    put(page + 16, start + 1024, 8);
    put(start + 1024, start + 1024, 8); /* to itself */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 3);
    put(start + 1024, start + 8, 8); /* into a block */
    assert_false(walk(PY_MI_GC));
    put(start + 1024, start + 4 * 1024, 8); /* behind the last */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 3);
    put(page + 16, 0, 8);
    put(heap_of(THREAD, PY_MI_GC), start, 8);
    put(start, start, 8); /* the heap's list, to itself */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 3);
    put(heap_of(THREAD, PY_MI_GC), 0, 8);
    put(page + 56, page, 8); /* the queue comes back */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 4);
    put(page + 56, 0, 8);
    enqueue(OTHER_THREAD, PY_MI_GC, 5, page); /* a page of two heaps */
    assert_false(walk(PY_MI_GC));
    assert_int_equal(found_count, 4);
}

static bool count(void *context, uint64_t block)
{
    (void)block;
    ++*(uint64_t *)context;
    return true;
}

/* Pages that claim each other's slices: bounded by the size of the dump, not by what they say. */
static void overlapping_pages(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (unsigned i = 1; i < 1000; i++) {
        uint64_t page = page_at(SEGMENT, i, 8, 65535);
        put(page, 1024 - i, 4);
        put(page + 56, before, 8);
        before = page;
    }
    enqueue(THREAD, PY_MI_GC, 0, before);
    uint64_t visited = 0;
    assert_false(py_mimalloc_blocks(&py, 0, PY_MI_GC, count, &visited));
    assert_true(visited > 0 && visited < (STATE_BYTES + 2 * BYTES) / 4 + 65536);
}

static void absent_fields(void **state)
{
    (void)state;
    enqueue(THREAD, PY_MI_GC, 0, page_at(SEGMENT, 1, 1024, 4));
    py.layout.struct_size[PY_S_mipage] = 0;
    assert_false(walk(PY_MI_GC));
    py.layout.struct_size[PY_S_mipage] = PAGE_SIZE;
    FIELD(mipage, next, PY_ABSENT, 0);
    assert_false(walk(PY_MI_GC));
}

static size_t frozen_count;

static bool note_object(void *context, uint64_t object, bool frozen)
{
    frozen_count += frozen;
    return note(context, object);
}

static bool note_any(void *context, uint64_t object)
{
    return note(context, object);
}

static void collected_objects(void **state)
{
    (void)state;
    uint64_t start = SEGMENT + SLICE, second = SEGMENT + 2 * SLICE;
    enqueue(THREAD, PY_MI_GC, 0, page_at(SEGMENT, 1, 1024, 4));
    enqueue(THREAD, PY_MI_GC_PREHEADER, 0, page_at(SEGMENT, 2, 1024, 2));
    put(start + 11, 1, 1);            /* tracked */
    put(start + 1024 + 11, 2, 1);     /* finalized, not tracked */
    put(start + 2048 + 11, 1 | 8, 1); /* frozen */
    put(second + 16 + 11, 1, 1);      /* behind its two words */
    found_count = frozen_count = 0;
    assert_true(py_gc_pages(&py, 0, note_object, NULL));
    assert_int_equal(found_count, 3);
    assert_int_equal(frozen_count, 1);
    assert_true(found[0] == start && found[1] == start + 2048 && found[2] == second + 16);
    found_count = 0;
    py_gc_objects(&py, note_any, NULL); /* without the frozen */
    assert_int_equal(found_count, 2);
    put(RUNTIME, 1, 4); /* the debug allocator's header comes first */
    put(start + 16 + 11, 1, 1);
    found_count = 0;
    assert_true(py_gc_pages(&py, 0, note_object, NULL));
    assert_int_equal(found_count, 1);
    assert_true(found[0] == start + 16);
    stop_after = 1;
    found_count = 0;
    assert_false(py_gc_pages(&py, 0, note_object, NULL));
}

static int64_t refcount(uint64_t object)
{
    struct py_reader reader = py_reader(&py);
    return py_refcount(&reader, object);
}

/* Types and code objects: each thread counts for itself, by the object's id. */
static void counts_of_threads(void **state)
{
    (void)state;
    uint64_t object = SEGMENT + SLICE, table = SEGMENT + 3 * SLICE, values = table + 256;
    const int64_t deferred = INT64_MAX / 8;
    put(object + 11, 64, 1);
    put(object + 16, (uint64_t)(deferred + 2) << 2, 8);
    put(INTERPRETER + 0x20, table, 8);
    put(INTERPRETER + 0x28, 4, 8);
    put(table + 16, object, 8); /* id 3 */
    put(table + 24, table, 8);  /* id 4 is free */
    for (int i = 0; i < 2; i++) {
        put(threads[i].address + 0xf00, values, 8);
        put(threads[i].address + 0xf08, i ? 4 : UINT64_MAX, 8); /* one lies */
    }
    put(values + 16, 5, 8);
    assert_int_equal(refcount(object), 2);
    py_read_counts(&py);
    assert_int_equal(refcount(object), 2 + 5 + 5);
    put(object + 11, 0, 1); /* what is not deferred is counted in one place */
    put(object + 16, 2 << 2, 8);
    assert_int_equal(refcount(object), 2);
}

/* What a collection that runs has on its list has one reference more meanwhile. */
static void counts_of_a_collection(void **state)
{
    (void)state;
    uint64_t first = SEGMENT + SLICE, second = first + 1024, third = first + 2048;
    enqueue(THREAD, PY_MI_GC, 0, page_at(SEGMENT, 1, 1024, 3));
    for (uint64_t object = first; object <= third; object += 1024) {
        put(object + 11, 1 | 4, 1);
        put(object + 16, 2 << 2 | 3, 8);
    }
    put(first, second, 8); /* ob_tid links; the last has none */
    put(third, 7, 8);      /* not on the list yet: a number of references */
    interpreter.gc.collecting = true;
    py_read_counts(&py);
    assert_int_equal(refcount(first), 1);
    assert_int_equal(refcount(second), 1);
    assert_int_equal(refcount(third), 2);
}

/* All pages, by the allocator's own list of what it has reserved. */
#define ARENAS (STATE + 0x3000)
#define ARENA_COUNT (STATE + 0x3400)
#define ARENA (STATE + 0x3500)
static struct df_symbol arena_symbols[] = {
    {.name = "mi_arenas.lto_priv.0", .address = ARENAS},
    {.name = "mi_arena_count.lto_priv.0", .address = ARENA_COUNT}};
static struct df_module python = {
    .symbols = arena_symbols, .symbol_count = 2, .symbols_loaded = true};
static uint64_t reserved, page_count, blocks_used;

static void note_range(void *context, uint64_t start, uint64_t end)
{
    (void)context;
    assert_int_equal((start | end) % SEGMENT_SIZE, 0);
    reserved += end - start;
}

static void note_page(void *context, const struct py_mi_page *page)
{
    (void)context;
    assert_true(page->start < page->end && page->first >= page->start);
    assert_true(page->first + page->capacity * page->block_size <= page->end);
    page_count++;
    for (uint64_t i = 0; i < page->capacity; i++)
        blocks_used += !(page->free_bits[i / 64] >> (i % 64) & 1);
}

static bool walk_pages(void)
{
    const struct py_mi_visitor visitor = {note_range, note_page, NULL};
    reserved = page_count = blocks_used = 0;
    return py_mimalloc_pages(&py, &visitor);
}

static void make_arena(void)
{
    py.module = &python;
    put(ARENAS, ARENA, 8);
    put(ARENA_COUNT, 1, 8);
    put(ARENA + 32, SEGMENT, 8);
    put(ARENA + 40, 2, 8);
    put(ARENA + 48, 1, 8);
    put(ARENA + 136, 1, 8); /* the second one is not in use */
    put(SEGMENT + 232, 1, 8);
    put(SEGMENT + 248, 5, 8);
    for (unsigned slice = 3; slice < 5; slice++)
        put(SEGMENT + SLICES + slice * PAGE_SIZE, 1, 4);
}

static void pages_of_arenas(void **state)
{
    (void)state;
    assert_false(walk_pages()); /* no interpreter's file */
    make_arena();
    uint64_t page = page_at(SEGMENT, 1, 1024, 8);
    page_at(SEGMENT, 2, 64, 5);
    put(page + 16, SEGMENT + SLICE + 1024, 8); /* one is free */
    assert_true(walk_pages());
    assert_int_equal(reserved, 2 * SEGMENT_SIZE);
    assert_int_equal(page_count, 2);
    assert_int_equal(blocks_used, 7 + 5);
    put(ARENA + 40, UINT64_MAX, 8);
    assert_false(walk_pages());
    put(ARENA + 40, 65536, 8); /* more than its bitmap has */
    assert_false(walk_pages());
    put(ARENA + 40, 2, 8);
    put(ARENA + 136, 3, 8); /* in use, and nothing there */
    assert_false(walk_pages());
    assert_int_equal(page_count, 2);
    put(ARENA_COUNT, 113, 8);
    assert_false(walk_pages());
    assert_int_equal(page_count, 0);
}

static void arenas_of_any_bytes(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        make_arena();
        page_at(SEGMENT, 1, 1024, 8);
        page_at(SEGMENT, 2, 64, 5);
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t where = seed >> 33;
        put((where & 1 ? ARENA : SEGMENT + SLICES) + (where >> 1) % 400, seed >> (where % 50), 8);
        walk_pages();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(blocks_of_a_page),  TEST(starts),
        TEST(free_lists),        TEST(encoded_lists),
        TEST(lying_pages),       TEST(all_threads_and_abandoned),
        TEST(lying_lists),       TEST(overlapping_pages),
        TEST(absent_fields),     TEST(collected_objects),
        TEST(counts_of_threads), TEST(counts_of_a_collection),
        TEST(pages_of_arenas),   TEST(arenas_of_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
