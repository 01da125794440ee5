/* SPDX-License-Identifier: MIT
 * graph.c: look-ups in a finished graph, its invariants, its end.
 */
#include "analyzer/graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/csr.h"

/* The number of nodes whose address is at most `address`. */
uint32_t gr_nodes_up_to(const struct gr_graph *graph, uint64_t address)
{
    uint32_t low = 0, high = graph->count;

    if (!graph->addresses)
        return (uint32_t)gr_places_up_to(&graph->places, address);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (graph->addresses[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t gr_node(const struct gr_graph *graph, uint64_t address)
{
    uint32_t after;

    if (!graph->addresses)
        return gr_rank(&graph->places, address);
    after = gr_nodes_up_to(graph, address);
    return after && graph->addresses[after - 1] == address ? after - 1 : AL_NONE;
}

uint32_t gr_node_containing(const struct gr_graph *graph, uint64_t address)
{
    uint32_t after = gr_nodes_up_to(graph, address);

    if (!after || address - gr_address(graph, after - 1) >= gr_size(graph, after - 1))
        return AL_NONE;
    return after - 1;
}

struct gr_node_cursor gr_nodes(const struct gr_graph *graph)
{
    struct gr_node_cursor cursor = {.graph = graph};

    if (!graph->addresses)
        gr_places_begin(&graph->places, &cursor.place);
    return cursor;
}

struct gr_node_cursor gr_nodes_from(const struct gr_graph *graph, uint32_t first)
{
    struct gr_node_cursor cursor = {.graph = graph, .next = first};

    if (!graph->addresses && first < graph->count)
        gr_places_begin_at(&graph->places, gr_place(&graph->places, gr_address(graph, first)),
                           &cursor.place);
    return cursor;
}

bool gr_next_node(struct gr_node_cursor *cursor, uint32_t *ret_node, uint64_t *ret_address)
{
    const struct gr_graph *graph = cursor->graph;
    uint64_t place;

    if (cursor->next >= graph->count)
        return false;
    *ret_node = cursor->next++;
    if (!graph->addresses)
        return gr_places_next(&cursor->place, ret_address, &place);
    *ret_address = graph->addresses[*ret_node];
    return true;
}

/* The place of a key among rows of `size` bytes that begin with ascending keys; `count`: none. */
static uint32_t find_row(const void *rows, uint32_t count, size_t size, uint32_t key)
{
    uint32_t low = 0, high = count, found;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        memcpy(&found, (const char *)rows + middle * size, sizeof(found));
        if (found < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < count)
        memcpy(&found, (const char *)rows + low * size, sizeof(found));
    return low < count && found == key ? low : count;
}

struct df_err *gr_find_referrers(struct gr_graph *graph, uint32_t jobs)
{
    const struct al_csr csr = {
        .count = graph->count, .start = graph->start, .target = graph->target};

    return graph->reverse.bytes ? NULL : gr_reverse_fill(&csr, jobs, &graph->reverse);
}

uint32_t gr_only_referrer(const struct gr_graph *graph, uint32_t node)
{
    struct gr_referrers referrers = gr_referrers(graph, node);
    uint32_t only = AL_NONE;

    if (referrers.left == 1)
        gr_next_referrer(&referrers, &only);
    return only;
}

const uint32_t *gr_weak(const struct gr_graph *graph, uint32_t node, uint32_t *ret_count)
{
    uint32_t row =
        find_row(graph->weak_holder, graph->weak_holder_count, sizeof(*graph->weak_holder), node);

    *ret_count = 0;
    if (row == graph->weak_holder_count)
        return NULL;
    *ret_count = graph->weak_start[row + 1] - graph->weak_start[row];
    return graph->weak_target + graph->weak_start[row];
}

int32_t gr_surplus(const struct gr_graph *graph, uint32_t node)
{
    uint32_t row =
        find_row(graph->surpluses, graph->surplus_count, sizeof(*graph->surpluses), node);

    return row < graph->surplus_count ? graph->surpluses[row].count : 0;
}

const struct gr_native *gr_natives_of(const struct gr_graph *graph, uint32_t node,
                                      size_t *ret_count)
{
    size_t low = 0, high = graph->native_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (graph->natives[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_count = 0;
    while (low + *ret_count < graph->native_count && graph->natives[low + *ret_count].node == node)
        ++*ret_count;
    return *ret_count ? &graph->natives[low] : NULL;
}

uint32_t gr_unexplained(const struct gr_graph *graph, uint32_t node)
{
    int32_t surplus = gr_surplus(graph, node);
    size_t words;

    if (surplus <= 0)
        return 0;
    gr_natives_of(graph, node, &words);
    return (size_t)surplus > words ? (uint32_t)surplus - (uint32_t)words : 0;
}

const struct gr_root *gr_root_of(const struct gr_graph *graph, uint32_t node)
{
    uint32_t low = 0, high = graph->root_node_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t place = graph->root_by_node[middle];

        if (graph->root_nodes[place] == node)
            return &graph->roots[graph->root_index[place]];
        if (graph->root_nodes[place] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void free_arrays(struct gr_graph *graph)
{
    gr_places_deinit(&graph->places);
    free(graph->addresses);
    gr_column_deinit(&graph->types);
    gr_column_deinit(&graph->sizes);
    gr_column_deinit(&graph->references);
    free(graph->flags);
    free(graph->origins);
    free(graph->start);
    free(graph->target);
    free(graph->edge_kinds);
    free(graph->weak_holder);
    free(graph->weak_start);
    free(graph->weak_target);
    gr_reverse_deinit(&graph->reverse);
    free(graph->root_index);
    free(graph->root_nodes);
    free(graph->root_by_node);
    free(graph->surpluses);
    free(graph->natives);
}

void gr_graph_destroy(struct gr_graph *graph)
{
    if (!graph)
        return;
    free(graph->roots);
    gr_texts_destroy(graph->texts);
    gr_sweep_destroy(graph->sweep);
    if (!graph->is_mapped)
        free_arrays(graph);
    free(graph);
}

static bool nodes_are_valid(const struct gr_graph *graph, uint32_t type_count)
{
    for (uint32_t v = 0; v < graph->count; v++) {
        if (gr_type(graph, v) >= type_count || gr_source_of(graph, v) >= GR_SOURCES)
            return false;
        if (v && gr_address(graph, v - 1) >= gr_address(graph, v))
            return false;
        if (gr_root_kind_of(graph, v) >= GR_ROOT_KINDS)
            return false;
    }
    return true;
}

static bool edges_are_valid(const struct gr_graph *graph)
{
    struct al_csr csr = {.count = graph->count, .start = graph->start, .target = graph->target};
    uint32_t unusual = 0;

    if (graph->start[graph->count] != graph->edge_count || !al_csr_is_valid(&csr))
        return false;
    for (uint32_t e = 0; e < graph->edge_count; e++) {
        if (gr_edge_kind(graph, e) >= PY_REF_WEAK)
            return false;
        unusual += gr_edge_kind(graph, e) != PY_REF_REFERENT;
    }
    return unusual == graph->unusual_count;
}

static bool weak_are_valid(const struct gr_graph *graph)
{
    uint32_t rows = graph->weak_holder_count;

    for (uint32_t i = 0; i < rows; i++)
        if (graph->weak_holder[i] >= graph->count ||
            graph->weak_start[i] >= graph->weak_start[i + 1])
            return false;
    for (uint32_t i = 0; i < graph->weak_count; i++)
        if (graph->weak_target[i] >= graph->count)
            return false;
    return !rows || graph->weak_start[rows] == graph->weak_count;
}

static bool referrers_are_valid(const struct gr_graph *graph)
{
    uint64_t edges = 0;
    uint32_t source;

    for (uint32_t v = 0; v < graph->count; v++) {
        edges += gr_referrer_count(graph, v);
        if (!graph->reverse.bytes)
            continue;
        GR_EACH_REFERRER (graph, v, source)
            if (source >= graph->count)
                return false;
    }
    return edges == graph->edge_count;
}

static bool roots_are_valid(const struct gr_graph *graph)
{
    if (graph->root_node_count > graph->root_count)
        return false;
    for (uint32_t i = 0; i < graph->root_count; i++) {
        const struct gr_root *root = &graph->roots[i];

        if (root->node >= graph->count || !root->path || root->kind == GR_ROOT_NONE ||
            root->kind >= GR_ROOT_KINDS || !gr_root_kind_of(graph, root->node))
            return false;
    }
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        if (graph->root_index[i] >= graph->root_count ||
            graph->roots[graph->root_index[i]].node != graph->root_nodes[i])
            return false;
        if (gr_root_of(graph, graph->root_nodes[i]) != &graph->roots[graph->root_index[i]])
            return false;
    }
    return true;
}

bool gr_graph_is_valid(const struct gr_graph *graph, uint32_t type_count)
{
    if (!nodes_are_valid(graph, type_count) || !roots_are_valid(graph))
        return false;
    return edges_are_valid(graph) && weak_are_valid(graph) && referrers_are_valid(graph);
}

const char *gr_source_name(enum gr_source source)
{
    static const char *const names[GR_SOURCES] = {
        [GR_FROM_GC_LIST] = "gc-list",    [GR_FROM_REFERENT] = "referent",
        [GR_FROM_STATIC] = "static",      [GR_FROM_SWEEP] = "heap-sweep",
        [GR_FROM_GUESS] = "conservative",
    };

    return source < GR_SOURCES ? names[source] : "unknown";
}

const char *gr_root_kind_name(enum gr_root_kind kind)
{
    static const char *const names[GR_ROOT_KINDS] = {
        [GR_ROOT_NONE] = "none",
        [GR_ROOT_MODULE] = "module",
        [GR_ROOT_FRAME] = "frame",
        [GR_ROOT_INTERPRETER] = "interpreter",
        [GR_ROOT_STATIC_TYPE] = "static type",
        [GR_ROOT_NATIVE] = "native",
        [GR_ROOT_SURPLUS] = "surplus",
        [GR_ROOT_GARBAGE] = "garbage",
        [GR_ROOT_UNKNOWN] = "unknown",
    };

    return kind < GR_ROOT_KINDS ? names[kind] : "unknown";
}
