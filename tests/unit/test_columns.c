/* SPDX-License-Identifier: MIT
 * test_columns.c: narrow columns and rows of referrers say what went into them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/graph/column.h"
#include "analyzer/graph/referrers.h"
#include "tests/support/graphgen.h"

#define COUNT 5000
#define GRAPHS 200

static uint64_t some_number(uint64_t *random, uint8_t width)
{
    static const uint64_t edges[] = {0,          254,
                                     255,        256,
                                     65534,      65535,
                                     65536,      UINT32_MAX - 1,
                                     UINT32_MAX, UINT64_C(1) << 32,
                                     UINT64_MAX};

    if (graphgen_below(random, 20) == 0)
        return edges[graphgen_below(random, sizeof(edges) / sizeof(*edges))];
    return graphgen_below(random, width == 1 ? 250 : 60000);
}

static void test_columns(void **state)
{
    static const uint8_t widths[] = {1, 2, 4};
    static uint64_t numbers[COUNT];

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct gr_wide_list lists[2] = {{0}};
        struct gr_column column;
        uint64_t random = (uint64_t)i + 1;

        assert_null(gr_column_init(&column, COUNT, widths[i]));
        for (uint32_t v = 0; v < COUNT; v++) {
            numbers[v] = some_number(&random, widths[i]);
            gr_column_put(&column, &lists[v >= COUNT / 2], v, numbers[v]);
        }
        gr_column_join(&column, &lists[0]);
        gr_column_join(&column, &lists[1]);
        for (uint32_t again = 0; again < COUNT; again++) { /* to wide, from wide, and back */
            uint32_t v = graphgen_below(&random, COUNT);

            numbers[v] = some_number(&random, widths[i]);
            gr_column_set(&column, v, numbers[v]);
        }
        for (uint32_t v = 0; v < COUNT; v++)
            assert_true(gr_column_get(&column, v) == numbers[v]);
        assert_true(column.wide.count > 10);
        gr_column_deinit(&column);
    }
}

static void test_packed_columns(void **state)
{
    static const uint32_t tops[] = {3, 255, 256, 65535, 65536, UINT32_MAX};
    static uint32_t numbers[COUNT];

    (void)state;
    for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++)
        for (uint32_t many = 0; many < 2; many++) {
            struct gr_column column;

            for (uint32_t v = 0; v < COUNT; v++)
                numbers[v] = many || v % 1000 == 0 ? tops[i] - v % 2 : v % 3;
            assert_null(gr_column_pack(&column, numbers, COUNT));
            for (uint32_t v = 0; v < COUNT; v++)
                assert_true(gr_column_get(&column, v) == numbers[v]);
            if (!many)
                assert_int_equal(column.width, 1); /* the few stand apart */
            gr_column_deinit(&column);
        }
}

/* A graph with hubs: rows of many lengths, near and far. */
static void make_edges(uint32_t nodes, uint64_t seed, struct al_csr *ret)
{
    uint32_t *start = calloc(nodes + 1, sizeof(*start));
    uint32_t *target = calloc((size_t)nodes * 6 + 1, sizeof(*target));
    uint64_t random = seed + 1;
    uint32_t edges = 0;

    for (uint32_t v = 0; v < nodes; v++) {
        for (uint32_t n = graphgen_below(&random, 6); n > 0; n--)
            target[edges++] =
                graphgen_below(&random, 3) ? graphgen_below(&random, nodes) : nodes / 3;
        start[v + 1] = edges;
    }
    *ret = (struct al_csr){nodes, start, target};
}

static void check_rows(const struct al_csr *graph, const struct gr_reverse *reverse)
{
    uint32_t *start, *source;

    assert_null(al_csr_reverse(graph, &start, &source));
    for (uint32_t v = 0; v < graph->count; v++) {
        struct gr_referrers row = gr_reverse_row(reverse, v);
        uint32_t e = start[v];

        assert_int_equal(row.left, start[v + 1] - e);
        assert_int_equal(gr_column_get(&reverse->counts, v), row.left);
        for (uint32_t u; gr_next_referrer(&row, &u); e++)
            assert_int_equal(u, source[e]);
        assert_int_equal(e, start[v + 1]);
    }
    free(start);
    free(source);
}

static void test_referrers(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        uint64_t random = seed;
        uint32_t nodes = 1 + graphgen_below(&random, seed % 10 ? 60 : COUNT);
        struct gr_reverse reverse;
        struct al_csr graph;

        make_edges(nodes, seed, &graph);
        assert_null(gr_reverse_count(&graph, &reverse));
        assert_null(gr_reverse_fill(&graph, (uint32_t)(seed % 11), &reverse));
        check_rows(&graph, &reverse);
        gr_reverse_deinit(&reverse);
        free((void *)graph.start);
        free((void *)graph.target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_packed_columns),
        cmocka_unit_test(test_referrers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
