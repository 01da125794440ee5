/* SPDX-License-Identifier: MIT
 * refcounts.c: reference counts of free-threaded builds (PEP 703), which are not in one place.
 *
 * An object has a count of its owner's references and one of all others'. Types, code objects and
 * some dicts (3.14+) are counted by each thread in an array of its own, by an id of the object
 * (Python/uniqueid.c). An object whose last local reference went while others had some is on a
 * queue of its owner, which holds a reference to it (Python/brc.c). And references from the stacks
 * to functions, types, modules and the like are deferred: not counted at all, the collector looks
 * for them (gc_visit_thread_stacks, Python/gc_free_threading.c).
 */
#include <stdlib.h>

#include "analyzer/cpython/python_internal.h"
#include "dumpfmt/base/mem.h"

#define BIT_DEFERRED 64              /* of ob_gc_bits: _PyGC_BITS_DEFERRED, pycore_gc.h */
#define BIT_UNREACHABLE 4            /* _PyGC_BITS_UNREACHABLE */
#define STATE_MERGED 3               /* _Py_REF_MERGED */
#define STATE_QUEUED 2               /* low bits of ob_ref_shared: _Py_REF_QUEUED, refcount.h */
#define REF_DEFERRED (INT64_MAX / 8) /* _Py_REF_DEFERRED, pycore_object.h (3.14+) */
#define MAX_IDS (UINT64_C(1) << 32)
#define MAX_SMALL (UINT64_C(1) << 32) /* no object lies below, and none has so many references */
#define MAX_CHUNKS 1000000            /* of a queue */

int64_t py_biased_refcount(struct py_reader *reader, uint64_t object)
{
    uint32_t local = (uint32_t)PY_GET(reader, object, object, ob_ref_local);
    if (local == UINT32_MAX)
        return INT64_MAX;
    int64_t word = (int64_t)PY_PTR(reader, object, object, ob_ref_shared), shared = word >> 2;
    int64_t count = shared + local;
    uint64_t bits = PY_GET(reader, object, object, ob_gc_bits);
    bool deferred = bits & BIT_DEFERRED, unreachable = bits & BIT_UNREACHABLE;
    if (deferred) /* 3.13 adds 1 */
        count -= shared > REF_DEFERRED / 2 ? REF_DEFERRED : 1;
    bool apart = deferred || unreachable || (word & 3) == STATE_QUEUED;
    if (reader->counts && apart) {
        uint32_t i = df_map_get(&reader->counts->objects, object);
        if (i != DF_MAP_NONE)
            count += reader->counts->items[i];
    }
    return count;
}

static void add(struct py_counts *counts, uint64_t object, int64_t count)
{
    bool added = false;
    if (!object || (object & 7) || !count)
        return;
    uint32_t i = df_map_add(&counts->objects, object, (uint32_t)counts->count, &added);
    if (added)
        DF_PUSH(counts, 0);
    if (!__builtin_add_overflow(counts->items[i], count, &count))
        counts->items[i] = count;
}

/* What one thread has counted: ids are those of its interpreter's table, from 1. */
static void read_array(struct py *py, struct py_reader *reader, const struct py_thread *thread)
{
    uint64_t interpreter = py->interpreters[thread->interpreter].address;
    uint64_t table = PY_PTR(reader, interpreter, interp, unique_ids);
    uint64_t ids = PY_PTR(reader, interpreter, interp, unique_ids_size);
    uint64_t values = PY_PTR(reader, thread->address, threadimpl, refcounts);
    uint64_t size = PY_PTR(reader, thread->address, threadimpl, refcounts_size);
    uint64_t entry = PY_SIZEOF(reader->layout, uniqueid);
    if (!table || !values || entry == PY_ABSENT)
        return;
    for (uint64_t i = 0; i < size && i < ids && i < MAX_IDS && !reader->fault; i++) {
        int64_t count = (int64_t)py_word(reader, values + i * 8);
        if (count && !reader->fault)
            add(&py->counts, PY_PTR(reader, table + i * entry, uniqueid, obj), count);
    }
}

/* The objects of a queue: each has a reference that the next merge takes away. */
static void read_queue(struct py *py, struct py_reader *reader, uint64_t chunk)
{
    struct py_cycle cycle = {0};
    uint64_t room = (PY_SIZEOF(reader->layout, objectchunk) -
                     (uint64_t)PY_OFF(reader->layout, objectchunk, objs)) /
                    8;
    for (uint64_t chunks = 0; chunk && chunks < MAX_CHUNKS; chunks++) {
        uint64_t count = PY_PTR(reader, chunk, objectchunk, n);
        if (reader->fault || count > room || py_cycle_closed(&cycle, chunk))
            return;
        for (uint64_t i = 0; i < count && !reader->fault; i++)
            add(&py->counts,
                py_word(reader, PY_AT(reader->layout, chunk, objectchunk, objs) + i * 8), -1);
        chunk = PY_PTR(reader, chunk, objectchunk, prev);
    }
}

/* A collection that runs links what it has found unreachable through ob_tid, and holds a reference
 * to each meanwhile (scan_heap_visitor). Before that ob_tid has a number of references: small. */
static uint64_t linked_to(struct py_reader *reader, uint64_t object, bool *ret_found)
{
    uint64_t shared = PY_PTR(reader, object, object, ob_ref_shared);
    uint64_t bits = PY_GET(reader, object, object, ob_gc_bits);
    *ret_found = (bits & BIT_UNREACHABLE) && (shared & 3) == STATE_MERGED;
    return PY_PTR(reader, object, object, ob_tid);
}

static bool visit_linked(void *context, uint64_t object, bool frozen)
{
    struct py *py = context;
    struct py_reader reader = py_reader(py);
    bool found, last;
    uint64_t next = linked_to(&reader, object, &found);
    (void)frozen;
    if (!found || next <= MAX_SMALL || (next & 7))
        return true;
    add(&py->counts, object, -1);
    if (!linked_to(&reader, next, &last) && last && !reader.fault)
        add(&py->counts, next, -1);
    return true;
}

void py_read_counts(struct py *py)
{
    struct py_reader reader = py_reader(py);
    const struct py_layout *layout = &py->layout;
    if (layout->ref_shape != PY_COUNT_BIASED)
        return;
    for (uint32_t i = 0; i < py->thread_count; i++) {
        uint64_t thread = py->threads[i].address;
        reader.fault = false;
        if (PY_HAS(layout, threadimpl, refcounts) && PY_HAS(layout, interp, unique_ids))
            read_array(py, &reader, &py->threads[i]);
        reader.fault = false;
        if (!PY_HAS(layout, objectchunk, objs) || PY_SIZEOF(layout, objectchunk) == PY_ABSENT)
            continue;
        read_queue(py, &reader, PY_PTR(&reader, thread, threadimpl, queued));
        reader.fault = false;
        read_queue(py, &reader, PY_PTR(&reader, thread, threadimpl, queued_local));
    }
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        if (py->interpreters[i].gc.collecting)
            py_gc_pages(py, i, visit_linked, py);
}

struct deferred {
    const struct py *py;
    struct py_reader reader;
    void (*visit)(void *context, uint64_t object, bool sure);
    void *context;
};

static void visit_word(struct deferred *deferred, uint64_t word, bool sure)
{
    bool counted = true;
    uint64_t object = word ? py_slot_object(deferred->py, word, &counted) : 0;
    if (object && !counted)
        deferred->visit(deferred->context, object, sure);
}

/* A frame whose stack pointer is not in memory may have anything on its stack: what is there may
 * be left over from a call before. */
static void visit_frame(struct deferred *deferred, const struct py_frame *frame)
{
    struct py_reader *reader = &deferred->reader;
    uint64_t known = (uint64_t)frame->slot_count + frame->stack_count;
    uint64_t total = (uint64_t)(uint32_t)PY_GET(reader, frame->code, code, co_nlocalsplus) +
                     (uint32_t)PY_GET(reader, frame->code, code, co_stacksize);
    bool runs = PY_PTR(reader, frame->address, iframe, stackpointer) < frame->localsplus;
    visit_word(deferred, PY_PTR(reader, frame->address, iframe, executable), true);
    visit_word(deferred, PY_PTR(reader, frame->address, iframe, funcobj), true);
    for (uint64_t i = 0; !reader->fault && i < (runs ? total : known) && i < PY_MAX_LOCALS; i++)
        visit_word(deferred, py_word(reader, frame->localsplus + i * 8), i < known);
    reader->fault = false;
}

static void visit_c_stack(struct deferred *deferred, uint64_t thread)
{
    struct py_reader *reader = &deferred->reader;
    struct py_cycle cycle = {0};
    uint64_t at = PY_PTR(reader, thread, threadimpl, c_stack_refs);
    while (at && !reader->fault && !py_cycle_closed(&cycle, at)) {
        visit_word(deferred, PY_PTR(reader, at, cstackref, ref), true);
        at = PY_PTR(reader, at, cstackref, next);
    }
    reader->fault = false;
}

void py_deferred_refs(const struct py *py, void (*visit)(void *context, uint64_t object, bool sure),
                      void *context)
{
    struct deferred deferred = {
        .py = py, .reader = py_reader(py), .visit = visit, .context = context};
    if (py->layout.ref_shape != PY_COUNT_BIASED || py->layout.frame_shape != PY_FRAME_STACKREFS)
        return;
    for (uint32_t t = 0; t < py->thread_count; t++) {
        const struct py_thread *thread = &py->threads[t];
        for (uint32_t f = 0; f < thread->frame_count; f++)
            visit_frame(&deferred, &thread->frames[f]);
        if (PY_HAS(&py->layout, cstackref, next))
            visit_c_stack(&deferred, thread->address);
    }
}
