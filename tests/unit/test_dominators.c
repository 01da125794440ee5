/* SPDX-License-Identifier: MIT
 * test_dominators.c: dominators, retained sizes and the proof of the tree against the definition
 * (take a node out, search again), on random graphs; large lists and stars; the worst case of
 * plain SEMI-NCA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/algo/dominators.h"
#include "analyzer/algo/preorder.h"
#include "tests/support/graphgen.h"

#define GRAPHS 10000
#define MUTATED_GRAPHS 4000
#define NODES 26
#define CLASSES 4
#define LARGE 1000000

/* What the definition says. */
struct truth {
    bool reached[NODES];
    bool dominates[NODES][NODES]; /* [d][v]; a node dominates itself */
    uint32_t idom[NODES];
    uint32_t reached_count;
};

static void search_without(const struct graphgen *g, uint32_t removed, bool *reached)
{
    uint32_t stack[NODES], depth = 0;

    memset(reached, 0, NODES * sizeof(*reached));
    for (uint32_t i = 0; i < g->root_count; i++)
        if (g->roots[i] != removed && !reached[g->roots[i]]) {
            reached[g->roots[i]] = true;
            stack[depth++] = g->roots[i];
        }
    while (depth > 0) {
        uint32_t u = stack[--depth];

        for (uint32_t e = g->csr.start[u]; e < g->csr.start[u + 1]; e++) {
            uint32_t v = g->csr.target[e];

            if (v != removed && !reached[v]) {
                reached[v] = true;
                stack[depth++] = v;
            }
        }
    }
}

static uint32_t dominator_count(const struct truth *t, uint32_t n, uint32_t v)
{
    uint32_t count = 0;

    for (uint32_t d = 0; d < n; d++)
        count += t->dominates[d][v];
    return count;
}

static void find_truth(const struct graphgen *g, struct truth *t)
{
    uint32_t n = g->csr.count;
    bool without[NODES];

    memset(t, 0, sizeof(*t));
    search_without(g, AL_NONE, t->reached);
    for (uint32_t d = 0; d < n; d++) {
        search_without(g, d, without);
        t->reached_count += t->reached[d];
        for (uint32_t v = 0; v < n; v++)
            t->dominates[d][v] = t->reached[v] && !without[v];
    }
    for (uint32_t v = 0; v < n; v++) {
        t->idom[v] = t->reached[v] ? AL_ROOT : AL_NONE;
        for (uint32_t d = 0; d < n; d++)
            if (d != v && t->dominates[d][v] &&
                dominator_count(t, n, d) + 1 == dominator_count(t, n, v))
                t->idom[v] = d;
    }
}

static void run_dominators(const struct graphgen *g, uint32_t *idom, uint32_t *order,
                           uint32_t *reached)
{
    assert_null(al_dominators(&g->csr, g->roots, g->root_count, idom, order, reached));
}

static bool proven(const struct graphgen *g, const uint32_t *idom)
{
    bool ok;
    uint32_t node;

    assert_null(al_dominators_check(&g->csr, g->roots, g->root_count, idom, &ok, &node));
    assert_int_equal(node < g->csr.count, !ok);
    assert_true(!ok || node == AL_NONE);
    return ok;
}

static void check_order(const struct truth *t, uint32_t n, const uint32_t *order, uint32_t reached)
{
    bool seen[NODES] = {false};

    assert_int_equal(reached, t->reached_count);
    for (uint32_t i = 0; i < reached; i++) {
        assert_true(order[i] < n && !seen[order[i]] && t->reached[order[i]]);
        assert_true(t->idom[order[i]] == AL_ROOT || seen[t->idom[order[i]]]);
        seen[order[i]] = true;
    }
}

static void test_dominators(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct graphgen g;
        struct truth t;
        uint32_t idom[NODES], again[NODES], order[NODES], reached;

        graphgen_random(&g, seed, NODES);
        find_truth(&g, &t);
        run_dominators(&g, idom, order, &reached);
        assert_memory_equal(idom, t.idom, g.csr.count * sizeof(*idom));
        check_order(&t, g.csr.count, order, reached);
        run_dominators(&g, again, NULL, NULL);
        assert_memory_equal(again, idom, g.csr.count * sizeof(*idom));
        assert_true(proven(&g, idom));
        graphgen_deinit(&g);
    }
}

/* Any other array than the right one must be refused: each node given each other parent. */
static void test_check_refuses_one_change(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < MUTATED_GRAPHS; seed++) {
        struct graphgen g;
        uint32_t idom[NODES];

        graphgen_random(&g, seed, 10);
        run_dominators(&g, idom, NULL, NULL);
        for (uint32_t v = 0; v < g.csr.count; v++) {
            uint32_t right = idom[v];

            for (uint32_t other = 0; other < g.csr.count + 4; other++) {
                idom[v] = other <= g.csr.count ? other : AL_ROOT - 1 + (other - g.csr.count - 1);
                if (idom[v] != right)
                    assert_false(proven(&g, idom));
            }
            idom[v] = right;
        }
        graphgen_deinit(&g);
    }
}

/* Several nodes moved up to their dominator's dominator: the parent property holds (it may), what
 * fails is the sibling property. */
static void test_check_refuses_flatter_trees(void **state)
{
    (void)state;
    uint32_t refused = 0;

    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct graphgen g;
        uint32_t idom[NODES], flat[NODES];
        uint64_t random = seed;

        graphgen_random(&g, seed, NODES);
        run_dominators(&g, idom, NULL, NULL);
        memcpy(flat, idom, sizeof(flat));
        for (uint32_t v = 0; v < g.csr.count; v++)
            if (idom[v] < AL_ROOT && graphgen_below(&random, 2))
                flat[v] = graphgen_below(&random, 2) ? idom[idom[v]] : AL_ROOT;
        if (memcmp(flat, idom, g.csr.count * sizeof(*idom)) != 0) {
            assert_false(proven(&g, flat));
            refused++;
        }
        graphgen_deinit(&g);
    }
    assert_true(refused > GRAPHS / 4);
}

static void check_retained(const struct graphgen *g, const struct truth *t, const uint64_t *size,
                           const uint64_t *retained)
{
    for (uint32_t v = 0; v < g->csr.count; v++) {
        uint64_t sum = 0;

        for (uint32_t w = 0; w < g->csr.count; w++)
            sum += t->dominates[v][w] ? size[w] : 0;
        assert_true(retained[v] == sum);
    }
}

/* The classes' sums by definition. */
static void check_classes(const struct graphgen *g, const struct truth *t, const uint32_t *class_of,
                          const uint64_t *retained, const uint64_t *class_retained)
{
    uint64_t sum[CLASSES] = {0};

    for (uint32_t v = 0; v < g->csr.count; v++) {
        bool topmost = t->reached[v] && class_of[v] < CLASSES;

        for (uint32_t d = 0; d < g->csr.count; d++)
            if (d != v && t->dominates[d][v] && class_of[d] == class_of[v])
                topmost = false;
        if (topmost)
            sum[class_of[v]] += retained[v];
    }
    assert_memory_equal(sum, class_retained, sizeof(sum));
}

/* What a preorder is told with: per place. */
struct told {
    const struct al_weights *weights;
    uint32_t *span;
    uint32_t next;
};

static void tell(void *context, uint32_t place, uint32_t node)
{
    struct told *told = context;

    assert_int_equal(place, told->next++);
    told->span[place] = told->weights->of[node].span;
}

/* retained: of the nodes by themselves, then what they retain. span: malloc'ed. */
static void make_preorder(uint32_t count, const uint32_t *idom, const uint32_t *order,
                          uint32_t reached, uint64_t *retained, bool wide, struct al_preorder *ret,
                          uint32_t **span)
{
    uint32_t *own_idom = malloc(count * sizeof(*idom));
    struct al_weights weights;
    struct told told = {&weights, calloc(count + 1, sizeof(uint32_t)), 0};

    memcpy(own_idom, idom, count * sizeof(*idom));
    assert_null(al_weights_init(&weights, count, wide));
    for (uint32_t v = 0; v < count; v++)
        al_weigh(&weights, v, retained[v]);
    al_weights_add_up(&weights, idom, order, reached);
    for (uint32_t v = 0; v < count; v++)
        retained[v] = idom[v] == AL_NONE ? 0 : al_weight(&weights, v);
    assert_null(al_preorder_make(&weights, &own_idom, reached, tell, &told, ret));
    assert_null(own_idom);
    assert_int_equal(told.next, reached);
    al_weights_deinit(&weights);
    *span = told.span;
}

/* Runs: what a node dominates lies behind it, the biggest child first. */
static void check_preorder(const struct graphgen *g, const struct truth *t,
                           const struct al_preorder *tree, const uint32_t *span,
                           const uint32_t *idom, const uint64_t *retained)
{
    for (uint32_t v = 0; v < g->csr.count; v++) {
        uint32_t at = tree->place[v], last = AL_NONE;

        assert_int_equal(at == AL_NONE, !t->reached[v]);
        if (at == AL_NONE)
            continue;
        assert_int_equal(tree->node[at], v);
        for (uint32_t w = 0; w < g->csr.count; w++)
            if (t->reached[w])
                assert_int_equal(tree->place[w] >= at && tree->place[w] < at + span[at],
                                 v == w || t->dominates[v][w]);
        for (uint32_t child = at + 1; child < at + span[at]; child += span[child]) {
            assert_int_equal(idom[tree->node[child]], v);
            if (last != AL_NONE)
                assert_true(
                    retained[last] > retained[tree->node[child]] ||
                    (retained[last] == retained[tree->node[child]] && last < tree->node[child]));
            last = tree->node[child];
        }
    }
}

static void sum_classes(const struct al_preorder *tree, const uint32_t *span,
                        const uint32_t *class_of, uint32_t class_count, const uint64_t *retained,
                        uint64_t *sum)
{
    uint32_t end[CLASSES] = {0};
    struct al_classes classes = {class_count, end, sum};

    memset(sum, 0, class_count * sizeof(*sum));
    for (uint32_t at = 0; at < tree->count; at++)
        al_class_meet(&classes, class_of[tree->node[at]], at, span[at], retained[tree->node[at]]);
}

static void test_retained(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct graphgen g;
        struct truth t;
        uint32_t idom[NODES], order[NODES], reached, *span, class_of[NODES];
        uint64_t size[NODES], retained[NODES], class_retained[CLASSES], random = seed;
        struct al_preorder tree;

        graphgen_random(&g, seed, NODES);
        find_truth(&g, &t);
        for (uint32_t v = 0; v < NODES; v++) {
            size[v] = graphgen_below(&random, 5) * 16;
            if (seed % 2 && graphgen_below(&random, 3) == 0)
                size[v] += UINT64_C(0xfffffff0);
            class_of[v] = graphgen_below(&random, 9) ? graphgen_below(&random, CLASSES) : AL_NONE;
        }
        run_dominators(&g, idom, order, &reached);
        memcpy(retained, size, sizeof(size));
        make_preorder(g.csr.count, idom, order, reached, retained, seed % 2, &tree, &span);
        check_retained(&g, &t, size, retained);
        check_preorder(&g, &t, &tree, span, idom, retained);
        sum_classes(&tree, span, class_of, CLASSES, retained, class_retained);
        check_classes(&g, &t, class_of, retained, class_retained);
        al_preorder_deinit(&tree);
        free(span);
        graphgen_deinit(&g);
    }
}

static void test_saturation(void **state)
{
    (void)state;
    uint32_t idom[3], order[3], reached, *span, class_of[] = {0, 1, 1};
    uint64_t retained[] = {1, UINT64_MAX - 1, 2}, class_retained[2];
    struct al_preorder tree;
    struct graphgen g;

    graphgen_star(&g, 3);
    run_dominators(&g, idom, order, &reached);
    make_preorder(3, idom, order, reached, retained, true, &tree, &span);
    assert_true(retained[0] == UINT64_MAX);
    assert_true(retained[1] == UINT64_MAX - 1);
    sum_classes(&tree, span, class_of, 2, retained, class_retained);
    al_preorder_deinit(&tree);
    free(span);
    assert_true(class_retained[0] == UINT64_MAX);
    assert_true(class_retained[1] == UINT64_MAX);
    graphgen_deinit(&g);
}

/* Everything that this header has, on a large graph; checks the tree by its proof. */
static void run_large(struct graphgen *g, uint64_t expected_root_retained)
{
    uint32_t n = g->csr.count, reached, *span;
    uint32_t *idom = malloc(n * sizeof(*idom)), *order = malloc(n * sizeof(*order));
    uint32_t *class_of = calloc(n, sizeof(*class_of));
    uint64_t *retained = malloc(n * sizeof(*retained)), class_retained;
    struct al_preorder tree;

    for (uint32_t v = 0; v < n; v++)
        retained[v] = 1 + v % 2;
    run_dominators(g, idom, order, &reached);
    assert_int_equal(reached, n);
    assert_true(proven(g, idom));
    make_preorder(n, idom, order, reached, retained, false, &tree, &span);
    assert_true(retained[0] == expected_root_retained);
    assert_int_equal(tree.count, n);
    sum_classes(&tree, span, class_of, 1, retained, &class_retained);
    assert_true(class_retained == expected_root_retained);
    al_preorder_deinit(&tree);
    free(span);
    free(idom);
    free(order);
    free(class_of);
    free(retained);
}

static void test_large_list(void **state)
{
    (void)state;
    struct graphgen g;

    graphgen_list(&g, LARGE);
    run_large(&g, LARGE / 2 * 3);
    graphgen_deinit(&g);
}

static void test_large_star(void **state)
{
    (void)state;
    struct graphgen g;

    graphgen_star(&g, LARGE);
    run_large(&g, LARGE / 2 * 3);
    graphgen_deinit(&g);
}

/* A list whose last node shares as many nodes again with node 0, to which `order` gives the list
 * first: from each shared node the walk up to its dominator crosses the whole list. */
static void test_long_list_with_shared_tail(void **state)
{
    (void)state;
    uint32_t half = LARGE / 2, edges = 0;
    uint32_t(*edge)[2] = malloc((size_t)LARGE * 2 * sizeof(*edge));
    struct graphgen g;

    for (uint32_t v = 0; v + 1 < half; v++, edges++) {
        edge[edges][0] = v;
        edge[edges][1] = v + 1;
    }
    for (uint32_t v = half; v < LARGE; v++, edges += 2) {
        edge[edges][0] = half - 1;
        edge[edges][1] = edge[edges + 1][1] = v;
        edge[edges + 1][0] = 0;
    }
    graphgen_edges(&g, LARGE, edge, edges);
    run_large(&g, LARGE / 2 * 3);
    graphgen_deinit(&g);
    free(edge);
}

/* A list with an edge back to the node before from each: eval's path is the whole list. */
static void test_long_double_list(void **state)
{
    (void)state;
    uint32_t edges = 0;
    uint32_t(*edge)[2] = malloc((size_t)LARGE * 3 * sizeof(*edge));
    struct graphgen g;

    for (uint32_t v = 0; v + 1 < LARGE; v++) {
        edge[edges][0] = edge[edges + 1][1] = v;
        edge[edges][1] = edge[edges + 1][0] = v + 1;
        edge[edges + 2][0] = LARGE - 1;
        edge[edges + 2][1] = v;
        edges += 3;
    }
    graphgen_edges(&g, LARGE, edge, edges);
    run_large(&g, LARGE / 2 * 3);
    graphgen_deinit(&g);
    free(edge);
}

/* A doubly linked list held at both ends: no node dominates any, which only paths from both ends
 * show (rule c of the check). Then a list in which that is wrong must be refused. */
static void test_long_list_held_at_both_ends(void **state)
{
    (void)state;
    uint32_t edges = 0, *idom = malloc(LARGE * sizeof(*idom));
    uint32_t(*edge)[2] = malloc((size_t)LARGE * 2 * sizeof(*edge));
    struct graphgen g;

    for (uint32_t v = 0; v + 1 < LARGE; v++, edges += 2) {
        edge[edges][0] = edge[edges + 1][1] = v;
        edge[edges][1] = edge[edges + 1][0] = v + 1;
    }
    graphgen_edges(&g, LARGE, edge, edges);
    free(g.roots);
    g.roots = malloc(2 * sizeof(*g.roots));
    g.roots[0] = 0;
    g.roots[1] = LARGE - 1;
    g.root_count = 2;
    run_dominators(&g, idom, NULL, NULL);
    for (uint32_t v = 0; v < LARGE; v++)
        assert_true(idom[v] == AL_ROOT);
    assert_true(proven(&g, idom));
    g.root_count = 1;
    assert_false(proven(&g, idom));
    graphgen_deinit(&g);
    free(edge);
    free(idom);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dominators),
        cmocka_unit_test(test_check_refuses_one_change),
        cmocka_unit_test(test_check_refuses_flatter_trees),
        cmocka_unit_test(test_retained),
        cmocka_unit_test(test_saturation),
        cmocka_unit_test(test_large_list),
        cmocka_unit_test(test_large_star),
        cmocka_unit_test(test_long_list_with_shared_tail),
        cmocka_unit_test(test_long_double_list),
        cmocka_unit_test(test_long_list_held_at_both_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
