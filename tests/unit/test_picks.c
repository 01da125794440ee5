/* SPDX-License-Identifier: MIT
 * test_picks.c: nodes of some types, a batch at a time: each of them once, in order, with its
 * address, whatever range of nodes is asked for and however wide types are; and what roots reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/graph/picks.h"
#include "analyzer/graph/roots.h"
#include "dumpfmt/base/mem.h"

#define RANGE (1u << 16)
#define MEMBERS 9000
#define TYPES 70000

static uint8_t bytes[RANGE];

struct made {
    struct df_aspace *space;
    struct gr_graph graph;
    uint8_t *wanted;
};

/* Nodes in three ranges; `width` is that of the column of types, of which the last is wide when
 * they do not fit. */
static void make(struct made *made, uint8_t width, uint32_t types)
{
    struct gr_graph *graph = &made->graph;
    struct gr_wide_list wide = {0};
    uint64_t count;
    *made = (struct made){.space = df_aspace_create()};
    for (uint64_t i = 0; i < 3; i++)
        df_aspace_add(made->space, 0x100000 + i * 0x1000000, RANGE, bytes, DF_FROM_CORE, 0);
    assert_null(df_aspace_seal(made->space));
    assert_null(gr_places_init(&graph->places, made->space));
    srand(2);
    for (int i = 0; i < MEMBERS; i++) {
        uint64_t range = (uint64_t)rand() % 3, at = (uint64_t)rand() % (RANGE / 8) * 8;
        if (range != 1 || at < 512) /* nearly nothing in the middle */
            gr_set_bit(graph->places.bits,
                       gr_place(&graph->places, 0x100000 + range * 0x1000000 + at));
    }
    assert_null(gr_places_rank_all(&graph->places, &count));
    graph->count = (uint32_t)count;
    assert_null(gr_column_init(&graph->types, graph->count, width));
    for (uint32_t v = 0; v < count; v++)
        gr_column_put(&graph->types, &wide, v, (uint32_t)rand() % types);
    gr_column_join(&graph->types, &wide);
    made->wanted = df_xcalloc(TYPES + 1, 1);
}

static void take_apart(struct made *made)
{
    gr_places_deinit(&made->graph.places);
    gr_column_deinit(&made->graph.types);
    free(made->graph.addresses);
    free(made->wanted);
    df_aspace_destroy(made->space);
}

static void check(const struct made *made, uint64_t first, uint64_t end)
{
    const struct gr_graph *graph = &made->graph;
    uint64_t last = end < graph->count ? end : graph->count, v = first;
    struct gr_picks picks;
    gr_picks_begin(&picks, graph, made->wanted, first, end);
    while (gr_picks_next(&picks)) {
        assert_in_range(picks.count, 1, GR_PICKS);
        for (uint32_t i = 0; i < picks.count; i++, v++) {
            while (v < last && !made->wanted[gr_type(graph, (uint32_t)v)])
                v++;
            assert_true(v < last);
            assert_int_equal(picks.items[i].node, v);
            assert_int_equal(picks.items[i].type, gr_type(graph, (uint32_t)v));
            assert_int_equal(picks.items[i].address, gr_address(graph, (uint32_t)v));
        }
    }
    for (; v < last; v++)
        assert_false(made->wanted[gr_type(graph, (uint32_t)v)]);
}

static void check_all(const struct made *made)
{
    uint32_t count = made->graph.count;
    check(made, 0, count);
    check(made, 0, UINT64_C(1) << 32);
    check(made, 1, count - 1);
    check(made, count, UINT64_C(1) << 32);
    check(made, UINT64_C(1) << 32, UINT64_C(1) << 33);
    for (uint32_t first = 0; first < count; first += 501)
        check(made, first, first + 501);
}

static void test_types(void **state)
{
    static const struct {
        uint8_t width;
        uint32_t types;
    } columns[] = {{2, 10}, {2, TYPES}, {4, TYPES}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct made made;
        make(&made, columns[i].width, columns[i].types);
        check_all(&made); /* none */
        made.wanted[3] = 1;
        check_all(&made);
        for (uint32_t t = 0; t < TYPES; t++)
            made.wanted[t] = t % 3 != 1;
        check_all(&made);
        memset(made.wanted, 1, TYPES);
        check_all(&made);
        take_apart(&made);
    }
}

/* A graph that was made by hand has addresses. */
static void test_without_places(void **state)
{
    struct made made;
    (void)state;
    make(&made, 2, 10);
    uint64_t *addresses = df_xcalloc(made.graph.count, sizeof(*addresses));
    for (uint32_t v = 0; v < made.graph.count; v++)
        addresses[v] = gr_address(&made.graph, v) + 1;
    made.graph.addresses = addresses;
    made.wanted[3] = made.wanted[4] = 1;
    check_all(&made);
    take_apart(&made);
}

/* Two chains of even and of odd nodes, which end where a node has no references. */
static void test_reach(void **state)
{
    enum { COUNT = 1000 };
    uint32_t start[COUNT + 1], target[COUNT];
    struct gr_graph graph = {.count = COUNT, .start = start, .target = target};
    struct gr_reach reach;
    (void)state;
    for (uint32_t v = 0, e = 0; v < COUNT; v++) {
        start[v] = e;
        if (v != 900)
            target[e++] = v + 2 < COUNT ? v + 2 : v % 2;
        start[v + 1] = e;
    }
    assert_null(gr_reach_init(&reach, &graph));
    assert_int_equal(gr_next_unreached(&reach, 0), 0);
    gr_reach_from(&reach, 500);
    assert_int_equal(reach.count, 201); /* 500, 502 to 900 */
    assert_int_equal(gr_next_unreached(&reach, 500), 501);
    assert_int_equal(gr_next_unreached(&reach, 902), 902);
    for (uint32_t v = 0; v < COUNT; v++)
        assert_int_equal(gr_reached(&reach, v), v >= 500 && v <= 900 && v % 2 == 0);
    gr_reach_from(&reach, 900); /* once more: nothing */
    assert_int_equal(reach.count, 201);
    gr_reach_from(&reach, 1);
    gr_reach_from(&reach, 902);
    gr_reach_from(&reach, 0);
    assert_int_equal(reach.count, COUNT);
    assert_int_equal(gr_next_unreached(&reach, 0), COUNT);
    assert_int_equal(gr_next_unreached(&reach, COUNT), COUNT);
    gr_reach_deinit(&reach);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_without_places),
        cmocka_unit_test(test_reach),
    };
    return cmocka_run_group_tests_name("picks", tests, NULL, NULL);
}
