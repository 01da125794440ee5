/* SPDX-License-Identifier: MIT
 * scc.c: Tarjan's algorithm in Pearce's form (PEA_FIND_SCC3), without recursion.
 *
 * One number a node, kept in the caller's component array, means in turn: 0, not visited; 1..,
 * the visit number of a node on one of the stacks, lowered to the smallest that the node is known
 * to reach; SCC_LAST and downwards, the component of a finished node. Finished numbers are larger
 * than any visit number (visit numbers are given back when a component is finished), so a finished
 * successor never lowers anything and needs no test of its own.
 *
 * A node is either on the search path or waiting for its component's root, so both stacks share
 * one array, growing towards each other. Memory: 8 bytes and a bit a node.
 */
#include "analyzer/algo/scc.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define SCC_LAST (UINT32_MAX - 1)

struct scc {
    const struct al_csr *graph;
    uint32_t *low;    /* the caller's component array */
    uint32_t *stack;  /* from below: the search path; from above: nodes that wait */
    uint32_t *cursor; /* per depth of the path: the edge in work */
    uint64_t *root;   /* per depth, a bit: nothing older reached so far */
    uint32_t depth;
    uint32_t waiting; /* index of the lowest waiting node; count when none */
    uint32_t visit;   /* next visit number */
    uint32_t next;    /* next component */
};

static void scc_push(struct scc *s, uint32_t v)
{
    s->stack[s->depth] = v;
    s->cursor[s->depth] = s->graph->start[v];
    s->root[s->depth / 64] |= UINT64_C(1) << (s->depth % 64);
    s->depth++;
    s->low[v] = s->visit++;
}

/* All edges of the path's last node are done: it is a component's root, or it waits for one. */
static void scc_pop(struct scc *s)
{
    uint32_t v = s->stack[--s->depth];
    uint32_t low = s->low[v];

    if (!(s->root[s->depth / 64] >> (s->depth % 64) & 1)) {
        s->stack[--s->waiting] = v;
        return;
    }
    s->visit--;
    while (s->waiting < s->graph->count && low <= s->low[s->stack[s->waiting]]) {
        s->low[s->stack[s->waiting++]] = s->next;
        s->visit--;
    }
    s->low[v] = s->next--;
}

/* Goes on with the path's last node until it descends or is done. An edge that was descended is
 * looked at again after the return, and then lowers like any other. */
static void scc_step(struct scc *s)
{
    uint32_t at = s->depth - 1;
    uint32_t v = s->stack[at];
    uint32_t low = s->low[v];
    uint32_t end = s->graph->start[v + 1];

    for (uint32_t e = s->cursor[at]; e < end; e++) {
        uint32_t w = s->graph->target[e];

        if (s->low[w] == 0) {
            s->cursor[at] = e;
            scc_push(s, w);
            return;
        }
        if (s->low[w] < low) {
            s->low[v] = low = s->low[w];
            s->root[at / 64] &= ~(UINT64_C(1) << (at % 64));
        }
    }
    scc_pop(s);
}

struct df_err *al_scc(const struct al_csr *graph, uint32_t *component, uint32_t *ret_count)
{
    DF_CLEANUP_FREE uint32_t *stack = NULL;
    DF_CLEANUP_FREE uint32_t *cursor = NULL;
    DF_CLEANUP_FREE uint64_t *root = NULL;
    struct scc s = {.graph = graph, .low = component, .waiting = graph->count, .visit = 1};

    DF_TRY(df_array(graph->count, sizeof(*stack), &stack));
    DF_TRY(df_array(graph->count, sizeof(*cursor), &cursor));
    DF_TRY(df_array((size_t)graph->count / 64 + 1, sizeof(*root), &root));
    s.stack = stack;
    s.cursor = cursor;
    s.root = root;
    s.next = SCC_LAST;
    memset(component, 0, (size_t)graph->count * sizeof(*component));
    for (uint32_t v = 0; v < graph->count; v++) {
        if (component[v] != 0)
            continue;
        scc_push(&s, v);
        while (s.depth > 0)
            scc_step(&s);
    }
    for (uint32_t v = 0; v < graph->count; v++)
        component[v] = SCC_LAST - component[v];
    *ret_count = SCC_LAST - s.next;
    return NULL;
}

static bool has_self_loop(const struct al_csr *graph, uint32_t v)
{
    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
        if (graph->target[e] == v)
            return true;
    return false;
}

/* size[c]: members of component c, 0 when it is no cycle. */
static void cycle_sizes(const struct al_csr *graph, const uint32_t *component, uint32_t *size,
                        uint32_t *ret_members)
{
    *ret_members = 0;
    for (uint32_t v = 0; v < graph->count; v++)
        size[component[v]]++;
    for (uint32_t v = 0; v < graph->count; v++) {
        if (size[component[v]] == 1 && !has_self_loop(graph, v))
            size[component[v]] = 0;
        else
            ++*ret_members;
    }
}

struct df_err *al_cycles(const struct al_csr *graph, const uint32_t *component,
                         uint32_t component_count, uint32_t **ret_start, uint32_t **ret_member,
                         uint32_t *ret_count)
{
    DF_CLEANUP_FREE uint32_t *size = NULL;
    DF_CLEANUP_FREE uint32_t *place = NULL; /* per component: where its next member goes, plus 1 */
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *member = NULL;
    uint32_t members, cycles = 0, used = 0;

    DF_TRY(df_array(component_count, sizeof(*size), &size));
    DF_TRY(df_array(component_count, sizeof(*place), &place));
    cycle_sizes(graph, component, size, &members);
    for (uint32_t c = 0; c < component_count; c++)
        cycles += size[c] != 0;
    DF_TRY(df_array((size_t)cycles + 1, sizeof(*start), &start));
    DF_TRY(df_array(members, sizeof(*member), &member));
    cycles = 0;
    for (uint32_t v = 0; v < graph->count; v++) {
        uint32_t c = component[v];

        if (size[c] == 0)
            continue;
        if (place[c] == 0) {
            start[cycles++] = used;
            place[c] = used + 1;
            used += size[c];
        }
        member[place[c]++ - 1] = v;
    }
    start[cycles] = used;
    *ret_start = DF_TAKE(start);
    *ret_member = DF_TAKE(member);
    *ret_count = cycles;
    return NULL;
}
