/* SPDX-License-Identifier: MIT
 * csr.c: checking and reversing a graph in compressed sparse rows.
 */
#include "analyzer/algo/csr.h"

#include "dumpfmt/base/mem.h"

bool al_csr_is_valid(const struct al_csr *graph)
{
    if (graph->count > AL_MAX_NODES || graph->start[0] != 0)
        return false;
    for (uint32_t v = 0; v < graph->count; v++)
        if (graph->start[v] > graph->start[v + 1])
            return false;
    for (uint32_t e = 0, edges = graph->start[graph->count]; e < edges; e++)
        if (graph->target[e] >= graph->count)
            return false;
    return true;
}

/* A counting sort without a cursor array: start[v] first holds the end of v's row and moves down
 * to its beginning as the row is filled from behind. Sources are taken in descending order, so
 * rows ascend. */
struct df_err *al_csr_reverse(const struct al_csr *graph, uint32_t **ret_start,
                              uint32_t **ret_target)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *source = NULL;
    uint32_t edges = graph->start[graph->count];

    DF_TRY(df_array((size_t)graph->count + 1, sizeof(*start), &start));
    DF_TRY(df_array(edges, sizeof(*source), &source));
    for (uint32_t e = 0; e < edges; e++)
        start[graph->target[e]]++;
    for (uint32_t v = 1; v < graph->count; v++)
        start[v] += start[v - 1];
    start[graph->count] = edges;
    for (uint32_t v = graph->count; v-- > 0;)
        for (uint32_t e = graph->start[v + 1]; e-- > graph->start[v];)
            source[--start[graph->target[e]]] = v;
    *ret_start = DF_TAKE(start);
    *ret_target = DF_TAKE(source);
    return NULL;
}
