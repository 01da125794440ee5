/* SPDX-License-Identifier: MIT
 * unreached.c: roots for the objects that no known root reaches.
 *
 * Three cases, in this order. An object whose reference count exceeds the references that were
 * found is held by something that is no object (a C variable, a native stack): each such object is
 * a root of its own, since the excess is a fact about it alone. What is left is held only by each
 * other. Its strongly connected components form an acyclic graph; one object of each component
 * that no other enters is named the head, and the heads reach everything. Heads of components that
 * the collector can see are garbage that waits for it; others (an untracked object that nobody
 * refers to) are unknown.
 */
#include "analyzer/graph/roots.h"

#include <string.h>

#include "analyzer/algo/scc.h"
#include "analyzer/graph/sort.h"
#include "dumpfmt/base/mem.h"

/* How far ahead in the queue a node's row is asked for, and then what the row has. Nodes in the
 * queue are scattered over memory. */
#define AHEAD 16

/* Which nodes have references. */
static void mark_inner(struct gr_reach *reach)
{
    const uint32_t *start = reach->graph->start;
    uint32_t count = reach->graph->count;

    for (uint32_t v = 0; v < count;) {
        uint32_t first = v, end = count - v > 64 ? v + 64 : count;
        uint64_t inner = 0;

        for (; v < end; v++)
            inner |= (uint64_t)(start[v] != start[v + 1]) << (v - first);
        reach->words[first / 64].inner = inner;
    }
}

struct df_err *gr_reach_init(struct gr_reach *reach, const struct gr_graph *graph)
{
    *reach = (struct gr_reach){.graph = graph};
    DF_TRY(df_array((size_t)graph->count / 64 + 1, sizeof(*reach->words), &reach->words));
    DF_TRY(df_array((size_t)graph->count + 1, sizeof(*reach->queue), &reach->queue));
    mark_inner(reach);
    return NULL;
}

void gr_reach_deinit(struct gr_reach *reach)
{
    free(reach->words);
    free(reach->queue);
}

/* Without a branch, which nobody could foretell. The queue has a place for one more than the nodes;
 * what is written behind its end is written over. */
static inline uint32_t enter(struct gr_reach *reach, uint32_t v, uint32_t tail)
{
    struct gr_reach_word *word = &reach->words[v / 64];
    uint64_t bit = UINT64_C(1) << (v % 64), fresh = ~word->seen & bit;

    word->seen |= bit;
    reach->queue[tail] = v;
    reach->count += fresh != 0;
    return tail + ((fresh & word->inner) != 0);
}

void gr_reach_from(struct gr_reach *reach, uint32_t node)
{
    const uint32_t *start = reach->graph->start, *target = reach->graph->target;
    const uint32_t *queue = reach->queue;
    uint32_t tail = enter(reach, node, 0);

    for (uint32_t head = 0; head < tail; head++) {
        uint32_t v = queue[head];

        if (tail - head > 2 * AHEAD) {
            __builtin_prefetch(&start[queue[head + 2 * AHEAD]]);
            __builtin_prefetch(&target[start[queue[head + AHEAD]]]);
        }
        for (uint32_t e = start[v], end = start[v + 1]; e < end; e++)
            tail = enter(reach, target[e], tail);
    }
}

uint32_t gr_next_unreached(const struct gr_reach *reach, uint32_t node)
{
    uint32_t count = reach->graph->count, word = node / 64;
    uint64_t left = node < count ? ~reach->words[word].seen & ~UINT64_C(0) << node % 64 : 0;

    while (!left && (uint64_t)++word * 64 < count)
        left = ~reach->words[word].seen;
    if (!left)
        return count;
    node = word * 64 + (uint32_t)__builtin_ctzll(left);
    return node < count ? node : count;
}

static void add_root(struct gr_root_list *roots, uint32_t node, enum gr_root_kind kind,
                     const char *path)
{
    DF_PUSH(roots, (struct gr_root){.node = node,
                                    .kind = (uint8_t)kind,
                                    .path = path,
                                    .thread = UINT32_MAX,
                                    .frame = UINT32_MAX});
}

/* Every unreached object that somebody else than known objects holds. */
static void find_surplus(struct gr_reach *reach, struct gr_root_list *roots, struct gr_texts *texts,
                         const char *(*type_name)(void *context, uint32_t type), void *context)
{
    const struct gr_graph *graph = reach->graph;
    size_t first = roots->count;

    for (uint32_t v = gr_next_unreached(reach, 0); v < graph->count;
         v = gr_next_unreached(reach, v + 1)) {
        if (gr_references(graph, v) <= (int64_t)gr_referrer_count(graph, v))
            continue;
        add_root(roots, v, GR_ROOT_SURPLUS,
                 gr_texts_format(texts, "<unexplained reference> %s",
                                 type_name(context, gr_type(graph, v))));
    }
    for (size_t i = first; i < roots->count; i++)
        gr_reach_from(reach, roots->items[i].node);
}

/* The part of the graph that is not reached, numbered by itself. */
struct part {
    uint32_t count;
    uint32_t *node; /* per number: the graph's node */
    uint32_t *start, *target;
    uint32_t *component; /* per number */
    uint32_t component_count;
    uint8_t *entered;   /* per component: another component has an edge into it */
    uint8_t *collected; /* per component: the collector knows a member */
};

static void part_deinit(struct part *part)
{
    free(part->node);
    free(part->start);
    free(part->target);
    free(part->component);
    free(part->entered);
    free(part->collected);
}

/* Edges of unreached nodes to reached ones are left out; none comes back from there. */
static struct df_err *part_fill(struct part *part, const struct gr_reach *reach)
{
    const struct gr_graph *graph = reach->graph;
    DF_CLEANUP_FREE uint32_t *number = NULL;
    uint32_t edges = 0, next = 0;

    DF_TRY(df_array(graph->count, sizeof(*number), &number));
    part->count = graph->count - reach->count;
    DF_TRY(df_array(part->count, sizeof(*part->node), &part->node));
    for (uint32_t v = gr_next_unreached(reach, 0); v < graph->count;
         v = gr_next_unreached(reach, v + 1)) {
        part->node[next] = v;
        number[v] = next++;
        edges += graph->start[v + 1] - graph->start[v];
    }
    DF_TRY(df_array((size_t)part->count + 1, sizeof(*part->start), &part->start));
    DF_TRY(df_array(edges, sizeof(*part->target), &part->target));
    edges = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t v = part->node[i];

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            if (!gr_reached(reach, graph->target[e]))
                part->target[edges++] = number[graph->target[e]];
        part->start[i + 1] = edges;
    }
    return NULL;
}

static struct df_err *part_components(struct part *part, const struct gr_graph *graph)
{
    struct al_csr csr = {.count = part->count, .start = part->start, .target = part->target};

    DF_TRY(df_array(part->count, sizeof(*part->component), &part->component));
    DF_TRY(al_scc(&csr, part->component, &part->component_count));
    DF_TRY(df_array(part->component_count, sizeof(*part->entered), &part->entered));
    DF_TRY(df_array(part->component_count, sizeof(*part->collected), &part->collected));
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t component = part->component[i];

        if (graph->flags[part->node[i]] & GR_GC)
            part->collected[component] = 1;
        for (uint32_t e = part->start[i]; e < part->start[i + 1]; e++)
            if (part->component[part->target[e]] != component)
                part->entered[part->component[part->target[e]]] = 1;
    }
    return NULL;
}

/* The lowest node of each component that none enters, those that the collector knows first. */
static void part_heads(struct part *part, struct gr_root_list *roots, bool collected)
{
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t component = part->component[i];

        if (part->entered[component] || (part->collected[component] != 0) != collected)
            continue;
        add_root(roots, part->node[i], collected ? GR_ROOT_GARBAGE : GR_ROOT_UNKNOWN,
                 collected ? "<garbage>" : "<unreached>");
        part->entered[component] = 1; /* it has its head */
    }
}

static struct df_err *find_heads(struct gr_reach *reach, struct gr_root_list *roots)
{
    struct part part = {0};
    size_t first = roots->count;
    struct df_err *err = part_fill(&part, reach);

    if (!err)
        err = part_components(&part, reach->graph);
    if (!err) {
        part_heads(&part, roots, true);
        part_heads(&part, roots, false);
        for (size_t i = first; i < roots->count; i++)
            gr_reach_from(reach, roots->items[i].node);
    }
    part_deinit(&part);
    return err;
}

struct df_err *gr_roots_of_unreached(struct gr_reach *reach, struct gr_root_list *roots,
                                     struct gr_texts *texts,
                                     const char *(*type_name)(void *context, uint32_t type),
                                     void *context)
{
    find_surplus(reach, roots, texts, type_name, context);
    if (reach->count == reach->graph->count)
        return NULL;
    return find_heads(reach, roots);
}

/* Distinct root nodes with their first row; marks the kind of each. */
static void install_nodes(struct gr_graph *graph)
{
    for (uint32_t i = 0; i < graph->root_count; i++) {
        const struct gr_root *root = &graph->roots[i];

        if (gr_root_kind_of(graph, root->node) != GR_ROOT_NONE)
            continue;
        graph->origins[root->node] |= (uint8_t)(root->kind << GR_SOURCE_BITS);
        graph->root_nodes[graph->root_node_count] = root->node;
        graph->root_index[graph->root_node_count++] = i;
    }
}

static struct df_err *install_order(struct gr_graph *graph)
{
    DF_CLEANUP_FREE uint64_t *keys = NULL;

    DF_TRY(df_array(graph->root_node_count, sizeof(*keys), &keys));
    for (uint32_t i = 0; i < graph->root_node_count; i++)
        keys[i] = graph->root_nodes[i];
    return gr_sort(keys, graph->root_node_count, graph->root_by_node);
}

struct df_err *gr_roots_install(struct gr_graph *graph, struct gr_root_list *roots)
{
    graph->root_count = (uint32_t)roots->count;
    graph->roots = DF_TAKE(roots->items);
    *roots = (struct gr_root_list){0};
    DF_TRY(df_array(graph->root_count, sizeof(*graph->root_index), &graph->root_index));
    DF_TRY(df_array(graph->root_count, sizeof(*graph->root_nodes), &graph->root_nodes));
    install_nodes(graph);
    DF_TRY(df_array(graph->root_node_count, sizeof(*graph->root_by_node), &graph->root_by_node));
    return install_order(graph);
}
