/* SPDX-License-Identifier: MIT
 * trunk.c: see trunk.h.
 */
#include "analyzer/graph/trunk.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

static bool is_leaf(const struct gr_graph *graph, uint32_t node, uint32_t referrers)
{
    return referrers == 1 && graph->start[node] == graph->start[node + 1] &&
           gr_root_kind_of(graph, node) == GR_ROOT_NONE;
}

struct df_err *gr_trunk_make(const struct gr_graph *graph, struct gr_trunk *ret)
{
    size_t words = (size_t)graph->count / 64 + 1;

    *ret = (struct gr_trunk){.graph = graph};
    DF_TRY(df_array(words, sizeof(*ret->bits), &ret->bits));
    DF_TRY(df_array(words, sizeof(*ret->before), &ret->before));
    for (uint32_t v = 0; v < graph->count; v++)
        if (!is_leaf(graph, v, gr_referrer_count(graph, v)))
            gr_set_bit(ret->bits, v);
    for (size_t word = 0; word < words; word++) {
        ret->before[word] = ret->count;
        ret->count += (uint32_t)gr_count_bits(ret->bits[word]);
    }
    return NULL;
}

void gr_trunk_deinit(struct gr_trunk *trunk)
{
    free(trunk->bits);
    free(trunk->before);
    *trunk = (struct gr_trunk){0};
}

static uint32_t fill_row(const struct gr_trunk *trunk, uint32_t node, struct gr_trunk_graph *ret,
                         uint32_t used)
{
    const struct gr_graph *graph = trunk->graph;

    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        uint32_t target = graph->target[e];

        if (!gr_in_trunk(trunk, target))
            continue;
        if (gr_edge_kind(graph, e) != PY_REF_REFERENT)
            ret->unusual[ret->unusual_count++] = used;
        ret->target[used++] = gr_trunk_row(trunk, target);
    }
    return used;
}

static void fill(const struct gr_trunk *trunk, struct gr_trunk_graph *ret)
{
    uint32_t row = 0, used = 0;

    for (uint32_t v = 0; v < trunk->graph->count; v++) {
        if (!gr_in_trunk(trunk, v))
            continue;
        ret->node[row] = v;
        used = fill_row(trunk, v, ret, used);
        ret->start[++row] = used;
    }
    /* Pages that were not written to were never taken; the rest of the last one is kept. */
}

struct df_err *gr_trunk_graph_make(const struct gr_trunk *trunk, struct gr_trunk_graph *ret)
{
    const struct gr_graph *graph = trunk->graph;

    *ret = (struct gr_trunk_graph){0};
    DF_TRY(df_array(trunk->count, sizeof(*ret->node), &ret->node));
    DF_TRY(df_array((size_t)trunk->count + 1, sizeof(*ret->start), &ret->start));
    DF_TRY(df_array(graph->edge_count, sizeof(*ret->target), &ret->target));
    DF_TRY(df_array(graph->unusual_count, sizeof(*ret->unusual), &ret->unusual));
    DF_TRY(df_array(graph->root_node_count, sizeof(*ret->roots), &ret->roots));
    fill(trunk, ret);
    for (uint32_t i = 0; i < graph->root_node_count; i++)
        ret->roots[i] = gr_trunk_row(trunk, graph->root_nodes[i]);
    ret->csr = (struct al_csr){.count = trunk->count, .start = ret->start, .target = ret->target};
    return NULL;
}

void gr_trunk_graph_deinit(struct gr_trunk_graph *graph)
{
    free(graph->node);
    free(graph->start);
    free(graph->target);
    free(graph->unusual);
    free(graph->roots);
    *graph = (struct gr_trunk_graph){0};
}
