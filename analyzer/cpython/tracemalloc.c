/* SPDX-License-Identifier: MIT
 * tracemalloc.c: tracemalloc's tables become arrays: traces, tracebacks, frames, files.
 *
 * Tracebacks are told apart by their address and files by theirs, as tracemalloc interns both.
 * Files are numbered in the order of their texts, by code points, which is how Python compares
 * strings: who sorts tracebacks compares numbers only.
 *
 * What a damaged dump can make this cost: every entry of a table has its own bytes there
 * (hashtable.c), but tables of domains and tracebacks may overlap; so traces and frames are
 * together no more than would fit the dump side by side.
 */
#include "analyzer/cpython/tracemalloc.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/tracemalloc_internal.h"
#include "dumpfmt/base/mem.h"

#define NO_STACK UINT32_MAX

struct maker {
    const struct py *py;
    struct py_reader reader;
    struct py_tracemalloc *traced;
    struct {
        struct py_trace *items;
        size_t count, capacity;
    } traces;
    struct {
        struct py_trace_stack *items;
        size_t count, capacity;
    } stacks;
    struct {
        struct py_trace_frame *items;
        size_t count, capacity;
    } frames;
    struct {
        struct py_trace_file *items;
        size_t count, capacity;
    } files;
    struct df_map stack_of, file_of; /* address -> number */
    uint32_t domain;
    uint64_t trace_budget, frame_budget;
    uint64_t most_bytes; /* that one block may have: all together have what was traced */
};

static uint32_t file_number(struct maker *maker, uint64_t object)
{
    bool added;
    uint32_t number =
        df_map_add(&maker->file_of, object ? object : 1, (uint32_t)maker->files.count, &added);
    if (!added)
        return number;
    DF_PUSH(&maker->files, (struct py_trace_file){.address = object, .number = number});
    return number;
}

static void read_frames(struct maker *maker, uint64_t frames, uint32_t count)
{
    uint64_t stride = PY_SIZEOF(&maker->py->layout, traceframe);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = frames + i * stride;
        uint64_t name = PY_PTR(&maker->reader, at, traceframe, filename);
        uint32_t line = (uint32_t)PY_GET(&maker->reader, at, traceframe, lineno);
        DF_PUSH(&maker->frames,
                (struct py_trace_frame){.file = file_number(maker, name), .line = line});
    }
}

/* The number of the traceback at address; NO_STACK when it is damaged. */
static uint32_t stack_number(struct maker *maker, uint64_t address)
{
    uint64_t frames;
    uint32_t count, total, number = df_map_get(&maker->stack_of, address);
    if (number != DF_MAP_NONE || !address)
        return address ? number : NO_STACK;
    if (!py_trace_stack_at(&maker->reader, address, &frames, &count, &total) ||
        (maker->traced->max_frames && count > maker->traced->max_frames) ||
        count > maker->frame_budget || maker->frames.count + count >= UINT32_MAX)
        return NO_STACK;
    maker->frame_budget -= count;
    number = (uint32_t)maker->stacks.count;
    df_map_set(&maker->stack_of, address, number);
    DF_PUSH(&maker->stacks, (struct py_trace_stack){.first = (uint32_t)maker->frames.count,
                                                    .count = count,
                                                    .total = total});
    read_frames(maker, frames, count);
    return number;
}

static bool add_trace(void *context, const struct py_hash_entry *entry)
{
    struct maker *maker = context;
    if (!maker->trace_budget)
        return false;
    maker->trace_budget--;
    maker->reader.fault = false;
    struct py_trace trace = {.address = entry->key,
                             .size = PY_PTR(&maker->reader, entry->value, trace, size),
                             .domain = maker->domain ? maker->domain : entry->domain};
    uint64_t stack = PY_PTR(&maker->reader, entry->value, trace, traceback);
    trace.stack = maker->reader.fault ? NO_STACK : stack_number(maker, stack);
    maker->reader.fault = false;
    if (trace.stack == NO_STACK || trace.size > maker->most_bytes)
        maker->traced->damaged++;
    else
        DF_PUSH(&maker->traces, trace);
    return true;
}

static void add_table(struct maker *maker, uint64_t address)
{
    struct py_hashtable table;
    struct py_reader reader = py_reader(maker->py);
    size_t before = maker->traces.count;
    if (!py_hashtable_at(&reader, address, &table)) {
        maker->traced->damaged++;
        return;
    }
    maker->traced->damaged += py_hashtable_each(&reader, &table, add_trace, maker);
    uint64_t entry = PY_SIZEOF(&maker->py->layout, hashentry) + table.key_size +
                     PY_SIZEOF(&maker->py->layout, trace);
    maker->traced->own_bytes += table.bucket_count * 8 + (maker->traces.count - before) * entry;
}

static bool add_domain(void *context, const struct py_hash_entry *entry)
{
    struct maker *maker = context;
    maker->domain = (uint32_t)entry->key;
    add_table(maker, entry->value);
    maker->domain = 0;
    return maker->trace_budget > 0;
}

static void add_domains(struct maker *maker, uint64_t address)
{
    struct py_hashtable table;
    struct py_reader reader = py_reader(maker->py);
    if (!address)
        return;
    if (py_hashtable_at(&reader, address, &table))
        maker->traced->damaged += py_hashtable_each(&reader, &table, add_domain, maker);
    else
        maker->traced->damaged++;
}

static int compare_files(const void *left, const void *right)
{
    const struct py_trace_file *a = left, *b = right;
    uint32_t shorter = a->length < b->length ? a->length : b->length;
    for (uint32_t i = 0; i < shorter; i++)
        if (a->points[i] != b->points[i])
            return a->points[i] < b->points[i] ? -1 : 1;
    return (a->length > b->length) - (a->length < b->length);
}

/* Numbers the files by their texts. Two objects of one text are one file. */
static void sort_files(struct maker *maker)
{
    struct py_tracemalloc *traced = maker->traced;
    struct py_trace_file *files = maker->files.items;
    size_t count = maker->files.count;
    DF_CLEANUP_FREE uint32_t *place = df_xcalloc(count + 1, sizeof(*place));
    traced->damaged += py_read_trace_files(&maker->reader, files, count);
    if (count)
        qsort(files, count, sizeof(*files), compare_files);
    traced->files = df_xcalloc(count + 1, sizeof(*traced->files));
    for (size_t i = 0; i < count; i++) {
        if (!i || compare_files(&files[i - 1], &files[i]))
            traced->files[traced->file_count++] = DF_TAKE(files[i].text);
        place[files[i].number] = traced->file_count - 1;
    }
    for (size_t i = 0; i < maker->frames.count; i++)
        maker->frames.items[i].file = place[maker->frames.items[i].file];
}

static int compare_traces(const void *left, const void *right)
{
    const struct py_trace *a = left, *b = right;
    if (a->domain != b->domain)
        return a->domain < b->domain ? -1 : 1;
    return (a->address > b->address) - (a->address < b->address);
}

/* A block has one trace in a domain; a damaged chain may have shown it twice. */
static void sort_traces(struct maker *maker)
{
    struct py_trace *traces = maker->traces.items;
    size_t used = 0, own = 0;
    if (maker->traces.count)
        qsort(traces, maker->traces.count, sizeof(*traces), compare_traces);
    for (size_t i = 0; i < maker->traces.count; i++) {
        if (used && !compare_traces(&traces[used - 1], &traces[i]))
            continue;
        own += !traces[i].domain;
        traces[used++] = traces[i];
    }
    maker->traced->traces = traces;
    maker->traced->trace_count = used;
    maker->traced->own_count = own;
}

static uint64_t dumped_bytes(const struct df_aspace *space)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < space->count; i++)
        if (space->ranges[i].host)
            bytes += space->ranges[i].end - space->ranges[i].start;
    return bytes;
}

static void read_tables(struct maker *maker, const struct py_tracing_place *place)
{
    struct py_tracemalloc *traced = maker->traced;
    uint64_t bytes = dumped_bytes(maker->py->dump->space);
    maker->trace_budget = bytes / PY_SIZEOF(&maker->py->layout, hashentry);
    maker->frame_budget = bytes / PY_SIZEOF(&maker->py->layout, traceframe);
    maker->most_bytes = place->traced ? place->traced : UINT64_C(1) << DF_ADDRESS_BITS;
    df_map_init(&maker->stack_of);
    df_map_init(&maker->file_of);
    add_table(maker, place->traces);
    add_domains(maker, place->domains);
    sort_files(maker);
    sort_traces(maker);
    traced->stacks = maker->stacks.items;
    traced->stack_count = (uint32_t)maker->stacks.count;
    traced->frames = maker->frames.items;
    traced->frame_count = (uint32_t)maker->frames.count;
    traced->own_bytes += maker->stacks.count * PY_OFF(&maker->py->layout, tracestack, frames) +
                         maker->frames.count * PY_SIZEOF(&maker->py->layout, traceframe);
    for (size_t i = 0; i < maker->files.count; i++) {
        free(maker->files.items[i].points);
        free(maker->files.items[i].text);
    }
    free(maker->files.items);
    df_map_deinit(&maker->stack_of);
    df_map_deinit(&maker->file_of);
}

struct df_err *py_tracemalloc_open(const struct py *py, struct py_tracemalloc **ret)
{
    struct py_tracing_place place;
    struct maker maker = {.py = py, .reader = py_reader(py)};
    py_find_tracing(py, &place);
    maker.traced = df_xcalloc(1, sizeof(*maker.traced));
    *maker.traced = (struct py_tracemalloc){
        .state = place.state,
        .max_frames = place.max_frames,
        .traced_bytes = place.traced,
        .peak_bytes = place.peak,
    };
    if (place.state == PY_TRACING_ON)
        read_tables(&maker, &place);
    for (size_t i = 0; !place.traced && i < maker.traced->trace_count; i++)
        maker.traced->traced_bytes += maker.traced->traces[i].size;
    *ret = maker.traced;
    return NULL;
}

void py_tracemalloc_close(struct py_tracemalloc *traced)
{
    if (!traced)
        return;
    for (uint32_t i = 0; i < traced->file_count; i++)
        free(traced->files[i]);
    free(traced->files);
    free(traced->frames);
    free(traced->stacks);
    free(traced->traces);
    free(traced);
}

/* The last of Python's own blocks that begins at or before address. */
static const struct py_trace *trace_before(const struct py_tracemalloc *traced, uint64_t address)
{
    size_t low = 0, high = traced->own_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (traced->traces[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &traced->traces[low - 1] : NULL;
}

const struct py_trace *py_trace_at(const struct py_tracemalloc *traced, uint64_t address)
{
    const struct py_trace *trace = trace_before(traced, address);
    return trace && trace->address == address ? trace : NULL;
}

const struct py_trace *py_trace_around(const struct py_tracemalloc *traced, uint64_t address)
{
    const struct py_trace *trace = trace_before(traced, address);
    return trace && address - trace->address < trace->size ? trace : NULL;
}
