/* SPDX-License-Identifier: MIT
 * test_collector.c: the collector's verdict against the definition, on random heaps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/algo/collector.h"
#include "tests/support/graphgen.h"

#define GRAPHS 20000
#define NODES 20
#define EDGES (NODES * NODES)
#define IMMORTAL (INT64_MAX / 2)

struct heap {
    struct graphgen g;
    uint8_t visited[EDGES], kinds[EDGES / 4 + 1];
    int64_t references[NODES];
    uint8_t candidate[NODES];
    uint8_t legacy[NODES];
    bool all_visited, any_legacy;
};

static int64_t references_of(void *context, uint32_t node)
{
    const struct heap *heap = context;

    return heap->references[node];
}

static bool is_legacy(void *context, uint32_t node)
{
    const struct heap *heap = context;

    return heap->legacy[node];
}

static void collect(struct heap *heap, uint8_t *verdict, struct al_collector_result *ret)
{
    struct al_collector_input input = {.graph = &heap->g.csr,
                                       .kinds = heap->all_visited ? NULL : heap->kinds,
                                       .references = references_of,
                                       .legacy = heap->any_legacy ? is_legacy : NULL,
                                       .context = heap};

    memcpy(verdict, heap->candidate, heap->g.csr.count);
    *ret = (struct al_collector_result){.verdict = verdict};
    assert_null(al_collector(&input, ret));
}

/* Every edge is a reference; outside ones are added to some, a few counts are wrong. */
static void heap_random(struct heap *heap, uint64_t seed)
{
    uint64_t state = ~seed;
    const struct al_csr *graph = &heap->g.csr;

    memset(heap, 0, sizeof(*heap));
    graphgen_random(&heap->g, seed, NODES);
    assert_true(graph->start[graph->count] <= EDGES);
    for (uint32_t e = 0; e < graph->start[graph->count]; e++) {
        heap->visited[e] = graphgen_below(&state, 12) != 0;
        if (!heap->visited[e])
            heap->kinds[e / 4] |= (uint8_t)((1 + graphgen_below(&state, 3)) << 2 * (e % 4));
        heap->references[graph->target[e]]++;
    }
    for (uint32_t v = 0; v < graph->count; v++) {
        heap->candidate[v] = graphgen_below(&state, 8) != 0;
        heap->legacy[v] = graphgen_below(&state, 6) == 0;
        if (graphgen_below(&state, 4) == 0)
            heap->references[v] += graphgen_below(&state, 3);
        if (graphgen_below(&state, 40) == 0)
            heap->references[v] = IMMORTAL + graphgen_below(&state, 2);
        if (graphgen_below(&state, 40) == 0)
            heap->references[v] = (int64_t)graphgen_below(&state, 4) - 1;
    }
    heap->all_visited = seed % 3 == 0;
    heap->any_legacy = seed % 5 != 0;
}

static bool sees(const struct heap *in, uint32_t u, uint32_t e)
{
    return in->candidate[u] && in->candidate[in->g.csr.target[e]] &&
           (in->all_visited || in->visited[e]);
}

/* Adds to `set` what is reachable from it within `within`, one edge after the other. */
static void close_over(const struct heap *in, bool *set, const bool *within)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t u = 0; u < in->g.csr.count; u++)
            for (uint32_t e = in->g.csr.start[u]; e < in->g.csr.start[u + 1]; e++) {
                uint32_t v = in->g.csr.target[e];

                if (set[u] && !set[v] && within[v] && sees(in, u, e))
                    set[v] = changed = true;
            }
    }
}

struct expectation {
    uint8_t verdict[NODES];
    uint32_t inconsistent, first_inconsistent;
};

static void expect(const struct heap *in, struct expectation *ret)
{
    int64_t left[NODES];
    bool alive[NODES] = {false}, stuck[NODES] = {false}, all[NODES], dead[NODES] = {false};

    memcpy(left, in->references, sizeof(left));
    memset(all, true, sizeof(all));
    ret->inconsistent = 0;
    ret->first_inconsistent = AL_NONE;
    for (uint32_t u = 0; u < in->g.csr.count; u++)
        for (uint32_t e = in->g.csr.start[u]; e < in->g.csr.start[u + 1]; e++)
            left[in->g.csr.target[e]] -= sees(in, u, e);
    for (uint32_t v = 0; v < in->g.csr.count; v++) {
        alive[v] = in->candidate[v] && left[v] > 0;
        if (in->candidate[v] && left[v] < 0 && ret->inconsistent++ == 0)
            ret->first_inconsistent = v;
    }
    close_over(in, alive, all);
    for (uint32_t v = 0; v < in->g.csr.count; v++) {
        dead[v] = in->candidate[v] && !alive[v];
        stuck[v] = dead[v] && in->any_legacy && in->legacy[v];
    }
    close_over(in, stuck, dead);
    for (uint32_t v = 0; v < in->g.csr.count; v++)
        ret->verdict[v] = !in->candidate[v] ? AL_NOT_CANDIDATE
                          : alive[v]        ? AL_ALIVE
                          : stuck[v]        ? AL_UNCOLLECTABLE
                                            : AL_GARBAGE;
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct heap heap;
        struct expectation expected;
        uint8_t verdict[NODES];
        struct al_collector_result result;
        uint32_t garbage = 0, uncollectable = 0;

        heap_random(&heap, seed);
        expect(&heap, &expected);
        collect(&heap, verdict, &result);
        for (uint32_t v = 0; v < heap.g.csr.count; v++) {
            assert_int_equal(verdict[v], expected.verdict[v]);
            garbage += verdict[v] == AL_GARBAGE;
            uncollectable += verdict[v] == AL_UNCOLLECTABLE;
        }
        assert_int_equal(result.garbage, garbage);
        assert_int_equal(result.uncollectable, uncollectable);
        assert_int_equal(result.inconsistent, expected.inconsistent);
        assert_int_equal(result.first_inconsistent, expected.first_inconsistent);
        graphgen_deinit(&heap.g);
    }
}

/* a <-> b held by nothing; c <-> d held by a local; e -> f with a legacy finalizer on e, in a
 * cycle; g is not tracked and holds h. */
static void test_by_hand(void **state)
{
    (void)state;
    static const uint32_t edge[][2] = {{0, 1}, {1, 0}, {2, 3}, {3, 2},
                                       {4, 5}, {4, 4}, {6, 7}, {1, 5}};
    static const int64_t references[] = {1, 1, 1, 2, 1, 2, 1, 1};
    static const uint8_t candidate[] = {1, 1, 1, 1, 1, 1, 0, 1};
    static const uint8_t legacy[] = {0, 0, 0, 1, 1, 0, 0, 0};
    static const uint8_t expected[] = {AL_GARBAGE,       AL_GARBAGE,       AL_ALIVE,
                                       AL_ALIVE,         AL_UNCOLLECTABLE, AL_UNCOLLECTABLE,
                                       AL_NOT_CANDIDATE, AL_ALIVE};
    struct heap heap = {.all_visited = true, .any_legacy = true};
    uint8_t verdict[8];
    struct al_collector_result result;

    graphgen_edges(&heap.g, 8, edge, 8);
    memcpy(heap.references, references, sizeof(references));
    memcpy(heap.candidate, candidate, sizeof(candidate));
    memcpy(heap.legacy, legacy, sizeof(legacy));
    collect(&heap, verdict, &result);
    assert_memory_equal(verdict, expected, sizeof(expected));
    assert_int_equal(result.garbage, 2);
    assert_int_equal(result.uncollectable, 2);
    assert_int_equal(result.inconsistent, 0);
    graphgen_deinit(&heap.g);
}

#define RING 1000

static int64_t references_of_ring(void *context, uint32_t node)
{
    return ((const int64_t *)context)[node];
}

/* A ring in which every node refers to a hub, and the hub to the first: counts beyond a byte. */
static void check_hub(int64_t references, enum al_verdict expected, uint32_t inconsistent)
{
    static uint32_t edge[2 * RING + 1][2];
    static struct heap heap;
    static int64_t counts[RING + 1];
    static uint8_t verdict[RING + 1];
    struct al_collector_input input = {
        .graph = &heap.g.csr, .references = references_of_ring, .context = counts};
    struct al_collector_result result = {.verdict = verdict};

    for (uint32_t v = 0; v < RING; v++) {
        memcpy(edge[2 * v], (uint32_t[]){v, (v + 1) % RING}, sizeof(*edge));
        memcpy(edge[2 * v + 1], (uint32_t[]){v, RING}, sizeof(*edge));
        counts[v] = 1 + (v == 0);
    }
    memcpy(edge[2 * RING], (uint32_t[]){RING, 0}, sizeof(*edge));
    counts[RING] = references;
    memset(verdict, AL_ALIVE, sizeof(verdict));
    graphgen_edges(&heap.g, RING + 1, edge, 2 * RING + 1);
    assert_null(al_collector(&input, &result));
    assert_int_equal(verdict[RING], expected);
    assert_int_equal(verdict[0], expected);
    assert_int_equal(result.inconsistent, inconsistent);
    assert_int_equal(result.first_inconsistent, inconsistent ? RING : AL_NONE);
    graphgen_deinit(&heap.g);
}

static void test_hub(void **state)
{
    (void)state;
    check_hub(RING, AL_GARBAGE, 0);
    check_hub(RING + 1, AL_ALIVE, 0);
    check_hub(RING - 256, AL_GARBAGE, 1);
    check_hub(RING % 256, AL_GARBAGE, 1);
    check_hub(RING + 256, AL_ALIVE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_hub),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
