/* SPDX-License-Identifier: MIT
 * memory.c: where the bytes of the core file went; the rows sum to the file's size.
 *
 * What allocators took from the system the sweep has accounted for, block by block. The rest goes
 * by segment: stacks, data and text of program files, and what nobody knows. Objects outside of the
 * sweep's memory (static types; all, where an allocator could not be read) are counted where their
 * heads lie, at most the segment's bytes; what is more (a list whose items were too many for the
 * arena) is taken from the anonymous memory, where such tables are.
 */
#include <elf.h>

#include "analyzer/findings/allocations.h"
#include "analyzer/findings/parts.h"

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dump.h"
#include "dumpfmt/stacks.h"

#define LONG_SPAN 65536 /* bytes that are passed over at once */

enum row {
    OBJECTS,
    BUFFERS,
    ARRAYS,
    NATIVE_OF_OBJECTS,
    KEPT,
    FRAMES,
    BLOCKS_FREE,
    POOLS,
    TRACEMALLOC,
    NATIVE_OF_DATA,
    NATIVE_OF_STACKS,
    MALLOC_FREE,
    MALLOC,
    STACKS,
    KEPT_STACKS,
    DATA,
    FILES,
    UNKNOWN,
    HEADERS,
    ROWS
};

static const char *const names[ROWS] = {
    [OBJECTS] = "Python objects",
    [BUFFERS] = "tables, items and texts of Python objects",
    [ARRAYS] = "data of NumPy arrays",
    [NATIVE_OF_OBJECTS] = "C memory that Python objects hold",
    [KEPT] = "dead objects kept for reuse",
    [FRAMES] = "frames of Python code",
    [BLOCKS_FREE] = "free blocks of Python's allocator",
    [POOLS] = "Python's allocator itself",
    [TRACEMALLOC] = "tables of tracemalloc",
    [NATIVE_OF_DATA] = "C memory that C variables hold",
    [NATIVE_OF_STACKS] = "C memory that native stacks hold",
    [MALLOC_FREE] = "free memory of malloc",
    [MALLOC] = "malloc itself",
    [STACKS] = "thread stacks",
    [KEPT_STACKS] = "stacks of threads that are gone",
    [DATA] = "variables of programs and libraries",
    [FILES] = "program files",
    [UNKNOWN] = "unknown",
    [HEADERS] = "core file headers and notes",
};

static const uint8_t row_of[GR_MEMORY_KINDS] = {
    [GR_MEMORY_OBJECTS] = OBJECTS,
    [GR_MEMORY_BUFFERS] = BUFFERS,
    [GR_MEMORY_KEPT] = KEPT,
    [GR_MEMORY_OF_OBJECTS] = NATIVE_OF_OBJECTS,
    [GR_MEMORY_OF_DATA] = NATIVE_OF_DATA,
    [GR_MEMORY_OF_STACKS] = NATIVE_OF_STACKS,
    [GR_MEMORY_FRAMES] = FRAMES,
    [GR_MEMORY_FREE] = BLOCKS_FREE,
    [GR_MEMORY_POOLS] = POOLS,
    [GR_MEMORY_MALLOC_FREE] = MALLOC_FREE,
    [GR_MEMORY_MALLOC] = MALLOC,
    [GR_MEMORY_UNKNOWN_BLOCKS] = UNKNOWN,
    [GR_MEMORY_UNKNOWN_CHUNKS] = UNKNOWN,
};

struct ledger {
    const struct df_core *core;
    const struct df_modules *modules;
    const struct df_aspace *space;
    struct df_lwp_order stacks;
    uint64_t bytes[ROWS], blocks[ROWS];
    uint64_t *swept;   /* per segment: bytes that the sweep has accounted for */
    uint64_t *objects; /* per segment: of objects that it has not */
};

static bool holds_stack(const struct df_lwp_order *stacks, const struct df_segment *segment)
{
    uint32_t first = df_lwp_order_find(stacks, segment->address);
    return first < stacks->count &&
           stacks->rows[first].value - segment->address < segment->memory_size;
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

/* Writable memory of a file, or behind it (.bss). */
static bool is_data(const struct ledger *ledger, const struct df_segment *segment)
{
    if (!(segment->flags & PF_W))
        return false;
    for (uint32_t i = 0; i < ledger->modules->count; i++) {
        const struct df_module *module = &ledger->modules->items[i];
        for (uint32_t l = 0; l < module->load_count; l++)
            if (segment->address >= module->loads[l].start &&
                segment->address < module->loads[l].end)
                return true;
    }
    return is_file_backed(ledger->core, segment);
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

/* Both ascend: one pass. */
static void share_spans(struct ledger *ledger, const struct gr_sweep *sweep)
{
    const struct df_core *core = ledger->core;
    uint32_t s = 0;
    for (size_t i = 0; i < sweep->span_count; i++) {
        uint64_t at = sweep->spans[i].start, end = sweep->spans[i].end;
        while (s < core->segment_count &&
               core->segments[s].address + core->segments[s].file_size <= at)
            s++;
        for (uint32_t t = s; t < core->segment_count && core->segments[t].address < end; t++) {
            uint64_t first = core->segments[t].address, last = first + core->segments[t].file_size;
            first = first > at ? first : at;
            last = last < end ? last : end;
            ledger->swept[t] += last > first ? last - first : 0;
        }
    }
}

static bool is_swept(const struct gr_sweep *sweep, size_t *span, uint64_t address)
{
    while (sweep && *span < sweep->span_count && sweep->spans[*span].end <= address)
        (*span)++;
    return sweep && *span < sweep->span_count && sweep->spans[*span].start <= address;
}

/* Shallow bytes of the objects of each segment that no span has. Nodes ascend, so the segment is
 * mostly the same as before. */
static void count_objects(struct ledger *ledger, const struct gr_graph *graph)
{
    const struct df_segment *segment = NULL;
    size_t span = 0;
    struct gr_node_cursor cursor = gr_nodes(graph);
    uint64_t address;
    for (uint32_t node; gr_next_node(&cursor, &node, &address);) {
        if (is_swept(graph->sweep, &span, address)) {
            const struct gr_span *swept = &graph->sweep->spans[span];
            if (swept->end - address >= LONG_SPAN)
                cursor = gr_nodes_from(graph, gr_nodes_up_to(graph, swept->end - 1));
            continue;
        }
        if (!segment || address - segment->address >= segment->file_size)
            segment = segment_at(ledger->core, address);
        if (!segment)
            continue;
        ledger->blocks[OBJECTS]++;
        uint64_t *sum = &ledger->objects[segment - ledger->core->segments];
        if (__builtin_add_overflow(*sum, gr_size(graph, node), sum))
            *sum = UINT64_MAX;
    }
}

static void add_segment(struct ledger *ledger, uint32_t index, uint64_t *carry)
{
    const struct df_segment *segment = &ledger->core->segments[index];
    uint64_t left = segment->file_size - ledger->swept[index], objects = ledger->objects[index];
    uint64_t here = objects < left ? objects : left;
    if (__builtin_add_overflow(*carry, objects - here, carry))
        *carry = UINT64_MAX;
    ledger->bytes[OBJECTS] += here;
    left -= here;
    if (holds_stack(&ledger->stacks, segment))
        ledger->bytes[STACKS] += left;
    else if (is_data(ledger, segment))
        ledger->bytes[DATA] += left;
    else if (is_file_backed(ledger->core, segment) || !(segment->flags & PF_W))
        ledger->bytes[FILES] += left;
    else if (left > objects && df_is_kept_stack(ledger->core, ledger->space, segment))
        ledger->bytes[KEPT_STACKS] += left;
    else
        ledger->bytes[UNKNOWN] += left;
}

static void add_sweep(struct ledger *ledger, const struct gr_sweep *sweep)
{
    for (int kind = 0; kind < GR_MEMORY_KINDS; kind++) {
        ledger->bytes[row_of[kind]] += sweep->bytes[kind];
        ledger->blocks[row_of[kind]] += sweep->blocks[kind];
    }
    share_spans(ledger, sweep);
}

static void add_size(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    (void)address;
    if (kind == PY_BUFFER_ITEMS &&
        __builtin_add_overflow(*(uint64_t *)context, size, (uint64_t *)context))
        *(uint64_t *)context = UINT64_MAX;
}

/* What arrays own is among the buffers of objects: it gets a row of its own. */
static struct df_err *split_arrays(struct ledger *ledger, const struct fi_context *context)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects), arrays = 0;
    uint8_t *is_array = df_xcalloc(types, 1);
    for (uint32_t i = 0; i < types; i++)
        arrays += is_array[i] = py_type_is_array(analysis->objects, i);
    uint64_t bytes = 0;
    uint32_t *nodes = NULL, count = 0;
    struct df_err *err = arrays ? fi_nodes_of(context, is_array, &nodes, &count) : NULL;
    for (uint32_t i = 0; i < count && !err; i++)
        py_buffers(analysis->objects, gr_address(graph, nodes[i]), gr_type(graph, nodes[i]),
                   add_size, &bytes);
    free(nodes);
    ledger->bytes[ARRAYS] = bytes < ledger->bytes[BUFFERS] ? bytes : ledger->bytes[BUFFERS];
    ledger->bytes[BUFFERS] -= ledger->bytes[ARRAYS];
    free(is_array);
    return err;
}

/* What leads to tracemalloc's tables differs by version: they get a row of their own. */
static void split_tracemalloc(struct ledger *ledger, struct fi_analysis *analysis)
{
    const struct py_tracemalloc *traced = fi_traced(analysis);
    uint64_t left = traced ? traced->own_bytes : 0;
    static const uint8_t holders[] = {NATIVE_OF_DATA, NATIVE_OF_OBJECTS, NATIVE_OF_STACKS, UNKNOWN};
    for (size_t i = 0; i < sizeof(holders); i++) {
        uint64_t *holder = &ledger->bytes[holders[i]], part = left < *holder ? left : *holder;
        ledger->bytes[TRACEMALLOC] += part;
        *holder -= part;
        left -= part;
    }
}

/* "RSS is 2 GB, Python says 300 MB": the two sums that the question is about. */
static const char *summarise(struct fi_context *context, const uint64_t *bytes)
{
    uint64_t total = context->verdict->memory.total;
    uint64_t objects = bytes[OBJECTS] + bytes[BUFFERS] + bytes[ARRAYS] + bytes[NATIVE_OF_OBJECTS];
    uint64_t kept = bytes[KEPT] + bytes[BLOCKS_FREE] + bytes[POOLS] + bytes[MALLOC_FREE];
    return fi_pool_format(
        context->pool,
        "%s (%s) are Python's objects and what belongs to them; allocators keep %s free.",
        fi_bytes_phrase(objects).text, fi_percent_phrase(objects, total).text,
        fi_bytes_phrase(kept).text);
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

static void publish(struct fi_context *context, const struct ledger *ledger)
{
    const struct gr_sweep *sweep = context->analysis->graph->sweep;
    struct fi_memory *memory = &context->verdict->memory;
    memory->total = ledger->core->file->size;
    memory->rows = fi_pool_array(context->pool, ROWS, sizeof(*memory->rows));
    for (int i = 0; i < ROWS; i++)
        if (ledger->bytes[i])
            memory->rows[memory->row_count++] = (struct fi_memory_row){
                .name = names[i], .bytes = ledger->bytes[i], .blocks = ledger->blocks[i]};
    memory->unknown = ledger->bytes[UNKNOWN];
    memory->summary = summarise(context, ledger->bytes);
    if (!sweep)
        return;
    memory->note = sweep->malloc_note;
    memory->allocator = (struct fi_allocator){.read = sweep->pymalloc,
                                              .arenas = sweep->arenas,
                                              .pools = sweep->pools,
                                              .used_blocks = sweep->used_blocks,
                                              .large_blocks = sweep->raw_blocks};
}

struct df_err *fi_fill_memory(struct fi_context *context)
{
    const struct df_dump *dump = context->analysis->py->dump;
    const struct gr_graph *graph = context->analysis->graph;
    struct ledger ledger = {.core = dump->core, .modules = dump->modules, .space = dump->space};
    DF_CLEANUP_FREE uint64_t *swept = NULL;
    DF_CLEANUP_FREE uint64_t *objects = NULL;
    uint64_t carry = 0;
    DF_TRY(df_array(dump->core->segment_count, sizeof(*swept), &swept));
    DF_TRY(df_array(dump->core->segment_count, sizeof(*objects), &objects));
    ledger.swept = swept;
    ledger.objects = objects;
    if (graph->sweep)
        add_sweep(&ledger, graph->sweep);
    DF_TRY(split_arrays(&ledger, context));
    split_tracemalloc(&ledger, context->analysis);
    count_objects(&ledger, graph);
    df_lwp_order_make(&ledger.stacks, dump->core, DF_LWP_SP);
    for (uint32_t i = 0; i < dump->core->segment_count; i++)
        add_segment(&ledger, i, &carry);
    df_lwp_order_free(&ledger.stacks);
    uint64_t moved = carry < ledger.bytes[UNKNOWN] ? carry : ledger.bytes[UNKNOWN];
    ledger.bytes[UNKNOWN] -= moved;
    ledger.bytes[OBJECTS] += moved;
    balance(ledger.bytes, dump->core->file->size);
    publish(context, &ledger);
    return NULL;
}
