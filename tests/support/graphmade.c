/* SPDX-License-Identifier: MIT
 * graphmade.c: fills the arrays of a graph as analyzer/graph/number.c would.
 */
#include "tests/support/graphmade.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/roots.h"
#include "dumpfmt/base/mem.h"

static void must(struct df_err *err)
{
    if (!err)
        return;
    fprintf(stderr, "graphmade: %s\n", df_err_text(err));
    abort();
}

static void fill_edges(struct gr_graph *graph, const struct graphmade_edge *edges,
                       size_t edge_count)
{
    graph->start = df_xcalloc((size_t)graph->count + 1, sizeof(*graph->start));
    graph->target = df_xcalloc(edge_count + 1, sizeof(*graph->target));
    graph->edge_kinds = df_xcalloc(edge_count / 4 + 1, 1);
    for (uint32_t v = 0; v < graph->count; v++) {
        for (size_t e = 0; e < edge_count; e++) {
            if (edges[e].from != v || edges[e].kind == PY_REF_WEAK)
                continue;
            graph->unusual_count += edges[e].kind != PY_REF_REFERENT;
            graph->edge_kinds[graph->edge_count / 4] |=
                (uint8_t)(edges[e].kind << 2 * (graph->edge_count % 4));
            graph->target[graph->edge_count++] = edges[e].to;
        }
        graph->start[v + 1] = graph->edge_count;
    }
}

static void fill_weak(struct gr_graph *graph, const struct graphmade_edge *edges, size_t edge_count)
{
    graph->weak_holder = df_xcalloc((size_t)graph->count + 1, sizeof(*graph->weak_holder));
    graph->weak_start = df_xcalloc((size_t)graph->count + 1, sizeof(*graph->weak_start));
    graph->weak_target = df_xcalloc(edge_count + 1, sizeof(*graph->weak_target));
    for (uint32_t v = 0; v < graph->count; v++) {
        uint32_t before = graph->weak_count;

        for (size_t e = 0; e < edge_count; e++)
            if (edges[e].from == v && edges[e].kind == PY_REF_WEAK)
                graph->weak_target[graph->weak_count++] = edges[e].to;
        if (graph->weak_count == before)
            continue;
        graph->weak_holder[graph->weak_holder_count++] = v;
        graph->weak_start[graph->weak_holder_count] = graph->weak_count;
    }
}

struct gr_graph *graphmade(uint32_t count, const struct graphmade_node *nodes,
                           const struct graphmade_edge *edges, size_t edge_count)
{
    struct gr_graph *graph = df_xcalloc(1, sizeof(*graph));
    struct al_csr csr;

    graph->texts = gr_texts_create();
    graph->count = count;
    graph->addresses = df_xcalloc((size_t)count + 1, sizeof(*graph->addresses));
    must(gr_column_init(&graph->types, count, 2));
    must(gr_column_init(&graph->sizes, count, 2));
    must(gr_column_init(&graph->references, count, 1));
    graph->flags = df_xcalloc((size_t)count + 1, 1);
    graph->origins = df_xcalloc((size_t)count + 1, 1);
    for (uint32_t v = 0; v < count; v++) {
        graph->addresses[v] = 0x1000 + 0x100 * (uint64_t)v;
        gr_column_set(&graph->sizes, v, 10 + v);
        gr_column_set(&graph->types, v, nodes[v].type);
        gr_column_set(&graph->references, v, (uint64_t)nodes[v].references);
        graph->flags[v] = nodes[v].flags;
    }
    fill_edges(graph, edges, edge_count);
    fill_weak(graph, edges, edge_count);
    csr = (struct al_csr){.count = count, .start = graph->start, .target = graph->target};
    must(gr_reverse_count(&csr, &graph->reverse));
    must(gr_find_referrers(graph, 1));
    return graph;
}

static const char *type_name(void *context, uint32_t type)
{
    static const char *const names[] = {"T0", "T1", "T2", "T3", "T4", "T5", "T6", "T7"};

    (void)context;
    return type < 8 ? names[type] : "T";
}

void graphmade_roots(struct gr_graph *graph, const struct graphmade_root *roots, size_t count)
{
    struct gr_root_list list = {0};
    struct gr_reach reach;

    must(gr_reach_init(&reach, graph));
    for (size_t i = 0; i < count; i++) {
        DF_PUSH(&list, (struct gr_root){.node = roots[i].node,
                                        .kind = roots[i].kind,
                                        .path = roots[i].path,
                                        .thread = UINT32_MAX,
                                        .frame = UINT32_MAX});
        gr_reach_from(&reach, roots[i].node);
    }
    must(gr_roots_of_unreached(&reach, &list, graph->texts, type_name, NULL));
    must(gr_roots_install(graph, &list));
    gr_reach_deinit(&reach);
}
