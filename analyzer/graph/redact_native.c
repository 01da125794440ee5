/* SPDX-License-Identifier: MIT
 * redact_native.c: bookkeeping outside of objects: the runtime's, malloc's, dicts' tables; which
 * segments are the program.
 */
#include "analyzer/cpython/own.h"
#include "analyzer/graph/redact_internal.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/malloc.h"

#define MALLOC_STATE 2200  /* bytes of struct malloc_state, glibc 2.26 and later */
#define HEAD_OF_HEAP 4096  /* a heap's own head, with its arena's state, is no larger */
#define MAX_NAME_BYTES 512 /* of tp_name */
#define MAX_SLOTS 4096

static void add_own(void *context, uint64_t address, uint64_t size, bool whole)
{
    struct gr_redaction *redaction = context;

    gr_extent_add(whole ? &redaction->whole : &redaction->numbers, address, size);
}

static void add_segments(struct gr_redaction *redaction)
{
    const struct df_modules *modules = redaction->py->dump->modules;

    for (size_t i = 0; i < modules->count; i++)
        for (uint32_t l = 0; l < modules->items[i].load_count; l++) {
            const struct df_load *load = &modules->items[i].loads[l];

            gr_extent_add(load->flags & 2 ? &redaction->data : &redaction->program, load->start,
                          load->end - load->start);
        }
}

/* The size of each chunk, and what links the free ones that look used. */
static void add_chunks(struct gr_redaction *redaction, const struct df_malloc *malloc,
                       const struct df_malloc_area *area)
{
    struct df_chunk_cursor cursor;
    struct df_chunk chunk;

    df_chunks_begin(malloc, redaction->py->dump->space, area, &cursor);
    while (df_chunks_next(&cursor, &chunk))
        gr_extent_add(&redaction->whole, chunk.address - 8, 8);
    if (area->top)
        gr_extent_add(&redaction->whole, area->top + 8, 8);
    if (area->first > area->start && area->first - area->start <= HEAD_OF_HEAP)
        gr_extent_add(&redaction->whole, area->start, area->first - area->start);
}

static struct df_err *add_malloc(struct gr_redaction *redaction)
{
    struct df_malloc *malloc;

    DF_TRY(df_malloc_open(redaction->py->dump, &malloc));
    df_malloc_find_mapped(malloc, redaction->py->dump, NULL, 0);
    if (malloc->main_arena)
        gr_extent_add(&redaction->whole, malloc->main_arena, MALLOC_STATE);
    for (size_t i = 0; i < malloc->area_count; i++)
        add_chunks(redaction, malloc, &malloc->areas[i]);
    for (size_t i = 0; i < malloc->cached_count; i++)
        gr_extent_add(&redaction->whole, malloc->cached[i], 8);
    df_malloc_close(malloc);
    return NULL;
}

static void add_keys(struct gr_redaction *redaction, uint64_t keys)
{
    const struct py_layout *layout = &redaction->py->layout;

    if (keys && PY_HAS(layout, dictkeys, dk_indices))
        gr_extent_add(&redaction->whole, keys, PY_OFF(layout, dictkeys, dk_indices));
}

static void add_values(struct gr_redaction *redaction, uint64_t values)
{
    if (values)
        py_own_fields(&redaction->py->layout, "dictvalues", values, add_own, redaction);
}

static void add_type(struct gr_redaction *redaction, struct py_reader *reader,
                     const struct py_type *type)
{
    const struct py_layout *layout = reader->layout;
    uint64_t name = PY_PTR(reader, type->address, type, tp_name);
    uint64_t slots = (uint64_t)py_ob_size(reader, type->address);
    uint64_t meta = py_type_of(reader, type->address);
    uint64_t length = 0;

    while (name && length < MAX_NAME_BYTES && py_byte(reader, name + length))
        length++;
    gr_extent_add(&redaction->whole, name, length);
    if (!(type->flags & PY_TPFLAGS_HEAPTYPE))
        return;
    add_keys(redaction, PY_PTR(reader, type->address, heaptype, ht_cached_keys));
    if (meta && slots && slots <= MAX_SLOTS && PY_SIZEOF(layout, memberdef) != PY_ABSENT)
        gr_extent_add(&redaction->whole, type->address + PY_PTR(reader, meta, type, tp_basicsize),
                      slots * PY_SIZEOF(layout, memberdef));
}

static void add_object(struct gr_redaction *redaction, struct py_reader *reader, uint32_t index,
                       uint64_t object)
{
    const struct py_type *type = py_type_at(redaction->objects, index);
    const struct py_layout *layout = reader->layout;

    if (type->flags & PY_TPFLAGS_DICT) {
        add_keys(redaction, PY_PTR(reader, object, dict, ma_keys));
        add_values(redaction, PY_PTR(reader, object, dict, ma_values));
    }
    if (type->flags & PY_TPFLAGS_INLINE_VALUES && layout->attr_shape == PY_ATTR_INLINE)
        add_values(redaction, object + (layout->inline_place == PY_INLINE_AFTER_HEADER
                                            ? PY_SIZEOF(layout, object)
                                            : (uint64_t)type->basic_size));
    if (type->flags & PY_TPFLAGS_LIST && PY_HAS(layout, listarray, ob_item)) {
        uint64_t items = PY_PTR(reader, object, list, ob_item);

        if (items)
            gr_extent_add(&redaction->whole, items - PY_OFF(layout, listarray, ob_item), 8);
    }
    if (!strcmp(type->name, "frame") && PY_HAS(layout, frameobject, f_frame))
        py_own_fields(layout, "iframe", PY_PTR(reader, object, frameobject, f_frame), add_own,
                      redaction);
    if (PY_HAS(layout, gen, gi_iframe) &&
        (!strcmp(type->name, "generator") || !strcmp(type->name, "coroutine") ||
         !strcmp(type->name, "async_generator")))
        py_own_fields(layout, "iframe", PY_AT(layout, object, gen, gi_iframe), add_own, redaction);
}

struct df_err *gr_redact_find_native(struct gr_redaction *redaction)
{
    struct py_reader reader = py_reader(redaction->py);
    struct gr_node_cursor cursor = gr_nodes(redaction->graph);
    uint64_t address;
    uint32_t node;

    add_segments(redaction);
    py_own_memory(redaction->py, add_own, redaction);
    for (uint32_t i = 0; i < py_type_count(redaction->objects); i++)
        add_type(redaction, &reader, py_type_at(redaction->objects, i));
    while (gr_next_node(&cursor, &node, &address))
        add_object(redaction, &reader, gr_type(redaction->graph, node), address);
    return add_malloc(redaction);
}
