/* SPDX-License-Identifier: MIT
 * reach.c: breadth-first search from many roots.
 *
 * Whether a node was seen is read from whichever result array the caller gave; only without any
 * does a bit set serve.
 */
#include "analyzer/algo/reach.h"

#include <assert.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

/* How far ahead in the queue rows are fetched; nodes in the queue are scattered over memory. */
#define AL_REACH_AHEAD 8

struct search {
    const struct al_csr *graph;
    uint32_t *distance; /* may be NULL */
    uint32_t *parent;   /* may be NULL */
    uint64_t *seen;     /* only when both are NULL */
    uint32_t *queue;
    uint32_t tail;
};

static inline bool search_seen(const struct search *s, uint32_t v)
{
    if (s->distance)
        return s->distance[v] != AL_NONE;
    if (s->parent)
        return s->parent[v] != AL_NONE;
    return s->seen[v / 64] >> (v % 64) & 1;
}

static inline void search_enter(struct search *s, uint32_t v, uint32_t from, uint32_t distance)
{
    if (search_seen(s, v))
        return;
    if (s->distance)
        s->distance[v] = distance;
    if (s->parent)
        s->parent[v] = from;
    if (s->seen)
        s->seen[v / 64] |= UINT64_C(1) << (v % 64);
    s->queue[s->tail++] = v;
}

static void search_run(struct search *s)
{
    const uint32_t *start = s->graph->start;

    for (uint32_t head = 0; head < s->tail; head++) {
        uint32_t v = s->queue[head];
        uint32_t next = s->distance ? s->distance[v] + 1 : 0;

        if (s->tail - head > AL_REACH_AHEAD)
            __builtin_prefetch(&start[s->queue[head + AL_REACH_AHEAD]]);
        for (uint32_t e = start[v]; e < start[v + 1]; e++)
            search_enter(s, s->graph->target[e], v, next);
    }
}

struct df_err *al_reach(const struct al_csr *graph, const uint32_t *roots, uint32_t root_count,
                        uint32_t *distance, uint32_t *parent, uint32_t *ret_reached)
{
    DF_CLEANUP_FREE uint32_t *queue = NULL;
    DF_CLEANUP_FREE uint64_t *seen = NULL;
    struct search s = {.graph = graph, .distance = distance, .parent = parent};

    DF_TRY(df_array(graph->count, sizeof(*queue), &queue));
    if (!distance && !parent)
        DF_TRY(df_array((size_t)graph->count / 64 + 1, sizeof(*seen), &seen));
    s.queue = queue;
    s.seen = seen;
    if (distance)
        memset(distance, 0xff, (size_t)graph->count * sizeof(*distance));
    if (parent)
        memset(parent, 0xff, (size_t)graph->count * sizeof(*parent));
    for (uint32_t i = 0; i < root_count; i++) {
        assert(roots[i] < graph->count);
        search_enter(&s, roots[i], AL_ROOT, 0);
    }
    search_run(&s);
    if (ret_reached)
        *ret_reached = s.tail;
    return NULL;
}
