/* SPDX-License-Identifier: MIT
 * test_disjoint.c: ways that share no edge. As many disjoint ways as edges in a cut prove each
 * other (weak duality), whatever found them; both are checked on random graphs, and on small ones
 * that no fewer edges do, by trying all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/algo/disjoint.h"
#include "tests/support/graphgen.h"

#define GRAPHS 6000
#define NODES 24
#define SMALL_GRAPHS 1500
#define SMALL_EDGES 14
#define LIMIT 64
#define LARGE 1000000

struct made {
    struct graphgen g;
    uint32_t salt;
    uint32_t *reverse_start, *reverse_target;
    uint8_t late[NODES + 2];
    uint32_t targets[3];
    struct al_disjoint_input input;
};

/* Some edges are late, by their ends. */
static bool late_edge(void *context, uint32_t from, uint32_t to)
{
    const struct made *m = context;

    return (from * 7 + to * 3 + m->salt) % 4 == 0;
}

static uint32_t referrers(void *context, uint32_t node, const uint32_t **ret)
{
    const struct made *m = context;

    *ret = m->reverse_target + m->reverse_start[node];
    return m->reverse_start[node + 1] - m->reverse_start[node];
}

static void make(struct made *m, uint64_t seed, uint32_t nodes)
{
    uint64_t state = seed * 977 + 5;

    memset(m, 0, sizeof(*m));
    graphgen_random(&m->g, seed, nodes);
    assert_null(al_csr_reverse(&m->g.csr, &m->reverse_start, &m->reverse_target));
    m->input = (struct al_disjoint_input){
        .graph = &m->g.csr,
        .referrers = referrers,
        .context = m,
        .roots = m->g.roots,
        .root_count = m->g.root_count,
        .targets = m->targets,
        .target_count = m->g.csr.count ? 1 + graphgen_below(&state, 3) : 0,
        .limit = LIMIT,
    };
    for (uint32_t i = 0; i < m->input.target_count; i++)
        m->targets[i] = graphgen_below(&state, m->g.csr.count);
    if (seed % 3 == 0 && m->g.root_count <= NODES) {
        for (uint32_t i = 0; i < m->g.root_count; i++)
            m->late[i] = (uint8_t)graphgen_below(&state, AL_LATEST + 1);
        m->input.late = m->late;
        m->salt = (uint32_t)seed;
        m->input.late_edge = late_edge;
    }
}

static void unmake(struct made *m)
{
    graphgen_deinit(&m->g);
    free(m->reverse_start);
    free(m->reverse_target);
}

static bool is_target(const struct made *m, uint32_t v)
{
    for (uint32_t i = 0; i < m->input.target_count; i++)
        if (m->targets[i] == v)
            return true;
    return false;
}

/* How many edges there are; from AL_ROOT: how often it is a root. */
static uint32_t edges(const struct made *m, uint32_t from, uint32_t to)
{
    uint32_t count = 0;

    for (uint32_t i = 0; from == AL_ROOT && i < m->input.root_count; i++)
        count += m->input.roots[i] == to;
    for (uint32_t e = from == AL_ROOT ? 0 : m->g.csr.start[from];
         from != AL_ROOT && e < m->g.csr.start[from + 1]; e++)
        count += m->g.csr.target[e] == to;
    return count;
}

/* Ways are ways, and none has more of an edge than there are. */
static void check_ways(const struct made *m, const struct al_disjoint *ways)
{
    static uint32_t used[NODES + 1][NODES];

    memset(used, 0, sizeof(used));
    for (uint32_t i = 0; i < ways->count; i++) {
        uint32_t before = AL_ROOT;

        assert_true(ways->start[i] < ways->start[i + 1]);
        if (i)
            assert_true(ways->start[i + 1] - ways->start[i] >= ways->start[i] - ways->start[i - 1]);
        for (uint32_t k = ways->start[i]; k < ways->start[i + 1]; k++) {
            uint32_t v = ways->node[k];

            assert_true(++used[before == AL_ROOT ? NODES : before][v] <= edges(m, before, v));
            assert_int_equal(is_target(m, v), k + 1 == ways->start[i + 1]);
            for (uint32_t j = ways->start[i]; j < k; j++)
                assert_true(ways->node[j] != v);
            before = v;
        }
    }
}

/* Does anything lead to a target when each edge of the cut is taken away once? */
static bool is_held(const struct made *m, const uint32_t (*cut)[2], uint32_t count)
{
    static uint32_t gone[NODES + 1][NODES];
    bool reached[NODES] = {false};
    uint32_t n = m->g.csr.count;

    memset(gone, 0, sizeof(gone));
    for (uint32_t i = 0; i < count; i++)
        gone[cut[i][0] == AL_ROOT ? NODES : cut[i][0]][cut[i][1]]++;
    for (uint32_t v = 0; v < n; v++)
        reached[v] = edges(m, AL_ROOT, v) > gone[NODES][v];
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t u = 0; u < n; u++)
            for (uint32_t v = 0; v < n && reached[u]; v++)
                if (!reached[v] && edges(m, u, v) > gone[u][v])
                    changed = reached[v] = true;
    }
    for (uint32_t v = 0; v < n; v++)
        if (reached[v] && is_target(m, v))
            return true;
    return false;
}

static void test_certificates(void **state)
{
    (void)state;
    uint32_t several = 0;

    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        struct made m;
        struct al_disjoint ways;

        make(&m, seed, NODES);
        assert_null(al_disjoint_ways(&m.input, &ways));
        if (!ways.more) {
            check_ways(&m, &ways);
            for (uint32_t i = 0; i < ways.count; i++)
                assert_true(edges(&m, ways.cut[i][0], ways.cut[i][1]) > 0);
            assert_false(is_held(&m, (const uint32_t(*)[2])ways.cut, ways.count));
            several += ways.count > 1;
        }
        al_disjoint_deinit(&ways);
        unmake(&m);
    }
    assert_true(several > GRAPHS / 10);
}

/* All sets of edges, by brute force. */
static uint32_t least_cut(const struct made *m)
{
    uint32_t all[SMALL_EDGES][2], cut[SMALL_EDGES][2], count = 0, least = SMALL_EDGES + 1;

    for (uint32_t i = 0; i < m->g.root_count; i++, count++) {
        all[count][0] = AL_ROOT;
        all[count][1] = m->g.roots[i];
    }
    for (uint32_t u = 0; u < m->g.csr.count; u++)
        for (uint32_t e = m->g.csr.start[u]; e < m->g.csr.start[u + 1]; e++, count++) {
            all[count][0] = u;
            all[count][1] = m->g.csr.target[e];
        }
    for (uint32_t set = 0; set < 1u << count; set++) {
        uint32_t size = 0;

        if ((uint32_t)__builtin_popcount(set) >= least)
            continue;
        for (uint32_t i = 0; i < count; i++)
            if (set >> i & 1)
                memcpy(cut[size++], all[i], sizeof(*cut));
        if (!is_held(m, (const uint32_t(*)[2])cut, size))
            least = size;
    }
    return least;
}

static void test_brute_force(void **state)
{
    (void)state;
    uint32_t tried = 0;

    for (uint64_t seed = 0; tried < SMALL_GRAPHS && seed < 100000; seed++) {
        struct made m;
        struct al_disjoint ways;

        make(&m, seed, 6);
        if (m.input.target_count && m.g.csr.start[m.g.csr.count] + m.g.root_count <= SMALL_EDGES) {
            assert_null(al_disjoint_ways(&m.input, &ways));
            assert_int_equal(ways.count, least_cut(&m));
            al_disjoint_deinit(&ways);
            tried++;
        }
        unmake(&m);
    }
    assert_int_equal(tried, SMALL_GRAPHS);
}

static void run_edges(struct made *m, uint32_t nodes, const uint32_t (*edge)[2], uint32_t count,
                      uint32_t target, uint32_t limit, struct al_disjoint *ret)
{
    memset(m, 0, sizeof(*m));
    graphgen_edges(&m->g, nodes, edge, count);
    assert_null(al_csr_reverse(&m->g.csr, &m->reverse_start, &m->reverse_target));
    m->targets[0] = target;
    m->input = (struct al_disjoint_input){
        .graph = &m->g.csr,
        .referrers = referrers,
        .context = m,
        .roots = m->g.roots,
        .root_count = 1,
        .targets = m->targets,
        .target_count = 1,
        .limit = limit,
    };
    assert_null(al_disjoint_ways(&m->input, ret));
}

/* Two ways inside, one edge in front: the one edge nearest to the target is the cut. */
static void test_nearest_cut(void **state)
{
    (void)state;
    static const uint32_t edge[][2] = {{0, 1}, {1, 2}, {2, 3}, {2, 4}, {3, 5}, {4, 5}, {5, 2}};
    struct made m;
    struct al_disjoint ways;

    run_edges(&m, 6, edge, 7, 5, 9, &ways);
    assert_int_equal(ways.count, 1);
    assert_int_equal(ways.cut[0][0], 1);
    assert_int_equal(ways.cut[0][1], 2);
    al_disjoint_deinit(&ways);
    unmake(&m);
}

/* The first way found must be taken back in part: 0-1-4-5 is shortest and blocks both others. */
static void test_takes_back(void **state)
{
    (void)state;
    static const uint32_t edge[][2] = {{0, 1}, {0, 2}, {1, 4}, {2, 3}, {3, 4},
                                       {1, 6}, {6, 7}, {7, 5}, {4, 5}};
    uint32_t roots[] = {0, 0, 0};
    struct made m;
    struct al_disjoint ways;

    run_edges(&m, 8, edge, 9, 5, 9, &ways);
    assert_int_equal(ways.count, 1); /* one reason only */
    al_disjoint_deinit(&ways);
    m.input.roots = roots;
    m.input.root_count = 3;
    assert_null(al_disjoint_ways(&m.input, &ways));
    assert_int_equal(ways.count, 2);
    check_ways(&m, &ways);
    al_disjoint_deinit(&ways);
    unmake(&m);
}

static void test_limit(void **state)
{
    (void)state;
    static const uint32_t edge[][2] = {{0, 1}, {0, 1}, {0, 1}, {0, 1}};
    uint32_t roots[] = {0, 0, 0, 0, 0};
    struct made m;
    struct al_disjoint ways;

    run_edges(&m, 2, edge, 4, 1, 3, &ways);
    al_disjoint_deinit(&ways);
    m.input.roots = roots;
    m.input.root_count = 5;
    for (uint32_t limit = 1; limit < 6; limit++) {
        m.input.limit = limit;
        assert_null(al_disjoint_ways(&m.input, &ways));
        assert_int_equal(ways.count, limit < 4 ? limit : 4);
        assert_int_equal(ways.more, limit < 4);
        assert_int_equal(ways.cut == NULL, ways.more);
        check_ways(&m, &ways);
        al_disjoint_deinit(&ways);
    }
    unmake(&m);
}

/* A late way is used when it must be, and comes after one that is longer. */
static bool is_direct(void *context, uint32_t from, uint32_t to)
{
    (void)context;
    return from == 0 && to == 3;
}

static void test_late(void **state)
{
    (void)state;
    static const uint32_t edge[][2] = {{0, 3}, {0, 1}, {1, 2}, {2, 3}};
    uint32_t roots[] = {0, 0};
    struct made m;
    struct al_disjoint ways;

    run_edges(&m, 4, edge, 4, 3, 9, &ways);
    assert_int_equal(ways.count, 1);
    assert_int_equal(ways.start[1], 2);
    al_disjoint_deinit(&ways);
    m.input.late_edge = is_direct;
    assert_null(al_disjoint_ways(&m.input, &ways));
    assert_int_equal(ways.count, 1);
    assert_int_equal(ways.start[1], 4);
    al_disjoint_deinit(&ways);
    m.input.roots = roots;
    m.input.root_count = 2;
    assert_null(al_disjoint_ways(&m.input, &ways));
    assert_int_equal(ways.count, 2);
    al_disjoint_deinit(&ways);
    unmake(&m);
}

/* A long list, its end also held by the head. */
static void test_long_list(void **state)
{
    (void)state;
    uint32_t(*edge)[2] = malloc((size_t)LARGE * sizeof(*edge));
    uint32_t roots[] = {0, 0};
    struct made m;
    struct al_disjoint ways;

    for (uint32_t v = 0; v + 1 < LARGE; v++) {
        edge[v][0] = v;
        edge[v][1] = v + 1;
    }
    edge[LARGE - 1][0] = 0;
    edge[LARGE - 1][1] = LARGE - 1;
    run_edges(&m, LARGE, (const uint32_t(*)[2])edge, LARGE, LARGE - 1, 16, &ways);
    assert_int_equal(ways.count, 1);
    al_disjoint_deinit(&ways);
    m.input.roots = roots;
    m.input.root_count = 2;
    assert_null(al_disjoint_ways(&m.input, &ways));
    assert_int_equal(ways.count, 2);
    assert_int_equal(ways.start[1], 2);
    assert_int_equal(ways.start[2], LARGE + 2);
    al_disjoint_deinit(&ways);
    unmake(&m);
    free(edge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_brute_force),
        cmocka_unit_test(test_nearest_cut),  cmocka_unit_test(test_takes_back),
        cmocka_unit_test(test_limit),        cmocka_unit_test(test_late),
        cmocka_unit_test(test_long_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
