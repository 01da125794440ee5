/* SPDX-License-Identifier: MIT
 * salvage.c: all of these must hold for an object: a known type; a count of references that a live
 * object has; a size that its type allows; the collector's header untracked or linked, as far as
 * its neighbours are there; references that lead to objects or to memory that is gone.
 *
 * What an object holds in itself is not looked through: items of a tuple of types would pass for
 * the heads of objects, their number for a count.
 */
#include "analyzer/graph/salvage.h"

#include <elf.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/dump.h"

#define ROUNDS 8
#define MAX_COUNT (INT64_C(1) << 30)    /* frozen objects have 999 999 999 (3.11) */
#define STATIC_COUNT (INT64_C(1) << 29) /* less than those have, in every version */
#define STACK_SIZE (UINT64_C(8) << 20)  /* ulimit -s */
#define BELOW_STACK (UINT64_C(1) << 20) /* frames of deeper calls that returned */
#define FILTER_BITS (1u << 16)
#define PROGRESS_STEP (UINT64_C(1) << 24)

struct salvage {
    struct gr_discovery *discovery;
    struct py_reader reader;
    struct df_map types;               /* addresses of types that are known to be objects */
    uint64_t filter[FILTER_BITS / 64]; /* which of them a word may be */
    uint64_t done, total;              /* bytes, for the progress */
    const struct df_range *highest;    /* that can be written */
    struct py_refs refs;
};

static uint32_t filter_bit(uint64_t address)
{
    return (uint32_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 48) % FILTER_BITS;
}

/* Enters the types among the objects that are known; false when none is new. */
static bool learn_types(struct salvage *salvage)
{
    const struct gr_discovery *discovery = salvage->discovery;
    struct gr_place_cursor cursor;
    uint64_t object, place;
    bool learned = false, added;
    gr_places_begin(&discovery->places, &cursor);
    while (gr_places_next(&cursor, &object, &place)) {
        uint32_t type = py_object_type(discovery->objects, object);
        if (!(py_type_at(discovery->objects, type)->flags & PY_TPFLAGS_TYPE))
            continue;
        uint32_t bit = filter_bit(object);
        df_map_add(&salvage->types, object, 1, &added);
        salvage->filter[bit / 64] |= UINT64_C(1) << (bit % 64);
        learned |= added;
    }
    return learned;
}

static bool is_type(const struct salvage *salvage, uint64_t address)
{
    uint32_t bit = filter_bit(address);
    return salvage->filter[bit / 64] >> (bit % 64) & 1 &&
           df_map_get(&salvage->types, address) != DF_MAP_NONE;
}

static bool is_there(const struct salvage *salvage, uint64_t address, uint64_t size)
{
    return df_ptr(salvage->reader.space, address, size) != NULL;
}

/* The runtime's own tables have counts beside types too; its objects are frozen. */
static bool is_in_runtime(const struct salvage *salvage, uint64_t address)
{
    const struct py *py = salvage->discovery->py;
    uint32_t size = PY_SIZEOF(salvage->reader.layout, runtime);
    return size != PY_ABSENT && address >= py->runtime && address - py->runtime < size;
}

/* A dict's entry begins with the hash of its key; that of a type is its address, less 4 bits. */
static bool count_fits(struct salvage *salvage, uint64_t object, uint64_t type)
{
    const struct py_layout *layout = salvage->reader.layout;
    bool half = layout->ref_shape == PY_COUNT_SIGN32 || layout->ref_shape == PY_COUNT_HALF32;
    uint64_t word = PY_PTR(&salvage->reader, object, object, ob_refcnt);
    int64_t count = py_refcount(&salvage->reader, object);
    if ((half && (word >> 32 & 0xffff)) || word == type >> 4)
        return false;
    if (!(word & 7) && is_there(salvage, word, 8)) /* of a free block: the next one */
        return false;
    if (is_in_runtime(salvage, object) && count < STATIC_COUNT)
        return false;
    return count == INT64_MAX || (count > 0 && count <= MAX_COUNT);
}

static bool collector_fits(struct salvage *salvage, uint64_t object, uint32_t type)
{
    struct py_reader *reader = &salvage->reader;
    uint64_t head = reader->layout->gc_head_size;
    if (!head || !py_is_gc(salvage->discovery->objects, object, type))
        return true;
    head = object - head;
    if (!is_there(salvage, head, 16))
        return false;
    uint64_t next = PY_PTR(reader, head, gc_head, gc_next) & ~UINT64_C(7);
    uint64_t previous = PY_PTR(reader, head, gc_head, gc_prev) & ~UINT64_C(7);
    if (!next) /* not tracked, as no instance of a class is; or static, and this is something else
                */
        return !py_type_at(salvage->discovery->objects, type)->python_class;
    bool one = is_there(salvage, next, 16), other = is_there(salvage, previous, 16);
    return (one || other) &&
           (!one || (PY_PTR(reader, next, gc_head, gc_prev) & ~UINT64_C(7)) == head) &&
           (!other || (PY_PTR(reader, previous, gc_head, gc_next) & ~UINT64_C(7)) == head);
}

static bool references_fit(struct salvage *salvage, uint64_t object, uint32_t type)
{
    struct py_objects *objects = salvage->discovery->objects;
    struct py_refs *refs = &salvage->refs;
    refs->count = 0;
    enum py_status status = py_walk(objects, object, type, refs);
    if (status != PY_OK && status != PY_FAULT)
        return status == PY_DEFERRED;
    for (size_t i = 0; i < refs->count; i++)
        if (is_there(salvage, refs->items[i].target, 16) &&
            !py_is_object(objects, refs->items[i].target))
            return false;
    return true;
}

/* The bytes of an object from its address on that may look like objects. */
static uint64_t extent(struct salvage *salvage, uint64_t object, const struct py_type *type)
{
    uint64_t size = 0;
    if (type->item_size <= 0 || type->flags & PY_TPFLAGS_UNICODE ||
        py_size(salvage->discovery->objects, object, type->index, &size) != PY_OK)
        return (uint64_t)(type->basic_size > 16 ? type->basic_size : 16);
    struct py_objects *objects = salvage->discovery->objects;
    uint64_t head =
        py_is_gc(objects, object, type->index) ? salvage->reader.layout->gc_head_size : 0;
    return size > head + 16 ? size - head : 16;
}

/* Whether an object of variable size begins 16 bytes before, dead or alive: then this is its length
 * and what follows, such as the first item of a tuple or the digits of an int that is an address.
 */
static bool is_length(struct salvage *salvage, uint64_t object)
{
    struct py_objects *objects = salvage->discovery->objects;
    uint64_t type;
    if (!df_u64(salvage->reader.space, object - 8, &type) || !is_type(salvage, type))
        return false;
    uint32_t index = py_type_index(objects, type);
    return index != PY_NO_TYPE && py_type_at(objects, index)->item_size > 0;
}

/* The number of a type whose object begins here, PY_NO_TYPE when none does. */
static uint32_t object_at(struct salvage *salvage, uint64_t object, uint64_t type)
{
    struct py_objects *objects = salvage->discovery->objects;
    uint32_t index = py_type_index(objects, type);
    uint64_t size;
    if (index == PY_NO_TYPE || !count_fits(salvage, object, type) || is_length(salvage, object))
        return PY_NO_TYPE;
    int64_t basic = py_type_at(objects, index)->basic_size;
    bool text = py_type_at(objects, index)->flags & PY_TPFLAGS_UNICODE; /* of one without text */
    if (basic < 16 || (!text && !is_there(salvage, object, (uint64_t)basic)) ||
        !collector_fits(salvage, object, index) ||
        py_size(objects, object, index, &size) == PY_IMPLAUSIBLE ||
        !references_fit(salvage, object, index))
        return PY_NO_TYPE;
    return index;
}

/* What a freed block shows of its object: the items of a dead tuple are no objects' heads either.
 */
static bool is_dead(struct salvage *salvage, uint64_t object)
{
    return !(uint32_t)PY_PTR(&salvage->reader, object, object, ob_refcnt);
}

/* Without notes: the main thread's stack is the highest memory that can be written, the others' are
 * below pthread_self(). */
static bool in_guessed_stack(const struct salvage *salvage, const struct df_range *range,
                             uint64_t address)
{
    const struct py *py = salvage->discovery->py;
    for (uint32_t i = 0; i < py->thread_count; i++) {
        uint64_t top = py->threads[i].thread_id;
        if (top >= range->start && top < range->end && address < top && top - address < STACK_SIZE)
            return true;
    }
    return range == salvage->highest;
}

/* Native stacks have words of dead frames. One ends where its thread's variables are, the main
 * thread's where its memory does; what the kernel mapped right behind it is in the same range. */
static bool in_stack(const struct salvage *salvage, const struct df_range *range, uint64_t address)
{
    const struct df_core *core = salvage->discovery->py->dump->core;
    if (!core->lwp_count)
        return in_guessed_stack(salvage, range, address);
    for (uint32_t i = 0; i < core->lwp_count; i++) {
        const struct df_lwp *lwp = &core->lwps[i];
        bool above = lwp->tls > lwp->sp && lwp->tls < range->end;
        if (lwp->sp >= range->start && lwp->sp < range->end && address + BELOW_STACK >= lwp->sp &&
            address < (above ? lwp->tls : range->end))
            return true;
    }
    return false;
}

static void look_through(struct salvage *salvage, const struct df_range *range)
{
    struct gr_discovery *discovery = salvage->discovery;
    const uint32_t place = PY_OFF(salvage->reader.layout, object, ob_type);
    /* Of allocators, and of compilers for what is larger than a few words. */
    const uint64_t step = 16, least = place + 8;
    const uint8_t *bytes = df_ptr(salvage->reader.space, range->start, range->end - range->start);
    uint64_t next_report = range->start;
    uint64_t at = (range->start + step - 1) & ~(step - 1);
    while (bytes && range->end - range->start >= least && at <= range->end - least &&
           !discovery->too_many) {
        uint64_t type, size = step;
        memcpy(&type, bytes + (at - range->start) + place, 8);
        if (is_type(salvage, type) && !in_stack(salvage, range, at)) {
            bool known = gr_is_discovered(discovery, at);
            uint32_t index =
                known ? py_object_type(discovery->objects, at) : object_at(salvage, at, type);
            if (!known && index != PY_NO_TYPE)
                gr_discover(discovery, at, GR_FROM_SWEEP);
            if (index == PY_NO_TYPE && is_dead(salvage, at))
                index = py_type_index(discovery->objects, type);
            if (index != PY_NO_TYPE)
                size = extent(salvage, at, py_type_at(discovery->objects, index));
            salvage->reader.fault = false;
        }
        if (at >= next_report) {
            df_progress(discovery->progress, "salvaging objects", salvage->done + at - range->start,
                        salvage->total);
            next_report = at + PROGRESS_STEP;
        }
        if (size > range->end - at)
            break;
        at += (size + step - 1) & ~(step - 1);
    }
    salvage->done += range->end - range->start;
}

static bool is_heap(const struct df_range *range)
{
    return range->origin == DF_FROM_CORE && (range->flags & PF_W);
}

static struct df_err *run(struct salvage *salvage)
{
    const struct df_dump *dump = salvage->discovery->py->dump;
    for (int round = 0; round < ROUNDS && learn_types(salvage); round++) {
        salvage->done = salvage->total = 0;
        for (size_t i = 0; i < dump->space->count; i++)
            if (is_heap(&dump->space->ranges[i])) {
                salvage->highest = &dump->space->ranges[i];
                salvage->total += dump->space->ranges[i].end - dump->space->ranges[i].start;
            }
        for (size_t i = 0; i < dump->space->count; i++)
            if (is_heap(&dump->space->ranges[i]))
                look_through(salvage, &dump->space->ranges[i]);
        DF_TRY(gr_discover_all(salvage->discovery));
    }
    return NULL;
}

struct df_err *gr_salvage(struct gr_discovery *discovery)
{
    if (!discovery->lists_damaged && !df_core_is_cut(discovery->py->dump->core))
        return NULL;
    struct salvage *salvage = df_xcalloc(1, sizeof(*salvage));
    salvage->discovery = discovery;
    salvage->reader = discovery->reader;
    df_map_init(&salvage->types);
    struct df_err *err = run(salvage);
    df_map_deinit(&salvage->types);
    free(salvage->refs.items);
    free(salvage);
    return err;
}
