/* SPDX-License-Identifier: MIT
 * test_sweep.c: what each block of an arena is: objects that were found, their memory, objects that
 * nothing refers to, kept ones, memory that words lead to; and blocks that only look like objects.
 */
#include "analyzer/graph/number.h"
#include "analyzer/graph/sweep_internal.h"
#include "tests/support/objects_check.h"

#define POOL 4096
#define POOLS 4
#define BLOCK 64
#define HEADER 48
#define ALIGN(address) (((address) + POOL - 1) & ~(uint64_t)(POOL - 1))

struct heap {
    struct pb *pb;
    uint64_t table, pool; /* of blocks of 64 bytes */
    uint32_t used;
    struct gr_discovery discovery;
    struct gr_graph *graph; /* of what was found, once it is swept */
};

static uint64_t block_at(const struct heap *heap, uint32_t i)
{
    return heap->pool + HEADER + (uint64_t)i * BLOCK;
}

static void put_half(struct pb *pb, uint64_t address, uint32_t value)
{
    uint64_t old = pb_get(pb, address) & ~UINT64_C(0xffffffff);
    pb_put(pb, address, old | value);
}

static void close_pool(struct heap *heap)
{
    struct pb *pb = heap->pb;
    put_half(pb, heap->pool, heap->used);
    put_half(pb, heap->pool + 36, BLOCK / 16 - 1);
    put_half(pb, heap->pool + 40, HEADER + heap->used * BLOCK);
    put_half(pb, heap->pool + 44, POOL - BLOCK);
}

/* An arena with one pool in use, as the interpreter's state would say. */
static void begin(struct heap *heap, struct pb *pb)
{
    struct py_layout *layout = &pb->py.layout;
    uint64_t room = pb_take(pb, (POOLS + 1) * POOL), arena = ALIGN(room);
    *heap = (struct heap){.pb = pb, .pool = arena, .table = pb_take(pb, 48)};
    pb->interpreter.address = pb_take(pb, 64);
    layout->offset[PY_F_interp_obmalloc] = 0;
    layout->size[PY_F_interp_obmalloc] = 255; /* embedded */
    layout->offset[PY_F_obmalloc_arenas] = 0;
    layout->offset[PY_F_obmalloc_maxarenas] = 8;
    layout->size[PY_F_obmalloc_maxarenas] = 4;
    pb_put(pb, pb->interpreter.address, heap->table);
    pb_put(pb, pb->interpreter.address + 8, 1);
    pb_put(pb, heap->table, arena);
    pb_put(pb, heap->table + 8, arena + POOL);
    pb_put(pb, heap->table + 16, (uint64_t)POOLS << 32 | (POOLS - 1));
    assert_ok(gr_discovery_init(&heap->discovery, pb_open(pb), &pb->py, NULL, 2));
}

static uint64_t take(struct heap *heap)
{
    return block_at(heap, heap->used++);
}

/* A short str in a block of its own; its address is the block's. */
static uint64_t take_str(struct heap *heap, uint64_t count)
{
    struct pb *pb = heap->pb;
    uint64_t object = take(heap);
    if (pb->form->free_threaded)
        PB_SET(pb, object, object, ob_ref_local, count);
    PB_SET(pb, object, object, ob_refcnt, count);
    PB_SET(pb, object, object, ob_type, pb->str);
    PB_SET(pb, object, ascii, length, 4);
    PB_SET(pb, object, ascii, kind, 1);
    PB_SET(pb, object, ascii, compact, 1);
    PB_SET(pb, object, ascii, ascii, 1);
    return object;
}

static struct gr_sweep *sweep(struct heap *heap)
{
    struct gr_sweeping *sweeping;
    close_pool(heap);
    /* Types are met as objects, as they are in a process. */
    assert_int_not_equal(gr_discover(&heap->discovery, heap->pb->str, GR_FROM_STATIC),
                         GR_NO_OBJECT);
    assert_ok(gr_discover_all(&heap->discovery));
    assert_ok(gr_sweep_begin(&heap->discovery, &sweeping));
    heap->graph = df_xcalloc(1, sizeof(*heap->graph));
    assert_ok(gr_number(&heap->discovery, heap->graph));
    assert_ok(gr_sweep_end(sweeping, heap->graph, &heap->graph->sweep));
    gr_sweep_close(sweeping);
    return heap->graph->sweep;
}

static void end(struct heap *heap, struct gr_sweep *swept)
{
    uint64_t sum = 0, spans = 0;
    for (int kind = 0; kind < GR_MEMORY_KINDS; kind++)
        sum += swept->bytes[kind];
    for (size_t i = 0; i < swept->span_count; i++)
        spans += swept->spans[i].end - swept->spans[i].start;
    assert_int_equal(sum, spans);
    assert_int_equal(spans, POOLS * POOL);
    gr_graph_destroy(heap->graph);
    gr_discovery_deinit(&heap->discovery);
}

static bool is_lost(const struct heap *heap, uint64_t object)
{
    uint32_t node = gr_node(heap->graph, object);
    return node != AL_NONE && gr_source_of(heap->graph, node) == GR_FROM_SWEEP;
}

static void test_kinds(void **state)
{
    struct heap heap;
    begin(&heap, *state);
    struct pb *pb = heap.pb;
    uint64_t found = take_str(&heap, 1), items = take(&heap), lost = take_str(&heap, 1);
    take_str(&heap, 0); /* kept */
    uint64_t held = take(&heap), deeper = take(&heap), aligned = take(&heap);
    take(&heap); /* unknown */
    uint64_t list = pb_list(pb, 1, &found, 1);
    pb_put(pb, items, found);
    PB_SET(pb, list, list, ob_item, items);
    uint64_t head = PY_SIZEOF(&pb->py.layout, object);
    uint64_t type = pb_static_type(pb, "holder", 0, head + 16, 0, pb->object);
    uint64_t holder = pb_object(pb, type, head + 16);
    pb_put(pb, holder + head + 8, held);
    pb_put(pb, held + 40, deeper);
    pb_put(pb, deeper + 8, aligned + 24); /* into it: found in the second round */
    gr_discover(&heap.discovery, list, GR_FROM_REFERENT);
    gr_discover(&heap.discovery, holder, GR_FROM_REFERENT);
    struct gr_sweep *swept = sweep(&heap);
    assert_true(swept->pymalloc);
    assert_int_equal(swept->used_blocks, 8);
    assert_int_equal(swept->blocks[GR_MEMORY_OBJECTS], 2);
    assert_int_equal(swept->blocks[GR_MEMORY_BUFFERS], 1);
    assert_int_equal(swept->blocks[GR_MEMORY_KEPT], 1);
    assert_int_equal(swept->blocks[GR_MEMORY_OF_OBJECTS], 3);
    assert_int_equal(swept->blocks[GR_MEMORY_UNKNOWN_BLOCKS], 1);
    assert_int_equal(swept->bytes[GR_MEMORY_FREE], 3 * POOL + (63 - 8) * BLOCK);
    assert_int_equal(swept->lost, 1);
    assert_true(is_lost(&heap, lost));
    assert_false(is_lost(&heap, found));
    end(&heap, swept);
}

/* Lost objects lead to others, which are lost no more than they are. */
static void test_references(void **state)
{
    struct heap heap;
    begin(&heap, *state);
    struct pb *pb = heap.pb;
    uint64_t before = pb->form->free_threaded ? 0 : 16;
    uint64_t inner = take_str(&heap, 1), tuple = take(&heap) + before;
    if (pb->form->free_threaded)
        PB_SET(pb, tuple, object, ob_ref_local, 1);
    PB_SET(pb, tuple, object, ob_refcnt, 1);
    PB_SET(pb, tuple, object, ob_type, pb->tuple);
    PB_SET(pb, tuple, varobject, ob_size, 1);
    pb_put(pb, PY_AT(&pb->py.layout, tuple, tuple, ob_item), inner);
    gr_discover(&heap.discovery, pb->tuple, GR_FROM_STATIC);
    struct gr_sweep *swept = sweep(&heap);
    assert_int_equal(swept->blocks[GR_MEMORY_OBJECTS], 2);
    assert_true(is_lost(&heap, tuple));
    assert_int_not_equal(gr_node(heap.graph, inner), AL_NONE);
    assert_int_equal(heap.discovery.edge_count >= 1, 1);
    end(&heap, swept);
}

/* What C code left in its blocks is no object. */
static void test_impostors(void **state)
{
    struct heap heap;
    begin(&heap, *state);
    struct pb *pb = heap.pb;
    uint64_t count = take_str(&heap, 1), size = take_str(&heap, 1), type = take_str(&heap, 1),
             place = take_str(&heap, 1);
    if (pb->form->free_threaded)
        PB_SET(pb, count, object, ob_ref_shared, UINT64_MAX << 40);
    PB_SET(pb, count, object, ob_refcnt, count); /* a pointer */
    PB_SET(pb, size, ascii, length, 400);
    PB_SET(pb, type, object, ob_type, pb_object(pb, pb->str, 64));
    PB_SET(pb, place, object, ob_type, pb->list); /* a list has a collector's head before it */
    gr_discover(&heap.discovery, pb->list, GR_FROM_STATIC);
    struct gr_sweep *swept = sweep(&heap);
    assert_false(is_lost(&heap, size));
    assert_false(is_lost(&heap, type));
    if (!pb->form->free_threaded) {
        assert_false(is_lost(&heap, count));
        assert_false(is_lost(&heap, place));
        assert_int_equal(swept->lost, 0);
    }
    end(&heap, swept);
}

static void test_any_bytes(void **state)
{
    uint64_t seed = 1;
    struct heap heap;
    begin(&heap, *state);
    struct pb *pb = heap.pb;
    for (int i = 0; i < 40; i++)
        take_str(&heap, 1);
    for (int i = 0; i < 400; i++) {
        const uint64_t words[] = {0,       1,        UINT64_MAX,         heap.pool,
                                  pb->str, pb->list, block_at(&heap, 3), pb->dict};
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        pb_put(pb, block_at(&heap, 0) + (seed >> 33) % (40 * 8) * 8, words[(seed >> 20) % 8]);
    }
    gr_discover(&heap.discovery, pb->list, GR_FROM_STATIC);
    gr_discover(&heap.discovery, pb->dict, GR_FROM_STATIC);
    end(&heap, sweep(&heap));
}

struct buffers {
    uint64_t address[8], size[8];
    int count;
};

static void keep(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    struct buffers *buffers = context;
    assert_true(kind < PY_BUFFER_KINDS && buffers->count < 8);
    buffers->address[buffers->count] = address;
    buffers->size[buffers->count++] = size;
}

static struct buffers buffers_of(struct pb *pb, uint64_t object)
{
    struct buffers ret = {.count = 0};
    py_buffers(pb_open(pb), object, py_object_type(pb_open(pb), object), keep, &ret);
    return ret;
}

static void test_buffers(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t name = pb_str(pb, "one"), list = pb_list(pb, 1, &name, 6);
    struct buffers found = buffers_of(pb, list);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.address[0], pb_get(pb, PY_AT(layout, list, list, ob_item)));
    assert_int_equal(found.size[0], 48);
    uint64_t dict = pb_dict(pb, PB_UNICODE, 1, &name, &name);
    found = buffers_of(pb, dict);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.address[0], pb_get(pb, PY_AT(layout, dict, dict, ma_keys)));
    assert_int_equal(buffers_of(pb, name).count, 0);
    uint64_t set = pb_object(pb, pb->set, PY_SIZEOF(layout, set));
    PB_SET(pb, set, set, table, PY_AT(layout, set, set, smalltable));
    PB_SET(pb, set, set, mask, 7);
    assert_int_equal(buffers_of(pb, set).count, 0);
    PB_SET(pb, set, set, table, dict);
    assert_int_equal(buffers_of(pb, set).size[0], 8 * PY_SIZEOF(layout, setentry));
    /* Blocks of a deque that go round. */
    uint64_t deque = pb_object(pb, pb->deque, PY_SIZEOF(layout, deque));
    uint64_t block = pb_take(pb, PY_SIZEOF(layout, dequeblock));
    PB_SET(pb, deque, deque, leftblock, block);
    PB_SET(pb, block, dequeblock, rightlink, block);
    assert_int_equal(buffers_of(pb, deque).count, 1);
}

int main(void)
{
    const struct form_test tests[] = {
        {"kinds", test_kinds},         {"references", test_references},
        {"impostors", test_impostors}, {"any bytes", test_any_bytes},
        {"buffers", test_buffers},
    };
    return run_forms(tests, sizeof(tests) / sizeof(*tests));
}
