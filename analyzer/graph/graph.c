/* SPDX-License-Identifier: MIT
 * graph.c: look-ups in a finished graph, its invariants, its end.
 */
#include "analyzer/graph/graph.h"

#include <stdlib.h>

#include "analyzer/algo/csr.h"

/* The number of nodes whose address is at most `address`. */
static uint32_t nodes_up_to(const struct gr_graph *graph, uint64_t address)
{
    uint32_t low = 0, high = graph->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (graph->address[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t gr_node(const struct gr_graph *graph, uint64_t address)
{
    uint32_t after;

    if (graph->places.ranks)
        return gr_rank(&graph->places, address);
    after = nodes_up_to(graph, address);
    return after && graph->address[after - 1] == address ? after - 1 : AL_NONE;
}

uint32_t gr_node_containing(const struct gr_graph *graph, uint64_t address)
{
    uint32_t after = nodes_up_to(graph, address);

    if (!after || address - graph->address[after - 1] >= graph->size[after - 1])
        return AL_NONE;
    return after - 1;
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
    size_t words;

    if (!graph->surplus || graph->surplus[node] <= 0)
        return 0;
    gr_natives_of(graph, node, &words);
    return (size_t)graph->surplus[node] > words ? (uint32_t)graph->surplus[node] - (uint32_t)words
                                                : 0;
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

void gr_graph_destroy(struct gr_graph *graph)
{
    if (!graph)
        return;
    gr_places_deinit(&graph->places);
    free(graph->address);
    free(graph->type);
    free(graph->size);
    free(graph->references);
    free(graph->flags);
    free(graph->source);
    free(graph->start);
    free(graph->target);
    free(graph->kind);
    free(graph->weak_start);
    free(graph->weak_target);
    free(graph->reverse_start);
    free(graph->reverse_source);
    free(graph->roots);
    free(graph->root_kind);
    free(graph->root_index);
    free(graph->root_nodes);
    free(graph->root_by_node);
    gr_texts_destroy(graph->texts);
    free(graph->surplus);
    free(graph->natives);
    gr_sweep_destroy(graph->sweep);
    free(graph);
}

static bool nodes_are_valid(const struct gr_graph *graph, uint32_t type_count)
{
    for (uint32_t v = 0; v < graph->count; v++) {
        if (graph->type[v] >= type_count || graph->source[v] >= GR_SOURCES)
            return false;
        if (v && graph->address[v - 1] >= graph->address[v])
            return false;
        if (graph->root_kind[v] >= GR_ROOT_KINDS)
            return false;
    }
    return true;
}

static bool rows_are_valid(const struct gr_graph *graph, const uint32_t *start,
                           const uint32_t *target, uint32_t edges)
{
    struct al_csr csr = {.count = graph->count, .start = start, .target = target};

    return start[graph->count] == edges && al_csr_is_valid(&csr);
}

static bool roots_are_valid(const struct gr_graph *graph)
{
    if (graph->root_node_count > graph->root_count)
        return false;
    for (uint32_t i = 0; i < graph->root_count; i++) {
        const struct gr_root *root = &graph->roots[i];

        if (root->node >= graph->count || !root->path || root->kind == GR_ROOT_NONE ||
            root->kind >= GR_ROOT_KINDS || !graph->root_kind[root->node])
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
    for (uint32_t e = 0; e < graph->edge_count; e++)
        if (graph->kind[e] >= PY_REF_WEAK)
            return false;
    return rows_are_valid(graph, graph->start, graph->target, graph->edge_count) &&
           rows_are_valid(graph, graph->weak_start, graph->weak_target, graph->weak_count) &&
           rows_are_valid(graph, graph->reverse_start, graph->reverse_source, graph->edge_count);
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
