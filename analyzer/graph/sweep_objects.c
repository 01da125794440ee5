/* SPDX-License-Identifier: MIT
 * sweep_objects.c: is there an object in a block that nothing found refers to?
 *
 * All must hold: at the place where the allocation of such a type puts it, a type that is known; a
 * sane reference count; a block of the size that this type and length get; the collector's header
 * untracked, or linked into a list; references that lead to objects, each of them. What a freed
 * object leaves behind in a block that C code uses now has a count of 0, so it is no candidate.
 *
 * An object of count 0 is one that its type keeps for reuse (free lists, section 5.5 of what is
 * known of CPython's memory): it keeps its type, except for floats, whose list goes through it, and
 * except for its count, through which all lists go since 3.14.
 */
#include "analyzer/graph/sweep_internal.h"

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"

#define MAX_COUNT (INT64_C(1) << 32)
#define FLOAT_BLOCK 32
#define PAGE_SLACK 4256 /* a mapped chunk is whole pages */

struct candidate {
    uint64_t start, usable; /* of the block, without what debug hooks put around it */
    bool loose;             /* the block may be larger than needed by a page */
};

/* The type at an address, when the discovery has met it as an object, or when it is no heap memory
 * (static types of C modules hang on nothing). */
static uint32_t known_type(struct gr_sweeping *sweeping, uint64_t address)
{
    struct gr_discovery *discovery = sweeping->discovery;
    if (!address || (address & 7))
        return PY_NO_TYPE;
    if (!gr_is_discovered(discovery, address))
        return gr_area_at(sweeping, address) ? PY_NO_TYPE
                                             : py_type_index(discovery->objects, address);
    const struct py_type *meta =
        py_type_at(discovery->objects, py_object_type(discovery->objects, address));
    return meta->flags & PY_TPFLAGS_TYPE ? py_type_index(discovery->objects, address) : PY_NO_TYPE;
}

/* Whether a block of this size is what `need` bytes get. Blocks are not moved when they shrink by
 * up to a quarter (_PyObject_Realloc). */
static bool block_fits(const struct candidate *candidate, uint64_t need)
{
    uint64_t slack = candidate->usable / 4 + (candidate->loose ? PAGE_SLACK : 24);
    return need <= candidate->usable && candidate->usable - need <= slack;
}

static void add_buffer(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    uint64_t *sum = context;
    (void)address;
    (void)kind;
    *sum += size ? size : PY_MAX_TUPLE; /* not known: more than any block */
}

/* Of a str, what is not elsewhere (utf8, or a text that is not compact). */
static bool text_fits(struct gr_sweeping *sweeping, const struct candidate *candidate,
                      uint64_t object, uint32_t type, uint64_t need, uint64_t least)
{
    uint64_t elsewhere = 0;
    py_buffers(sweeping->discovery->objects, object, type, add_buffer, &elsewhere);
    if (elsewhere >= PY_MAX_TUPLE)
        return least <= candidate->usable;
    return elsewhere < need && block_fits(candidate, need - elsewhere);
}

static bool size_fits(struct gr_sweeping *sweeping, const struct candidate *candidate,
                      uint64_t object, const struct py_type *type)
{
    uint64_t least = object - candidate->start + (uint64_t)type->basic_size, need = least;
    bool text = type->flags & PY_TPFLAGS_UNICODE; /* basic_size is that of one without its text */
    if (type->basic_size < 16 || (!text && least > candidate->usable))
        return false;
    if (type->flags & (PY_TPFLAGS_INLINE_VALUES | PY_TPFLAGS_TYPE))
        return true; /* values, or names and keys, go with it */
    if (text || type->item_size > 0) {
        if (py_size(sweeping->discovery->objects, object, type->index, &need) != PY_OK)
            return false;
        if (text)
            return text_fits(sweeping, candidate, object, type->index, need, least);
    }
    return block_fits(candidate, need);
}

/* Untracked, or in a list of the collector's that was not read to its end. */
static bool collector_fits(struct gr_sweeping *sweeping, uint64_t object,
                           const struct py_type *type)
{
    struct py_objects *objects = sweeping->discovery->objects;
    struct py_reader reader = sweeping->discovery->reader;
    uint64_t head = reader.layout->gc_head_size, next, previous;
    if (!head || !py_is_gc(objects, object, type->index))
        return true;
    head = object - head;
    next = PY_PTR(&reader, head, gc_head, gc_next);
    previous = PY_PTR(&reader, head, gc_head, gc_prev) & ~UINT64_C(7);
    if (!(next & ~UINT64_C(7)))
        return !reader.fault;
    return (PY_PTR(&reader, previous, gc_head, gc_next) & ~UINT64_C(7)) == head &&
           (PY_PTR(&reader, next & ~UINT64_C(7), gc_head, gc_prev) & ~UINT64_C(7)) == head &&
           !reader.fault;
}

static bool references_fit(struct gr_sweeping *sweeping, uint64_t object,
                           const struct py_type *type)
{
    struct py_objects *objects = sweeping->discovery->objects;
    struct py_refs *refs = &sweeping->refs;
    refs->count = 0;
    if (!sweeping->budget)
        return false;
    enum py_status status = py_walk(objects, object, type->index, refs);
    if (status == PY_DEFERRED)
        return true;
    sweeping->budget -= refs->count < sweeping->budget ? refs->count : sweeping->budget;
    for (size_t i = 0; status == PY_OK && i < refs->count; i++)
        if (!py_is_object(objects, refs->items[i].target))
            return false;
    return status == PY_OK;
}

static bool waits(struct gr_sweeping *sweeping, uint64_t address)
{
    const struct gr_area *area = gr_area_at(sweeping, address);
    uint64_t bit = area ? area->bit + (address - area->start) / 16 : 0;
    return area && !(address & 15) && sweeping->waits[bit / 64] >> (bit % 64) & 1;
}

/* The word where the count of a live object would be: 0, or the next one of a free list. */
static bool is_kept(struct gr_sweeping *sweeping, uint64_t object, uint64_t presize)
{
    struct py_reader reader = sweeping->discovery->reader;
    uint64_t word;
    if (reader.layout->ref_shape == PY_COUNT_BIASED)
        return py_refcount(&reader, object) == 0 && !reader.fault;
    if (!df_u64(reader.space, object, &word))
        return false;
    return !(uint32_t)word ? word >> 32 == 0 || waits(sweeping, word - presize)
                           : waits(sweeping, word - presize);
}

/* Half a word counts where objects may be immortal: above it is nothing, or flags in the upper
 * quarter, whereas a pointer has something there. Pointers of programs that are not relocatable are
 * small. */
static bool count_fits(struct gr_sweeping *sweeping, struct py_reader *reader, uint64_t object)
{
    const struct py_layout *layout = reader->layout;
    bool half = layout->ref_shape == PY_COUNT_SIGN32 || layout->ref_shape == PY_COUNT_HALF32;
    uint64_t word = PY_PTR(reader, object, object, ob_refcnt);
    if ((half && (word >> 32 & 0xffff)) || gr_area_at(sweeping, word))
        return false;
    int64_t references = py_refcount(reader, object);
    return references == INT64_MAX || (references > 0 && references <= MAX_COUNT);
}

static enum gr_found_block look_at(struct gr_sweeping *sweeping, const struct candidate *candidate,
                                   uint64_t before)
{
    struct gr_discovery *discovery = sweeping->discovery;
    struct py_reader reader = discovery->reader;
    uint64_t object = candidate->start + before, presize;
    uint32_t index = known_type(sweeping, py_type_of(&reader, object));
    if (index == PY_NO_TYPE || reader.fault ||
        !py_presize(discovery->objects, object, index, &presize) || presize != before)
        return GR_BLOCK_NONE;
    const struct py_type *type = py_type_at(discovery->objects, index);
    bool text = type->flags & PY_TPFLAGS_UNICODE;
    if (is_kept(sweeping, object, before))
        return text || before + (uint64_t)type->basic_size <= candidate->usable ? GR_BLOCK_KEPT
                                                                                : GR_BLOCK_NONE;
    if (!count_fits(sweeping, &reader, object))
        return GR_BLOCK_NONE;
    return size_fits(sweeping, candidate, object, type) && collector_fits(sweeping, object, type) &&
                   references_fit(sweeping, object, type)
               ? GR_BLOCK_OBJECT
               : GR_BLOCK_NONE;
}

/* A float that is kept: no count, and where its type was, the next one (3.8 to 3.13). */
static bool is_kept_float(struct gr_sweeping *sweeping, const struct candidate *candidate)
{
    struct py_reader reader = sweeping->discovery->reader;
    uint64_t count = py_word(&reader, candidate->start);
    uint64_t next = py_type_of(&reader, candidate->start);
    if (reader.fault || count || !next || !waits(sweeping, next))
        return false;
    return !py_word(&reader, next) && !reader.fault; /* the next one is dead too */
}

enum gr_found_block gr_block_object(struct gr_sweeping *sweeping, const struct gr_open *open,
                                    uint64_t *ret)
{
    const struct py_layout *layout = sweeping->discovery->reader.layout;
    uint32_t head = layout->gc_head_size, managed = layout->presize_dict_words * 8;
    uint32_t places[4] = {0, head, head + managed, managed};
    struct candidate candidate = {
        .start = open->address, .usable = open->size + (open->chunk ? 8 : 0), .loose = open->chunk};
    for (int i = 0; i < GR_MAX_HOOKS && candidate.usable >= 2 * GR_HOOK_SIZE &&
                    py_block_has_hook(sweeping->discovery->reader.space, candidate.start);
         i++) {
        candidate.start += GR_HOOK_SIZE;
        candidate.usable -= GR_HOOK_SIZE + 8; /* and a fence behind it */
    }
    for (size_t i = 0; i < 4; i++) {
        if (i && (places[i] == places[i - 1] || !places[i]))
            continue;
        enum gr_found_block found = look_at(sweeping, &candidate, places[i]);
        if (found != GR_BLOCK_NONE)
            return *ret = candidate.start + places[i], found;
    }
    return open->size == FLOAT_BLOCK && is_kept_float(sweeping, &candidate) ? GR_BLOCK_KEPT
                                                                            : GR_BLOCK_NONE;
}
