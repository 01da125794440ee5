/* SPDX-License-Identifier: MIT
 * tree_make.c: makes the dominator tree: what nodes are by themselves, with their leaves; what they
 * retain; their order; and what follows from that.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/tree.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

uint32_t fi_weigh_leaves(const struct gr_trunk *trunk, uint32_t node, uint64_t *bytes,
                         uint32_t *count)
{
    const struct gr_graph *graph = trunk->graph;
    uint32_t largest = AL_NONE;
    uint64_t most = 0;

    *bytes = gr_size(graph, node);
    *count = 0;
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        uint32_t target = graph->target[e];
        uint64_t size;

        if (gr_in_trunk(trunk, target))
            continue;
        ++*count;
        size = gr_size(graph, target);
        if (__builtin_add_overflow(*bytes, size, bytes))
            *bytes = UINT64_MAX;
        if (largest == AL_NONE || size > most || (size == most && target < largest)) {
            largest = target;
            most = size;
        }
    }
    return largest;
}

struct leaf_list {
    struct fi_tree_leaf *items;
    size_t count, capacity;
};

struct making {
    const struct gr_trunk *trunk;
    const struct gr_graph *graph;
    struct fi_tree *tree;
    struct al_weights weights;
    uint8_t *leaves;         /* per row: leaves of the node; UINT8_MAX: so many or more; */
    uint8_t *leaves_at;      /* the same per place */
    struct leaf_list *large; /* per part */
    struct gr_wide_list retained, span;
    uint32_t jobs;
};

#define PART 262144 /* nodes that are one thread's at a time; a multiple of 64 */

static uint32_t parts_of(const struct gr_graph *graph)
{
    return graph->count / PART + 1;
}

/* Calls take(m, node, row, part) for the trunk's nodes of a part. */
static inline void each_row(struct making *m, uint32_t part,
                            void (*take)(struct making *m, uint32_t node, uint32_t row,
                                         uint32_t part))
{
    size_t first = (size_t)part * (PART / 64), words = (size_t)m->graph->count / 64 + 1;
    uint32_t row = first < words ? m->trunk->before[first] : 0;

    for (size_t i = first; i < first + PART / 64 && i < words; i++)
        for (uint64_t left = m->trunk->bits[i]; left; left &= left - 1)
            take(m, (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(left), row++, part);
}

static inline void weigh(struct making *m, uint32_t node, uint32_t row, uint32_t part)
{
    uint64_t bytes;
    uint32_t count, leaf = fi_weigh_leaves(m->trunk, node, &bytes, &count);

    al_weigh(&m->weights, row, bytes);
    m->leaves[row] = (uint8_t)(count < UINT8_MAX ? count : UINT8_MAX);
    if (m->graph->start[node + 1] - m->graph->start[node] >= FI_MANY_REFERENCES)
        DF_PUSH(&m->large[part], (struct fi_tree_leaf){node, leaf});
}

static void weigh_part(void *context, uint32_t part)
{
    each_row(context, part, weigh);
}

static void weigh_all(struct making *m)
{
    uint32_t parts = parts_of(m->graph);
    struct leaf_list all = {0};

    m->large = df_xcalloc(parts, sizeof(*m->large));
    df_threads_share(m->jobs, parts, weigh_part, m);
    for (uint32_t part = 0; part < parts; part++) {
        DF_APPEND(&all, m->large[part].items, m->large[part].count);
        free(m->large[part].items);
    }
    free(DF_TAKE(m->large));
    m->tree->leaves = all.items;
    m->tree->leaf_count = (uint32_t)all.count;
}

/* The rows become the graph's nodes. */
static inline void name(struct making *m, uint32_t node, uint32_t row, uint32_t part)
{
    uint32_t place = m->tree->order.place[row];

    (void)part;
    if (place != AL_NONE)
        m->tree->order.node[place] = node;
}

static void name_part(void *context, uint32_t part)
{
    each_row(context, part, name);
}

static struct df_err *init_columns(struct making *m, uint32_t reached)
{
    uint64_t span[2] = {0}, retained[2] = {0};

    for (uint32_t row = 0; row < m->trunk->count; row++) {
        uint64_t bytes = al_weight(&m->weights, row);

        span[0] += m->weights.of[row].span >= UINT8_MAX;
        span[1] += m->weights.of[row].span >= UINT16_MAX;
        retained[0] += bytes >= UINT8_MAX;
        retained[1] += bytes >= UINT16_MAX;
    }
    DF_TRY(gr_column_init(&m->tree->span, reached, gr_column_best_width(reached, span)));
    return gr_column_init(&m->tree->retained, reached, gr_column_best_width(reached, retained));
}

static void tell(void *context, uint32_t place, uint32_t row)
{
    struct making *m = context;

    gr_column_put(&m->tree->span, &m->span, place, m->weights.of[row].span);
    gr_column_put(&m->tree->retained, &m->retained, place, al_weight(&m->weights, row));
    m->leaves_at[place] = m->leaves[row];
}

static struct df_err *lay_out(struct making *m, struct fi_dominators *dominators, uint64_t total)
{
    uint32_t reached = dominators->reached;

    DF_TRY(al_weights_init(&m->weights, m->trunk->count, total > UINT32_MAX));
    DF_TRY(df_array(m->trunk->count, 1, &m->leaves));
    weigh_all(m);
    al_weights_add_up(&m->weights, dominators->idom, dominators->order, reached);
    free(DF_TAKE(dominators->order));
    DF_TRY(init_columns(m, reached));
    DF_TRY(df_array(reached, 1, &m->leaves_at));
    DF_TRY(al_preorder_make(&m->weights, &dominators->idom, reached, tell, m, &m->tree->order));
    gr_column_join(&m->tree->span, &m->span);
    gr_column_join(&m->tree->retained, &m->retained);
    al_weights_deinit(&m->weights);
    free(DF_TAKE(m->leaves));
    df_threads_share(m->jobs, parts_of(m->graph), name_part, m);
    return NULL;
}

static struct df_err *find_above(struct fi_tree *tree)
{
    uint32_t count = tree->order.count;

    DF_TRY(df_array(count, sizeof(*tree->above), &tree->above));
    for (uint32_t at = 0; at < count; at += fi_span(tree, at))
        tree->above[at] = AL_NONE;
    for (uint32_t at = 0; at < count; at++)
        for (uint32_t child = at + 1, end = at + fi_span(tree, at); child < end;
             child += fi_span(tree, child))
            tree->above[child] = at;
    return NULL;
}

static uint32_t leaves_of(const struct making *m, uint32_t place)
{
    uint64_t bytes;
    uint32_t count = m->leaves_at[place];

    if (count == UINT8_MAX)
        fi_weigh_leaves(m->trunk, m->tree->order.node[place], &bytes, &count);
    return count;
}

/* A run's objects are those up to its end less those before it. From the last one on, each place
 * finds what it needs behind it. */
static struct df_err *count_objects(struct making *m)
{
    DF_CLEANUP_FREE uint32_t *behind = NULL; /* objects from a place to the end; then of its run */
    uint32_t count = m->tree->order.count;

    DF_TRY(df_array((size_t)count + 1, sizeof(*behind), &behind));
    for (uint32_t at = count; at-- > 0;)
        behind[at] = behind[at + 1] + 1 + leaves_of(m, at);
    for (uint32_t at = 0; at < count; at++)
        behind[at] -= behind[at + fi_span(m->tree, at)];
    return gr_column_pack(&m->tree->objects, behind, count);
}

struct range { /* of places, that are summed up by one thread */
    uint32_t first, end;
    struct al_classes classes;
};

struct summing {
    const struct gr_trunk *trunk;
    const struct fi_tree *tree;
    const uint32_t *class_of; /* NULL: types */
    struct range *ranges;
    uint32_t range_count;
};

static inline uint32_t class_of(const struct summing *s, uint32_t node)
{
    return s->class_of ? s->class_of[node] : gr_type(s->trunk->graph, node);
}

/* What dominates the first place counts for its class, in the range before: the topmost stays. */
static void begin_range(const struct summing *s, struct range *range)
{
    const struct fi_tree *tree = s->tree;

    if (range->first == range->end)
        return;
    for (uint32_t at = tree->above[range->first]; at != AL_NONE; at = tree->above[at]) {
        uint32_t class = class_of(s, tree->order.node[at]);

        if (class < range->classes.count)
            range->classes.end[class] = at + fi_span(tree, at);
    }
}

static void sum_range(void *context, uint32_t i)
{
    const struct summing *s = context;
    const struct gr_graph *graph = s->trunk->graph;
    const struct fi_tree *tree = s->tree;
    struct range *range = &s->ranges[i];

    begin_range(s, range);
    for (uint32_t at = range->first; at < range->end; at++) {
        uint32_t v = tree->order.node[at];

        al_class_meet(&range->classes, class_of(s, v), at, fi_span(tree, at),
                      gr_column_get(&tree->retained, at));
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t w = graph->target[e];

            if (!gr_in_trunk(s->trunk, w))
                al_class_meet(&range->classes, class_of(s, w), at, 0, gr_size(graph, w));
        }
    }
}

/* Sums saturate. */
static void join_ranges(const struct summing *s, uint32_t class_count, uint64_t *retained)
{
    memset(retained, 0, (size_t)class_count * sizeof(*retained));
    for (uint32_t i = 0; i < s->range_count; i++)
        for (uint32_t class = 0; class < class_count; class ++)
            if (__builtin_add_overflow(retained[class], s->ranges[i].classes.sum[class],
                                       &retained[class]))
                retained[class] = UINT64_MAX;
}

static struct df_err *sum(struct summing *s, uint32_t class_count, uint32_t jobs,
                          uint64_t *retained)
{
    uint32_t count = s->tree->order.count;

    for (uint32_t i = 0; i < s->range_count; i++) {
        struct range *range = &s->ranges[i];

        range->first = (uint32_t)((uint64_t)count * i / s->range_count);
        range->end = (uint32_t)((uint64_t)count * (i + 1) / s->range_count);
        range->classes.count = class_count;
        DF_TRY(df_array(class_count, sizeof(*range->classes.end), &range->classes.end));
        DF_TRY(df_array(class_count, sizeof(*range->classes.sum), &range->classes.sum));
    }
    df_threads_share(jobs, s->range_count, sum_range, s);
    join_ranges(s, class_count, retained);
    return NULL;
}

struct df_err *fi_sum_classes(const struct gr_trunk *trunk, const struct fi_tree *tree,
                              const uint32_t *class_of, uint32_t class_count, uint32_t jobs,
                              uint64_t *retained)
{
    enum { MOST = 8 };
    struct summing s = {.trunk = trunk, .tree = tree, .class_of = class_of};
    struct df_err *err;

    s.range_count = jobs < 1 ? 1 : jobs < MOST ? jobs : MOST;
    if (class_count > tree->order.count / MOST) /* arrays of classes would cost more than that */
        s.range_count = 1;
    s.ranges = df_xcalloc(s.range_count, sizeof(*s.ranges));
    err = sum(&s, class_count, jobs, retained);
    for (uint32_t i = 0; i < s.range_count; i++) {
        free(s.ranges[i].classes.end);
        free(s.ranges[i].classes.sum);
    }
    free(s.ranges);
    return err;
}

static struct df_err *make(struct making *m, struct fi_dominators *dominators, uint64_t total,
                           uint32_t type_count, uint64_t **ret_types)
{
    DF_TRY(lay_out(m, dominators, total));
    DF_TRY(find_above(m->tree));
    DF_TRY(count_objects(m));
    DF_TRY(df_array(type_count, sizeof(**ret_types), ret_types));
    return fi_sum_classes(m->trunk, m->tree, NULL, type_count, m->jobs, *ret_types);
}

struct df_err *fi_tree_make(const struct gr_trunk *trunk, struct fi_dominators *dominators,
                            uint64_t total, uint32_t type_count, uint32_t jobs, struct fi_tree *ret,
                            uint64_t **ret_types)
{
    struct making m = {.trunk = trunk, .graph = trunk->graph, .tree = ret, .jobs = jobs};
    struct df_err *err = make(&m, dominators, total, type_count, ret_types);

    al_weights_deinit(&m.weights);
    free(m.leaves);
    free(m.leaves_at);
    free(m.retained.items);
    free(m.span.items);
    return err;
}
