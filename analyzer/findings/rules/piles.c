/* SPDX-License-Identifier: MIT
 * piles.c: see piles.h.
 */
#include "analyzer/findings/rules/piles.h"

#include <ctype.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

#define BRANCH 5      /* the way down follows a child with a fifth of what its parent has */
#define MAX_CLIMB 256 /* steps from an object to the top of what holds it alone */

struct search {
    struct fi_context *context;
    const struct fi_analysis *analysis;
    uint8_t *member;  /* per node: one of the set, and in no pile yet */
    uint32_t *weight; /* per node, and (last) of the root: members at or below it */
    uint8_t *below;   /* scratch, per node */
    uint32_t left, least;
};

static void weigh(struct search *search)
{
    const struct fi_analysis *analysis = search->analysis;
    uint32_t root = analysis->graph->count;
    for (uint32_t node = 0; node < root; node++)
        search->weight[node] = search->member[node];
    search->weight[root] = 0;
    struct fi_walk walk = fi_walk_up(analysis);
    for (uint32_t node; fi_next_walked(&walk, &node);) {
        uint32_t above = fi_idom(analysis, node);
        search->weight[above < root ? above : root] += search->weight[node];
    }
}

/* The child of a row of the dominator tree with most members; members themselves are not entered.
 */
static uint32_t heaviest_child(const struct search *search, uint32_t row)
{
    const struct fi_analysis *analysis = search->analysis;
    uint32_t best = AL_NONE;
    struct fi_children children = fi_children(analysis, row);
    for (uint32_t child; fi_next_child(&children, &child);) {
        if (!search->member[child] &&
            (best == AL_NONE || search->weight[child] > search->weight[best]))
            best = child;
    }
    return best;
}

/* The node where members accumulate; AL_NONE when they hang under the root one by one. */
static uint32_t walk_down(const struct search *search)
{
    uint32_t at = search->analysis->graph->count, root = at;
    for (;;) {
        uint32_t child = heaviest_child(search, at);
        if (child == AL_NONE || search->weight[child] < search->least ||
            search->weight[child] < search->weight[at] / BRANCH)
            return at == root ? AL_NONE : at;
        at = child;
    }
}

/* The dict of an instance stands for the instance: its path is the same. */
static uint32_t instance_of(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t above = fi_idom(analysis, node);
    if (above >= analysis->graph->count || !(fi_type(analysis, node)->flags & PY_TPFLAGS_DICT) ||
        !fi_type(analysis, above)->python_class || !fi_is_dict_of(analysis, above, node))
        return node;
    return above;
}

static void take(struct search *search, struct fi_pile *pile, uint32_t node, bool covered)
{
    search->member[node] = 0;
    search->left--;
    pile->members[pile->count++] = node;
    if (!covered)
        pile->retained += fi_retained(search->analysis, node);
}

/* What lies below the keeper. A member below another member is counted, its bytes are not. */
static struct df_err *collect(struct search *search, struct fi_pile *pile)
{
    enum { BELOW = 1, COVERED = 2 };
    const struct fi_analysis *analysis = search->analysis;
    uint32_t root = analysis->graph->count;
    DF_TRY(df_array(search->weight[pile->keeper], sizeof(*pile->members), &pile->members));
    memset(search->below, 0, root);
    struct fi_walk walk = fi_walk_down(analysis);
    for (uint32_t node; fi_next_walked(&walk, &node);) {
        uint32_t above = fi_idom(analysis, node);
        uint8_t state = node == pile->keeper ? BELOW : above < root ? search->below[above] : 0;
        if (!(state & BELOW))
            continue;
        if (search->member[node]) {
            take(search, pile, node, state & COVERED);
            state |= COVERED;
        }
        search->below[node] = state;
    }
    pile->keeper = instance_of(analysis, pile->keeper);
    return NULL;
}

/* The highest node that alone holds a member: what others refer to. */
static uint32_t top_of(const struct fi_analysis *analysis, uint32_t node)
{
    for (int step = 0; step < MAX_CLIMB; step++) {
        uint32_t above = fi_idom(analysis, node);
        if (above >= analysis->graph->count || fi_is_namespace(analysis, above))
            break;
        node = above;
    }
    return node;
}

struct knower {
    uint32_t node, count;
};

/* Who refers to most of the tops? */
static struct knower find_knower(const struct search *search, const uint32_t *tops, uint32_t count)
{
    const struct gr_graph *graph = search->analysis->graph;
    struct {
        struct knower *items;
        size_t count, capacity;
    } knowers = {0};
    struct df_map index;
    struct knower best = {AL_NONE, 0};
    df_map_init(&index);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from;
        GR_EACH_REFERRER (graph, tops[i], from) {
            bool added;
            uint32_t at = df_map_add(&index, (uint64_t)from + 1, (uint32_t)knowers.count, &added);
            if (added)
                DF_PUSH(&knowers, (struct knower){from, 0});
            knowers.items[at].count++;
        }
    }
    df_map_deinit(&index);
    for (size_t i = 0; i < knowers.count; i++)
        if (knowers.items[i].count > best.count &&
            !fi_is_namespace(search->analysis, knowers.items[i].node))
            best = knowers.items[i];
    free(knowers.items);
    return best;
}

static bool has_edge(const struct gr_graph *graph, uint32_t from, uint32_t to)
{
    uint32_t holder;
    GR_EACH_REFERRER (graph, to, holder)
        if (holder == from)
            return true;
    return false;
}

/* Members that nobody holds alone: those that the best knower knows, or all that are left. */
static struct df_err *collect_loose(struct search *search, const uint32_t *nodes, uint32_t count,
                                    struct fi_pile *pile)
{
    const struct fi_analysis *analysis = search->analysis;
    DF_CLEANUP_FREE uint32_t *left = NULL, *tops = NULL;
    uint32_t found = 0;
    DF_TRY(df_array(search->left, sizeof(*left), &left));
    DF_TRY(df_array(search->left, sizeof(*tops), &tops));
    DF_TRY(df_array(search->left, sizeof(*pile->members), &pile->members));
    for (uint32_t i = 0; i < count; i++)
        if (search->member[nodes[i]]) {
            left[found] = nodes[i];
            tops[found++] = top_of(analysis, nodes[i]);
        }
    struct knower knower = find_knower(search, tops, found);
    pile->shared = true;
    pile->keeper = knower.count >= search->least && knower.count >= 2 ? knower.node : AL_NONE;
    for (uint32_t i = 0; i < found; i++)
        if (pile->keeper == AL_NONE || has_edge(analysis->graph, pile->keeper, tops[i]))
            take(search, pile, left[i], false);
    if (pile->keeper != AL_NONE)
        pile->keeper = instance_of(analysis, pile->keeper);
    return NULL;
}

static struct df_err *find(struct search *search, const uint32_t *nodes, uint32_t count,
                           struct fi_piles *ret)
{
    enum { MAX_PILES = sizeof(ret->items) / sizeof(ret->items[0]) };
    while (search->left >= search->least && ret->count < MAX_PILES) {
        struct fi_pile *pile = &ret->items[ret->count];
        weigh(search);
        pile->keeper = walk_down(search);
        ret->count++;
        DF_TRY(pile->keeper == AL_NONE ? collect_loose(search, nodes, count, pile)
                                       : collect(search, pile));
        if (!pile->count) { /* what is left is reached by nothing */
            ret->count--;
            free(pile->members);
            *pile = (struct fi_pile){0};
            break;
        }
    }
    return NULL;
}

struct df_err *fi_piles_find(struct fi_context *context, const uint32_t *nodes, uint32_t count,
                             uint32_t least, struct fi_piles *ret)
{
    DF_CLEANUP_FREE uint8_t *member = NULL, *below = NULL;
    DF_CLEANUP_FREE uint32_t *weight = NULL;
    uint32_t total = context->analysis->graph->count;
    *ret = (struct fi_piles){0};
    if (count < least || !count)
        return NULL;
    DF_TRY(df_array(total, 1, &member));
    DF_TRY(df_array(total, 1, &below));
    DF_TRY(df_array((size_t)total + 1, sizeof(*weight), &weight));
    struct search search = {.context = context,
                            .analysis = context->analysis,
                            .member = member,
                            .weight = weight,
                            .below = below,
                            .least = least ? least : 1};
    for (uint32_t i = 0; i < count; i++) {
        search.left += !member[nodes[i]];
        member[nodes[i]] = 1;
    }
    struct df_err *err = find(&search, nodes, count, ret);
    if (err)
        fi_piles_deinit(ret);
    return err;
}

void fi_piles_deinit(struct fi_piles *piles)
{
    for (uint32_t i = 0; i < piles->count; i++)
        free(piles->items[i].members);
    *piles = (struct fi_piles){0};
}

/* A path without what differs from dump to dump: keys, indexes, numbers of threads. */
static char *masked(struct fi_pool *pool, const char *path)
{
    char *plain = fi_pool_array(pool, strlen(path) + 1, 1);
    size_t used = 0;
    unsigned depth = 0;
    char quote = 0;
    for (const char *at = path; *at; at++) {
        if (quote)
            quote = *at == quote ? 0 : quote;
        else if (depth && (*at == '\'' || *at == '"'))
            quote = *at;
        else if (*at == ']' && depth && --depth == 0)
            plain[used++] = ']';
        else if (*at == '[' && depth++ == 0)
            plain[used++] = '[';
        else if (!depth && !(isdigit((unsigned char)*at) && used && strchr("- ", plain[used - 1])))
            plain[used++] = *at;
    }
    return plain;
}

struct fi_finding *fi_pile_accuse(struct fi_context *context, const struct fi_rule *rule,
                                  const struct fi_pile *pile, const char *type, const char *what)
{
    const struct gr_graph *graph = context->analysis->graph;
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->type = fi_pool_text(context->pool, type);
    finding->count = pile->count;
    finding->retained_bytes = pile->retained;
    for (uint32_t i = 0; i < pile->count; i++)
        finding->shallow_bytes += gr_size(graph, pile->members[i]);
    uint32_t holder = pile->count == 1 ? pile->members[0] : pile->keeper;
    if (holder != AL_NONE) {
        finding->holder = fi_holder_make(context, holder);
        fi_claim(context, holder);
    }
    finding->signature =
        fi_pool_format(context->pool, "%s:%s:%s", rule->name, what,
                       finding->holder.path ? masked(context->pool, finding->holder.path) : "");
    return finding;
}

const char *fi_pile_keeper(struct fi_context *context, const struct fi_pile *pile)
{
    if (pile->keeper == AL_NONE)
        return NULL;
    DF_CLEANUP_FREE char *path = fi_path(context->analysis, pile->keeper, false, 0);
    return fi_pool_format(context->pool, "`%s`, %s", path,
                          fi_type_phrase(context->pool, fi_type(context->analysis, pile->keeper)));
}

const char *fi_pile_share(struct fi_context *context, uint64_t bytes)
{
    return fi_pool_format(context->pool, "%s, %s of the heap", fi_bytes_phrase(bytes).text,
                          fi_percent_phrase(bytes, context->verdict->heap_bytes).text);
}

enum fi_severity fi_at_least(enum fi_severity severity, enum fi_severity least)
{
    return severity > least ? severity : least;
}
