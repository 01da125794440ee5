/* SPDX-License-Identifier: MIT
 * test_findings.c: where memory accumulates, and cycles by shape, on graphs written by hand.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/treemade.h"

#include "analyzer/algo/dominators.h"
#include "analyzer/findings/parts.h"
#include "analyzer/objects/internal.h"
#include "dumpfmt/base/mem.h"

enum { MODULE, LIST, ROW, NODE, NODE_AGAIN, PAIR, TYPES };

static struct py_type types[TYPES] = {
    [MODULE] = {.name = (char *)"module"},
    [LIST] = {.name = (char *)"list"},
    [ROW] = {.name = (char *)"shop.Row", .python_class = true},
    [NODE] = {.name = (char *)"shop.Node", .python_class = true, .has_del = true},
    [NODE_AGAIN] = {.name = (char *)"shop.Node", .python_class = true},
    [PAIR] = {.name = (char *)"shop.Pair", .python_class = true},
};

/* A dominator tree is all that holders look at: idom[i] < i, or AL_ROOT. */
struct made {
    struct py_type *type_rows[TYPES];
    struct py_objects objects;
    struct gr_graph graph;
    struct fi_analysis analysis;
    uint32_t *idom;
    uint32_t capacity;
};

static struct made *make(uint32_t capacity)
{
    struct made *made = df_xcalloc(1, sizeof(*made));
    for (int i = 0; i < TYPES; i++) {
        made->type_rows[i] = &types[i];
        types[i].base_index = PY_NO_TYPE;
    }
    made->objects.types = made->type_rows;
    made->objects.type_count = TYPES;
    made->capacity = capacity;
    assert_ok(gr_column_init(&made->graph.types, capacity, 2));
    assert_ok(gr_column_init(&made->graph.sizes, capacity, 4));
    made->graph.addresses = df_xcalloc(capacity, sizeof(uint64_t));
    made->analysis.objects = &made->objects;
    made->analysis.graph = &made->graph;
    made->idom = df_xcalloc(capacity, sizeof(uint32_t));
    made->analysis.parent = df_xcalloc(capacity, sizeof(uint32_t));
    made->analysis.verdict = df_xcalloc(capacity, 1);
    return made;
}

static uint32_t add(struct made *made, uint32_t above, uint32_t type, uint64_t size)
{
    uint32_t node = made->graph.count++;
    assert_true(node < made->capacity);
    gr_column_set(&made->graph.types, node, type);
    gr_column_set(&made->graph.sizes, node, size);
    made->graph.addresses[node] = 0x1000 + 16 * (uint64_t)node;
    made->idom[node] = made->analysis.parent[node] = above;
    made->analysis.total_bytes += size;
    return node;
}

static void finish(struct made *made)
{
    treemade(&made->analysis, made->idom);
}

static void destroy(struct made *made)
{
    gr_column_deinit(&made->graph.types);
    gr_column_deinit(&made->graph.sizes);
    free(made->graph.addresses);
    treemade_end(&made->analysis);
    free(made->graph.start);
    free(made->idom);
    free(made->analysis.parent);
    free(made->analysis.verdict);
    free(made);
}

static void check_holders(struct made *made, uint32_t limit, const uint32_t *expected,
                          uint32_t count)
{
    uint32_t *nodes, found;
    assert_ok(fi_accumulation_points(&made->analysis, limit, &nodes, &found));
    assert_int_equal(found, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(nodes[i], expected[i]);
    free(nodes);
}

static void leak_is_named_by_its_list(void **state)
{
    (void)state;
    struct made *made = make(200);
    uint32_t module = add(made, AL_ROOT, MODULE, 10), bus = add(made, module, PAIR, 10);
    uint32_t list = add(made, bus, LIST, 10);
    for (int i = 0; i < 100; i++)
        add(made, list, ROW, 100);
    finish(made);
    check_holders(made, 0, &list, 1);
    destroy(made);
}

static void namespaces_give_way_to_what_is_big_in_them(void **state)
{
    (void)state;
    struct made *made = make(200);
    uint32_t module = add(made, AL_ROOT, MODULE, 10);
    uint32_t smaller = add(made, module, LIST, 10), bigger = add(made, module, LIST, 10);
    uint32_t plain = add(made, AL_ROOT, MODULE, 10);
    for (int i = 0; i < 30; i++) {
        add(made, smaller, ROW, 100);
        add(made, bigger, ROW, 150);
        add(made, plain, ROW, 10);
    }
    finish(made);
    check_holders(made, 0, (uint32_t[]){bigger, smaller, plain}, 3);
    check_holders(made, 1, (uint32_t[]){bigger}, 1);
    destroy(made);
}

static void siblings_on_the_way_are_listed(void **state)
{
    (void)state;
    struct made *made = make(200);
    uint32_t top = add(made, AL_ROOT, PAIR, 10), big = add(made, top, LIST, 10);
    uint32_t aside = add(made, top, LIST, 10);
    for (int i = 0; i < 40; i++)
        add(made, big, ROW, 100);
    for (int i = 0; i < 10; i++)
        add(made, aside, ROW, 50);
    finish(made);
    check_holders(made, 0, (uint32_t[]){big, aside}, 2);
    destroy(made);
}

static void linked_list_is_named_by_its_head(void **state)
{
    (void)state;
    struct made *made = make(6000);
    uint32_t queue = add(made, AL_ROOT, PAIR, 10), head = add(made, queue, NODE, 64), node = head;
    for (int i = 0; i < 5000; i++)
        node = add(made, node, NODE, 64);
    finish(made);
    check_holders(made, 0, &head, 1);
    destroy(made);
}

static void empty_heap_has_no_holders(void **state)
{
    (void)state;
    struct made *made = make(1);
    finish(made);
    check_holders(made, 0, NULL, 0);
    destroy(made);
}

/* Cycles {0, 1}, {2, 3}, {4, 5} of nodes (one of a class made twice), {6}, {7, 8}. */
static void cycles_are_grouped_by_shape(void **state)
{
    (void)state;
    static const uint32_t type_of[] = {NODE, NODE, NODE, NODE_AGAIN, NODE, NODE, PAIR, ROW, LIST};
    static const uint8_t verdict[] = {AL_GARBAGE, AL_GARBAGE, AL_GARBAGE, AL_GARBAGE, AL_ALIVE,
                                      AL_GARBAGE, AL_ALIVE,   AL_ALIVE,   AL_ALIVE};
    uint32_t start[] = {0, 2, 4, 6, 7, 9}, member[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    struct made *made = make(9);
    for (uint32_t i = 0; i < 9; i++)
        add(made, AL_ROOT, type_of[i], 10);
    finish(made);
    memcpy(made->analysis.verdict, verdict, sizeof(verdict));
    made->analysis.cycle_start = start;
    made->analysis.cycle_member = member;
    made->analysis.cycle_count = 5;

    struct fi_verdict told = {0};
    struct fi_context context = {
        .analysis = &made->analysis, .verdict = &told, .pool = fi_pool_create()};
    fi_name_types(&context);
    assert_ok(fi_fill_cycles(&context));
    assert_int_equal(told.cycles.count, 5);
    assert_int_equal(told.cycles.objects, 9);
    assert_int_equal(told.cycles.group_count, 4);
    assert_int_equal(told.garbage.cycles, 2);
    const struct fi_cycle_group *groups = told.cycles.groups;
    assert_string_equal(groups[0].signature, "2 × shop.Node");
    assert_true(groups[0].garbage);
    assert_int_equal(groups[0].count, 2);
    assert_int_equal(groups[0].bytes, 40);
    assert_int_equal(groups[0].finalizer_count, 1);
    assert_string_equal(groups[0].finalizers[0], "shop.Node");
    assert_int_equal(groups[0].example[1], 0x1010);
    assert_false(groups[1].garbage); /* one of its members is alive */
    assert_string_equal(groups[1].signature, "2 × shop.Node");
    assert_string_equal(groups[2].signature, "list, shop.Row");
    assert_string_equal(groups[3].signature, "shop.Pair");
    fi_pool_destroy(context.pool);
    destroy(made);
}

static void pool_gives_what_is_asked(void **state)
{
    (void)state;
    struct fi_pool *pool = fi_pool_create();
    for (size_t size = 1; size < 300000; size = size * 3 + 1) {
        unsigned char *bytes = fi_pool_array(pool, size, 1);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        assert_int_equal(bytes[0] | bytes[size - 1], 0);
        memset(bytes, 0xff, size);
    }
    assert_string_equal(fi_pool_format(pool, "%d %s", 3, "rows"), "3 rows");
    assert_null(fi_pool_text(pool, NULL));
    fi_pool_destroy(pool);
    fi_pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leak_is_named_by_its_list),
        cmocka_unit_test(namespaces_give_way_to_what_is_big_in_them),
        cmocka_unit_test(siblings_on_the_way_are_listed),
        cmocka_unit_test(linked_list_is_named_by_its_head),
        cmocka_unit_test(empty_heap_has_no_holders),
        cmocka_unit_test(cycles_are_grouped_by_shape),
        cmocka_unit_test(pool_gives_what_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
