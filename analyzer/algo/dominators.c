/* SPDX-License-Identifier: MIT
 * dominators.c: SEMI-NCA.
 *
 * Nodes are renamed to their depth-first visit number ("place": 1.., 0 is the virtual root), since
 * semidominators are comparisons of places, and neighbours in the search lie side by side then.
 *
 * 1. Depth-first search: place, order, parent.
 * 2. Semidominators, from the last place to the first. Every node has its parent's edge, so semi
 *    starts there. An edge from a smaller place comes from an ancestor, which is itself the
 *    candidate; one from a larger place asks the forest of finished nodes for the smallest semi
 *    on the way up. Only the value is wanted, not the node that has it (Lengauer and Tarjan need
 *    the node for their buckets), so the forest keeps values and `eval` touches one array.
 *    Compression climbs by turning the links round and comes back along them: no stack.
 * 3. The immediate dominator is the nearest dominator-tree ancestor-or-self of the parent that is
 *    not below semi. Plain SEMI-NCA walks there, which is quadratic in the worst case; and heaps do
 *    have it: a list of a million nodes whose last one shares a million objects with the head. So
 *    each node also gets a jump pointer (Myers, "An Applicative Random-Access Stack", IPL 17,
 * 1983): logarithmic steps, in arrays that step 2 leaves behind.
 *
 * O(edges * log nodes) worst case, near linear in practice. Memory: 16 bytes a node, and 4 more
 * when the caller wants no order; places live in the caller's idom until the end.
 */
#include "analyzer/algo/dominators.h"

#include <assert.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

/* Step 2: the link upwards in the forest, and the smallest semi from here up to below the link's
 * target. Step 3: jump pointer and depth in the dominator tree. */
struct link {
    uint32_t up;
    uint32_t value;
};

struct semi_nca {
    const struct al_csr *graph;
    uint32_t *place; /* node -> place: the caller's idom; AL_NONE: unreached */
    uint32_t *order; /* place - 1 -> node */
    uint32_t *parent;
    uint32_t *semi; /* step 1: the edge in work */
    struct link *link;
    uint32_t reached;
};

static inline uint32_t dfs_enter(struct semi_nca *s, uint32_t v, uint32_t parent)
{
    uint32_t at = ++s->reached;

    s->place[v] = at;
    s->order[at - 1] = v;
    s->parent[at] = parent;
    s->semi[at] = s->graph->start[v];
    return at;
}

/* Goes on at place `at`; returns the place to go on at. */
static inline uint32_t dfs_step(struct semi_nca *s, uint32_t at)
{
    uint32_t end = s->graph->start[s->order[at - 1] + 1];

    for (uint32_t e = s->semi[at]; e < end; e++) {
        uint32_t w = s->graph->target[e];

        if (s->place[w] == AL_NONE) {
            s->semi[at] = e + 1;
            return dfs_enter(s, w, at);
        }
    }
    return s->parent[at];
}

static void dfs(struct semi_nca *s, const uint32_t *roots, uint32_t root_count)
{
    memset(s->place, 0xff, (size_t)s->graph->count * sizeof(*s->place));
    for (uint32_t i = 0; i < root_count; i++) {
        assert(roots[i] < s->graph->count);
        if (s->place[roots[i]] != AL_NONE)
            continue;
        for (uint32_t at = dfs_enter(s, roots[i], 0); at != 0;)
            at = dfs_step(s, at);
    }
}

/* The smallest semi among the places from v up that are above `done` (finished, in the forest). */
static inline uint32_t eval(struct link *link, uint32_t v, uint32_t done)
{
    uint32_t below = 0, top, low;

    if (link[v].up <= done)
        return link[v].value;
    while (link[v].up > done) {
        uint32_t up = link[v].up;

        link[v].up = below;
        below = v;
        v = up;
    }
    top = link[v].up;
    low = link[v].value;
    while (below != 0) {
        uint32_t down = link[below].up;

        if (link[below].value < low)
            low = link[below].value;
        link[below].value = low;
        link[below].up = top;
        below = down;
    }
    return low;
}

static inline uint32_t semi_of(const struct semi_nca *s, const struct al_csr *reverse, uint32_t w)
{
    uint32_t v = s->order[w - 1];
    uint32_t end = reverse->start[v + 1];
    uint32_t semi = s->semi[w];

    if (end - reverse->start[v] == 1)
        return semi; /* the parent's edge, or that of a root to itself or from the unreached */
    for (uint32_t e = reverse->start[v]; e < end && semi != 0; e++) {
        uint32_t u = s->place[reverse->target[e]];

        if (u == AL_NONE)
            continue;
        if (u > w)
            u = eval(s->link, u, w);
        if (u < semi)
            semi = u;
    }
    return semi;
}

/* The places that come up in a while: each look-up waits for the one before it, so they are
 * fetched in turn, each some steps before the next. */
static inline void fetch_ahead(const struct semi_nca *s, const struct al_csr *reverse, uint32_t w)
{
    enum { NEAR = 8, MIDDLE = 16, FAR = 24 };
    const uint32_t *row;

    if (w <= FAR)
        return;
    __builtin_prefetch(&reverse->start[s->order[w - FAR - 1]]);
    __builtin_prefetch(&reverse->target[reverse->start[s->order[w - MIDDLE - 1]]]);
    row = &reverse->start[s->order[w - NEAR - 1]];
    if (row[1] - row[0] > 1) {
        __builtin_prefetch(&s->place[reverse->target[row[0]]]);
        __builtin_prefetch(&s->place[reverse->target[row[0] + 1]]);
    }
}

static void semidominators(struct semi_nca *s, const struct al_csr *reverse, const uint32_t *roots,
                           uint32_t root_count)
{
    memcpy(s->semi, s->parent, ((size_t)s->reached + 1) * sizeof(*s->semi));
    for (uint32_t i = 0; i < root_count; i++)
        s->semi[s->place[roots[i]]] = 0;
    for (uint32_t w = s->reached; w > 0; w--) {
        fetch_ahead(s, reverse, w);
        s->semi[w] = semi_of(s, reverse, w);
        s->link[w] = (struct link){.up = s->parent[w], .value = s->semi[w]};
    }
}

/* link[w] of a new child w of d in the dominator tree. */
static inline struct link jump_of(const struct link *link, uint32_t d)
{
    uint32_t jump = link[d].up;
    uint32_t far = link[jump].up;
    bool even = link[d].value - link[jump].value == link[jump].value - link[far].value;

    return (struct link){.up = even ? far : d, .value = link[d].value + 1};
}

/* Turns parent into dominator (both by place) and writes the result over the places. */
static void immediate_dominators(struct semi_nca *s, uint32_t *idom)
{
    uint32_t *dominator = s->parent;

    s->link[0] = (struct link){0};
    for (uint32_t w = 1; w <= s->reached; w++) {
        uint32_t d = dominator[w];

        while (d > s->semi[w])
            d = s->link[d].up >= s->semi[w] ? s->link[d].up : dominator[d];
        dominator[w] = d;
        s->link[w] = jump_of(s->link, d);
        idom[s->order[w - 1]] = d == 0 ? AL_ROOT : s->order[d - 1];
    }
}

struct df_err *al_dominators(const struct al_csr *graph, const struct al_csr *reverse,
                             const uint32_t *roots, uint32_t root_count, uint32_t *idom,
                             uint32_t *order, uint32_t *ret_reached)
{
    DF_CLEANUP_FREE uint32_t *own_order = NULL;
    DF_CLEANUP_FREE uint32_t *parent = NULL;
    DF_CLEANUP_FREE uint32_t *semi = NULL;
    DF_CLEANUP_FREE struct link *link = NULL;
    size_t places = (size_t)graph->count + 1;
    struct semi_nca s = {.graph = graph, .place = idom};

    if (!order)
        DF_TRY(df_array(graph->count, sizeof(*own_order), &own_order));
    DF_TRY(df_array(places, sizeof(*parent), &parent));
    DF_TRY(df_array(places, sizeof(*semi), &semi));
    DF_TRY(df_array(places, sizeof(*link), &link));
    s.order = order ? order : own_order;
    s.parent = parent;
    s.semi = semi;
    s.link = link;
    dfs(&s, roots, root_count);
    semidominators(&s, reverse, roots, root_count);
    immediate_dominators(&s, idom);
    if (ret_reached)
        *ret_reached = s.reached;
    return NULL;
}
