/* SPDX-License-Identifier: MIT
 * redact.c: see redact.h. What is found beforehand is spans of memory, what each type keeps of its
 * objects, and which bodies are names; a chunk is then written anew from zeros.
 */
#include "analyzer/graph/redact.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cpython/own.h"
#include "analyzer/graph/redact_internal.h"
#include "dumpfmt/base/mem.h"

#define SMALL 65536 /* numbers below it are lengths, flags, offsets: at most two letters */
#define MINUS_ONE UINT32_MAX
#define LONGEST_HEAD 64 /* bytes before an object: the collector's head, words of the instance */

/* ---- preparing ---- */

void gr_extent_add(struct gr_extents *spans, uint64_t start, uint64_t size)
{
    uint64_t end;

    if (start && size && !__builtin_add_overflow(start, size, &end))
        DF_PUSH(spans, (struct gr_extent){start, end});
}

static int by_start(const void *left, const void *right)
{
    uint64_t a = ((const struct gr_extent *)left)->start,
             b = ((const struct gr_extent *)right)->start;

    return a < b ? -1 : a > b;
}

static void settle(struct gr_extents *spans)
{
    size_t kept = 0;

    if (!spans->count)
        return;
    qsort(spans->items, spans->count, sizeof(*spans->items), by_start);
    for (size_t i = 1; i < spans->count; i++) {
        struct gr_extent *last = &spans->items[kept], *next = &spans->items[i];

        if (next->start > last->end)
            spans->items[++kept] = *next;
        else if (next->end > last->end)
            last->end = next->end;
    }
    spans->count = kept + 1;
}

/* Which structure of the layout serves the objects of which type. Of sets and weak references the
 * layout's fields have no hash; what it has no structure for keeps addresses only. */
static const struct {
    const char *type, *structure;
} structures[] = {
    {"list", "list"},
    {"dict", "dict"},
    {"set", "set"},
    {"frozenset", "set"},
    {"function", "function"},
    {"code", "code"},
    {"frame", "frameobject"},
    {"generator", "gen"},
    {"coroutine", "gen"},
    {"async_generator", "gen"},
    {"module", "module"},
    {"traceback", "traceback"},
    {"bytearray", "bytearray"},
    {"memoryview", "memoryview"},
    {"array.array", "array"},
    {"collections.deque", "deque"},
    {"collections.OrderedDict", "odict"},
    {"_asyncio.Task", "future"},
    {"_asyncio.Future", "future"},
    {"_thread.lock", "lock"},
    {"_thread.RLock", "rlock"},
    {"_io.FileIO", "fileio"},
    {"_io.BufferedReader", "buffered"},
    {"_io.BufferedWriter", "buffered"},
    {"_io.BufferedRandom", "buffered"},
    {"_io.TextIOWrapper", "textio"},
    {"_socket.socket", "socket"},
};
enum { STRUCTURES = sizeof(structures) / sizeof(*structures) };

static void add_field(void *context, uint64_t address, uint64_t size, bool whole)
{
    struct gr_fields *fields = context;

    (void)whole;
    if (fields->count < sizeof(fields->items) / sizeof(*fields->items))
        fields->items[fields->count++] = (struct gr_extent){address, address + size};
}

static const struct gr_fields *fields_of(const struct gr_redaction *redaction,
                                         const struct py_type *type, const struct gr_fields *all)
{
    for (;;) {
        for (size_t i = 0; i < STRUCTURES; i++)
            if (!type->python_class && !strcmp(type->name, structures[i].type))
                return &all[i];
        if (type->base_index == PY_NO_TYPE)
            return NULL;
        type = py_type_at(redaction->objects, type->base_index);
    }
}

static bool descends(const struct gr_redaction *redaction, const struct py_type *type,
                     const char *base)
{
    while (strcmp(type->name, base) != 0) {
        if (type->base_index == PY_NO_TYPE)
            return false;
        type = py_type_at(redaction->objects, type->base_index);
    }
    return true;
}

static enum gr_body body_of(const struct gr_redaction *redaction, const struct py_type *type)
{
    if (type->flags & PY_TPFLAGS_UNICODE)
        return GR_BODY_TEXT;
    if (type->flags & PY_TPFLAGS_BYTES)
        return GR_BODY_BYTES;
    if (!strcmp(type->name, "bool"))
        return GR_BODY_PLAIN;
    if (type->flags & PY_TPFLAGS_LONG)
        return GR_BODY_INT;
    if (type->flags & PY_TPFLAGS_TYPE)
        return GR_BODY_TYPE;
    return descends(redaction, type, "float")     ? GR_BODY_FLOAT
           : descends(redaction, type, "complex") ? GR_BODY_COMPLEX
                                                  : GR_BODY_PLAIN;
}

static void prepare_types(struct gr_redaction *redaction)
{
    const struct py_layout *layout = &redaction->py->layout;
    uint32_t count = (uint32_t)py_type_count(redaction->objects);

    redaction->fields = df_xcalloc(STRUCTURES, sizeof(*redaction->fields));
    for (size_t i = 0; i < STRUCTURES; i++)
        py_own_fields(layout, structures[i].structure, 0, add_field, &redaction->fields[i]);
    redaction->types = df_xcalloc((size_t)count + 1, sizeof(*redaction->types));
    for (uint32_t i = 0; i < count; i++) {
        const struct py_type *type = py_type_at(redaction->objects, i);

        redaction->types[i] = (struct gr_kept_type){(uint8_t)body_of(redaction, type),
                                                    fields_of(redaction, type, redaction->fields)};
    }
}

struct df_err *gr_redaction_make(const struct py *py, struct py_objects *objects,
                                 const struct gr_graph *graph, struct gr_redaction **ret)
{
    struct gr_redaction *redaction = df_xcalloc(1, sizeof(*redaction));
    struct df_err *err;

    redaction->py = py;
    redaction->objects = objects;
    redaction->graph = graph;
    redaction->names = df_xcalloc((size_t)graph->count / 64 + 1, sizeof(*redaction->names));
    prepare_types(redaction);
    gr_redact_find_names(redaction);
    err = gr_redact_find_native(redaction);
    if (err) {
        gr_redaction_free(redaction);
        return err;
    }
    settle(&redaction->whole);
    settle(&redaction->numbers);
    settle(&redaction->data);
    settle(&redaction->program);
    *ret = redaction;
    return NULL;
}

void gr_redaction_free(struct gr_redaction *redaction)
{
    if (!redaction)
        return;
    free(redaction->types);
    free(redaction->fields);
    free(redaction->names);
    free(redaction->whole.items);
    free(redaction->numbers.items);
    free(redaction->data.items);
    free(redaction->program.items);
    free(redaction);
}

/* ---- writing ---- */

struct chunk {
    const struct gr_redaction *redaction;
    struct py_reader reader;
    uint64_t start, end;
    const uint8_t *from; /* as it was */
    uint8_t *to;
};

/* The part of [start, end) that is in the chunk; false when none is. */
static bool clip(const struct chunk *chunk, uint64_t *start, uint64_t *end)
{
    *start = *start > chunk->start ? *start : chunk->start;
    *end = *end < chunk->end ? *end : chunk->end;
    return *start < *end;
}

static void keep(const struct chunk *chunk, uint64_t start, uint64_t size)
{
    uint64_t end = start + size, at = start;

    if (end > start && clip(chunk, &at, &end))
        memcpy(chunk->to + (at - chunk->start), chunk->from + (at - chunk->start), end - at);
}

static void drop(const struct chunk *chunk, uint64_t start, uint64_t size)
{
    uint64_t end = start + size, at = start;

    if (end > start && clip(chunk, &at, &end))
        memset(chunk->to + (at - chunk->start), 0, end - at);
}

/* The first span that ends behind an address. */
static size_t first_span(const struct gr_extents *spans, uint64_t address)
{
    size_t low = 0, high = spans->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (spans->items[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void keep_spans(const struct chunk *chunk, const struct gr_extents *spans)
{
    for (size_t i = first_span(spans, chunk->start);
         i < spans->count && spans->items[i].start < chunk->end; i++)
        keep(chunk, spans->items[i].start, spans->items[i].end - spans->items[i].start);
}

static uint64_t word_at(const struct chunk *chunk, uint64_t address)
{
    uint64_t word;

    memcpy(&word, chunk->from + (address - chunk->start), 8);
    return word;
}

static void keep_addresses(const struct chunk *chunk)
{
    const struct df_aspace *space = chunk->redaction->py->dump->space;

    for (uint64_t at = (chunk->start + 7) & ~UINT64_C(7); at + 8 <= chunk->end; at += 8)
        if (df_aspace_range(space, word_at(chunk, at)))
            keep(chunk, at, 8);
}

static bool is_small(uint32_t half)
{
    return half < SMALL || half == MINUS_ONE;
}

static void keep_numbers(const struct chunk *chunk, const struct gr_extents *spans, bool halves)
{
    for (size_t i = first_span(spans, chunk->start);
         i < spans->count && spans->items[i].start < chunk->end; i++) {
        uint64_t at = spans->items[i].start, end = spans->items[i].end;

        if (!clip(chunk, &at, &end))
            continue;
        for (at = (at + 7) & ~UINT64_C(7); at + 8 <= end; at += 8) {
            uint64_t word = word_at(chunk, at);

            if (word < SMALL || (halves && is_small((uint32_t)word) && is_small(word >> 32)))
                keep(chunk, at, 8);
        }
    }
}

/* Text: without its hash, its copy in UTF-8, its characters. */
static void redact_text(struct chunk *chunk, uint64_t object, bool name)
{
    struct py_reader *reader = &chunk->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t head = PY_SIZEOF(layout, object), data, length;
    uint32_t kind;

    if (!py_str_data(reader, object, &data, &length, &kind))
        return;
    if (data > object && data - object <= PY_SIZEOF(layout, compact)) {
        uint64_t bytes = (length + 1) * kind;

        drop(chunk, object + head, data - object - head + bytes);
        if (name)
            keep(chunk, data, bytes);
    } else if (name) {
        keep(chunk, data, length * kind);
    }
    keep(chunk, PY_AT(layout, object, ascii, length), 8);
    keep(chunk, PY_AT(layout, object, ascii, kind), 4);
}

static void redact_bytes(struct chunk *chunk, uint64_t object, bool name)
{
    const struct py_layout *layout = chunk->reader.layout;
    uint64_t data = PY_AT(layout, object, bytes, ob_sval);
    uint64_t length = (uint64_t)py_ob_size(&chunk->reader, object);
    uint64_t head = PY_OFF(layout, varobject, ob_size) + 8;

    if (length > PY_MAX_TUPLE)
        return;
    drop(chunk, object + head, data - object - head + length + 1);
    if (name)
        keep(chunk, data, length + 1);
}

static void redact_int(struct chunk *chunk, uint64_t object)
{
    struct py_digits digits;

    if (py_int_digits(&chunk->reader, object, &digits))
        drop(chunk, digits.address, digits.count * digits.bytes);
    if (PY_HAS(chunk->reader.layout, long, lv_tag))
        keep(chunk, PY_AT(chunk->reader.layout, object, long, lv_tag), 8);
}

static void redact_type(struct chunk *chunk, uint64_t object)
{
    uint32_t size = PY_SIZEOF(chunk->reader.layout, type);

    if (size != PY_ABSENT)
        keep(chunk, object, size); /* numbers and addresses, nothing else */
}

static void redact_body(struct chunk *chunk, uint32_t node, uint64_t object, uint8_t body)
{
    const struct py_layout *layout = chunk->reader.layout;
    bool name = chunk->redaction->names[node / 64] >> (node % 64) & 1;

    switch ((enum gr_body)body) {
    case GR_BODY_TEXT:
        redact_text(chunk, object, name);
        return;
    case GR_BODY_BYTES:
        redact_bytes(chunk, object, name);
        return;
    case GR_BODY_INT:
        redact_int(chunk, object);
        return;
    case GR_BODY_FLOAT:
        drop(chunk, PY_AT(layout, object, float, ob_fval), 8);
        return;
    case GR_BODY_COMPLEX:
        drop(chunk, PY_AT(layout, object, complex, cval), 16);
        return;
    case GR_BODY_TYPE:
        redact_type(chunk, object);
        return;
    case GR_BODY_PLAIN:
        return;
    }
}

static void redact_object(struct chunk *chunk, uint32_t node, uint64_t object)
{
    const struct gr_redaction *redaction = chunk->redaction;
    const struct py_layout *layout = chunk->reader.layout;
    uint32_t index = gr_type(redaction->graph, node);
    const struct gr_kept_type *kept = &redaction->types[index];
    const struct py_type *type = py_type_at(redaction->objects, index);

    if (redaction->graph->flags[node] & GR_GC && layout->gc_head_size)
        keep(chunk, object - layout->gc_head_size, layout->gc_head_size);
    keep(chunk, object, PY_SIZEOF(layout, object));
    redact_body(chunk, node, object, kept->body);
    if (!strcmp(type->name, "bool"))
        keep(chunk, object, (uint64_t)type->basic_size + 4);
    if (type->item_size && kept->body != GR_BODY_TEXT)
        keep(chunk, PY_AT(layout, object, varobject, ob_size), 8);
    for (uint32_t i = 0; kept->fields && i < kept->fields->count; i++)
        keep(chunk, object + kept->fields->items[i].start,
             kept->fields->items[i].end - kept->fields->items[i].start);
    if (type->item_size == 2 && !strcmp(type->name, "code")) /* the bytecode itself (3.11+) */
        keep(chunk, object + (uint64_t)type->basic_size,
             2 * (uint64_t)py_ob_size(&chunk->reader, object));
    chunk->reader.fault = false;
}

static void redact_objects(struct chunk *chunk)
{
    const struct gr_graph *graph = chunk->redaction->graph;
    uint32_t node = gr_nodes_up_to(graph, chunk->start);
    struct gr_node_cursor cursor = gr_nodes_from(graph, node ? node - 1 : 0);
    uint64_t address;

    while (gr_next_node(&cursor, &node, &address) && address < chunk->end + LONGEST_HEAD)
        redact_object(chunk, node, address);
}

static bool is_program(const struct gr_redaction *redaction, uint64_t address)
{
    const struct gr_extents *spans = &redaction->program;
    size_t i = first_span(spans, address);

    return i < spans->count && spans->items[i].start <= address;
}

void gr_redact(void *context, uint64_t address, uint8_t *bytes, uint32_t size)
{
    const struct gr_redaction *redaction = context;
    struct chunk chunk = {.redaction = redaction,
                          .reader = py_reader(redaction->py),
                          .start = address,
                          .end = address + size,
                          .to = bytes};
    uint8_t *copy = df_xmalloc(size);

    memcpy(copy, bytes, size);
    memset(bytes, 0, size);
    chunk.from = copy;
    if (is_program(redaction, address) || is_program(redaction, address + size - 1))
        keep_spans(&chunk, &redaction->program);
    keep_addresses(&chunk);
    keep_numbers(&chunk, &redaction->numbers, true);
    keep_numbers(&chunk, &redaction->data, false);
    redact_objects(&chunk);
    keep_spans(&chunk, &redaction->whole);
    free(copy);
}
