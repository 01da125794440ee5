/* SPDX-License-Identifier: MIT
 * test_discover.c: what is found, in which order and with what to say about it, is the same with
 * one thread and with many: of lists that are read from both ends, whole and damaged ones, and of
 * objects that several threads walk while types are still met.
 */
#include "analyzer/graph/discover.h"
#include "dumpfmt/base/mem.h"
#include "tests/support/objects_check.h"

#define ROUNDS 6 /* of what depends on how threads are scheduled */

static const struct pb_form *form_311(void)
{
    for (size_t i = 0; i < pb_form_count; i++)
        if (strcmp(pb_forms[i].name, "3.11") == 0)
            return &pb_forms[i];
    abort();
}

static uint32_t random_below(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)*state * below >> 32);
}

/* --- what was found, to be compared --- */

struct found {
    struct gr_address_list objects, listed, frozen, work, types;
    uint64_t edges;
    uint32_t count;
    size_t kept;
    bool damaged;
    struct gr_address_list ledger; /* hash of the reason, count, example */
};

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

static void collect(const struct gr_discovery *discovery, struct found *ret)
{
    struct gr_place_cursor cursor;
    uint64_t address, place;
    const struct py_ledger_row *rows;
    uint32_t row_count = py_ledger(discovery->objects, &rows);
    gr_places_begin(&discovery->places, &cursor);
    while (gr_places_next(&cursor, &address, &place)) {
        DF_PUSH(&ret->objects, address | gr_discovered_by(discovery, address, place));
        if (gr_bit(discovery->listed, place))
            DF_PUSH(&ret->listed, address);
        if (gr_bit(discovery->frozen, place))
            DF_PUSH(&ret->frozen, address);
    }
    for (uint32_t i = 0; i < py_type_count(discovery->objects); i++)
        DF_PUSH(&ret->types, py_type_at(discovery->objects, i)->address);
    for (uint32_t i = 0; i < row_count; i++) {
        DF_PUSH(&ret->ledger, hash_of(rows[i].reason));
        DF_PUSH(&ret->ledger, rows[i].count);
        DF_PUSH(&ret->ledger, rows[i].example);
    }
    ret->edges = discovery->edge_count;
    ret->count = discovery->count;
    ret->kept = discovery->kept.count;
    ret->damaged = discovery->lists_damaged;
}

static void release(struct found *found)
{
    free(found->objects.items);
    free(found->listed.items);
    free(found->frozen.items);
    free(found->work.items);
    free(found->types.items);
    free(found->ledger.items);
}

static void same_list(const struct gr_address_list *left, const struct gr_address_list *right)
{
    assert_int_equal(left->count, right->count);
    for (size_t i = 0; i < left->count; i++)
        assert_int_equal(left->items[i], right->items[i]);
}

static void same(const struct found *left, const struct found *right)
{
    same_list(&left->objects, &right->objects);
    same_list(&left->listed, &right->listed);
    same_list(&left->frozen, &right->frozen);
    same_list(&left->work, &right->work);
    same_list(&left->types, &right->types);
    same_list(&left->ledger, &right->ledger);
    assert_int_equal(left->edges, right->edges);
    assert_int_equal(left->count, right->count);
    assert_int_equal(left->kept, right->kept);
    assert_int_equal(left->damaged, right->damaged);
}

/* Each time with objects that have met no type yet. */
static void discover(struct pb *pb, uint32_t jobs, bool walk, struct found *ret)
{
    struct gr_discovery discovery;
    *ret = (struct found){0};
    py_objects_close(pb->objects);
    pb->objects = NULL;
    assert_null(gr_discovery_init(&discovery, pb_open(pb), &pb->py, NULL, jobs));
    discovery.long_list = 16;
    discovery.least_shared = 64;
    gr_discover_gc_lists(&discovery);
    DF_APPEND(&ret->work, discovery.found.items, discovery.found.count);
    if (walk)
        assert_null(gr_discover_all(&discovery));
    collect(&discovery, ret);
    gr_discovery_deinit(&discovery);
}

/* --- lists --- */

#define LISTED 30000
#define LIST_BYTES (UINT64_C(8) << 20)

struct listed {
    struct pb *pb;
    uint64_t *objects;
};

static uint64_t head_of(const struct listed *list, uint32_t i)
{
    return list->objects[i] - 16;
}

static void link_heads(struct pb *pb, uint64_t left, uint64_t right)
{
    pb_put(pb, left, right);
    pb_put(pb, right + 8, left | (pb_get(pb, right + 8) & 3));
}

/* Generation 2 has tuples, two of five of them empty, linked in no order of address; two of three
 * have a flag beside their backward link, as those whose finalizers have run. */
static void begin_list(struct listed *list)
{
    struct pb *pb = pb_create_large(form_311(), LIST_BYTES);
    uint64_t last = pb->last_in_list;
    uint32_t random = 1;
    *list = (struct listed){.pb = pb, .objects = df_xcalloc(LISTED, sizeof(uint64_t))};
    for (uint32_t i = 0; i < LISTED; i++)
        list->objects[i] = pb_tuple(pb, i % 5 > 1, &pb->str);
    for (uint32_t i = LISTED - 1; i; i--) {
        uint32_t other = random_below(&random, i + 1);
        uint64_t object = list->objects[i];
        list->objects[i] = list->objects[other];
        list->objects[other] = object;
    }
    for (uint64_t at = pb->list_head, next; at != last; at = next) { /* classes have no backward */
        next = pb_get(pb, at);
        pb_put(pb, next + 8, at);
    }
    for (uint32_t i = 0; i < LISTED; i++) {
        pb_put(pb, head_of(list, i) + 8, i % 3);
        link_heads(pb, last, head_of(list, i));
        last = head_of(list, i);
    }
    link_heads(pb, last, pb->list_head);
}

static void end_list(struct listed *list)
{
    pb_destroy(list->pb);
    free(list->objects);
}

/* The same with one thread and with two, each time. */
static struct found check_list(struct listed *list)
{
    struct found one, two;
    discover(list->pb, 1, false, &one);
    for (int round = 0; round < ROUNDS; round++) {
        discover(list->pb, 2, false, &two);
        same(&one, &two);
        release(&two);
    }
    return one;
}

static void expect(struct listed *list, uint32_t objects, bool damaged)
{
    struct found found = check_list(list);
    uint32_t others = 0; /* classes before them */
    for (size_t i = 0;
         i < found.work.count && found.work.items[i] != list->objects[2] &&
         found.work.items[i] != list->objects[1] && found.work.items[i] != list->objects[0];
         i++)
        others++;
    assert_true(others < 100);
    assert_in_range(found.count, objects, objects + 100);
    assert_int_equal(found.damaged, damaged);
    release(&found);
    end_list(list);
}

static void whole_list(void **state)
{
    struct listed list;
    (void)state;
    begin_list(&list);
    expect(&list, LISTED, false);
}

/* As while a collection counts: what was a backward link is a number. */
static void list_with_counts(void **state)
{
    struct listed list;
    (void)state;
    begin_list(&list);
    for (uint32_t i = 0; i < LISTED; i++)
        pb_put(list.pb, head_of(&list, i) + 8, (uint64_t)(i % 7) << 2 | 2);
    expect(&list, LISTED, false);
}

/* The backward links lead over one that the forward links lead to. */
static void backward_link_skips(void **state)
{
    struct listed list;
    (void)state;
    begin_list(&list);
    pb_put(list.pb, head_of(&list, 20000) + 8, head_of(&list, 19998));
    expect(&list, LISTED, false);
}

static void forward_links_skip(void **state)
{
    struct listed list;
    (void)state;
    begin_list(&list);
    pb_put(list.pb, head_of(&list, 15000), head_of(&list, 25000));
    expect(&list, LISTED - 9999, false);
}

/* The forward links never come to the end, which the backward ones know. */
static void list_comes_back(void **state)
{
    struct listed list;
    (void)state;
    begin_list(&list);
    pb_put(list.pb, head_of(&list, 15000), head_of(&list, 10));
    expect(&list, 15001, true);
}

static void list_is_torn(void **state)
{
    struct listed list;
    (void)state;
    begin_list(&list);
    pb_put(list.pb, head_of(&list, 15000), PB_NOWHERE);
    expect(&list, 15001, true);
}

static void objects_without_types(void **state)
{
    struct listed list;
    struct found found;
    (void)state;
    begin_list(&list);
    for (uint32_t i = 100; i < LISTED; i += 7)
        PB_SET(list.pb, list.objects[i], object, ob_type, PB_NOWHERE);
    found = check_list(&list);
    assert_int_equal(found.ledger.items[1], (LISTED - 100 + 6) / 7);
    assert_int_equal(found.ledger.items[2], list.objects[100]);
    release(&found);
    end_list(&list);
}

/* The young generation's list runs into the middle of the old one's. */
static void lists_run_together(void **state)
{
    struct listed list;
    struct found found;
    (void)state;
    begin_list(&list);
    uint64_t young = pb_take(list.pb, 16);
    pb_put(list.pb, young, head_of(&list, 20000));
    pb_put(list.pb, young + 8, head_of(&list, 29000)); /* whose forward link says otherwise */
    list.pb->interpreter.gc.generations[0].head = young;
    found = check_list(&list);
    assert_true(found.damaged);
    assert_in_range(found.count, LISTED, LISTED + 100);
    release(&found);
    end_list(&list);
}

static bool note_object(void *context, uint64_t object)
{
    struct gr_address_list *list = context;
    DF_PUSH(list, object);
    return true;
}

static void from_the_end(void **state)
{
    struct listed list;
    struct gr_address_list seen = {0};
    (void)state;
    begin_list(&list);
    pb_put(list.pb, head_of(&list, 9) + 8, head_of(&list, 7)); /* leads to one that leads to 8 */
    py_gc_list_back(&list.pb->py, list.pb->list_head, note_object, &seen);
    assert_int_equal(seen.count, LISTED - 9);
    for (size_t i = 0; i < seen.count; i++)
        assert_int_equal(seen.items[i], list.objects[LISTED - 1 - i]);
    free(seen.items);
    end_list(&list);
}

/* --- walking --- */

#define WALKED 9000
#define CLASSES 250
#define ROOTS 3000 /* that the one known object refers to */
#define WALK_BYTES (UINT64_C(8) << 20)

struct web {
    struct pb *pb;
    uint64_t *objects;
    uint32_t count, random;
    uint64_t opaque; /* a type whose objects are walked by emulation, or (as here) by a scan */
};

static uint64_t any_of(struct web *web, uint32_t below)
{
    return web->objects[random_below(&web->random, below)];
}

static uint64_t opaque_object(struct web *web, uint64_t target)
{
    uint64_t object = pb_object(web->pb, web->opaque, 48);
    pb_put(web->pb, object + 16, target);
    pb_put(web->pb, object + 24, any_of(web, web->count));
    return object;
}

static uint64_t what_comes(struct web *web, uint64_t class)
{
    uint64_t items[5] = {any_of(web, web->count), any_of(web, web->count)};
    switch (random_below(&web->random, 12)) {
    case 0:
        return pb_str(web->pb, "text");
    case 1:
        return pb_int(web->pb, web->count);
    case 2:
        return opaque_object(web, items[0]);
    case 3:
        return pb_object(web->pb, class, 48); /* perhaps the first of its class */
    case 4:
        items[2] = PB_NOWHERE;
        items[3] = web->pb->str + 4;
        items[4] = web->pb->top; /* zeros: nothing */
        return pb_tuple(web->pb, 5, items);
    default:
        return pb_tuple(web->pb, 1 + random_below(&web->random, 2), items);
    }
}

/* Objects that refer to some that were made before them, and are therefore met from the last one
 * on, which alone is known at first; among them instances of classes that nobody has met. */
static void begin_web(struct web *web)
{
    struct pb *pb = pb_create_large(form_311(), WALK_BYTES);
    uint64_t classes[CLASSES], items[ROOTS];
    char name[16];
    *web = (struct web){.pb = pb, .objects = df_xcalloc(WALKED, sizeof(uint64_t)), .random = 7};
    web->opaque =
        pb_static_type(pb, "x.opaque", PY_TPFLAGS_HAVE_GC | PY_TPFLAGS_READY, 48, 0, pb->object);
    for (uint32_t i = 0; i < CLASSES; i++) {
        snprintf(name, sizeof(name), "C%u", i);
        classes[i] = pb_class(pb, name, pb->object, false, NULL);
    }
    web->objects[web->count++] = pb_str(pb, "first");
    while (web->count < WALKED - 1) {
        uint64_t class = classes[random_below(&web->random, CLASSES)];
        web->objects[web->count] = what_comes(web, class);
        web->count++;
    }
    for (uint32_t i = 0; i < ROOTS; i++)
        items[i] = any_of(web, web->count);
    web->objects[web->count++] = pb_tuple(pb, ROOTS, items);
    uint64_t head = web->objects[WALKED - 1] - 16; /* the list has nothing else */
    pb_put(pb, pb->list_head, head);
    pb_put(pb, head, pb->list_head);
}

/* What one thread finds that walks one object after the other and knows no better: all that can be
 * reached, and what of it by more than guesses. */
static void plainly(struct pb *pb, uint64_t first, struct df_map *reached, struct df_map *sure)
{
    struct gr_address_list work = {0};
    struct py_refs refs = {0};
    bool added;
    DF_PUSH(&work, first);
    df_map_add(reached, first, 0, &added);
    for (size_t next = 0; next < work.count; next++) {
        refs.count = 0;
        py_walk_one(pb->objects, work.items[next], &refs);
        for (size_t r = 0; r < refs.count; r++) {
            uint64_t target = refs.items[r].target;
            if (refs.items[r].kind == PY_REF_WEAK ||
                py_object_type(pb->objects, target) == PY_NO_TYPE)
                continue;
            if (refs.items[r].kind != PY_REF_GUESS)
                df_map_set(sure, target, 0);
            df_map_add(reached, target, 0, &added);
            if (added)
                DF_PUSH(&work, target);
        }
    }
    free(refs.items);
    free(work.items);
}

/* A source that is weak when an object is met (a word that a scan has found) is stronger when a
 * reference is found later. */
static void check_sources(struct web *web, const struct found *found)
{
    struct df_map reached, sure;
    uint32_t guesses = 0;
    df_map_init(&reached);
    df_map_init(&sure);
    plainly(web->pb, web->objects[WALKED - 1], &reached, &sure);
    assert_int_equal(found->count, reached.count);
    for (size_t i = 0; i < found->objects.count; i++) {
        uint64_t object = found->objects.items[i] & ~UINT64_C(7);
        enum gr_source source = (enum gr_source)(found->objects.items[i] & 7);
        bool is_sure = df_map_get(&sure, object) != DF_MAP_NONE;
        assert_int_not_equal(df_map_get(&reached, object), DF_MAP_NONE);
        guesses += source == GR_FROM_GUESS;
        if (source != GR_FROM_GC_LIST)
            assert_int_equal(source, is_sure ? GR_FROM_REFERENT : GR_FROM_GUESS);
    }
    assert_true(guesses > 10);
    df_map_deinit(&reached);
    df_map_deinit(&sure);
}

static void types_met_on_the_way(void **state)
{
    static const uint32_t jobs[] = {2, 3, 8};
    struct web web;
    struct found one, more;
    (void)state;
    begin_web(&web);
    discover(web.pb, 1, true, &one);
    assert_true(one.types.count > CLASSES / 2);
    assert_true(one.kept > 100);
    assert_true(one.count > WALKED / 2);
    check_sources(&web, &one);
    for (int round = 0; round < ROUNDS * 3; round++) {
        discover(web.pb, jobs[round % 3], true, &more);
        same(&one, &more);
        release(&more);
    }
    release(&one);
    pb_destroy(web.pb);
    free(web.objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_list),
        cmocka_unit_test(list_with_counts),
        cmocka_unit_test(backward_link_skips),
        cmocka_unit_test(forward_links_skip),
        cmocka_unit_test(list_comes_back),
        cmocka_unit_test(list_is_torn),
        cmocka_unit_test(objects_without_types),
        cmocka_unit_test(lists_run_together),
        cmocka_unit_test(from_the_end),
        cmocka_unit_test(types_met_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
