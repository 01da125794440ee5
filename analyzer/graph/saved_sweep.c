/* SPDX-License-Identifier: MIT
 * saved_sweep.c: what every block of the heap is, as sections of a snapshot: the graph that was
 * loaded is not swept again, and redacted memory cannot be.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/graph/saved.h"
#include "dumpfmt/base/mem.h"

enum { LOST = 2 * GR_MEMORY_KINDS, PYMALLOC, ARENAS, POOLS, USED, RAW, DAMAGED, NUMBERS };

static void tell(const struct gr_sweep *sweep, uint64_t *numbers)
{
    memcpy(numbers, sweep->bytes, sizeof(sweep->bytes));
    memcpy(numbers + GR_MEMORY_KINDS, sweep->blocks, sizeof(sweep->blocks));
    numbers[LOST] = sweep->lost;
    numbers[PYMALLOC] = sweep->pymalloc;
    numbers[ARENAS] = sweep->arenas;
    numbers[POOLS] = sweep->pools;
    numbers[USED] = sweep->used_blocks;
    numbers[RAW] = sweep->raw_blocks;
    numbers[DAMAGED] = sweep->damaged;
}

static void take(struct gr_sweep *sweep, const uint64_t *numbers)
{
    memcpy(sweep->bytes, numbers, sizeof(sweep->bytes));
    memcpy(sweep->blocks, numbers + GR_MEMORY_KINDS, sizeof(sweep->blocks));
    sweep->lost = numbers[LOST];
    sweep->pymalloc = numbers[PYMALLOC] != 0;
    sweep->arenas = (uint32_t)numbers[ARENAS];
    sweep->pools = (uint32_t)numbers[POOLS];
    sweep->used_blocks = numbers[USED];
    sweep->raw_blocks = numbers[RAW];
    sweep->damaged = numbers[DAMAGED];
}

void gr_sweep_save(struct gr_saved *saved, const struct gr_sweep *sweep)
{
    uint64_t numbers[NUMBERS], spans = sweep->span_count, foreign = sweep->foreign_count;
    const char *note = sweep->malloc_note ? sweep->malloc_note : "";
    uint64_t length = strlen(note) + 1;
    struct gr_sweep copy = *sweep;

    tell(sweep, numbers);
    gr_save_numbers(saved, "sweep.numbers", numbers, NUMBERS);
    gr_save_list(saved, "sweep.spans", &copy.spans, sizeof(*copy.spans), &spans);
    gr_save_list(saved, "sweep.foreign", &copy.foreign, sizeof(*copy.foreign), &foreign);
    gr_save_list(saved, "sweep.note", &note, 1, &length);
}

/* A copy, which the sweep owns; NULL when they are not sorted and disjoint. */
static struct gr_span *load_spans(struct gr_saved *saved, const char *tag, size_t *ret)
{
    const struct gr_span *found = NULL;
    uint64_t count = 0, last = 0;

    gr_save_list(saved, tag, &found, sizeof(*found), &count);
    for (uint64_t i = 0; !saved->err && i < count; last = found[i++].end)
        if (found[i].start < last || found[i].end <= found[i].start)
            saved->err = df_necro_senseless(saved->from, tag);
    if (saved->err)
        return NULL;
    struct gr_span *copy = df_xcalloc((size_t)count + 1, sizeof(*copy));
    if (count)
        memcpy(copy, found, (size_t)count * sizeof(*copy));
    *ret = (size_t)count;
    return copy;
}

struct gr_sweep *gr_sweep_load(struct gr_saved *saved)
{
    uint64_t numbers[NUMBERS], length = 0;
    const char *note = NULL;

    if (saved->err || !df_necro_has(saved->from, "sweep.numbers"))
        return NULL;
    struct gr_sweep *sweep = df_xcalloc(1, sizeof(*sweep));
    gr_save_numbers(saved, "sweep.numbers", numbers, NUMBERS);
    if (!saved->err)
        take(sweep, numbers);
    sweep->spans = load_spans(saved, "sweep.spans", &sweep->span_count);
    sweep->foreign = load_spans(saved, "sweep.foreign", &sweep->foreign_count);
    gr_save_list(saved, "sweep.note", &note, 1, &length);
    if (!saved->err && (!length || note[length - 1]))
        saved->err = df_necro_senseless(saved->from, "sweep.note");
    if (!saved->err && *note)
        sweep->malloc_note = note;
    return sweep;
}
