/* SPDX-License-Identifier: MIT
 * treemade.c: see treemade.h.
 */
#include "tests/support/treemade.h"

#include <stdio.h>
#include <stdlib.h>

#include "dumpfmt/base/mem.h"

void treemade(struct fi_analysis *analysis, const uint32_t *idom)
{
    struct gr_graph *graph = analysis->graph;
    struct gr_trunk *trunk = &analysis->trunk;
    struct fi_dominators dominators = {
        .idom = df_xcalloc((size_t)graph->count + 1, sizeof(*dominators.idom)),
        .order = df_xcalloc((size_t)graph->count + 1, sizeof(*dominators.order))};

    if (!graph->start)
        graph->start = df_xcalloc((size_t)graph->count + 1, sizeof(*graph->start));
    *trunk = (struct gr_trunk){.graph = graph, .count = graph->count};
    trunk->bits = df_xcalloc(graph->count / 64 + 1, sizeof(*trunk->bits));
    trunk->before = df_xcalloc(graph->count / 64 + 1, sizeof(*trunk->before));
    for (uint32_t v = 0; v < graph->count; v++) {
        trunk->bits[v / 64] |= UINT64_C(1) << v % 64;
        trunk->before[v / 64] = v - v % 64;
        dominators.idom[v] = idom[v];
        if (idom[v] != AL_NONE)
            dominators.order[dominators.reached++] = v;
    }
    struct df_err *err = fi_tree_make(trunk, &dominators, UINT64_MAX, 1, 1, &analysis->tree,
                                      &analysis->type_retained);

    fi_dominators_deinit(&dominators);
    if (!err)
        return;
    fprintf(stderr, "treemade: %s\n", df_err_text(err));
    abort();
}

void treemade_end(struct fi_analysis *analysis)
{
    fi_tree_deinit(&analysis->tree);
    free(analysis->type_retained);
    gr_trunk_deinit(&analysis->trunk);
}
