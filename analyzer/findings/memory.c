/* SPDX-License-Identifier: MIT
 * memory.c: where the bytes of the core file went; the rows sum to the file's size.
 *
 * A first ledger, by segment. An object's size is counted where its head lies, at most the
 * segment's bytes; what is more (a list whose items were too many for the arena) is taken from the
 * anonymous memory, where such tables are.
 */
#include "analyzer/findings/parts.h"

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dump.h"

enum { OBJECTS, STACKS, FILES, ANONYMOUS, HEADERS, ROWS };

static bool holds_stack(const struct df_core *core, const struct df_segment *segment)
{
    for (uint32_t i = 0; i < core->lwp_count; i++)
        if (core->lwps[i].sp - segment->address < segment->memory_size)
            return true;
    return false;
}

static bool is_file_backed(const struct df_core *core, const struct df_segment *segment)
{
    uint32_t low = 0, high = core->mapping_count;
    while (low < high) { /* the last mapping that starts at or before the segment */
        uint32_t middle = low + (high - low) / 2;
        if (core->mappings[middle].start <= segment->address)
            low = middle + 1;
        else
            high = middle;
    }
    return low && segment->address < core->mappings[low - 1].end;
}

static const struct df_segment *segment_at(const struct df_core *core, uint64_t address)
{
    uint32_t low = 0, high = core->segment_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (core->segments[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    const struct df_segment *segment = &core->segments[low - 1];
    return address - segment->address < segment->file_size ? segment : NULL;
}

/* Shallow bytes of the objects of each segment. Nodes ascend, so the segment is mostly the same as
 * before. */
static void count_objects(const struct gr_graph *graph, const struct df_core *core, uint64_t *bytes)
{
    const struct df_segment *segment = NULL;
    for (uint32_t node = 0; node < graph->count; node++) {
        uint64_t address = graph->address[node];
        if (!segment || address - segment->address >= segment->file_size)
            segment = segment_at(core, address);
        if (!segment)
            continue;
        uint64_t *sum = &bytes[segment - core->segments];
        if (__builtin_add_overflow(*sum, graph->size[node], sum))
            *sum = UINT64_MAX;
    }
}

static void add_segment(const struct df_core *core, const struct df_segment *segment,
                        uint64_t objects, uint64_t *rows, uint64_t *carry)
{
    uint64_t here = objects < segment->file_size ? objects : segment->file_size;
    if (__builtin_add_overflow(*carry, objects - here, carry))
        *carry = UINT64_MAX;
    rows[OBJECTS] += here;
    uint64_t rest = segment->file_size - here;
    if (holds_stack(core, segment))
        rows[STACKS] += rest;
    else if (is_file_backed(core, segment))
        rows[FILES] += rest;
    else
        rows[ANONYMOUS] += rest;
}

/* Segments that share bytes of the file would count them twice: the sum is cut to the file. */
static void balance(uint64_t *rows, uint64_t total)
{
    uint64_t left = total;
    for (int i = 0; i < HEADERS; i++) {
        if (rows[i] > left)
            rows[i] = left;
        left -= rows[i];
    }
    rows[HEADERS] = left;
}

struct df_err *fi_fill_memory(struct fi_context *context)
{
    static const char *const names[ROWS] = {
        [OBJECTS] = "Python objects",
        [STACKS] = "thread stacks",
        [FILES] = "program files",
        [ANONYMOUS] = "other anonymous memory",
        [HEADERS] = "core file headers and notes",
    };
    const struct df_core *core = context->analysis->py->dump->core;
    uint64_t *objects, rows[ROWS] = {0}, carry = 0;
    DF_TRY(df_array(core->segment_count, sizeof(*objects), &objects));
    count_objects(context->analysis->graph, core, objects);
    for (uint32_t i = 0; i < core->segment_count; i++)
        add_segment(core, &core->segments[i], objects[i], rows, &carry);
    free(objects);
    uint64_t moved = carry < rows[ANONYMOUS] ? carry : rows[ANONYMOUS];
    rows[ANONYMOUS] -= moved;
    rows[OBJECTS] += moved;
    balance(rows, core->file->size);

    struct fi_memory *memory = &context->verdict->memory;
    memory->total = core->file->size;
    memory->rows = fi_pool_array(context->pool, ROWS, sizeof(*memory->rows));
    for (int i = 0; i < ROWS; i++)
        memory->rows[memory->row_count++] =
            (struct fi_memory_row){.name = names[i], .bytes = rows[i]};
    return NULL;
}
