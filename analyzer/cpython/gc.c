/* SPDX-License-Identifier: MIT
 * gc.c: the cyclic collector's state and its lists of objects.
 *
 * Lists are circular and doubly linked through a header in front of each object. What the forward
 * links say counts, because during a collection the backward ones hold reference counts; these only
 * lead to objects whose forward links are then asked. The low bits of both are flags
 * (Include/internal/pycore_gc.h).
 *
 * 3.8 keeps the state in the runtime, all later versions in each interpreter. The incremental
 * collector (3.14.0 to 3.14.4, 3.15) has one young and two old lists, in the places of the three
 * generations. Free-threaded builds have no lists: their collector looks through the allocator's
 * pages (mimalloc.h).
 */
#include "analyzer/cpython/mimalloc.h"
#include "analyzer/cpython/python_internal.h"

/* ob_gc_bits, Include/internal/pycore_gc.h */
#define BIT_TRACKED 1
#define BIT_FROZEN 8
#define DEBUG_HEADER 16 /* bytes that the debug allocator puts before each block's data */

#define GC_FLAGS UINT64_C(3)
#define MAX_STACK (UINT64_C(64) << 20) /* bytes of one thread's stack that are looked at */

/* The last statistics of a generation, 0 when there are none. */
static uint64_t statistics(struct py_reader *reader, uint64_t gc, uint32_t i)
{
    const struct py_layout *layout = reader->layout;
    static const enum py_field rings[3][2] = {
        {PY_F_gcrings_young, PY_F_gcrings_young_index},
        {PY_F_gcrings_middle, PY_F_gcrings_middle_index},
        {PY_F_gcrings_old, PY_F_gcrings_old_index},
    };
    if (!PY_HAS(layout, gcstate, stats))
        return 0;
    if (layout->offset[rings[i][0]] == PY_ABSENT)
        return PY_AT(layout, gc, gcstate, stats) + i * PY_SIZEOF(layout, gcstats);
    uint64_t all = PY_PTR(reader, gc, gcstate, stats);
    uint64_t last = all ? py_field_at(reader, all, rings[i][1]) & 0xff : 0; /* an int8_t */
    return all ? all + layout->offset[rings[i][0]] + last * PY_SIZEOF(layout, gcstats) : 0;
}

static struct py_gc_generation read_generation(struct py_reader *reader, uint64_t gc, uint32_t i)
{
    const struct py_layout *layout = reader->layout;
    struct py_gc_generation ret = {0};
    uint64_t at = PY_AT(layout, gc, gcstate, generations) + i * PY_SIZEOF(layout, generation);
    if (i && PY_HAS(layout, gcstate, old))
        at = PY_AT(layout, gc, gcstate, old) + (i - 1) * PY_SIZEOF(layout, generation);
    ret.head = layout->gc_shape == PY_GC_LISTS ? at + PY_OFF(layout, generation, head) : 0;
    ret.threshold = (int32_t)PY_GET(reader, at, generation, threshold);
    ret.count = (int32_t)PY_GET(reader, at, generation, count);
    uint64_t stats = statistics(reader, gc, i);
    if (stats) {
        ret.collections = PY_GET(reader, stats, gcstats, collections);
        ret.collected = PY_GET(reader, stats, gcstats, collected);
        ret.uncollectable = PY_GET(reader, stats, gcstats, uncollectable);
    }
    return ret;
}

void py_read_gc(const struct py *py, struct py_interpreter *interpreter, bool main)
{
    const struct py_layout *layout = &py->layout;
    struct py_reader reader = py_reader(py);
    struct py_gc *gc = &interpreter->gc;
    if (PY_HAS(layout, interp, gc))
        gc->address = PY_AT(layout, interpreter->address, interp, gc);
    else if (PY_HAS(layout, runtime, gc) && main)
        gc->address = PY_AT(layout, py->runtime, runtime, gc);
    else
        return;
    gc->enabled = PY_GET(&reader, gc->address, gcstate, enabled);
    gc->collecting = PY_GET(&reader, gc->address, gcstate, collecting);
    gc->debug_flags = (int32_t)PY_GET(&reader, gc->address, gcstate, debug);
    gc->garbage = PY_PTR(&reader, gc->address, gcstate, garbage);
    gc->callbacks = PY_PTR(&reader, gc->address, gcstate, callbacks);
    for (uint32_t i = 0; i < 3; i++)
        gc->generations[i] = read_generation(&reader, gc->address, i);
    if (PY_HAS(layout, gcstate, permanent) && layout->gc_shape == PY_GC_LISTS)
        gc->permanent =
            PY_AT(layout, gc->address, gcstate, permanent) + PY_OFF(layout, generation, head);
}

bool py_gc_list(const struct py *py, uint64_t head, bool (*visit)(void *context, uint64_t object),
                void *context)
{
    struct py_reader reader = py_reader(py);
    struct py_cycle cycle = {0};
    if (!head || py->layout.gc_shape != PY_GC_LISTS)
        return true;
    uint64_t at = PY_PTR(&reader, head, gc_head, gc_next) & ~GC_FLAGS;
    while (at != head) {
        uint64_t next = PY_PTR(&reader, at, gc_head, gc_next) & ~GC_FLAGS;
        if (!at || reader.fault || (at & 7) || py_cycle_closed(&cycle, at))
            return false;
        if (!visit(context, at + py->layout.gc_head_size))
            return false;
        at = next;
    }
    return !reader.fault;
}

void py_gc_list_back(const struct py *py, uint64_t head,
                     bool (*visit)(void *context, uint64_t object), void *context)
{
    struct py_reader reader = py_reader(py);
    if (!head || py->layout.gc_shape != PY_GC_LISTS)
        return;
    for (uint64_t at = head;;) {
        uint64_t before = PY_PTR(&reader, at, gc_head, gc_prev) & ~GC_FLAGS;
        if (!before || before == head || (before & 7))
            return;
        uint64_t next = PY_PTR(&reader, before, gc_head, gc_next) & ~GC_FLAGS;
        if (reader.fault || next != at || !visit(context, before + py->layout.gc_head_size))
            return;
        at = before;
    }
}

struct pages {
    struct py_reader reader;
    uint64_t before; /* bytes of a block before its object */
    bool (*visit)(void *context, uint64_t object, bool frozen);
    void *context;
};

/* op_from_block, Python/gc_free_threading.c: what is not initialised is not tracked. */
static bool visit_block(void *context, uint64_t block)
{
    struct pages *pages = context;
    uint64_t object = block + pages->before;
    uint8_t bits = py_byte(&pages->reader, PY_AT(pages->reader.layout, object, object, ob_gc_bits));
    return !(bits & BIT_TRACKED) || pages->visit(pages->context, object, bits & BIT_FROZEN);
}

bool py_gc_pages(const struct py *py, uint32_t interpreter,
                 bool (*visit)(void *context, uint64_t object, bool frozen), void *context)
{
    struct pages pages = {.reader = py_reader(py), .visit = visit, .context = context};
    if (py->layout.gc_shape != PY_GC_PAGES)
        return true;
    if (PY_GET(&pages.reader, py->runtime, runtime, allocators_debug))
        pages.before = DEBUG_HEADER;
    bool good = py_mimalloc_blocks(py, interpreter, PY_MI_GC, visit_block, &pages);
    pages.before += py->layout.presize_dict_words * 8;
    good &= py_mimalloc_blocks(py, interpreter, PY_MI_GC_PREHEADER, visit_block, &pages);
    return good && !pages.reader.fault;
}

struct each {
    bool (*visit)(void *context, uint64_t object);
    void *context;
    bool stopped;
};

static bool visit_each(void *context, uint64_t object)
{
    struct each *each = context;
    each->stopped |= !each->visit(each->context, object);
    return !each->stopped;
}

static bool visit_each_of_page(void *context, uint64_t object, bool frozen)
{
    return frozen || visit_each(context, object);
}

void py_gc_objects(const struct py *py, bool (*visit)(void *context, uint64_t object),
                   void *context)
{
    struct each each = {.visit = visit, .context = context};
    for (uint32_t i = 0; i < py->interpreter_count; i++) {
        for (int generation = 2; generation >= 0 && !each.stopped; generation--)
            py_gc_list(py, py->interpreters[i].gc.generations[generation].head, visit_each, &each);
        if (!each.stopped)
            py_gc_pages(py, i, visit_each_of_page, &each);
    }
}

/* Whether a word could be the head of a collector list: empty ones do not matter. */
static bool may_be_head(const struct py *py, uint64_t address, uint64_t word)
{
    uint64_t next = word & ~GC_FLAGS;
    return next > py->layout.gc_head_size && next != address && !(next & 7) &&
           py_plausible_object(py, next + py->layout.gc_head_size);
}

static bool always(void *context, uint64_t object)
{
    uint64_t *left = context;
    (void)object;
    return *left && --*left;
}

void py_gc_stack_lists(const struct py *py, bool (*wanted)(void *context, uint64_t first),
                       void (*visit)(void *context, uint64_t head), void *context)
{
    const struct df_core *core = py->dump->core;
    uint64_t left = PY_MAX_STRAY_STEPS;
    for (uint32_t i = 0; i < core->lwp_count && py->layout.gc_shape == PY_GC_LISTS; i++) {
        uint64_t sp = core->lwps[i].sp & ~UINT64_C(7);
        uint64_t size = df_contiguous(py->dump->space, sp);
        size = size < MAX_STACK ? size : MAX_STACK;
        for (uint64_t at = sp; left && size >= 16 && at <= sp + size - 16; at += 8) {
            uint64_t word;
            if (df_u64(py->dump->space, at, &word) && word && may_be_head(py, at, word) &&
                wanted(context, (word & ~GC_FLAGS) + py->layout.gc_head_size) &&
                py_gc_list(py, at, always, &left))
                visit(context, at);
        }
    }
}
