/* SPDX-License-Identifier: MIT
 * test_reach.c: csr.h and reach.h against definitions, on random graphs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/algo/reach.h"
#include "tests/support/graphgen.h"

#define GRAPHS 5000
#define NODES 24
#define LARGE 1000000

static void test_csr_validity(void **state)
{
    (void)state;
    uint32_t start[] = {0, 1, 3, 3}, target[] = {2, 0, 1};
    struct al_csr graph = {.count = 3, .start = start, .target = target};

    assert_true(al_csr_is_valid(&graph));
    target[1] = 3;
    assert_false(al_csr_is_valid(&graph));
    target[1] = 0;
    start[1] = 4;
    assert_false(al_csr_is_valid(&graph));
    start[1] = 1;
    start[0] = 1;
    assert_false(al_csr_is_valid(&graph));
    start[0] = 0;
    graph.count = 0;
    assert_true(al_csr_is_valid(&graph));
}

/* Reversing twice sorts rows and keeps every edge. */
static void check_reverse(const struct al_csr *graph)
{
    uint32_t *start, *target, edge = 0;

    assert_null(al_csr_reverse(graph, &start, &target));
    assert_int_equal(start[0], 0);
    for (uint32_t v = 0; v < graph->count; v++) {
        assert_int_equal(start[v], edge);
        for (uint32_t u = 0; u < graph->count; u++)
            for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++)
                if (graph->target[e] == v)
                    assert_int_equal(target[edge++], u);
    }
    assert_int_equal(start[graph->count], edge);
    assert_int_equal(edge, graph->start[graph->count]);
    free(start);
    free(target);
}

static void test_reverse(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct graphgen g;

        graphgen_random(&g, seed, NODES);
        assert_true(al_csr_is_valid(&g.csr));
        check_reverse(&g.csr);
        graphgen_deinit(&g);
    }
}

/* Distances by relaxing all edges until nothing changes. */
static void naive_distance(const struct graphgen *g, uint32_t *distance)
{
    memset(distance, 0xff, NODES * sizeof(*distance));
    for (uint32_t i = 0; i < g->root_count; i++)
        distance[g->roots[i]] = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t u = 0; u < g->csr.count; u++)
            for (uint32_t e = g->csr.start[u]; e < g->csr.start[u + 1]; e++)
                if (distance[u] != AL_NONE && distance[g->csr.target[e]] > distance[u] + 1) {
                    distance[g->csr.target[e]] = distance[u] + 1;
                    changed = true;
                }
    }
}

static bool has_edge(const struct al_csr *graph, uint32_t u, uint32_t v)
{
    for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++)
        if (graph->target[e] == v)
            return true;
    return false;
}

static void check_reach(const struct graphgen *g)
{
    uint32_t expected[NODES], distance[NODES], parent[NODES], alone[NODES];
    uint32_t reached, again, count = 0;

    naive_distance(g, expected);
    assert_null(al_reach(&g->csr, g->roots, g->root_count, distance, parent, &reached));
    for (uint32_t v = 0; v < g->csr.count; v++) {
        assert_int_equal(distance[v], expected[v]);
        count += expected[v] != AL_NONE;
        if (expected[v] == AL_NONE) {
            assert_int_equal(parent[v], AL_NONE);
        } else if (expected[v] == 0) {
            assert_int_equal(parent[v], AL_ROOT);
        } else {
            assert_int_equal(distance[parent[v]] + 1, distance[v]);
            assert_true(has_edge(&g->csr, parent[v], v));
        }
    }
    assert_int_equal(reached, count);
    assert_null(al_reach(&g->csr, g->roots, g->root_count, NULL, NULL, &again));
    assert_int_equal(again, count);
    assert_null(al_reach(&g->csr, g->roots, g->root_count, NULL, alone, NULL));
    assert_memory_equal(alone, parent, g->csr.count * sizeof(*alone));
    assert_null(al_reach(&g->csr, g->roots, g->root_count, alone, NULL, &again));
    assert_memory_equal(alone, distance, g->csr.count * sizeof(*alone));
}

static void test_reach(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct graphgen g;

        graphgen_random(&g, seed, NODES);
        check_reach(&g);
        graphgen_deinit(&g);
    }
}

/* The first root and the first edge win. */
static void test_ties(void **state)
{
    (void)state;
    static const uint32_t edge[][2] = {{0, 3}, {1, 3}, {0, 2}, {2, 4}, {3, 4}};
    uint32_t roots[] = {1, 0, 1}, parent[5];
    struct graphgen g;

    graphgen_edges(&g, 5, edge, 5);
    assert_null(al_reach(&g.csr, roots, 3, NULL, parent, NULL));
    assert_int_equal(parent[3], 1);
    assert_int_equal(parent[4], 3);
    graphgen_deinit(&g);
}

static void test_long_list(void **state)
{
    (void)state;
    uint32_t *distance = malloc(LARGE * sizeof(*distance)), reached;
    struct graphgen g;

    graphgen_list(&g, LARGE);
    assert_null(al_reach(&g.csr, g.roots, g.root_count, distance, NULL, &reached));
    assert_int_equal(reached, LARGE);
    assert_int_equal(distance[LARGE - 1], LARGE - 1);
    graphgen_deinit(&g);
    free(distance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csr_validity), cmocka_unit_test(test_reverse),
        cmocka_unit_test(test_reach),        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_long_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
