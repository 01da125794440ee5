/* SPDX-License-Identifier: MIT
 * ndjson.c: the graph, an object a line, for other tools and for checking us.
 *
 * Formatted by hand into one buffer: a heap of ten million objects is ten million lines. Names of
 * types and reasons of roots are escaped once. `refcount` is null for immortal objects, `idom`
 * under the virtual root and for objects that no root reaches; `uncounted` are referents that are
 * visited and yet not kept alive (by the dict of interned strings); empty lists, a root that is
 * none and flags that are false (but `garbage`) are left out.
 */
#include <errno.h>
#include <string.h>

#include "analyzer/report/report.h"
#include "analyzer/report/utf8.h"
#include "dumpfmt/base/mem.h"

#define BUFFER_BYTES (1u << 20)
#define PROGRESS_STEP 65536

struct writer {
    FILE *stream;
    char *buffer;
    size_t used;
    bool failed;
};

static void flush(struct writer *writer)
{
    if (writer->used && !writer->failed)
        writer->failed = fwrite(writer->buffer, 1, writer->used, writer->stream) != writer->used;
    writer->used = 0;
}

static inline void room(struct writer *writer, size_t bytes)
{
    if (BUFFER_BYTES - writer->used < bytes)
        flush(writer);
}

static void put(struct writer *writer, const char *text, size_t length)
{
    while (length > BUFFER_BYTES / 2) {
        put(writer, text, BUFFER_BYTES / 2); /* at most one level deep */
        text += BUFFER_BYTES / 2;
        length -= BUFFER_BYTES / 2;
    }
    room(writer, length);
    memcpy(writer->buffer + writer->used, text, length);
    writer->used += length;
}

#define PUT(writer, literal) put(writer, literal, sizeof(literal) - 1)

static void put_number(struct writer *writer, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(writer, digits + at, sizeof(digits) - at);
}

static void put_address(struct writer *writer, uint64_t address)
{
    char digits[24];
    size_t at = sizeof(digits);
    digits[--at] = '"';
    do {
        digits[--at] = "0123456789abcdef"[address & 15];
        address >>= 4;
    } while (address);
    digits[--at] = 'x';
    digits[--at] = '0';
    digits[--at] = '"';
    put(writer, digits + at, sizeof(digits) - at);
}

/* A JSON string with its quotes: valid UTF-8 whatever the text holds. Malloc'ed. */
static char *escaped(const char *text)
{
    DF_CLEANUP_FREE char *clean = rp_utf8_clean(text, false);
    char *json = df_xcalloc(strlen(clean) + 1, 6);
    size_t used = 0;
    json[used++] = '"';
    uint32_t code_point;
    for (size_t at = 0, step; (step = rp_utf8_next(clean + at, &code_point)); at += step) {
        if (rp_utf8_is_control(code_point))
            used += (size_t)sprintf(json + used, "\\u%04x", code_point);
        else if (code_point == '"' || code_point == '\\')
            used += (size_t)sprintf(json + used, "\\%c", (int)code_point);
        else
            used += rp_utf8_put(code_point, json + used);
    }
    json[used++] = '"';
    json[used] = '\0';
    return json;
}

struct names {
    char **types, **roots; /* JSON strings */
    uint32_t type_count;
    uint32_t *root_row; /* per node: its row in graph->roots, AL_NONE when it is no root */
};

static char *root_text(const struct gr_root *root)
{
    DF_CLEANUP_FREE char *text = df_xasprintf(
        "%s %s", gr_root_kind_name((enum gr_root_kind)root->kind), root->path ? root->path : "");
    size_t length = strlen(text);
    if (length && text[length - 1] == ' ')
        text[length - 1] = '\0';
    return escaped(text);
}

static struct df_err *make_names(const struct fi_analysis *analysis, struct names *names)
{
    const struct gr_graph *graph = analysis->graph;
    names->type_count = py_type_count(analysis->objects);
    DF_TRY(df_array(names->type_count, sizeof(char *), &names->types));
    DF_TRY(df_array(graph->root_count, sizeof(char *), &names->roots));
    DF_TRY(df_array(graph->count, sizeof(uint32_t), &names->root_row));
    for (uint32_t i = 0; i < names->type_count; i++)
        names->types[i] = escaped(py_type_at(analysis->objects, i)->name);
    memset(names->root_row, 0xff, graph->count * sizeof(uint32_t));
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        uint32_t row = graph->root_index[i];
        names->root_row[graph->root_nodes[i]] = row;
        if (!names->roots[row])
            names->roots[row] = root_text(&graph->roots[row]);
    }
    return NULL;
}

static void free_names(const struct gr_graph *graph, struct names *names)
{
    for (uint32_t i = 0; names->types && i < names->type_count; i++)
        free(names->types[i]);
    for (uint32_t i = 0; names->roots && i < graph->root_count; i++)
        free(names->roots[i]);
    free(names->types);
    free(names->roots);
    free(names->root_row);
}

static void put_list(struct writer *writer, const struct gr_graph *graph, uint32_t node,
                     uint8_t kind, const char *name)
{
    bool begun = false;
    for (uint32_t edge = graph->start[node]; edge < graph->start[node + 1]; edge++) {
        if (gr_edge_kind(graph, edge) != kind)
            continue;
        if (begun)
            PUT(writer, ",");
        else
            put(writer, name, strlen(name));
        begun = true;
        put_address(writer, gr_address(graph, graph->target[edge]));
    }
    if (begun)
        PUT(writer, "]");
}

static void put_weak(struct writer *writer, const struct gr_graph *graph, uint32_t node)
{
    const char *name = graph->flags[node] & GR_UNCOUNTED ? ",\"uncounted\":[" : ",\"weak\":[";
    uint32_t count;
    const uint32_t *targets = gr_weak(graph, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0)
            put(writer, name, strlen(name));
        else
            PUT(writer, ",");
        put_address(writer, gr_address(graph, targets[i]));
    }
    if (count)
        PUT(writer, "]");
}

static void put_references(struct writer *writer, int64_t references)
{
    PUT(writer, ",\"refcount\":");
    if (references == INT64_MAX) {
        PUT(writer, "null");
        return;
    }
    if (references < 0)
        PUT(writer, "-");
    put_number(writer, references < 0 ? 0 - (uint64_t)references : (uint64_t)references);
}

static void put_facts(struct writer *writer, const struct fi_analysis *analysis, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t above = fi_idom(analysis, node);
    PUT(writer, ",\"retained\":");
    put_number(writer, fi_retained(analysis, node));
    PUT(writer, ",\"idom\":");
    if (above < graph->count)
        put_address(writer, gr_address(graph, above));
    else
        PUT(writer, "null");
    bool garbage = fi_verdict_of(analysis, node) == AL_GARBAGE ||
                   fi_verdict_of(analysis, node) == AL_UNCOLLECTABLE;
    if (garbage)
        PUT(writer, ",\"garbage\":true");
    else
        PUT(writer, ",\"garbage\":false");
    if (graph->flags[node] & GR_TRACKED)
        PUT(writer, ",\"tracked\":true");
    if (graph->flags[node] & GR_FINALIZED)
        PUT(writer, ",\"finalized\":true");
}

static void put_object(struct writer *writer, const struct fi_analysis *analysis,
                       const struct names *names, uint32_t node)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t type = gr_type(graph, node);
    const char *source = gr_source_name((enum gr_source)gr_source_of(graph, node));
    PUT(writer, "{\"address\":");
    put_address(writer, gr_address(graph, node));
    PUT(writer, ",\"type\":");
    if (type < names->type_count)
        put(writer, names->types[type], strlen(names->types[type]));
    else
        PUT(writer, "\"?\"");
    PUT(writer, ",\"size\":");
    put_number(writer, gr_size(graph, node));
    put_references(writer, gr_references(graph, node));
    PUT(writer, ",\"source\":\"");
    put(writer, source, strlen(source));
    PUT(writer, "\"");
    if (names->root_row[node] != UINT32_MAX) {
        const char *root = names->roots[names->root_row[node]];
        PUT(writer, ",\"root\":");
        put(writer, root, strlen(root));
    }
    put_facts(writer, analysis, node);
    put_list(writer, graph, node, PY_REF_REFERENT, ",\"referents\":[");
    put_list(writer, graph, node, PY_REF_OWNED, ",\"owned\":[");
    put_weak(writer, graph, node);
    put_list(writer, graph, node, PY_REF_GUESS, ",\"guess\":[");
    PUT(writer, "}\n");
}

struct df_err *rp_ndjson(FILE *stream, const struct fi_analysis *analysis,
                         const struct df_progress *progress)
{
    struct writer writer = {.stream = stream};
    struct names names = {0};
    uint32_t count = analysis->graph->count;
    struct df_err *err = df_array(BUFFER_BYTES, 1, &writer.buffer);
    if (!err)
        err = make_names(analysis, &names);
    errno = 0;
    for (uint32_t node = 0; !err && node < count && !writer.failed; node++) {
        if (node % PROGRESS_STEP == 0)
            df_progress(progress, "writing objects", node, count);
        put_object(&writer, analysis, &names, node);
    }
    flush(&writer);
    if (!err && (writer.failed || ferror(stream)))
        err = df_err_new(DF_ERR_IO, "the output cannot be written%s%s", errno ? ": " : "",
                         errno ? strerror(errno) : "");
    free_names(analysis->graph, &names);
    free(writer.buffer);
    return err;
}
