/* SPDX-License-Identifier: MIT
 * test_graph.c: look-ups and invariants of a graph, roots for what no root reaches, sorting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/algo/reach.h"
#include "analyzer/graph/sort.h"
#include "tests/support/graphgen.h"
#include "tests/support/graphmade.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void test_sort(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (uint32_t count = 0; count < 300; count++) {
        uint64_t keys[300];
        uint32_t order[300];
        uint64_t high = graphgen_next(&seed) & ~UINT64_C(0xFFFFF);

        for (uint32_t i = 0; i < count; i++) /* distinct: the low bits are the index, scrambled */
            keys[i] = (high ^ (graphgen_next(&seed) << 40)) | ((uint64_t)i * 7919 & 0xFFFFF);
        assert_null(gr_sort(keys, count, order));
        for (uint32_t i = 1; i < count; i++)
            assert_true(keys[order[i - 1]] < keys[order[i]]);
    }
}

static void test_look_up(void **state)
{
    const struct graphmade_node nodes[3] = {{0}, {0}, {0}};
    struct gr_graph *graph = graphmade(3, nodes, NULL, 0);

    (void)state;
    assert_int_equal(gr_node(graph, 0x1000), 0);
    assert_int_equal(gr_node(graph, 0x1200), 2);
    assert_int_equal(gr_node(graph, 0x1201), UINT32_MAX);
    assert_int_equal(gr_node(graph, 0), UINT32_MAX);
    assert_int_equal(gr_node(graph, UINT64_MAX), UINT32_MAX);
    assert_int_equal(gr_node_containing(graph, 0x0fff), UINT32_MAX);
    assert_int_equal(gr_node_containing(graph, 0x1009), 0);
    assert_int_equal(gr_node_containing(graph, 0x100a), UINT32_MAX);
    assert_int_equal(gr_node_containing(graph, 0x120b), 2);
    gr_graph_destroy(graph);
    gr_graph_destroy(NULL);
}

static void test_invariants(void **state)
{
    const struct graphmade_node nodes[3] = {{0}, {1, 1, 0}, {0}};
    const struct graphmade_edge edges[] = {
        {0, 1, PY_REF_REFERENT}, {0, 1, PY_REF_OWNED}, {1, 2, PY_REF_WEAK}};
    const struct graphmade_root roots[] = {{0, GR_ROOT_MODULE, "m"}};
    struct gr_graph *graph = graphmade(3, nodes, edges, COUNT(edges));

    (void)state;
    graphmade_roots(graph, roots, 1);
    assert_int_equal(graph->edge_count, 2);
    assert_int_equal(graph->weak_count, 1);
    assert_true(gr_graph_is_valid(graph, 2));
    assert_false(gr_graph_is_valid(graph, 1));
    graph->target[0] = 3;
    assert_false(gr_graph_is_valid(graph, 2));
    graph->target[0] = 1;
    graph->edge_kinds[0] = PY_REF_WEAK << 2;
    assert_false(gr_graph_is_valid(graph, 2));
    graph->edge_kinds[0] = PY_REF_OWNED << 2;
    assert_true(gr_graph_is_valid(graph, 2));
    graph->addresses[1] = gr_address(graph, 0);
    assert_false(gr_graph_is_valid(graph, 2));
    gr_graph_destroy(graph);
}

/* The strongest reason of a node is the first that was given. */
static void test_reasons(void **state)
{
    const struct graphmade_node nodes[3] = {{0}, {0}, {0}};
    const struct graphmade_root roots[] = {{2, GR_ROOT_MODULE, "os.path"},
                                           {0, GR_ROOT_FRAME, "<thread>.f().x"},
                                           {2, GR_ROOT_MODULE, "posixpath"},
                                           {0, GR_ROOT_STATIC_TYPE, "int"}};
    struct gr_graph *graph = graphmade(3, nodes, NULL, 0);

    (void)state;
    graphmade_roots(graph, roots, COUNT(roots));
    assert_true(gr_graph_is_valid(graph, 1));
    assert_int_equal(graph->root_count, 5);
    assert_int_equal(graph->root_node_count, 3);
    assert_string_equal(gr_root_of(graph, 2)->path, "os.path");
    assert_string_equal(gr_root_of(graph, 0)->path, "<thread>.f().x");
    assert_int_equal(gr_root_kind_of(graph, 0), GR_ROOT_FRAME);
    assert_int_equal(gr_root_kind_of(graph, 1),
                     GR_ROOT_UNKNOWN); /* nobody refers to it, no collector */
    assert_int_equal(graph->root_nodes[0], 2);
    gr_graph_destroy(graph);
}

static void test_unreached(void **state)
{
    const struct graphmade_node nodes[] = {
        {0, 1, 0},         {0, 1, 0},     /* 0 -> 1: alive */
        {1, 2, GR_GC},     {0, 1, 0},     /* 2 -> 3: one reference more than known */
        {0, 1, GR_GC},     {0, 2, GR_GC}, /* 4 <-> 5, 6 -> 5: garbage, */
        {0, 1, GR_GC},     {0, 1, GR_GC}, /* of the cycle 6 <-> 7 */
        {0, INT64_MAX, 0},                /* immortal */
        {0, 0, 0},                        /* nobody */
    };
    const struct graphmade_edge edges[] = {{0, 1, 0}, {2, 3, 0}, {3, 2, 0}, {4, 5, 0}, {5, 4, 0},
                                           {6, 5, 0}, {6, 7, 0}, {7, 6, 0}, {6, 1, 0}};
    const struct graphmade_root roots[] = {{0, GR_ROOT_MODULE, "m"}};
    static const uint8_t kinds[] = {GR_ROOT_MODULE,  GR_ROOT_NONE,   GR_ROOT_SURPLUS, GR_ROOT_NONE,
                                    GR_ROOT_NONE,    GR_ROOT_NONE,   GR_ROOT_GARBAGE, GR_ROOT_NONE,
                                    GR_ROOT_SURPLUS, GR_ROOT_UNKNOWN};
    struct gr_graph *graph = graphmade(COUNT(nodes), nodes, edges, COUNT(edges));

    (void)state;
    graphmade_roots(graph, roots, 1);
    assert_true(gr_graph_is_valid(graph, 2));
    for (uint32_t v = 0; v < graph->count; v++)
        assert_int_equal(gr_root_kind_of(graph, v), kinds[v]);
    assert_string_equal(gr_root_of(graph, 2)->path, "<unexplained reference> T1");
    gr_graph_destroy(graph);
}

/* Whatever the graph and its counts: everything is reached, and no head is reached by another. */
static void test_everything_is_reached(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct graphgen generated;
        struct graphmade_node nodes[24] = {0};
        struct graphmade_edge edges[24 * 24];
        struct graphmade_root roots[2] = {{0, GR_ROOT_MODULE, "m"}, {0, GR_ROOT_FRAME, "f"}};
        uint64_t random = ~seed;
        uint32_t edge_count = 0, reached;
        struct gr_graph *graph;
        struct al_csr csr;

        graphgen_random(&generated, seed, 24);
        for (uint32_t v = 0; v < generated.csr.count; v++) {
            nodes[v].flags = graphgen_below(&random, 3) ? GR_GC : 0;
            nodes[v].references = graphgen_below(&random, 4);
            for (uint32_t e = generated.csr.start[v]; e < generated.csr.start[v + 1]; e++)
                if (edge_count < COUNT(edges))
                    edges[edge_count++] = (struct graphmade_edge){v, generated.csr.target[e], 0};
        }
        graph = graphmade(generated.csr.count, nodes, edges, edge_count);
        graphmade_roots(graph, roots, graph->count ? seed % 3 : 0);
        assert_true(gr_graph_is_valid(graph, 1));
        csr =
            (struct al_csr){.count = graph->count, .start = graph->start, .target = graph->target};
        assert_null(
            al_reach(&csr, graph->root_nodes, graph->root_node_count, NULL, NULL, &reached));
        assert_int_equal(reached, graph->count);
        /* Without any one head of garbage something is not reached. */
        for (uint32_t i = 0; i < graph->root_node_count; i++) {
            uint32_t last = graph->root_node_count - 1, node = graph->root_nodes[i];

            if (gr_root_kind_of(graph, node) < GR_ROOT_GARBAGE)
                continue;
            graph->root_nodes[i] = graph->root_nodes[last];
            assert_null(al_reach(&csr, graph->root_nodes, last, NULL, NULL, &reached));
            assert_true(reached < graph->count);
            graph->root_nodes[i] = node;
        }
        gr_graph_destroy(graph);
        graphgen_deinit(&generated);
    }
}

static void test_texts(void **state)
{
    struct gr_texts *texts = gr_texts_create();
    char large[40000];
    const char *kept[3];

    (void)state;
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    kept[0] = gr_texts_format(texts, "%s", "small");
    kept[1] = gr_texts_format(texts, "%s", large);
    for (int i = 0; i < 10000; i++)
        kept[2] = gr_texts_format(texts, "text %d", i);
    assert_string_equal(kept[0], "small");
    assert_string_equal(kept[1], large);
    assert_string_equal(kept[2], "text 9999");
    gr_texts_destroy(texts);
    gr_texts_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),       cmocka_unit_test(test_look_up),
        cmocka_unit_test(test_invariants), cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_unreached),  cmocka_unit_test(test_everything_is_reached),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
