/* SPDX-License-Identifier: MIT
 * dominators.c: SEMI-NCA.
 *
 * Nodes are renamed to their depth-first visit number ("place": 1.., 0 is the virtual root), since
 * semidominators are comparisons of places, and neighbours in the search lie side by side then.
 *
 * 1. Depth-first search: place, parent. Every node has its parent's edge, so semi starts there; an
 *    edge to a node that is below already comes from an ancestor, which is itself the candidate. So
 *    only the rest, edges to smaller places, is kept for step 2, by place of the target; after that
 *    the graph is not looked at any more.
 * 2. Semidominators, from the last place to the first: each of these edges asks the forest of
 *    finished nodes for the smallest semi on the way up. Only the value is wanted, not the node
 *    that has it (Lengauer and Tarjan need the node for their buckets), so the forest keeps values
 *    and `eval` touches one array. Compression climbs by turning the links round and comes back
 *    along them: no stack.
 * 3. The immediate dominator is the nearest dominator-tree ancestor-or-self of the parent that is
 *    not below semi. Plain SEMI-NCA walks there, which is quadratic in the worst case; and heaps do
 *    have it: a list of a million nodes whose last one shares a million objects with the head. So
 *    each node also gets a jump pointer (Myers, "An Applicative Random-Access Stack", IPL 17,
 *    1983): logarithmic steps, in arrays that step 2 leaves behind.
 *
 * O(edges * log nodes) worst case, near linear in practice.
 */
#include "analyzer/algo/dominators.h"

#include <assert.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

struct semi_nca {
    const struct al_csr *graph;
    uint32_t *place; /* node -> place; AL_NONE: unreached */
    /* by place: */
    uint32_t *order;  /* the node; this and the next only in step 1 */
    uint32_t *cursor; /* the edge in work */
    uint32_t *parent;
    uint32_t *semi;
    uint32_t *start, *source; /* edges from larger places */
    struct al_jump *link; /* step 2: the link upwards in the forest, and the smallest semi from here
                             up to below the link's target; step 3: as the result has it */
    uint32_t reached;
};

static inline uint32_t dfs_enter(struct semi_nca *s, uint32_t v, uint32_t parent)
{
    uint32_t at = ++s->reached;

    s->place[v] = at;
    s->order[at] = v;
    s->parent[at] = s->semi[at] = parent;
    s->cursor[at] = s->graph->start[v];
    return at;
}

/* Goes on at place `at`; returns the place to go on at. */
static inline uint32_t dfs_step(struct semi_nca *s, uint32_t at)
{
    uint32_t end = s->graph->start[s->order[at] + 1];

    for (uint32_t e = s->cursor[at]; e < end; e++) {
        uint32_t w = s->graph->target[e], to = s->place[w];

        if (to == AL_NONE) {
            s->cursor[at] = e + 1;
            return dfs_enter(s, w, at);
        }
        if (to < at)
            s->start[to]++;
        else if (at < s->semi[to])
            s->semi[to] = at;
    }
    return s->parent[at];
}

static void dfs(struct semi_nca *s, const uint32_t *roots, uint32_t root_count)
{
    for (uint32_t i = 0; i < root_count; i++) {
        assert(roots[i] < s->graph->count);
        if (s->place[roots[i]] != AL_NONE)
            continue;
        for (uint32_t at = dfs_enter(s, roots[i], 0); at != 0;)
            at = dfs_step(s, at);
    }
    for (uint32_t i = 0; i < root_count; i++)
        s->semi[s->place[roots[i]]] = 0;
}

/* A row's start holds its end first, and moves down as the row is filled from behind. */
static void keep_edges(struct semi_nca *s)
{
    const struct al_csr *graph = s->graph;

    for (uint32_t v = 0; v < graph->count; v++) {
        uint32_t at = s->place[v];

        if (at == AL_NONE)
            continue;
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t to = s->place[graph->target[e]];

            if (to < at)
                s->source[--s->start[to]] = at;
        }
    }
}

static struct df_err *search(struct semi_nca *s, const uint32_t *roots, uint32_t root_count)
{
    DF_CLEANUP_FREE uint32_t *order = NULL;
    DF_CLEANUP_FREE uint32_t *cursor = NULL;
    size_t places = (size_t)s->graph->count + 1;

    DF_TRY(df_array(places, sizeof(*order), &order));
    DF_TRY(df_array(places, sizeof(*cursor), &cursor));
    s->order = order;
    s->cursor = cursor;
    dfs(s, roots, root_count);
    free(DF_TAKE(order));
    free(DF_TAKE(cursor));
    for (size_t at = 1; at <= s->reached; at++)
        s->start[at] += s->start[at - 1];
    s->start[s->reached + 1] = s->start[s->reached];
    DF_TRY(df_array(s->start[s->reached], sizeof(*s->source), &s->source));
    keep_edges(s);
    return NULL;
}

/* The smallest semi among the places from v up that are above `done` (finished, in the forest). */
static inline uint32_t eval(struct al_jump *link, uint32_t v, uint32_t done)
{
    uint32_t below = 0, top, low;

    if (link[v].up <= done)
        return link[v].number;
    while (link[v].up > done) {
        uint32_t up = link[v].up;

        link[v].up = below;
        below = v;
        v = up;
    }
    top = link[v].up;
    low = link[v].number;
    while (below != 0) {
        uint32_t down = link[below].up;

        if (link[below].number < low)
            low = link[below].number;
        link[below].number = low;
        link[below].up = top;
        below = down;
    }
    return low;
}

/* Rows are read from their ends, so that all of them together are one array read backwards: what
 * comes up in a while is fetched. */
static inline uint32_t semi_of(const struct semi_nca *s, uint32_t w)
{
    enum { AHEAD = 12 };
    uint32_t semi = s->semi[w], first = s->start[w];

    for (uint32_t e = s->start[w + 1]; e-- > first && semi != 0;) {
        uint32_t low;

        if (e >= AHEAD)
            __builtin_prefetch(&s->link[s->source[e - AHEAD]]);
        low = eval(s->link, s->source[e], w);
        if (low < semi)
            semi = low;
    }
    return semi;
}

static void semidominators(struct semi_nca *s)
{
    for (uint32_t w = s->reached; w > 0; w--) {
        s->semi[w] = semi_of(s, w);
        s->link[w] = (struct al_jump){.up = s->parent[w], .number = s->semi[w]};
    }
}

/* The jump of a new child of d in the dominator tree. */
static inline struct al_jump jump_of(const struct al_jump *jump, uint32_t d)
{
    uint32_t to = jump[d].up, far = jump[to].up;
    bool even = jump[d].number - jump[to].number == jump[to].number - jump[far].number;

    return (struct al_jump){.up = even ? far : d, .number = jump[d].number + 1};
}

/* Turns parent into dominator. */
static void immediate_dominators(struct semi_nca *s)
{
    uint32_t *dominator = s->parent;
    struct al_jump *jump = s->link;

    jump[0] = (struct al_jump){0};
    for (uint32_t w = 1; w <= s->reached; w++) {
        uint32_t d = dominator[w];

        while (d > s->semi[w])
            d = jump[d].up >= s->semi[w] ? jump[d].up : dominator[d];
        dominator[w] = d;
        jump[w] = jump_of(jump, d);
    }
}

static struct df_err *find(struct semi_nca *s, const uint32_t *roots, uint32_t root_count,
                           void (*done)(void *context), void *context)
{
    size_t places = (size_t)s->graph->count + 1;

    DF_TRY(df_array(s->graph->count, sizeof(*s->place), &s->place));
    memset(s->place, 0xff, (size_t)s->graph->count * sizeof(*s->place));
    DF_TRY(df_array(places, sizeof(*s->parent), &s->parent));
    DF_TRY(df_array(places, sizeof(*s->semi), &s->semi));
    DF_TRY(df_array(places + 1, sizeof(*s->start), &s->start));
    DF_TRY(search(s, roots, root_count));
    if (done)
        done(context);
    DF_TRY(df_array((size_t)s->reached + 1, sizeof(*s->link), &s->link));
    semidominators(s);
    free(DF_TAKE(s->start));
    free(DF_TAKE(s->source));
    immediate_dominators(s);
    return NULL;
}

struct df_err *al_dominator_places_find(const struct al_csr *graph, const uint32_t *roots,
                                        uint32_t root_count, void (*done)(void *context),
                                        void *context, struct al_dominator_places *ret)
{
    struct semi_nca s = {.graph = graph};
    struct df_err *err = find(&s, roots, root_count, done, context);

    free(s.semi);
    free(s.start);
    free(s.source);
    *ret = (struct al_dominator_places){s.reached, s.place, s.parent, s.link};
    if (err)
        al_dominator_places_deinit(ret);
    return err;
}

void al_dominator_places_deinit(struct al_dominator_places *places)
{
    free(places->place);
    free(places->dominator);
    free(places->jump);
    *places = (struct al_dominator_places){0};
}

/* Jumps of nodes of the same depth are of the same length. */
uint32_t al_common_dominator(const struct al_dominator_places *places, uint32_t a, uint32_t b)
{
    const struct al_jump *jump = places->jump;
    const uint32_t *above = places->dominator;

    while (jump[a].number > jump[b].number)
        a = jump[jump[a].up].number >= jump[b].number ? jump[a].up : above[a];
    while (jump[b].number > jump[a].number)
        b = jump[jump[b].up].number >= jump[a].number ? jump[b].up : above[b];
    while (a != b) {
        bool far = jump[a].up != jump[b].up;

        a = far ? jump[a].up : above[a];
        b = far ? jump[b].up : above[b];
    }
    return a;
}

struct df_err *al_dominators(const struct al_csr *graph, const uint32_t *roots, uint32_t root_count,
                             uint32_t *idom, uint32_t *order, uint32_t *ret_reached)
{
    DF_CLEANUP_FREE uint32_t *own_order = NULL;
    struct al_dominator_places places;

    if (!order) {
        DF_TRY(df_array(graph->count, sizeof(*own_order), &own_order));
        order = own_order;
    }
    DF_TRY(al_dominator_places_find(graph, roots, root_count, NULL, NULL, &places));
    for (uint32_t v = 0; v < graph->count; v++)
        if (places.place[v] != AL_NONE)
            order[places.place[v] - 1] = v;
    memset(idom, 0xff, (size_t)graph->count * sizeof(*idom));
    for (uint32_t at = 1; at <= places.reached; at++) {
        uint32_t above = places.dominator[at];

        idom[order[at - 1]] = above == 0 ? AL_ROOT : order[above - 1];
    }
    if (ret_reached)
        *ret_reached = places.reached;
    al_dominator_places_deinit(&places);
    return NULL;
}
