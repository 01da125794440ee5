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

struct df_err *gr_bits_count(const uint64_t *bits, uint32_t nodes, uint32_t **ret_before,
                             uint32_t *ret_count)
{
    size_t words = (size_t)nodes / 64 + 1;

    *ret_count = 0;
    DF_TRY(df_array(words, sizeof(**ret_before), ret_before));
    for (size_t word = 0; word < words; word++) {
        (*ret_before)[word] = *ret_count;
        *ret_count += (uint32_t)gr_count_bits(bits[word]);
    }
    return NULL;
}

struct df_err *gr_trunk_make(const struct gr_graph *graph, struct gr_trunk *ret)
{
    size_t words = (size_t)graph->count / 64 + 1;

    *ret = (struct gr_trunk){.graph = graph};
    DF_TRY(df_array(words, sizeof(*ret->bits), &ret->bits));
    for (uint32_t v = 0; v < graph->count; v++)
        if (!is_leaf(graph, v, gr_referrer_count(graph, v)))
            gr_set_bit(ret->bits, v);
    return gr_bits_count(ret->bits, graph->count, &ret->before, &ret->count);
}

void gr_trunk_deinit(struct gr_trunk *trunk)
{
    free(trunk->bits);
    free(trunk->before);
    *trunk = (struct gr_trunk){0};
}
