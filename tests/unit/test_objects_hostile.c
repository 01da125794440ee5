/* SPDX-License-Identifier: MIT
 * test_objects_hostile.c: objects that lie: counts, loops, tables and types that cannot be. Every
 * walk ends soon, says so, and asks for no more memory than there was.
 */
#include "tests/support/objects_check.h"

#define R PY_REF_REFERENT

static const int64_t lies[] = {-1,
                               INT64_MIN,
                               INT64_MAX,
                               INT64_C(1) << 60,
                               -((INT64_C(1) << 40)),
                               INT64_C(1) << 36,
                               INT64_C(1) << 32,
                               70000};

static void test_sizes_that_lie(void **state)
{
    struct pb *pb = *state;
    uint64_t a = pb_int(pb, 1), items[] = {a, a};
    uint64_t class = pb_class(pb, "Pair", pb->tuple, true, NULL);
    uint64_t objects[] = {
        pb_tuple(pb, 2, items),        pb_list(pb, 2, items, 2),  pb_int(pb, 3),
        pb_object(pb, pb->deque, 128), pb_object(pb, class, 128), pb_object(pb, pb->code, 128)};
    for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++)
        for (size_t k = 0; k < sizeof(lies) / sizeof(*lies); k++) {
            PB_SET(pb, objects[i], varobject, ob_size, (uint64_t)lies[k]);
            PB_SET(pb, objects[i], long, lv_tag, (uint64_t)lies[k]);
            WALK(walked, pb, objects[i]);
            assert_true(walked.refs.count <= PB_SIZE / 8);
            enum py_status status;
            assert_true(size_of(pb, objects[i], &status) < UINT64_C(1) << 48);
            free(py_text(pb->objects, objects[i], 50));
        }
    PB_SET(pb, objects[0], varobject, ob_size, UINT64_C(1) << 33);
    WALK(tuple, pb, objects[0]);
    assert_int_equal(tuple.status, PY_IMPLAUSIBLE);
    assert_int_equal(tuple.refs.count, 0);
}

/* Items that begin in the dump and go on where it lost them: what is there is read. */
static void test_lost_items(void **state)
{
    struct pb *pb = *state;
    uint64_t a = pb_int(pb, 1), list = pb_list(pb, 1, &a, 1);
    pb_put(pb, PB_LOST - 8, a);
    PB_SET(pb, list, list, ob_item, PB_LOST - 8);
    PB_SET(pb, list, list, allocated, 1000);
    PB_SET(pb, list, varobject, ob_size, 1000);
    WALK(walked, pb, list);
    assert_int_equal(walked.status, PY_FAULT);
    CHECK_TARGETS(walked, R, a);
    PB_SET(pb, list, list, ob_item, PB_NOWHERE);
    WALK(nowhere, pb, list);
    assert_int_not_equal(nowhere.status, PY_OK);
    assert_int_equal(nowhere.refs.count, 0);
}

/* A count that is damaged makes an array run through numbers: of many items some are looked at. */
static void test_items_that_are_none(void **state)
{
    struct pb *pb = *state;
    enum { COUNT = 1000 };
    uint64_t items[COUNT], number = pb_int(pb, 1);
    for (int i = 0; i < COUNT; i++)
        items[i] = i % 10 ? number : 0;
    uint64_t list = pb_list(pb, COUNT, items, COUNT), tuple = pb_tuple(pb, COUNT, items);
    uint64_t table = PB_LOST - COUNT * 8;
    for (int i = 0; i < COUNT; i++)
        pb_put(pb, table + (uint64_t)i * 8, items[i]);
    PB_SET(pb, list, list, ob_item, table);
    WALK(good, pb, list);
    assert_int_equal(good.status, PY_OK);
    assert_int_equal(good.refs.count, COUNT - COUNT / 10);
    for (uint64_t i = 0; i < COUNT; i += 2)
        pb_put(pb, table + i * 8, i + 3);
    WALK(bad, pb, list);
    assert_int_equal(bad.status, PY_IMPLAUSIBLE);
    assert_int_equal(bad.refs.count, 0);
    WALK(untouched, pb, tuple);
    assert_int_equal(untouched.status, PY_OK);
    assert_int_equal(untouched.refs.count, COUNT - COUNT / 10);
}

static void test_keys_that_lie(void **state)
{
    struct pb *pb = *state;
    uint64_t key = pb_str(pb, "k"), value = pb_int(pb, 1);
    uint64_t dict = pb_dict(pb, PB_UNICODE, 1, &key, &value);
    uint64_t keys = pb_get(pb, PY_AT(&pb->py.layout, dict, dict, ma_keys));
    for (unsigned i = 0; i < 256; i++) {
        PB_SET(pb, keys, dictkeys, dk_log2_size, i);
        PB_SET(pb, keys, dictkeys, dk_log2_index_bytes, i + (i & 3));
        PB_SET(pb, keys, dictkeys, dk_size, UINT64_C(1) << (i & 63));
        PB_SET(pb, keys, dictkeys, dk_nentries, i & 1 ? UINT64_MAX >> (i & 63) : 1);
        WALK(walked, pb, dict);
        assert_true(walked.refs.count <= PB_SIZE / 8);
        enum py_status status;
        assert_true(size_of(pb, dict, &status) < UINT64_C(1) << 48);
        py_attribute(pb->objects, dict, "k");
    }
    PB_SET(pb, dict, dict, ma_keys, PB_NOWHERE);
    WALK(nowhere, pb, dict);
    assert_int_equal(nowhere.status, PY_FAULT);
    PB_SET(pb, dict, dict, ma_keys, 0);
    WALK(none, pb, dict); /* being built */
    assert_int_equal(none.status, PY_OK);
}

static void test_shared_keys_that_lie(void **state)
{
    struct pb *pb = *state;
    uint64_t class = pb_class(pb, "Row", pb->object, true, NULL), value = pb_int(pb, 1);
    uint64_t keys = pb_share_keys(pb, class, 1, (const char *[]){"a"});
    uint64_t dict = pb_split_dict(pb, keys, 1, &value), row = pb_object(pb, class, 256);
    pb_put(pb, row - 24, pb_take(pb, 8) - 1);
    pb_put(pb, row - 32, pb_take(pb, 8));
    for (unsigned log2 = 5; log2 < 45; log2++) {
        PB_SET(pb, keys, dictkeys, dk_log2_size, log2);
        PB_SET(pb, keys, dictkeys, dk_log2_index_bytes, log2);
        PB_SET(pb, keys, dictkeys, dk_size, UINT64_C(1) << log2);
        PB_SET(pb, keys, dictkeys, dk_nentries, (UINT64_C(1) << log2) - 1);
        WALK(shared, pb, dict);
        WALK(instance, pb, row);
        WALK(owner, pb, class);
        assert_true(shared.refs.count + instance.refs.count + owner.refs.count <= PB_SIZE / 8);
    }
    PB_SET(pb, class, heaptype, ht_cached_keys, PB_LOST);
    WALK(lost, pb, row);
    assert_true(lost.refs.count < 64);
}

static void test_ordered_dict_loop(void **state)
{
    struct pb *pb = *state;
    uint64_t odict = pb_object(pb, pb->odict, 128), key = pb_str(pb, "k"), nodes[3];
    for (int i = 0; i < 3; i++)
        nodes[i] = pb_take(pb, 16);
    for (int i = 0; i < 3; i++) {
        PB_SET(pb, nodes[i], odictnode, key, key);
        PB_SET(pb, nodes[i], odictnode, next, nodes[i == 2 ? 1 : i + 1]);
    }
    PB_SET(pb, odict, dict, ma_used, UINT64_MAX);
    PB_SET(pb, odict, odict, od_first, nodes[0]);
    WALK(walked, pb, odict);
    assert_int_equal(walked.status, PY_IMPLAUSIBLE);
    assert_true(walked.refs.count < 20);
}

static void test_lru_loop(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t lru = pb_object(pb, pb->lru, 256), link = pb_object(pb, pb->lru_link, 128);
    uint64_t cache = pb_dict(pb, PB_GENERAL, 0, NULL, NULL);
    PB_SET(pb, cache, dict, ma_used, UINT64_MAX - 1);
    PB_SET(pb, lru, lru, cache, cache);
    PB_SET(pb, PY_AT(layout, lru, lru, root), lrulink, next, link);
    PB_SET(pb, link, lrulink, next, link);
    PB_SET(pb, link, lrulink, key, cache);
    WALK(walked, pb, lru);
    assert_int_equal(walked.status, PY_IMPLAUSIBLE);
    assert_true(walked.refs.count < 20);
}

static void test_deque_loop(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t deque = pb_object(pb, pb->deque, 128), a = pb_int(pb, 1);
    uint64_t block = pb_take(pb, PY_SIZEOF(layout, dequeblock));
    for (uint64_t i = 0; i < 64; i++)
        pb_put(pb, PY_AT(layout, block, dequeblock, data) + i * 8, a);
    PB_SET(pb, block, dequeblock, rightlink, block);
    PB_SET(pb, deque, deque, leftblock, block);
    PB_SET(pb, deque, varobject, ob_size, UINT64_C(1) << 35);
    WALK(walked, pb, deque);
    assert_int_equal(walked.status, PY_IMPLAUSIBLE);
    assert_true(walked.refs.count < 64 * 8);
    PB_SET(pb, deque, deque, leftindex, 65);
    WALK(index, pb, deque);
    assert_int_equal(index.status, PY_IMPLAUSIBLE);
    PB_SET(pb, deque, deque, leftindex, 63);
    PB_SET(pb, block, dequeblock, rightlink, PB_NOWHERE);
    WALK(nowhere, pb, deque);
    assert_int_equal(nowhere.status, PY_FAULT);
    CHECK_TARGETS(nowhere, R, a);
}

static void test_set_that_lies(void **state)
{
    struct pb *pb = *state;
    uint64_t set = pb_object(pb, pb->set, 256);
    static const uint64_t masks[] = {6, UINT64_MAX, (UINT64_C(1) << 34) - 1, INT64_MAX};
    PB_SET(pb, set, set, table, PB_BASE);
    for (size_t i = 0; i < 4; i++) {
        PB_SET(pb, set, set, mask, masks[i]);
        WALK(walked, pb, set);
        assert_int_equal(walked.status, PY_IMPLAUSIBLE);
        enum py_status status;
        assert_true(size_of(pb, set, &status) < UINT64_C(1) << 48);
    }
    PB_SET(pb, set, set, mask, 7);
    PB_SET(pb, set, set, table, PB_LOST);
    WALK(lost, pb, set);
    assert_int_equal(lost.status, PY_FAULT);
}

/* Bases in a circle, and types that are their own metatypes. */
static void test_type_loops(void **state)
{
    struct pb *pb = *state;
    uint64_t one = pb_class(pb, "One", pb->object, true, NULL);
    uint64_t two = pb_class(pb, "Two", one, true, (const char *[]){"slot", NULL});
    PB_SET(pb, one, type, tp_base, two);
    uint64_t object = pb_object(pb, two, 256);
    WALK(walked, pb, object);
    assert_true(walked.refs.count < 20);
    size_of(pb, object, NULL);
    WALK(class, pb, one);
    uint64_t self = pb_class(pb, "Self", pb->object, false, NULL);
    PB_SET(pb, self, object, ob_type, self);
    PB_SET(pb, self, type, tp_base, self);
    PB_SET(pb, self, type, tp_flags, PY_TPFLAGS_READY | PY_TPFLAGS_TYPE | PY_TPFLAGS_HAVE_GC);
    WALK(own, pb, self);
    free(py_text(pb->objects, self, 50));
    uint64_t meta = pb_class(pb, "Meta", pb->type, false, NULL);
    PB_SET(pb, one, object, ob_type, meta);
    PB_SET(pb, meta, object, ob_type, one);
    struct py_refs refs = {0}; /* it may be taken for an object or not */
    py_walk_one(pb->objects, one, &refs);
    free(refs.items);
    free(py_text(pb->objects, one, 50));
}

static void test_long_chain(void **state)
{
    struct pb *pb = *state;
    uint64_t class = pb->object;
    for (int i = 0; i < 200; i++)
        class = pb_class(pb, "Deep", class, false, NULL);
    WALK(walked, pb, pb_object(pb, class, 64));
    CHECK_TARGETS(walked, R, class);
}

static void test_no_types(void **state)
{
    struct pb *pb = *state;
    struct py_objects *objects = pb_open(pb);
    static const uint64_t nowhere[] = {0,
                                       1,
                                       PB_BASE + 4,
                                       PB_LOST,
                                       PB_LOST - 8,
                                       PB_NOWHERE,
                                       UINT64_MAX,
                                       UINT64_MAX & ~UINT64_C(7),
                                       UINT64_C(1) << 63};
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
        assert_int_equal(py_type_index(objects, nowhere[i]), PY_NO_TYPE);
        assert_int_equal(py_object_type(objects, nowhere[i]), PY_NO_TYPE);
        assert_false(py_is_object(objects, nowhere[i]));
        check_text(pb, nowhere[i], "<no object>");
        assert_int_equal(py_attribute(objects, nowhere[i], "x"), 0);
        struct py_refs refs = {0};
        assert_int_equal(py_walk_one(objects, nowhere[i], &refs), PY_NOT_OBJECT);
    }
    uint64_t flags[] = {0, PY_TPFLAGS_HAVE_GC};
    for (int i = 0; i < 2; i++) { /* never made ready */
        uint64_t type = pb_static_type(pb, "raw", flags[i], 32, 0, pb->object);
        PB_SET(pb, type, type, tp_flags, flags[i]);
        assert_int_equal(py_type_index(objects, type), PY_NO_TYPE);
    }
    uint64_t type = pb_static_type(pb, "negative", 0, (uint64_t)-8, 0, pb->object);
    assert_int_equal(py_type_index(objects, type), PY_NO_TYPE);
    type = pb_static_type(pb, "nameless", 0, 32, 0, pb->object);
    PB_SET(pb, type, type, tp_name, PB_NOWHERE);
    assert_int_equal(py_type_index(objects, type), PY_NO_TYPE);
}

/* Base, mro and dict of nonsense: what is left of the type is used. */
static void test_type_of_nonsense(void **state)
{
    struct pb *pb = *state;
    static const uint64_t nonsense[] = {PB_NOWHERE, PB_LOST, PB_BASE + 8, 12345, UINT64_MAX};
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
        uint64_t class = pb_class(pb, "Odd", pb->object, true, NULL);
        PB_SET(pb, class, type, tp_base, nonsense[i]);
        PB_SET(pb, class, type, tp_mro, nonsense[i]);
        PB_SET(pb, class, type, tp_dict, nonsense[i]);
        PB_SET(pb, class, type, tp_members, nonsense[i]);
        PB_SET(pb, class, type, tp_dictoffset, nonsense[i]);
        PB_SET(pb, class, varobject, ob_size, nonsense[i]);
        PB_SET(pb, class, heaptype, ht_cached_keys, nonsense[i]);
        uint64_t object = pb_object(pb, class, 256);
        WALK(walked, pb, object);
        WALK(type, pb, class);
        enum py_status status;
        size_of(pb, object, &status);
        free(py_text(pb->objects, object, 50));
        py_attribute(pb->objects, object, "x");
    }
    uint64_t mro = pb_tuple(pb, 3, (uint64_t[]){PB_NOWHERE, 3, pb->object});
    uint64_t class = pb_class(pb, "Mro", pb->object, false, NULL);
    PB_SET(pb, class, type, tp_mro, mro);
    enum py_status status;
    size_of(pb, pb_object(pb, class, 64), &status);
    PB_SET(pb, mro, varobject, ob_size, INT64_MAX);
    uint64_t again = pb_class(pb, "Again", pb->object, false, NULL);
    PB_SET(pb, again, type, tp_mro, mro);
    size_of(pb, pb_object(pb, again, 64), &status);
}

static void test_strings_that_lie(void **state)
{
    struct pb *pb = *state;
    uint64_t text = pb_str(pb, "abc");
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        PB_SET(pb, text, ascii, length, (uint64_t)lies[i]);
        free(py_text(pb_open(pb), text, 50));
        enum py_status status;
        assert_true(size_of(pb, text, &status) < UINT64_C(1) << 48);
    }
    for (uint64_t bits = 0; bits < 128; bits++) {
        pb_put(pb, PY_AT(&pb->py.layout, text, ascii, kind), bits);
        PB_SET(pb, text, compact, utf8, PB_BASE);
        PB_SET(pb, text, compact, utf8_length, UINT64_MAX - bits);
        free(py_text(pb->objects, text, 50));
        enum py_status status;
        assert_true(size_of(pb, text, &status) < UINT64_C(1) << 48);
    }
}

static void test_frames_that_lie(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t generator = pb_object(pb, pb->generator, 256), frame = pb_object(pb, pb->frame, 256);
    static const uint64_t tops[] = {UINT64_MAX, INT32_MAX, PB_NOWHERE, PB_BASE + PB_SIZE - 8, 1};
    PB_SET(pb, generator, gen, gi_frame_state, 0xff);
    PB_SET(pb, frame, frameobject, f_frame, PY_AT(layout, generator, gen, gi_iframe));
    for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++) {
        uint64_t inner = PY_AT(layout, generator, gen, gi_iframe);
        PB_SET(pb, inner, iframe, stacktop, tops[i]);
        PB_SET(pb, inner, iframe, stackpointer, tops[i]);
        PB_SET(pb, inner, iframe, owner, 2);
        PB_SET(pb, frame, frameobject, f_valuestack, tops[i]);
        PB_SET(pb, frame, frameobject, f_stacktop, tops[i] + 8);
        PB_SET(pb, frame, frameobject, f_stackdepth, tops[i]);
        WALK(suspended, pb, generator);
        WALK(object, pb, frame);
        assert_true(suspended.refs.count <= PB_SIZE / 8 && object.refs.count <= PB_SIZE / 8);
        enum py_status status;
        size_of(pb, generator, &status);
        size_of(pb, frame, &status);
        free(py_text(pb->objects, frame, 50));
    }
}

int main(void)
{
    static const struct form_test tests[] = {
        {"sizes that lie", test_sizes_that_lie},
        {"lost items", test_lost_items},
        {"items that are none", test_items_that_are_none},
        {"keys that lie", test_keys_that_lie},
        {"shared keys that lie", test_shared_keys_that_lie},
        {"ordered dict loop", test_ordered_dict_loop},
        {"lru loop", test_lru_loop},
        {"deque loop", test_deque_loop},
        {"set that lies", test_set_that_lies},
        {"type loops", test_type_loops},
        {"long chain of bases", test_long_chain},
        {"no types", test_no_types},
        {"type of nonsense", test_type_of_nonsense},
        {"strings that lie", test_strings_that_lie},
        {"frames that lie", test_frames_that_lie},
    };
    return run_forms(tests, sizeof(tests) / sizeof(*tests));
}
