/* SPDX-License-Identifier: MIT
 * test_scc.c: components and cycles against the reachability matrix, on random graphs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/algo/scc.h"
#include "tests/support/graphgen.h"

#define GRAPHS 10000
#define NODES 24
#define LARGE 1000000

/* matrix[u][v]: a path of at least one edge. Warshall. */
static void reachability(const struct al_csr *graph, bool matrix[NODES][NODES])
{
    memset(matrix, 0, sizeof(bool[NODES][NODES]));
    for (uint32_t u = 0; u < graph->count; u++)
        for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++)
            matrix[u][graph->target[e]] = true;
    for (uint32_t k = 0; k < graph->count; k++)
        for (uint32_t u = 0; u < graph->count; u++)
            for (uint32_t v = 0; matrix[u][k] && v < graph->count; v++)
                matrix[u][v] |= matrix[k][v];
}

static void check_components(const struct al_csr *graph, bool matrix[NODES][NODES],
                             const uint32_t *component, uint32_t count)
{
    bool used[NODES] = {false};

    for (uint32_t u = 0; u < graph->count; u++) {
        assert_true(component[u] < count);
        used[component[u]] = true;
        for (uint32_t v = 0; v < graph->count; v++)
            assert_int_equal(component[u] == component[v],
                             u == v || (matrix[u][v] && matrix[v][u]));
        for (uint32_t e = graph->start[u]; e < graph->start[u + 1]; e++)
            assert_true(component[graph->target[e]] <= component[u]);
    }
    for (uint32_t c = 0; c < count; c++)
        assert_true(used[c]);
}

/* The first node of a cycle that no smaller one shares starts the next run. */
static void check_cycles(const struct al_csr *graph, bool matrix[NODES][NODES],
                         const uint32_t *component, uint32_t count)
{
    uint32_t *start, *member, cycles, cycle = 0, at = 0;
    bool done[NODES] = {false};

    assert_null(al_cycles(graph, component, count, &start, &member, &cycles));
    for (uint32_t v = 0; v < graph->count; v++) {
        if (!matrix[v][v] || done[v])
            continue;
        assert_true(cycle < cycles);
        assert_int_equal(start[cycle++], at);
        for (uint32_t w = v; w < graph->count; w++)
            if (matrix[v][w] && matrix[w][v]) {
                assert_int_equal(member[at++], w);
                done[w] = true;
            }
    }
    assert_int_equal(cycle, cycles);
    assert_int_equal(start[cycles], at);
    free(start);
    free(member);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct graphgen g;
        uint32_t component[NODES], count;
        bool matrix[NODES][NODES];

        graphgen_random(&g, seed, NODES);
        reachability(&g.csr, matrix);
        assert_null(al_scc(&g.csr, component, &count));
        check_components(&g.csr, matrix, component, count);
        check_cycles(&g.csr, matrix, component, count);
        graphgen_deinit(&g);
    }
}

static void test_long_list(void **state)
{
    (void)state;
    uint32_t *component = malloc(LARGE * sizeof(*component)), count;
    uint32_t *start, *member, cycles;
    struct graphgen g;

    graphgen_list(&g, LARGE);
    assert_null(al_scc(&g.csr, component, &count));
    assert_int_equal(count, LARGE);
    assert_int_equal(component[LARGE - 1], 0);
    assert_int_equal(component[0], LARGE - 1);
    assert_null(al_cycles(&g.csr, component, count, &start, &member, &cycles));
    assert_int_equal(cycles, 0);
    free(start);
    free(member);
    graphgen_deinit(&g);
    free(component);
}

/* One ring through everything: the whole path waits before it is popped. */
static void test_long_ring(void **state)
{
    (void)state;
    uint32_t *component = malloc(LARGE * sizeof(*component)), count;
    uint32_t *start, *member, cycles;
    uint32_t(*edge)[2] = malloc(LARGE * sizeof(*edge));
    struct graphgen g;

    for (uint32_t v = 0; v < LARGE; v++) {
        edge[v][0] = v;
        edge[v][1] = (v + 1) % LARGE;
    }
    graphgen_edges(&g, LARGE, edge, LARGE);
    assert_null(al_scc(&g.csr, component, &count));
    assert_int_equal(count, 1);
    assert_null(al_cycles(&g.csr, component, count, &start, &member, &cycles));
    assert_int_equal(cycles, 1);
    assert_int_equal(start[1], LARGE);
    assert_int_equal(member[LARGE - 1], LARGE - 1);
    free(start);
    free(member);
    graphgen_deinit(&g);
    free(edge);
    free(component);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_long_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
