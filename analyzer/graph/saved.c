/* SPDX-License-Identifier: MIT
 * saved.c: see saved.h.
 */
#include "analyzer/graph/saved.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/graph/native.h"
#include "dumpfmt/base/mem.h"

void gr_save_array(struct gr_saved *saved, const char *tag, void *pointer, size_t element,
                   uint64_t count)
{
    const void *found = NULL;
    uint64_t there;

    if (saved->err)
        return;
    if (saved->to) {
        memcpy(&found, pointer, sizeof(found));
        saved->err = df_necro_add(saved->to, tag, 0, found, element, count);
        return;
    }
    saved->err = df_necro_section(saved->from, tag, element, &found, &there);
    if (!saved->err && there != count)
        saved->err = df_err_new(DF_ERR_INPUT,
                                "this snapshot is damaged: its section %s has another "
                                "length than the others",
                                tag);
    if (!saved->err)
        memcpy(pointer, &found, sizeof(found));
}

void gr_save_list(struct gr_saved *saved, const char *tag, void *pointer, size_t element,
                  uint64_t *count)
{
    const void *found = NULL;

    if (saved->to)
        gr_save_array(saved, tag, pointer, element, *count);
    else if (!saved->err)
        saved->err = df_necro_section(saved->from, tag, element, &found, count);
    if (!saved->to && !saved->err)
        memcpy(pointer, &found, sizeof(found));
}

void gr_save_numbers(struct gr_saved *saved, const char *tag, uint64_t *numbers, uint64_t count)
{
    uint64_t *found = numbers;

    gr_save_array(saved, tag, &found, sizeof(*numbers), count);
    if (!saved->err && saved->from)
        memcpy(numbers, found, count * sizeof(*numbers));
}

/* Wide rows have gaps between their members, which a file must not get as they happen to be. */
static void save_wide(struct gr_saved *saved, const char *tag, struct gr_wide_list *wide)
{
    DF_CLEANUP_FREE struct gr_wide *clean = NULL;
    uint64_t count = wide->count;

    if (saved->err)
        return;
    if (saved->from) {
        gr_save_list(saved, tag, &wide->items, sizeof(*wide->items), &count);
        wide->count = (size_t)count;
        return;
    }
    clean = df_xcalloc(wide->count + 1, sizeof(*clean));
    for (size_t i = 0; i < wide->count; i++) {
        clean[i].node = wide->items[i].node;
        clean[i].value = wide->items[i].value;
    }
    gr_save_list(saved, tag, &clean, sizeof(*clean), &count);
}

void gr_save_column(struct gr_saved *saved, const char *tag, const char *wide_tag,
                    struct gr_column *column, uint64_t count)
{
    gr_save_array(saved, tag, &column->items, column->width, count);
    save_wide(saved, wide_tag, &column->wide);
}

static void save_places(struct gr_saved *saved, struct gr_places *places)
{
    uint64_t numbers[] = {places->range_count, places->words, places->count, places->filled_count};

    gr_save_numbers(saved, "places.numbers", numbers, 4);
    if (saved->err)
        return;
    places->range_count = (uint32_t)numbers[0];
    places->words = numbers[1];
    places->count = numbers[2];
    places->filled_count = numbers[3];
    gr_save_array(saved, "places.ranges", &places->ranges, sizeof(*places->ranges), numbers[0]);
    gr_save_array(saved, "places.blocks", &places->range, sizeof(*places->range), numbers[1] / 8);
    gr_save_array(saved, "places.bits", &places->bits, sizeof(*places->bits), numbers[1]);
    gr_save_array(saved, "places.ranks", &places->ranks, sizeof(*places->ranks), numbers[1] / 8);
    gr_save_array(saved, "places.filled", &places->filled, sizeof(*places->filled), numbers[3]);
    gr_save_array(saved, "places.hints", &places->hint, sizeof(*places->hint), numbers[2] / 64 + 2);
}

/* All single numbers of a graph, in a fixed order. */
enum { COUNTS = 22 + PY_REF_KINDS + GR_SOURCES };

static void move(uint64_t *numbers, uint32_t *at, bool out, uint64_t value, void *field,
                 size_t size)
{
    if (out)
        numbers[*at] = value;
    else
        memcpy(field, &numbers[*at], size); /* little-endian, as all that is saved */
    ++*at;
}

#define MOVE(field) move(numbers, &at, out, (uint64_t)(field), &(field), sizeof(field))

static void move_counts(struct gr_graph *graph, uint64_t *numbers, bool out)
{
    uint32_t at = 0;

    MOVE(graph->count);
    MOVE(graph->edge_count);
    MOVE(graph->types.width);
    MOVE(graph->root_node_count);
    MOVE(graph->weak_count);
    MOVE(graph->unusual_count);
    MOVE(graph->counts.reliable);
    MOVE(graph->counts.checked);
    MOVE(graph->counts.surplus);
    MOVE(graph->counts.unexplained);
    MOVE(graph->counts.lost);
    MOVE(graph->counts.imports);
    MOVE(graph->counts.deficit);
    MOVE(graph->counts.deficit_example_count);
    for (uint32_t i = 0; i < 8; i++)
        MOVE(graph->counts.deficit_examples[i]);
    for (uint32_t i = 0; i < PY_REF_KINDS; i++)
        MOVE(graph->references_by_kind[i]);
    for (uint32_t i = 0; i < GR_SOURCES; i++)
        MOVE(graph->objects_by_source[i]);
}

static void save_nodes(struct gr_saved *saved, struct gr_graph *graph)
{
    uint64_t count = graph->count;

    gr_save_column(saved, "graph.types", "graph.typesw", &graph->types, count);
    gr_save_column(saved, "graph.sizes", "graph.sizesw", &graph->sizes, count);
    gr_save_column(saved, "graph.counts", "graph.countsw", &graph->references, count);
    gr_save_array(saved, "graph.flags", &graph->flags, 1, count);
    gr_save_array(saved, "graph.origins", &graph->origins, 1, count);
}

static void save_edges(struct gr_saved *saved, struct gr_graph *graph)
{
    uint64_t holders = graph->weak_holder_count, surpluses = graph->surplus_count;
    uint64_t count = graph->count;

    gr_save_array(saved, "graph.start", &graph->start, sizeof(*graph->start), count + 1);
    gr_save_array(saved, "graph.target", &graph->target, sizeof(*graph->target), graph->edge_count);
    gr_save_array(saved, "graph.edgekinds", &graph->edge_kinds, 1, graph->edge_count / 4 + 1);
    gr_save_list(saved, "graph.weak", &graph->weak_holder, sizeof(*graph->weak_holder), &holders);
    graph->weak_holder_count = (uint32_t)holders;
    gr_save_array(saved, "graph.weakstart", &graph->weak_start, sizeof(*graph->weak_start),
                  holders + 1);
    gr_save_array(saved, "graph.weaktarg", &graph->weak_target, sizeof(*graph->weak_target),
                  graph->weak_count);
    gr_save_column(saved, "graph.refcounts", "graph.refcounw", &graph->reverse.counts, count);
    gr_save_list(saved, "graph.referrer", &graph->reverse.bytes, 1, &graph->reverse.size);
    graph->reverse.count = graph->count;
    gr_save_array(saved, "graph.refgroups", &graph->reverse.group, sizeof(*graph->reverse.group),
                  count / GR_ROWS + 1);
    gr_save_list(saved, "graph.surplus", &graph->surpluses, sizeof(*graph->surpluses), &surpluses);
    graph->surplus_count = (uint32_t)surpluses;
}

struct root_row { /* a struct gr_root: its path begins at this byte of the texts */
    uint64_t path;
    uint32_t node, kind, thread, frame;
};

struct text {
    char *items;
    size_t count, capacity;
};

/* What stands in quotes is what the process itself gave a name (seeds.c: <thread "name">). */
static void put_path(struct text *text, const char *path, bool redacted)
{
    const char *end = strrchr(path, '"');

    for (const char *c = path;; c++) {
        DF_PUSH(text, *c);
        if (!*c)
            return;
        if (*c != '"' || !redacted || end <= c)
            continue;
        for (const char *dots = "…"; *dots; dots++)
            DF_PUSH(text, *dots);
        c = end - 1;
        redacted = false;
    }
}

static void write_roots(struct gr_saved *saved, const struct gr_graph *graph, bool redacted)
{
    struct root_row *rows = df_xcalloc((size_t)graph->root_count + 1, sizeof(*rows));
    uint64_t count = graph->root_count, length;
    struct text text = {0};

    for (uint32_t i = 0; i < graph->root_count; i++) {
        const struct gr_root *root = &graph->roots[i];

        rows[i] = (struct root_row){text.count, root->node, root->kind, root->thread, root->frame};
        put_path(&text, root->path, redacted);
    }
    length = text.count;
    gr_save_list(saved, "roots.rows", &rows, sizeof(*rows), &count);
    gr_save_list(saved, "roots.paths", &text.items, 1, &length);
    free(rows);
    free(text.items);
}

static struct df_err *strange_roots(void)
{
    return df_err_new(DF_ERR_INPUT, "this snapshot is damaged: its roots make no sense");
}

static struct df_err *read_roots(struct gr_saved *saved, struct gr_graph *graph)
{
    const struct root_row *rows;
    const char *text;
    uint64_t count, length;

    gr_save_list(saved, "roots.rows", &rows, sizeof(*rows), &count);
    gr_save_list(saved, "roots.paths", &text, 1, &length);
    if (saved->err)
        return DF_TAKE(saved->err);
    if (count >= UINT32_MAX || (length && text[length - 1]))
        return strange_roots();
    DF_TRY(df_array((size_t)count, sizeof(*graph->roots), &graph->roots));
    for (uint64_t i = 0; i < count; i++) {
        if (rows[i].path >= length || rows[i].node >= graph->count || rows[i].kind >= GR_ROOT_KINDS)
            return strange_roots();
        graph->roots[i] = (struct gr_root){.node = rows[i].node,
                                           .kind = (uint8_t)rows[i].kind,
                                           .path = text + rows[i].path,
                                           .thread = rows[i].thread,
                                           .frame = rows[i].frame};
    }
    graph->root_count = (uint32_t)count;
    return NULL;
}

static void save_root_nodes(struct gr_saved *saved, struct gr_graph *graph)
{
    uint64_t count = graph->root_node_count;

    gr_save_array(saved, "roots.first", &graph->root_index, sizeof(*graph->root_index), count);
    gr_save_array(saved, "roots.nodes", &graph->root_nodes, sizeof(*graph->root_nodes), count);
    gr_save_array(saved, "roots.bynode", &graph->root_by_node, sizeof(*graph->root_by_node), count);
}

static void save_words(struct gr_saved *saved, const char *tag, struct gr_native **words,
                       size_t *word_count)
{
    DF_CLEANUP_FREE struct gr_native *clean = NULL;
    uint64_t count = *word_count;

    if (saved->from) {
        gr_save_list(saved, tag, words, sizeof(**words), &count);
        *word_count = (size_t)count;
        return;
    }
    clean = df_xcalloc(*word_count + 1, sizeof(*clean));
    for (size_t i = 0; i < *word_count; i++) {
        const struct gr_native *word = &(*words)[i];

        clean[i].node = word->node;
        clean[i].place = word->place;
        clean[i].index = word->index;
        clean[i].frame = word->frame;
        clean[i].address = word->address;
        clean[i].block = word->block;
    }
    gr_save_list(saved, tag, &clean, sizeof(*clean), &count);
}

static void save_arrays(struct gr_saved *saved, struct gr_graph *graph)
{
    save_places(saved, &graph->places);
    save_nodes(saved, graph);
    save_edges(saved, graph);
    save_root_nodes(saved, graph);
    save_words(saved, "graph.natives", &graph->natives, &graph->native_count);
}

static void write_types(struct gr_saved *saved, struct py_objects *objects)
{
    uint64_t count = py_type_count(objects);
    uint64_t *addresses = df_xcalloc((size_t)count + 1, sizeof(*addresses));

    for (uint32_t i = 0; i < count; i++)
        addresses[i] = py_type_at(objects, i)->address;
    gr_save_list(saved, "graph.typelist", &addresses, sizeof(*addresses), &count);
    free(addresses);
}

/* Types are numbered as they are met: they are met in the same order. */
static bool meet_types(struct gr_saved *saved, struct py_objects *objects)
{
    const uint64_t *addresses;
    uint64_t count;

    gr_save_list(saved, "graph.typelist", &addresses, sizeof(*addresses), &count);
    for (uint64_t i = 0; !saved->err && i < count; i++)
        if (py_type_index(objects, addresses[i]) != i)
            return false;
    return true;
}

struct ledger_row { /* a struct py_ledger_row: its reason begins at this byte of the texts */
    uint64_t reason, count, example;
};

/* What could not be read of the core while the graph was made: a snapshot must not hide it. */
static void write_ledger(struct gr_saved *saved, const struct py_objects *objects)
{
    const struct py_ledger_row *known;
    uint64_t count = py_ledger(objects, &known), length;
    struct ledger_row *rows = df_xcalloc((size_t)count + 1, sizeof(*rows));
    struct text text = {0};

    for (uint64_t i = 0; i < count; i++) {
        rows[i] = (struct ledger_row){text.count, known[i].count, known[i].example};
        put_path(&text, known[i].reason, false);
    }
    length = text.count;
    gr_save_list(saved, "ledger.rows", &rows, sizeof(*rows), &count);
    gr_save_list(saved, "ledger.reasons", &text.items, 1, &length);
    free(rows);
    free(text.items);
}

static struct df_err *read_ledger(struct gr_saved *saved, struct py_objects *objects)
{
    const struct ledger_row *rows = NULL;
    const char *text = NULL;
    uint64_t count = 0, length = 0;

    gr_save_list(saved, "ledger.rows", &rows, sizeof(*rows), &count);
    gr_save_list(saved, "ledger.reasons", &text, 1, &length);
    if (saved->err)
        return DF_TAKE(saved->err);
    for (uint64_t i = 0; i < count; i++) {
        if (rows[i].reason >= length || text[length - 1])
            return df_necro_senseless(saved->from, "ledger.rows");
        py_ledger_add_row(objects, &(struct py_ledger_row){.reason = text + rows[i].reason,
                                                           .count = rows[i].count,
                                                           .example = rows[i].example});
    }
    return NULL;
}

struct df_err *gr_graph_save(const struct gr_graph *graph, struct py_objects *objects,
                             const struct py *py, bool redacted, struct df_necro_writer *to)
{
    struct gr_saved saved = {.to = to};
    uint64_t version = GR_SAVED_VERSION;
    struct gr_graph copy = *graph; /* the description wants to write; it does not when it saves */
    struct gr_native *words;
    uint64_t numbers[COUNTS];
    size_t count;

    gr_save_numbers(&saved, "graph.version", &version, 1);
    write_types(&saved, objects);
    move_counts(&copy, numbers, true);
    gr_save_numbers(&saved, "graph.numbers", numbers, COUNTS);
    save_arrays(&saved, &copy);
    write_roots(&saved, graph, redacted);
    if (graph->sweep)
        gr_sweep_save(&saved, graph->sweep);
    write_ledger(&saved, objects);
    words = gr_native_find_all(py, graph, &count);
    save_words(&saved, "graph.words", &words, &count);
    free(words);
    return saved.err;
}

static struct df_err *load(struct gr_saved *saved, struct gr_graph *graph)
{
    uint64_t numbers[COUNTS];

    gr_save_numbers(saved, "graph.numbers", numbers, COUNTS);
    if (saved->err)
        return DF_TAKE(saved->err);
    move_counts(graph, numbers, false);
    graph->sizes.width = 2;
    graph->references.width = 1;
    graph->reverse.counts.width = 1;
    if (graph->types.width != 2 && graph->types.width != 4)
        return df_err_new(DF_ERR_INPUT, "this snapshot is damaged: its types make no sense");
    save_arrays(saved, graph);
    save_words(saved, "graph.words", &graph->words, &graph->word_count);
    graph->sweep = gr_sweep_load(saved);
    if (saved->err)
        return DF_TAKE(saved->err);
    return read_roots(saved, graph);
}

struct df_err *gr_graph_load(struct df_necro *from, struct py_objects *objects,
                             struct gr_graph **ret)
{
    struct gr_saved saved = {.from = from};
    struct gr_graph *graph;
    struct df_err *err;
    uint64_t version;

    *ret = NULL;
    if (!df_necro_has(from, "graph.version"))
        return NULL;
    gr_save_numbers(&saved, "graph.version", &version, 1);
    if (saved.err || version != GR_SAVED_VERSION || !meet_types(&saved, objects))
        return saved.err;
    graph = df_xcalloc(1, sizeof(*graph));
    graph->is_mapped = true;
    err = load(&saved, graph);
    if (err) {
        gr_graph_destroy(graph);
        return err;
    }
    err = read_ledger(&saved, objects);
    if (err) {
        gr_graph_destroy(graph);
        return err;
    }
    *ret = graph;
    return NULL;
}

static bool references_of(void *context, uint64_t object, struct py_refs *refs)
{
    const struct gr_graph *graph = context;
    uint32_t node = gr_node(graph, object);

    if (node == AL_NONE)
        return false;
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++)
        DF_PUSH(refs, (struct py_ref){.target = gr_address(graph, graph->target[e]),
                                      .kind = (uint8_t)gr_edge_kind(graph, e)});
    return true;
}

static bool size_of(void *context, uint64_t object, uint64_t *ret)
{
    const struct gr_graph *graph = context;
    uint32_t node = gr_node(graph, object);

    if (node != AL_NONE)
        *ret = gr_size(graph, node);
    return node != AL_NONE;
}

struct py_objects_source gr_objects_source(struct gr_graph *graph)
{
    return (struct py_objects_source){graph, references_of, size_of};
}
