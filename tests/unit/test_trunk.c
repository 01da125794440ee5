/* SPDX-License-Identifier: MIT
 * test_trunk.c: what is kept for the trunk alone says of every node what the algorithms say of the
 * whole graph. Random heaps, most of whose nodes are leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/findings/analysis.h"
#include "tests/support/graphgen.h"
#include "tests/support/graphmade.h"

#define NODES 70
#define EDGES 90
#define GRAPHS 600
#define TYPES 4 /* plain, legacy, tuple, dict */

static const struct fi_type_fact facts[TYPES] = {
    {.node = AL_NONE},
    {.node = AL_NONE, .legacy = true},
    {.node = AL_NONE, .tuple = true, .atomic = true},
    {.node = AL_NONE, .dict = true},
};

struct heap {
    struct gr_graph *graph;
    struct fi_analysis *analysis;
    uint32_t leaves;
};

/* Few nodes refer to many: counts are mostly right, so that there is garbage. */
static void make_heap(struct heap *heap, uint64_t seed)
{
    struct graphmade_node nodes[NODES] = {{0}};
    struct graphmade_edge edges[EDGES];
    struct graphmade_root roots[3];
    uint64_t random = seed + 1;

    for (uint32_t e = 0; e < EDGES; e++) {
        uint32_t kinds[] = {PY_REF_REFERENT, PY_REF_OWNED, PY_REF_GUESS, PY_REF_WEAK};

        edges[e] = (struct graphmade_edge){graphgen_below(&random, NODES / 3),
                                           graphgen_below(&random, NODES),
                                           (uint8_t)kinds[graphgen_below(&random, 40) % 4]};
        if (graphgen_below(&random, 4))
            edges[e].kind = PY_REF_REFERENT;
        nodes[edges[e].to].references += edges[e].kind == PY_REF_REFERENT;
    }
    for (uint32_t v = 0; v < NODES; v++) {
        nodes[v].type = graphgen_below(&random, TYPES);
        nodes[v].flags = graphgen_below(&random, 5) ? GR_GC | GR_TRACKED : 0;
        nodes[v].references += graphgen_below(&random, 7) == 0;
        nodes[v].references -= graphgen_below(&random, 31) == 0;
    }
    for (uint32_t i = 0; i < 3; i++)
        roots[i] = (struct graphmade_root){graphgen_below(&random, NODES),
                                           (uint8_t)(i ? GR_ROOT_FRAME : GR_ROOT_MODULE), "r"};
    heap->graph = graphmade(NODES, nodes, edges, EDGES);
    graphmade_roots(heap->graph, roots, 3);
    assert_true(gr_graph_is_valid(heap->graph, TYPES));
    assert_null(fi_analyse_graph(heap->graph, TYPES, facts, NULL, 2, &heap->analysis));
    heap->leaves = NODES - heap->analysis->trunk.count;
}

static void check_tree(const struct heap *heap)
{
    const struct gr_graph *graph = heap->graph;
    const struct fi_analysis *a = heap->analysis;
    const struct al_csr csr = {graph->count, graph->start, graph->target};
    uint32_t idom[NODES], order[NODES], objects[NODES], reached, biggest[NODES + 1];
    uint64_t retained[NODES];

    assert_null(
        al_dominators(&csr, graph->root_nodes, graph->root_node_count, idom, order, &reached));
    for (uint32_t v = 0; v < NODES; v++) {
        retained[v] = gr_size(graph, v);
        objects[v] = 1;
    }
    for (uint32_t i = reached; i-- > 0;)
        if (idom[order[i]] != AL_ROOT) {
            retained[idom[order[i]]] += retained[order[i]];
            objects[idom[order[i]]] += objects[order[i]];
        }
    memset(biggest, 0xff, sizeof(biggest));
    for (uint32_t v = 0; v < NODES; v++) {
        uint32_t row = idom[v] == AL_ROOT ? NODES : idom[v];

        assert_int_equal(fi_idom(a, v), idom[v]);
        assert_int_equal(fi_retained(a, v), retained[v]);
        assert_int_equal(fi_retained_count(a, v), objects[v]);
        if (biggest[row] == AL_NONE || retained[v] > retained[biggest[row]])
            biggest[row] = v;
    }
    for (uint32_t v = 0; v <= NODES; v++) {
        struct fi_children children = fi_children(a, v);

        assert_int_equal(fi_biggest_child(a, v), biggest[v]);
        for (uint32_t child; fi_next_child(&children, &child);)
            assert_int_equal(idom[child], v == NODES ? AL_ROOT : v);
    }
}

/* Every node once, dominators on the right side. */
static void check_walks(const struct heap *heap)
{
    for (int up = 0; up < 2; up++) {
        struct fi_walk walk = up ? fi_walk_up(heap->analysis) : fi_walk_down(heap->analysis);
        bool seen[NODES] = {false};
        uint32_t count = 0;

        for (uint32_t v; fi_next_walked(&walk, &v); count++) {
            uint32_t above = fi_idom(heap->analysis, v);

            assert_false(seen[v]);
            seen[v] = true;
            if (above < NODES)
                assert_int_equal(seen[above], !up);
        }
        assert_int_equal(count, NODES);
    }
}

static bool is_below(const struct fi_analysis *a, uint32_t v, uint32_t type)
{
    for (uint32_t above = fi_idom(a, v); above < NODES; above = fi_idom(a, above))
        if (gr_type(a->graph, above) == type)
            return true;
    return false;
}

static void check_classes(const struct heap *heap)
{
    const struct fi_analysis *a = heap->analysis;
    uint64_t sum[TYPES] = {0};

    for (uint32_t v = 0; v < NODES; v++)
        if (!is_below(a, v, gr_type(heap->graph, v)))
            sum[gr_type(heap->graph, v)] += fi_retained(a, v);
    assert_memory_equal(a->type_retained, sum, sizeof(sum));
}

/* A random set: the sum over members that no other one dominates. */
static void check_sets(const struct heap *heap, uint64_t seed)
{
    const struct fi_analysis *a = heap->analysis;
    uint32_t nodes[NODES], count = 0;
    bool member[NODES] = {false};
    uint64_t sum = 0, told, random = seed + 7;

    for (uint32_t v = 0; v < NODES; v++)
        if (graphgen_below(&random, 3) == 0)
            member[nodes[count++] = v] = true;
    for (uint32_t i = 0; i < count; i++) {
        bool topmost = true;

        for (uint32_t above = fi_idom(a, nodes[i]); above < NODES; above = fi_idom(a, above))
            topmost &= !member[above];
        sum += topmost ? fi_retained(a, nodes[i]) : 0;
    }
    for (uint32_t i = 0; i + 1 < count; i += 2) { /* in no order */
        uint32_t swap = nodes[i];

        nodes[i] = nodes[count - 1 - i];
        nodes[count - 1 - i] = swap;
    }
    assert_null(fi_set_retained(a, nodes, count, &told));
    assert_int_equal(told, sum);
}

/* Each parent refers to its child, one step nearer to a root. */
static void check_ways(const struct heap *heap)
{
    const struct gr_graph *graph = heap->graph;

    for (uint32_t v = 0; v < NODES; v++) {
        uint32_t parent = fi_parent(heap->analysis, v);
        bool refers = false;

        if (parent == AL_ROOT) {
            assert_int_not_equal(gr_root_kind_of(graph, v), GR_ROOT_NONE);
            assert_int_equal(fi_distance(heap->analysis, v), 0);
            continue;
        }
        for (uint32_t e = graph->start[parent]; e < graph->start[parent + 1]; e++)
            refers |= graph->target[e] == v;
        assert_true(refers);
        assert_int_equal(fi_distance(heap->analysis, v), fi_distance(heap->analysis, parent) + 1);
    }
}

static int64_t references_of(void *context, uint32_t node)
{
    return gr_references(context, node);
}

static bool is_legacy(void *context, uint32_t node)
{
    return facts[gr_type(context, node)].legacy;
}

static void check_verdicts(const struct heap *heap)
{
    const struct gr_graph *graph = heap->graph;
    const struct al_csr csr = {graph->count, graph->start, graph->target};
    uint8_t visited[EDGES], candidate[NODES], verdict[NODES];
    struct al_collector_result result = {.verdict = verdict};
    struct al_collector_input input = {&csr, graph->edge_kinds, references_of, is_legacy,
                                       heap->graph};

    for (uint32_t e = 0; e < graph->edge_count; e++)
        visited[e] = gr_edge_kind(graph, e) == PY_REF_REFERENT;
    for (uint32_t v = 0; v < NODES; v++)
        candidate[v] = (graph->flags[v] & GR_TRACKED) != 0;
    for (uint32_t v = 0; v < NODES; v++) { /* tuples of nothing that is tracked */
        bool leave = candidate[v] && facts[gr_type(graph, v)].atomic && gr_references(graph, v) > 0;

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t w = graph->target[e];
            bool tracked =
                (graph->flags[w] & GR_GC) && (!facts[gr_type(graph, w)].tuple || candidate[w]);

            leave &= !visited[e] || !tracked;
        }
        candidate[v] &= !leave;
    }
    memcpy(verdict, candidate, sizeof(verdict));
    assert_null(al_collector(&input, &result));
    for (uint32_t v = 0; v < NODES; v++)
        assert_int_equal(fi_verdict_of(heap->analysis, v), verdict[v]);
    assert_int_equal(heap->analysis->garbage, result.garbage);
    assert_int_equal(heap->analysis->uncollectable, result.uncollectable);
    assert_int_equal(heap->analysis->inconsistent, result.inconsistent);
    assert_int_equal(heap->analysis->first_inconsistent, result.first_inconsistent);
}

static void test_random_heaps(void **state)
{
    uint64_t leaves = 0, garbage = 0, uncollectable = 0;

    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct heap heap;

        make_heap(&heap, seed);
        check_tree(&heap);
        check_walks(&heap);
        check_classes(&heap);
        check_sets(&heap, seed);
        check_ways(&heap);
        check_verdicts(&heap);
        leaves += heap.leaves;
        garbage += heap.analysis->garbage;
        uncollectable += heap.analysis->uncollectable;
        fi_analysis_destroy(heap.analysis);
        gr_graph_destroy(heap.graph);
    }
    assert_true(leaves > GRAPHS * NODES / 5); /* else this was no test */
    assert_true(garbage > GRAPHS);
    assert_true(uncollectable > GRAPHS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_heaps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
