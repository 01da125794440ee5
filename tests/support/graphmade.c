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

static uint32_t fill_rows(uint32_t count, const struct graphmade_edge *edges, size_t edge_count,
                          bool weak, uint32_t **ret_start, uint32_t **ret_target, uint8_t *kind)
{
    uint32_t *start = df_xcalloc((size_t)count + 1, sizeof(*start));
    uint32_t *target = df_xcalloc(edge_count + 1, sizeof(*target));
    uint32_t next = 0;

    for (uint32_t v = 0; v < count; v++) {
        for (size_t e = 0; e < edge_count; e++) {
            if (edges[e].from != v || (edges[e].kind == PY_REF_WEAK) != weak)
                continue;
            if (kind)
                kind[next] = edges[e].kind;
            target[next++] = edges[e].to;
        }
        start[v + 1] = next;
    }
    *ret_start = start;
    *ret_target = target;
    return next;
}

struct gr_graph *graphmade(uint32_t count, const struct graphmade_node *nodes,
                           const struct graphmade_edge *edges, size_t edge_count)
{
    struct gr_graph *graph = df_xcalloc(1, sizeof(*graph));
    struct al_csr csr;

    graph->texts = gr_texts_create();
    graph->count = count;
    graph->address = df_xcalloc(count, sizeof(*graph->address));
    graph->type = df_xcalloc(count, sizeof(*graph->type));
    graph->size = df_xcalloc(count, sizeof(*graph->size));
    graph->references = df_xcalloc(count, sizeof(*graph->references));
    graph->flags = df_xcalloc(count, 1);
    graph->source = df_xcalloc(count, 1);
    graph->root_kind = df_xcalloc(count, 1);
    graph->kind = df_xcalloc(edge_count + 1, 1);
    for (uint32_t v = 0; v < count; v++) {
        graph->address[v] = 0x1000 + 0x100 * (uint64_t)v;
        graph->size[v] = 10 + v;
        graph->type[v] = nodes[v].type;
        graph->references[v] = nodes[v].references;
        graph->flags[v] = nodes[v].flags;
    }
    graph->edge_count =
        fill_rows(count, edges, edge_count, false, &graph->start, &graph->target, graph->kind);
    graph->weak_count =
        fill_rows(count, edges, edge_count, true, &graph->weak_start, &graph->weak_target, NULL);
    csr = (struct al_csr){.count = count, .start = graph->start, .target = graph->target};
    must(al_csr_reverse(&csr, &graph->reverse_start, &graph->reverse_source));
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
