/* SPDX-License-Identifier: MIT
 * disjoint.c: ways that share no edge, by augmenting ways.
 *
 * The flow on an edge is kept by its ends, all parallel edges together, in a map: the ways are few.
 * A node that no way has touched needs no look into the map. There are rounds, from which on late
 * roots exist, and in the last one late edges; the number of ways does not depend on the order in
 * which they are found, but which ones do.
 */
#include "analyzer/algo/disjoint.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

struct search {
    const struct al_disjoint_input *input;
    uint32_t *capacity; /* per node: reasons for being a root, less the ways that start there */
    uint32_t *sources;  /* per node: ways that start there */
    uint32_t *next;  /* per node: towards the targets; AL_ROOT at one, AL_NONE: not visited. Plus 1:
                        memory that is not visited is not touched */
    uint32_t *queue; /* visited nodes */
    uint32_t tail;
    bool exhausted;     /* the last search has visited all that leads to the targets */
    uint8_t *touched;   /* on some way */
    uint8_t *undoes;    /* per visited node: the step to `next` takes back flow from there */
    struct df_map flow; /* by edge_key */
    uint32_t count;
    bool late; /* the last round */
};

struct path {
    uint32_t *items;
    size_t count, capacity;
};

static uint64_t edge_key(uint32_t from, uint32_t to)
{
    return ((uint64_t)from + 1) << 32 | to;
}

static uint32_t flow_of(const struct search *s, uint32_t from, uint32_t to)
{
    uint32_t flow;

    if (!s->touched[from] || !s->touched[to])
        return 0;
    flow = df_map_get(&s->flow, edge_key(from, to));
    return flow == DF_MAP_NONE ? 0 : flow;
}

static void add_flow(struct search *s, uint32_t from, uint32_t to, int more)
{
    uint32_t flow = flow_of(s, from, to);

    df_map_set(&s->flow, edge_key(from, to), more > 0 ? flow + 1 : flow - 1);
}

/* edges: how many lead from the one to the other. */
static bool is_usable(const struct search *s, uint32_t from, uint32_t to, uint32_t edges)
{
    const struct al_disjoint_input *input = s->input;
    uint32_t flow = flow_of(s, from, to);

    if (!s->late && input->late_edge && input->late_edge(input->context, from, to))
        return false;
    return edges > flow;
}

static inline uint32_t next_of(const struct search *s, uint32_t node)
{
    return s->next[node] - 1;
}

static void visit(struct search *s, uint32_t node, uint32_t next, bool undoes)
{
    s->next[node] = next + 1;
    s->undoes[node] = undoes;
    s->queue[s->tail++] = node;
}

static void forget_visits(struct search *s)
{
    while (s->tail)
        s->next[s->queue[--s->tail]] = 0;
}

static void expand(struct search *s, uint32_t v)
{
    const struct al_csr *graph = s->input->graph;
    const uint32_t *row;
    uint32_t count = s->input->referrers(s->input->context, v, &row);

    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && row[end] == row[i];)
            end++;
        if (next_of(s, row[i]) == AL_NONE && is_usable(s, row[i], v, end - i))
            visit(s, row[i], v, false);
    }
    if (!s->touched[v])
        return;
    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
        uint32_t w = graph->target[e];

        if (next_of(s, w) == AL_NONE && flow_of(s, v, w))
            visit(s, w, v, true);
    }
}

/* The nearest root from which another way leads to a target; AL_NONE when there is none: then all
 * nodes that could be the end of one more are visited. */
static uint32_t find_way(struct search *s)
{
    uint32_t head = 0;

    if (s->exhausted) /* only the roots have become more: the same search, as far as one of them */
        while (head < s->tail && !s->capacity[s->queue[head]])
            head++;
    if (s->exhausted)
        return head < s->tail ? s->queue[head] : AL_NONE;
    forget_visits(s);
    for (uint32_t i = 0; i < s->input->target_count; i++)
        if (next_of(s, s->input->targets[i]) == AL_NONE)
            visit(s, s->input->targets[i], AL_ROOT, false);
    for (; head < s->tail; head++) {
        if (s->capacity[s->queue[head]])
            return s->queue[head];
        expand(s, s->queue[head]);
    }
    s->exhausted = true;
    return AL_NONE;
}

static void add_way(struct search *s, uint32_t root)
{
    s->exhausted = false;
    s->capacity[root]--;
    s->sources[root]++;
    s->touched[root] = 1;
    for (uint32_t v = root, w; next_of(s, v) != AL_ROOT; v = w) {
        w = next_of(s, v);
        s->touched[w] = 1;
        if (s->undoes[v])
            add_flow(s, w, v, -1);
        else
            add_flow(s, v, w, 1);
    }
    s->count++;
}

static void admit_roots(struct search *s, int late)
{
    const struct al_disjoint_input *input = s->input;

    for (uint32_t i = 0; i < input->root_count; i++)
        if ((input->late ? input->late[i] : 0) == late)
            s->capacity[input->roots[i]]++;
}

/* True when more than limit ways were found. */
static bool run(struct search *s)
{
    for (int round = 0; round <= AL_LATEST; round++) {
        s->late = round == AL_LATEST;
        if (s->late && s->input->late_edge)
            s->exhausted = false;
        admit_roots(s, round);
        for (uint32_t root; (root = find_way(s)) != AL_NONE; add_way(s, root))
            if (s->count == s->input->limit)
                return true;
    }
    return false;
}

/* What leads from outside into what the last search visited. */
static struct df_err *find_cut(const struct search *s, struct al_disjoint *ret)
{
    const uint32_t *row;
    uint32_t used = 0, count;

    DF_TRY(df_array(s->count, sizeof(*ret->cut), &ret->cut));
    for (uint32_t i = 0; i < s->tail; i++) {
        uint32_t v = s->queue[i];

        for (uint32_t k = 0; k < s->sources[v] && used < s->count; k++, used++) {
            ret->cut[used][0] = AL_ROOT;
            ret->cut[used][1] = v;
        }
        count = s->input->referrers(s->input->context, v, &row);
        for (uint32_t e = 0; e < count && used < s->count; e++)
            if (next_of(s, row[e]) == AL_NONE) {
                ret->cut[used][0] = row[e];
                ret->cut[used++][1] = v;
            }
    }
    return NULL;
}

/* The step of some way from v, taken away. */
static uint32_t take_step(struct search *s, uint32_t v)
{
    const struct al_csr *graph = s->input->graph;

    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
        if (flow_of(s, v, graph->target[e])) {
            add_flow(s, v, graph->target[e], -1);
            return graph->target[e];
        }
    return AL_NONE;
}

/* One way from a root to a target, without the rounds that flow may take. */
static void trace(struct search *s, uint32_t root, const uint8_t *is_target, struct path *path)
{
    struct df_map place;
    uint32_t v = root;

    df_map_init(&place);
    path->count = 0;
    while (v != AL_NONE) {
        uint32_t before = df_map_get(&place, (uint64_t)v + 1);

        if (before != DF_MAP_NONE && before < path->count && path->items[before] == v)
            path->count = before; /* round and back */
        df_map_set(&place, (uint64_t)v + 1, (uint32_t)path->count);
        DF_PUSH(path, v);
        v = is_target[v] ? AL_NONE : take_step(s, v);
    }
    df_map_deinit(&place);
}

static int compare_lengths(const void *left, const void *right)
{
    const struct path *a = left, *b = right;

    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return (a->items[0] > b->items[0]) - (a->items[0] < b->items[0]);
}

static struct df_err *store(const struct path *paths, uint32_t count, struct al_disjoint *ret)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < count; i++)
        total += paths[i].count;
    if (total > UINT32_MAX)
        return df_err_nomem();
    DF_TRY(df_array((size_t)count + 1, sizeof(uint32_t), &ret->start));
    DF_TRY(df_array(total, sizeof(uint32_t), &ret->node));
    for (uint32_t i = 0; i < count; i++) {
        memcpy(ret->node + ret->start[i], paths[i].items, paths[i].count * sizeof(uint32_t));
        ret->start[i + 1] = ret->start[i] + (uint32_t)paths[i].count;
    }
    return NULL;
}

/* Takes the flow apart into ways. */
static struct df_err *find_paths(struct search *s, struct al_disjoint *ret)
{
    DF_CLEANUP_FREE uint8_t *is_target = NULL;
    const struct al_disjoint_input *input = s->input;
    struct path *paths;
    struct df_err *err;
    uint32_t used = 0;

    DF_TRY(df_array(input->graph->count, 1, &is_target));
    for (uint32_t i = 0; i < input->target_count; i++)
        is_target[input->targets[i]] = 1;
    paths = df_xcalloc(s->count, sizeof(*paths));
    for (uint32_t i = 0; i < input->root_count; i++)
        for (; s->sources[input->roots[i]] && used < s->count; s->sources[input->roots[i]]--)
            trace(s, input->roots[i], is_target, &paths[used++]);
    if (used)
        qsort(paths, used, sizeof(*paths), compare_lengths);
    ret->count = used;
    err = store(paths, used, ret);
    for (uint32_t i = 0; i < used; i++)
        free(paths[i].items);
    free(paths);
    return err;
}

static struct df_err *work(struct search *s, struct al_disjoint *ret)
{
    uint32_t count = s->input->graph->count;

    DF_TRY(df_array(count, sizeof(uint32_t), &s->capacity));
    DF_TRY(df_array(count, sizeof(uint32_t), &s->sources));
    DF_TRY(df_array(count, sizeof(uint32_t), &s->next));
    DF_TRY(df_array(count, sizeof(uint32_t), &s->queue));
    DF_TRY(df_array(count, 1, &s->touched));
    DF_TRY(df_array(count, 1, &s->undoes));
    ret->more = run(s);
    if (!ret->more)
        DF_TRY(find_cut(s, ret));
    return find_paths(s, ret);
}

struct df_err *al_disjoint_ways(const struct al_disjoint_input *input, struct al_disjoint *ret)
{
    struct search s = {.input = input};
    struct df_err *err;

    *ret = (struct al_disjoint){0};
    df_map_init(&s.flow);
    err = work(&s, ret);
    df_map_deinit(&s.flow);
    free(s.capacity);
    free(s.sources);
    free(s.next);
    free(s.queue);
    free(s.touched);
    free(s.undoes);
    if (err)
        al_disjoint_deinit(ret);
    return err;
}

void al_disjoint_deinit(struct al_disjoint *ways)
{
    free(ways->start);
    free(ways->node);
    free(ways->cut);
    *ways = (struct al_disjoint){0};
}
