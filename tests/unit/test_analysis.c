/* SPDX-License-Identifier: MIT
 * test_analysis.c: the answers over graphs written by hand, and the manners of paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/findings/analysis.h"
#include "analyzer/findings/hops.h"
#include "tests/support/graphmade.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define GC (GR_GC | GR_TRACKED)
#define JOBS 2 /* threads */

enum { PLAIN, MODULE, DICT, CLASS, ROW, LEGACY, TUPLE, TYPES };

static struct fi_analysis *analyse(struct gr_graph *graph, uint32_t class_node)
{
    const struct fi_type_fact facts[TYPES] = {
        [PLAIN] = {.node = AL_NONE},
        [MODULE] = {.node = AL_NONE},
        [DICT] = {.node = AL_NONE, .dict = true},
        [CLASS] = {.node = AL_NONE},
        [ROW] = {.node = class_node},
        [LEGACY] = {.node = AL_NONE, .legacy = true},
        [TUPLE] = {.node = AL_NONE, .tuple = true, .atomic = true},
    };
    struct fi_analysis *analysis;

    assert_true(gr_graph_is_valid(graph, TYPES));
    assert_null(fi_analyse_graph(graph, TYPES, facts, NULL, JOBS, &analysis));
    return analysis;
}

/* module 0 -> dict 1 -> class 2, list 3 -> rows 4, 5 (each -> class) -> shared 6 */
static void test_retained_and_ways(void **state)
{
    const struct graphmade_node nodes[] = {{MODULE, 1, GC}, {DICT, 1, GC}, {CLASS, 4, GC},
                                           {PLAIN, 1, GC},  {ROW, 2, GC},  {ROW, 1, GC},
                                           {PLAIN, 2, 0}};
    const struct graphmade_edge edges[] = {{0, 1, 0}, {1, 2, 0}, {1, 3, 0}, {3, 4, 0}, {3, 5, 0},
                                           {4, 2, 0}, {5, 2, 0}, {4, 6, 0}, {5, 6, 0}};
    const struct graphmade_root roots[] = {{0, GR_ROOT_MODULE, "shop"},
                                           {4, GR_ROOT_FRAME, "<thread>.f().row"}};
    struct gr_graph *graph = graphmade(COUNT(nodes), nodes, edges, COUNT(edges));
    struct fi_analysis *a;

    (void)state;
    graphmade_roots(graph, roots, COUNT(roots));
    a = analyse(graph, 2);
    assert_int_equal(a->tree.order.count, 7);
    assert_int_equal(fi_idom(a, 3), 1);
    assert_int_equal(fi_idom(a, 4), AL_ROOT);
    assert_int_equal(fi_idom(a, 2), AL_ROOT); /* the frame's row refers to its class */
    assert_int_equal(fi_idom(a, 6), AL_ROOT);
    assert_int_equal(fi_retained(a, 3), 13 + 15);
    assert_int_equal(fi_retained_count(a, 1), 3);
    assert_int_equal(a->type_retained[ROW], 14 + 15);
    assert_int_equal(a->total_bytes, 7 * 10 + 21);
    assert_int_equal(fi_parent(a, 2), 1); /* not through the row that is nearer */
    assert_int_equal(fi_distance(a, 2), 2);
    assert_int_equal(fi_parent(a, 6), 4);
    assert_int_equal(a->garbage, 0);
    assert_int_equal(a->garbage_bytes, 0);
    fi_analysis_destroy(a);
    gr_graph_destroy(graph);
}

/* A class that nothing but an instance leads to is still found; what a module holds outside its
 * dict comes after what has a name; a root of the interpreter's state waits. */
static void test_last_resorts(void **state)
{
    const struct graphmade_node nodes[] = {{MODULE, 1, GC}, {DICT, 1, GC},  {PLAIN, 3, 0},
                                           {ROW, 1, GC},    {CLASS, 1, GC}, {PLAIN, 1, 0}};
    const struct graphmade_edge edges[] = {{0, 2, 0}, {0, 5, 0}, {0, 1, 0},
                                           {1, 2, 0}, {3, 4, 0}, {1, 3, 0}};
    const struct graphmade_root roots[] = {{0, GR_ROOT_MODULE, "m"},
                                           {2, GR_ROOT_INTERPRETER, "<interpreter>.x"}};
    struct gr_graph *graph = graphmade(COUNT(nodes), nodes, edges, COUNT(edges));
    struct fi_analysis *a;

    (void)state;
    graphmade_roots(graph, roots, COUNT(roots));
    a = analyse(graph, 4);
    assert_int_equal(fi_parent(a, 2), 1);
    assert_int_equal(fi_distance(a, 2), 2);
    assert_int_equal(fi_parent(a, 4), 3);
    assert_int_equal(fi_parent(a, 5), 0);
    assert_int_equal(fi_distance(a, 5), 1);
    fi_analysis_destroy(a);
    gr_graph_destroy(graph);
}

/* 0: alive; 1 <-> 2: garbage that holds 3 alone and 4 with the root; 5 <-> 6: not to be freed */
static void test_garbage(void **state)
{
    const struct graphmade_node nodes[] = {{PLAIN, 1, GC}, {PLAIN, 1, GC},   {PLAIN, 1, GC},
                                           {PLAIN, 1, 0},  {PLAIN, 2, 0},    {LEGACY, 1, GC},
                                           {PLAIN, 1, GC}, {PLAIN, 0, GR_GC}};
    const struct graphmade_edge edges[] = {
        {1, 2, 0}, {2, 1, 0}, {2, 3, PY_REF_OWNED}, {1, 4, 0}, {0, 4, 0}, {5, 6, 0}, {6, 5, 0}};
    const struct graphmade_root roots[] = {{0, GR_ROOT_MODULE, "m"}};
    struct gr_graph *graph = graphmade(COUNT(nodes), nodes, edges, COUNT(edges));
    struct fi_analysis *a;

    (void)state;
    graphmade_roots(graph, roots, COUNT(roots));
    a = analyse(graph, AL_NONE);
    assert_int_equal(a->garbage, 2);
    assert_int_equal(a->uncollectable, 2);
    assert_int_equal(fi_verdict_of(a, 0), AL_ALIVE);
    assert_int_equal(fi_verdict_of(a, 1), AL_GARBAGE);
    assert_int_equal(fi_verdict_of(a, 3), AL_NOT_CANDIDATE);
    assert_int_equal(fi_verdict_of(a, 5), AL_UNCOLLECTABLE);
    assert_int_equal(fi_verdict_of(a, 7), AL_NOT_CANDIDATE);
    assert_int_equal(a->garbage_freed, 3);
    assert_int_equal(a->garbage_bytes, 11 + 12 + 13);
    assert_int_equal(a->cycle_count, 2);
    assert_int_equal(a->inconsistent, 0);
    fi_analysis_destroy(a);
    gr_graph_destroy(graph);
}

/* An owned reference keeps alive, but the collector does not see it; the permanent generation is
 * not looked at. */
static void test_what_the_collector_sees(void **state)
{
    const struct graphmade_node nodes[] = {
        {PLAIN, 1, GC}, {PLAIN, 1, GC}, {PLAIN, 1, GC | GR_FROZEN}, {PLAIN, 1, GC | GR_FROZEN}};
    const struct graphmade_edge edges[] = {
        {0, 1, PY_REF_REFERENT}, {1, 0, PY_REF_OWNED}, {2, 3, 0}, {3, 2, 0}};
    struct gr_graph *graph = graphmade(COUNT(nodes), nodes, edges, COUNT(edges));
    struct fi_analysis *a;

    (void)state;
    graphmade_roots(graph, NULL, 0);
    a = analyse(graph, AL_NONE);
    assert_int_equal(gr_root_kind_of(graph, 0), GR_ROOT_GARBAGE);
    assert_int_equal(a->garbage, 0);
    assert_int_equal(fi_verdict_of(a, 0), AL_ALIVE);
    assert_int_equal(fi_verdict_of(a, 2), AL_NOT_CANDIDATE);
    assert_int_equal(a->cycle_count, 2);
    fi_analysis_destroy(a);
    gr_graph_destroy(graph);
}

/* 0 <-> 1, and what they hold: tuple 2 of an atom and of a tuple that is not tracked: passed over;
 * 5 of that cycle, and 7 of what is tracked at the time: not. */
static void test_atomic_tuples(void **state)
{
    const struct graphmade_node nodes[] = {{PLAIN, 2, GC},    {PLAIN, 1, GC},    {TUPLE, 1, GC},
                                           {PLAIN, 1, 0},     {TUPLE, 1, GR_GC}, {TUPLE, 1, GC},
                                           {PLAIN, 1, GR_GC}, {TUPLE, 1, GC}};
    const struct graphmade_edge edges[] = {{0, 1, 0}, {1, 0, 0}, {1, 2, 0}, {2, 3, 0}, {2, 4, 0},
                                           {1, 5, 0}, {5, 0, 0}, {1, 7, 0}, {7, 6, 0}};
    struct gr_graph *graph = graphmade(COUNT(nodes), nodes, edges, COUNT(edges));
    struct fi_analysis *a;

    (void)state;
    graphmade_roots(graph, NULL, 0);
    a = analyse(graph, AL_NONE);
    assert_int_equal(a->garbage, 4);
    assert_int_equal(fi_verdict_of(a, 2), AL_NOT_CANDIDATE);
    assert_int_equal(fi_verdict_of(a, 5), AL_GARBAGE);
    assert_int_equal(fi_verdict_of(a, 7), AL_GARBAGE);
    assert_int_equal(a->inconsistent, 0);
    fi_analysis_destroy(a);
    gr_graph_destroy(graph);
}

/* A list of which the last is further from its root than a byte can say. */
static void test_far(void **state)
{
    enum { FAR = 700 };
    static struct graphmade_node nodes[FAR];
    static struct graphmade_edge edges[FAR - 1];
    const struct graphmade_root roots[] = {{0, GR_ROOT_MODULE, "m"}};
    struct gr_graph *graph;
    struct fi_analysis *a;

    (void)state;
    for (uint32_t v = 0; v < FAR; v++) {
        nodes[v] = (struct graphmade_node){DICT, 1, GC};
        if (v + 1 < FAR)
            edges[v] = (struct graphmade_edge){v, v + 1, 0};
    }
    graph = graphmade(FAR, nodes, edges, FAR - 1);
    graphmade_roots(graph, roots, COUNT(roots));
    a = analyse(graph, AL_NONE);
    for (uint32_t v = 0; v < FAR; v++) {
        assert_int_equal(fi_distance(a, v), v);
        assert_int_equal(fi_parent(a, v), v ? v - 1 : AL_ROOT);
        assert_int_equal(fi_retained_count(a, v), FAR - v);
    }
    fi_analysis_destroy(a);
    gr_graph_destroy(graph);
}

static void test_empty(void **state)
{
    struct gr_graph *graph = graphmade(0, NULL, NULL, 0);
    struct fi_analysis *a;

    (void)state;
    graphmade_roots(graph, NULL, 0);
    a = analyse(graph, AL_NONE);
    assert_int_equal(a->tree.order.count, 0);
    fi_analysis_destroy(a);
    fi_analysis_destroy(NULL);
    gr_graph_destroy(graph);
}

static void test_key_to_attribute(void **state)
{
    static const struct {
        const char *key, *attribute; /* NULL: stays */
    } cases[] = {{"['k17']", ".k17"}, {"['_']", "._"}, {"['1a']", NULL}, {"['']", NULL},
                 {"['a b']", NULL},   {"[3]", NULL},   {"['a…']", NULL}, {"", NULL},
                 {".x", NULL},        {"['x'", NULL},  {"[']", NULL}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];

        strcpy(text, cases[i].key);
        assert_int_equal(fi_key_to_attribute(text), cases[i].attribute != NULL);
        assert_string_equal(text, cases[i].attribute ? cases[i].attribute : cases[i].key);
    }
}

static void test_best_reference(void **state)
{
    struct py_ref items[] = {
        {.target = 1, .kind = PY_REF_WEAK, .label = PY_LABEL_ATTR},
        {.target = 1, .label = PY_LABEL_TYPE},
        {.target = 1, .label = PY_LABEL_ITEM, .argument = 3},
        {.target = 1, .label = PY_LABEL_ITEM, .argument = 4},
        {.target = 2, .label = PY_LABEL_ATTR},
        {.target = 3, .kind = PY_REF_WEAK},
    };
    struct py_refs refs = {.items = items, .count = COUNT(items)};

    (void)state;
    assert_int_equal(fi_best_ref(&refs, 1)->argument, 3);
    assert_ptr_equal(fi_best_ref(&refs, 2), &items[4]);
    assert_null(fi_best_ref(&refs, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retained_and_ways),
        cmocka_unit_test(test_last_resorts),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_atomic_tuples),
        cmocka_unit_test(test_what_the_collector_sees),
        cmocka_unit_test(test_far),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_key_to_attribute),
        cmocka_unit_test(test_best_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
