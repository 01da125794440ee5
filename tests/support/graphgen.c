/* SPDX-License-Identifier: MIT
 * graphgen.c: edges are collected as pairs, then sorted into rows by counting.
 */
#include "tests/support/graphgen.h"

#include <stdlib.h>

enum shape {
    SPARSE,
    DENSE,
    ACYCLIC,
    NEIGHBOURS, /* short edges both ways, as in a heap in order of allocation */
    LIST,       /* a chain with a few chords */
    RING,       /* a doubly linked ring */
    HUB,        /* one node with edges from and to everything */
    TREE,       /* with some edges back up */
    ISLANDS,    /* two halves; edges lead from the second to the first only */
    LOOPS,      /* many self loops and repeated edges */
    LADDER,     /* two chains with rungs: deep trees, much sharing */
    SHAPES,
};

struct pairs {
    uint32_t (*edge)[2];
    uint32_t count, capacity;
};

uint64_t graphgen_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t graphgen_below(uint64_t *state, uint32_t limit)
{
    return limit ? (uint32_t)(graphgen_next(state) % limit) : 0;
}

static void *allocate(size_t count, size_t element)
{
    void *memory = calloc(count ? count : 1, element);

    if (!memory)
        abort();
    return memory;
}

static void link_nodes(struct pairs *pairs, uint32_t from, uint32_t to)
{
    if (pairs->count == pairs->capacity) {
        pairs->capacity = pairs->capacity ? pairs->capacity * 2 : 64;
        pairs->edge = realloc(pairs->edge, pairs->capacity * sizeof(*pairs->edge));
        if (!pairs->edge)
            abort();
    }
    pairs->edge[pairs->count][0] = from;
    pairs->edge[pairs->count++][1] = to;
}

static void link_random(struct pairs *pairs, uint64_t *state, uint32_t n, uint32_t edges)
{
    for (uint32_t i = 0; i < edges; i++) {
        uint32_t from = graphgen_below(state, n);

        link_nodes(pairs, from, graphgen_below(state, n));
    }
}

static void link_near(struct pairs *pairs, uint64_t *state, uint32_t n, uint32_t from)
{
    uint32_t far = graphgen_below(state, 6) + from;

    link_nodes(pairs, from, far < 3 ? 0 : far - 3 >= n ? n - 1 : far - 3);
}

static void link_chain(struct pairs *pairs, uint32_t from, uint32_t to)
{
    for (uint32_t v = from; v + 1 < to; v++)
        link_nodes(pairs, v, v + 1);
}

/* The edges of node v in the shapes that go node by node. */
static void link_node(struct pairs *pairs, uint64_t *state, enum shape shape, uint32_t n,
                      uint32_t v)
{
    uint32_t w = graphgen_below(state, n);

    switch (shape) {
    case ACYCLIC:
        for (uint32_t i = graphgen_below(state, 4); i > 0; i--)
            link_nodes(pairs, v, v + graphgen_below(state, n - v));
        break;
    case NEIGHBOURS:
        for (uint32_t i = graphgen_below(state, 4); i > 0; i--)
            link_near(pairs, state, n, v);
        break;
    case RING:
        link_nodes(pairs, v, (v + 1) % n);
        link_nodes(pairs, (v + 1) % n, v);
        break;
    case HUB:
        link_nodes(pairs, 0, v);
        if (graphgen_below(state, 3))
            link_nodes(pairs, v, 0);
        break;
    case TREE:
        link_nodes(pairs, v / 2, v);
        if (!graphgen_below(state, 3))
            link_nodes(pairs, v, v / 4);
        break;
    case ISLANDS:
        link_nodes(pairs, v, v < n / 2 ? graphgen_below(state, n / 2) : w);
        link_nodes(pairs, v, v < n / 2 ? graphgen_below(state, n / 2) : w);
        break;
    case LOOPS:
        link_nodes(pairs, v, v);
        for (uint32_t i = graphgen_below(state, 4); i > 0; i--)
            link_nodes(pairs, v, w);
        break;
    case LADDER:
        if (v + 2 < n)
            link_nodes(pairs, v, v + 2);
        if (!graphgen_below(state, 4))
            link_nodes(pairs, v, v ^ 1 && (v ^ 1) < n ? v ^ 1 : 0);
        break;
    default:
        break;
    }
}

static void random_edges(struct pairs *pairs, uint64_t *state, uint32_t n)
{
    enum shape shape = graphgen_below(state, SHAPES);

    if (n == 0)
        return;
    for (uint32_t v = 0; v < n; v++)
        link_node(pairs, state, shape, n, v);
    if (shape == LIST)
        link_chain(pairs, 0, n);
    if (shape == DENSE)
        link_random(pairs, state, n, n * n / 2);
    else if (shape == SPARSE)
        link_random(pairs, state, n, n + graphgen_below(state, n));
    else if (shape != ACYCLIC && shape != ISLANDS)
        link_random(pairs, state, n, graphgen_below(state, n / 4 + 2));
}

static void random_roots(struct graphgen *graph, uint64_t *state)
{
    uint32_t n = graph->csr.count;
    static const uint8_t counts[] = {1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 8, 0};

    graph->root_count = n ? counts[graphgen_below(state, sizeof(counts))] : 0;
    graph->roots = allocate(graph->root_count, sizeof(*graph->roots));
    for (uint32_t i = 0; i < graph->root_count; i++)
        graph->roots[i] = graphgen_below(state, 3) ? graphgen_below(state, n) : 0;
}

static void build_rows(struct graphgen *graph, uint32_t count, const uint32_t (*edge)[2],
                       uint32_t edge_count)
{
    uint32_t *start = allocate((size_t)count + 1, sizeof(*start));
    uint32_t *target = allocate(edge_count, sizeof(*target));

    for (uint32_t i = 0; i < edge_count; i++)
        start[edge[i][0]]++;
    for (uint32_t v = 1; v <= count; v++)
        start[v] += start[v - 1];
    for (uint32_t i = edge_count; i-- > 0;)
        target[--start[edge[i][0]]] = edge[i][1];
    graph->csr = (struct al_csr){.count = count, .start = start, .target = target};
}

void graphgen_random(struct graphgen *graph, uint64_t seed, uint32_t max_nodes)
{
    uint64_t state = seed;
    struct pairs pairs = {0};
    uint32_t n = graphgen_below(&state, max_nodes + 1);

    random_edges(&pairs, &state, n);
    build_rows(graph, n, pairs.edge, pairs.count);
    random_roots(graph, &state);
    free(pairs.edge);
}

void graphgen_edges(struct graphgen *graph, uint32_t count, const uint32_t (*edge)[2],
                    uint32_t edge_count)
{
    build_rows(graph, count, edge, edge_count);
    graph->root_count = count > 0;
    graph->roots = allocate(1, sizeof(*graph->roots));
}

void graphgen_list(struct graphgen *graph, uint32_t count)
{
    struct pairs pairs = {0};

    link_chain(&pairs, 0, count);
    graphgen_edges(graph, count, pairs.edge, pairs.count);
    free(pairs.edge);
}

void graphgen_star(struct graphgen *graph, uint32_t count)
{
    struct pairs pairs = {0};

    for (uint32_t v = 1; v < count; v++)
        link_nodes(&pairs, 0, v);
    graphgen_edges(graph, count, pairs.edge, pairs.count);
    free(pairs.edge);
}

void graphgen_deinit(struct graphgen *graph)
{
    free((void *)graph->csr.start);
    free((void *)graph->csr.target);
    free(graph->roots);
}
