/* SPDX-License-Identifier: MIT
 * test_objects_walk.c: references, labels, sizes and texts of objects in every form that 3.8 to
 * 3.15 have given them.
 */
#include "tests/support/objects_check.h"

#define R PY_REF_REFERENT
#define O PY_REF_OWNED

static uint64_t gc_size(const struct pb *pb)
{
    return pb->py.layout.gc_head_size;
}

static uint64_t head_size(const struct pb *pb)
{
    return PY_SIZEOF(&pb->py.layout, object);
}

static void test_tuple(void **state)
{
    struct pb *pb = *state;
    uint64_t a = pb_int(pb, 1), b = pb_str(pb, "b");
    uint64_t tuple = pb_tuple(pb, 4, (uint64_t[]){a, 0, b, a});
    WALK(walked, pb, tuple);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, a, b, a);
    check_label(pb, &walked, b, "[2]");
    assert_int_equal(size_of(pb, tuple, NULL), gc_size(pb) + head_size(pb) + 8 + 4 * 8);
    check_text(pb, tuple, "(1, <NULL>, 'b', 1)");
    WALK(empty, pb, pb_tuple(pb, 0, NULL));
    CHECK_NONE(empty, R);
}

static void test_list(void **state)
{
    struct pb *pb = *state;
    uint64_t a = pb_int(pb, 1), list = pb_list(pb, 2, (uint64_t[]){a, a}, 6);
    WALK(walked, pb, list);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, a, a);
    assert_int_equal(size_of(pb, list, NULL),
                     gc_size(pb) + PY_SIZEOF(&pb->py.layout, list) + 6 * 8);
    /* While it is sorted, its items are taken away. */
    PB_SET(pb, list, list, allocated, UINT64_MAX);
    PB_SET(pb, list, list, ob_item, 0);
    PB_SET(pb, list, varobject, ob_size, 0);
    WALK(sorted, pb, list);
    assert_int_equal(sorted.status, PY_OK);
    CHECK_NONE(sorted, R);
}

static void test_dict_of_strings(void **state)
{
    struct pb *pb = *state;
    uint64_t keys[] = {pb_str(pb, "one"), pb_str(pb, "gone"), pb_str(pb, "two")};
    uint64_t values[] = {pb_int(pb, 1), 0, pb_int(pb, 2)};
    uint64_t dict = pb_dict(pb, PB_UNICODE, 3, keys, values);
    WALK(walked, pb, dict);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, values[0], values[2]); /* string keys are not visited */
    CHECK_TARGETS(walked, O, keys[0], keys[1], keys[2]);
    check_label(pb, &walked, values[2], "['two']");
    uint64_t entry = pb->py.layout.keys_hold_unicode_kind ? 16 : 24;
    assert_int_equal(size_of(pb, dict, NULL),
                     gc_size(pb) + PY_SIZEOF(&pb->py.layout, dict) + 40 + 8 + 8 * 2 / 3 * entry);
    check_text(pb, dict, "{'one': 1, 'two': 2, … 1 more}");
}

static void test_dict_of_anything(void **state)
{
    struct pb *pb = *state;
    uint64_t keys[] = {pb_int(pb, 7), pb_str(pb, "s"), pb_int(pb, 8)};
    uint64_t values[] = {pb_int(pb, 1), pb_int(pb, 2), 0};
    WALK(walked, pb, pb_dict(pb, PB_GENERAL, 3, keys, values));
    CHECK_TARGETS(walked, R, values[0], keys[0], values[1], keys[1]);
    CHECK_TARGETS(walked, O, keys[2]);
    check_label(pb, &walked, values[0], "[7]");
}

static void test_split_dict(void **state)
{
    struct pb *pb = *state;
    uint64_t class = pb_class(pb, "Row", pb->object, true, NULL);
    uint64_t keys = pb_share_keys(pb, class, 3, (const char *[]){"a", "b", "c"});
    PB_SET(pb, keys, dictkeys, dk_refcnt, 2);
    uint64_t values[] = {pb_int(pb, 1), 0, pb_int(pb, 3)};
    uint64_t dict = pb_split_dict(pb, keys, 3, values);
    WALK(walked, pb, dict);
    CHECK_TARGETS(walked, R, values[0], values[2]);
    CHECK_NONE(walked, O); /* the keys are the type's */
    check_label(pb, &walked, values[2], "['c']");
    /* usable: 2/3 of 32; the shared table is not counted */
    assert_int_equal(size_of(pb, dict, NULL),
                     gc_size(pb) + PY_SIZEOF(&pb->py.layout, dict) + 21 * 8);
}

static void test_set(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t set = pb_object(pb, pb->set, PY_SIZEOF(layout, set));
    uint64_t table = PY_AT(layout, set, set, smalltable), a = pb_int(pb, 1), b = pb_int(pb, 2);
    PB_SET(pb, set, set, mask, 7);
    PB_SET(pb, set, set, table, table);
    PB_SET(pb, set, set, used, 1);
    pb_put(pb, table + 16, a);
    pb_put(pb, table + 24, 1);
    pb_put(pb, table + 48, b); /* a removed one: the dummy */
    pb_put(pb, table + 56, UINT64_MAX);
    WALK(walked, pb, set);
    CHECK_TARGETS(walked, R, a);
    assert_int_equal(size_of(pb, set, NULL), gc_size(pb) + PY_SIZEOF(layout, set));
    uint64_t large = pb_take(pb, 32 * 16);
    pb_put(pb, large, b);
    PB_SET(pb, set, set, mask, 31);
    PB_SET(pb, set, set, table, large);
    WALK(more, pb, set);
    CHECK_TARGETS(more, R, b);
    assert_int_equal(size_of(pb, set, NULL), gc_size(pb) + PY_SIZEOF(layout, set) + 32 * 16);
    check_text(pb, set, "{2}");
}

static void test_ints(void **state)
{
    struct pb *pb = *state;
    uint64_t base = PY_OFF(&pb->py.layout, long, ob_digit);
    check_text(pb, pb_int(pb, 0), "0");
    check_text(pb, pb_int(pb, -42), "-42");
    check_text(pb, pb_int(pb, INT64_MAX), "9223372036854775807");
    assert_int_equal(size_of(pb, pb_int(pb, 0), NULL),
                     base + (pb->py.layout.zero_has_digit ? 4 : 0));
    assert_int_equal(size_of(pb, pb_int(pb, -5), NULL), base + 4);
    assert_int_equal(size_of(pb, pb_int(pb, INT64_C(1) << 40), NULL), base + 8);
}

static void test_strings(void **state)
{
    struct pb *pb = *state;
    check_text(pb, pb_str(pb, "it's"), "\"it's\"");
    check_text(pb, pb_str(pb, "a\n\x01"), "'a\\n\\x01'");
    check_text(pb, pb_str_wide(pb, 2, (uint32_t[]){0x434, 'x'}, 2), "'\u0434x'");
    check_text(pb, pb_str_wide(pb, 1, (uint32_t[]){0x1f40d}, 4), "'\U0001f40d'");
    const struct py_layout *layout = &pb->py.layout;
    assert_int_equal(size_of(pb, pb_str(pb, "abc"), NULL), PY_SIZEOF(layout, ascii) + 4);
    assert_int_equal(size_of(pb, pb_str_wide(pb, 3, (uint32_t[]){1, 2, 3}, 4), NULL),
                     PY_SIZEOF(layout, compact) + 4 * 4);
}

/* Attributes a and b of a new instance, wherever this form keeps them; *ret_dict: the dict that
 * holds them instead (0: none). */
static uint64_t make_instance(struct pb *pb, uint64_t class, const uint64_t *values,
                              uint64_t *ret_dict)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t basic = pb_get(pb, PY_AT(layout, class, type, tp_basicsize));
    uint64_t keys = pb_share_keys(pb, class, 2, (const char *[]){"a", "b"});
    uint64_t object = pb_object(pb, class, basic + 256), at = pb_take(pb, 256);
    *ret_dict = 0;
    switch (layout->attr_shape) {
    case PY_ATTR_DICT:
        *ret_dict = pb_split_dict(pb, keys, 2, values);
        pb_put(pb, object + pb_get(pb, PY_AT(layout, class, type, tp_dictoffset)), *ret_dict);
        return object;
    case PY_ATTR_SPLIT:
        pb_put(pb, object - 32, at);
        break;
    case PY_ATTR_TAGGED:
        pb_put(pb, object - 24, at - 1);
        break;
    case PY_ATTR_INLINE:
        at = object + (layout->inline_place == PY_INLINE_AFTER_HEADER ? head_size(pb) : basic);
        PB_SET(pb, at, dictvalues, capacity, 30);
        PB_SET(pb, at, dictvalues, embedded, 1);
        PB_SET(pb, at, dictvalues, valid, 1);
        break;
    }
    pb_put(pb, PY_AT(layout, at, dictvalues, values), values[0]);
    pb_put(pb, PY_AT(layout, at, dictvalues, values) + 8, values[1]);
    return object;
}

static void test_attributes(void **state)
{
    struct pb *pb = *state;
    uint64_t class = pb_class(pb, "Row", pb->object, true, NULL), dict;
    uint64_t values[] = {pb_int(pb, 1), pb_str(pb, "x")};
    uint64_t row = make_instance(pb, class, values, &dict);
    WALK(walked, pb, row);
    assert_int_equal(walked.status, PY_OK);
    if (dict) {
        CHECK_TARGETS(walked, R, dict, class);
        check_label(pb, &walked, dict, ".__dict__");
    } else {
        CHECK_TARGETS(walked, R, values[0], values[1], class);
        check_label(pb, &walked, values[1], ".b");
    }
    check_label(pb, &walked, class, ".__class__");
    check_text(pb, row, "<m.Row a=1 b='x'>");
    assert_int_equal(py_attribute(pb->objects, row, "b"), values[1]);
    assert_int_equal(py_attribute(pb->objects, row, "c"), 0);
    uint64_t basic = pb_get(pb, PY_AT(&pb->py.layout, class, type, tp_basicsize));
    assert_int_equal(size_of(pb, row, NULL),
                     basic + gc_size(pb) + pb->py.layout.presize_dict_words * 8);
}

/* vars(row) has been asked for: a dict object exists. */
static void test_materialized(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t class = pb_class(pb, "Row", pb->object, true, NULL), dict;
    uint64_t values[] = {pb_int(pb, 1), pb_str(pb, "x")};
    uint64_t row = make_instance(pb, class, values, &dict);
    if (dict)
        return;
    uint64_t at = row + (layout->inline_place == PY_INLINE_AFTER_HEADER
                             ? head_size(pb)
                             : pb_get(pb, PY_AT(layout, class, type, tp_basicsize)));
    uint64_t keys = pb_get(pb, PY_AT(layout, class, heaptype, ht_cached_keys));
    dict = pb_split_dict(pb, keys, 2, values);
    pb_put(pb, row - (gc_size(pb) ? 24 : 8), dict);
    if (layout->attr_shape == PY_ATTR_SPLIT)
        pb_put(pb, row - 32, 0);
    if (layout->attr_shape == PY_ATTR_INLINE)
        PB_SET(pb, dict, dict, ma_values, at);
    WALK(instance, pb, row);
    WALK(shared, pb, dict);
    if (layout->attr_shape == PY_ATTR_INLINE && layout->managed_visit == PY_VISIT_VALUES) {
        CHECK_TARGETS(instance, R, values[0], values[1], class);
        CHECK_NONE(shared, R);
    } else {
        CHECK_TARGETS(instance, R, dict, class);
        CHECK_TARGETS(shared, R, values[0], values[1]);
    }
}

static void test_slots(void **state)
{
    struct pb *pb = *state;
    uint64_t base = pb_class(pb, "Base", pb->object, false, (const char *[]){"left", NULL});
    uint64_t class = pb_class(pb, "Both", base, false, (const char *[]){"right", "none", NULL});
    uint64_t object = pb_object(pb, class, 64), a = pb_int(pb, 1), b = pb_int(pb, 2);
    pb_put(pb, object + head_size(pb), a);
    pb_put(pb, object + head_size(pb) + 8, b);
    WALK(walked, pb, object);
    CHECK_TARGETS(walked, R, b, a, class);
    check_label(pb, &walked, a, ".left");
    check_label(pb, &walked, b, ".right");
    assert_int_equal(py_attribute(pb->objects, object, "right"), b);
    assert_int_equal(py_attribute(pb->objects, object, "none"), 0);
}

static void test_tuple_subclass(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t class = pb_class(pb, "Pair", pb->tuple, true, NULL), a = pb_int(pb, 1);
    uint64_t key = pb_str(pb, "k"), dict = pb_dict(pb, PB_UNICODE, 1, &key, &a);
    uint64_t object = pb_object(pb, class, 128);
    PB_SET(pb, object, varobject, ob_size, 2);
    pb_put(pb, PY_AT(layout, object, tuple, ob_item), a);
    pb_put(pb, PY_AT(layout, object, tuple, ob_item) + 8, key);
    if (layout->attr_shape == PY_ATTR_DICT) /* behind the items */
        pb_put(pb, PY_AT(layout, object, tuple, ob_item) + 16, dict);
    else
        pb_put(pb, object - (gc_size(pb) ? 24 : 8), dict);
    WALK(walked, pb, object);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, dict, class, a, key);
    check_label(pb, &walked, key, "[1]");
}

static void test_types(void **state)
{
    struct pb *pb = *state;
    uint64_t class = pb_class(pb, "Row", pb->object, false, NULL);
    uint64_t bases = pb_tuple(pb, 1, &pb->object);
    PB_SET(pb, class, type, tp_bases, bases);
    uint64_t dict = pb_get(pb, PY_AT(&pb->py.layout, class, type, tp_dict));
    WALK(walked, pb, class);
    CHECK_TARGETS(walked, R, dict, bases, pb->object);
    assert_string_equal(py_type_at(pb->objects, py_type_index(pb->objects, class))->name, "m.Row");
    check_text(pb, class, "<class 'm.Row'>");
    WALK(fixed, pb, pb->boolean); /* a static one is nobody's business */
    CHECK_NONE(fixed, R);
    CHECK_TARGETS(fixed, O, pb->integer);
    assert_false(py_is_gc(pb->objects, pb->boolean, py_object_type(pb->objects, pb->boolean)));
    assert_int_equal(size_of(pb, pb->boolean, NULL), PY_SIZEOF(&pb->py.layout, type));
}

static void test_deque(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t deque = pb_object(pb, pb->deque, PY_SIZEOF(layout, deque)), blocks[3], items[130];
    for (int i = 0; i < 3; i++)
        blocks[i] = pb_take(pb, PY_SIZEOF(layout, dequeblock));
    for (int i = 0; i < 2; i++)
        PB_SET(pb, blocks[i], dequeblock, rightlink, blocks[i + 1]);
    uint64_t a = pb_int(pb, 1);
    for (unsigned i = 0; i < 129; i++) { /* the first one is the last of its block */
        items[i] = a;
        pb_put(pb, PY_AT(layout, blocks[(i + 63) / 64], dequeblock, data) + (i + 63) % 64 * 8, a);
    }
    items[129] = 0;
    PB_SET(pb, deque, varobject, ob_size, 129);
    PB_SET(pb, deque, deque, leftblock, blocks[0]);
    PB_SET(pb, deque, deque, leftindex, 63);
    WALK(walked, pb, deque);
    assert_int_equal(walked.status, PY_OK);
    check_targets(&walked, R, items);
    assert_int_equal(size_of(pb, deque, NULL),
                     gc_size(pb) + PY_SIZEOF(layout, deque) + 3 * PY_SIZEOF(layout, dequeblock));
}

static void test_ordered_dict(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t keys[] = {pb_str(pb, "x"), pb_str(pb, "y")}, values[] = {pb_int(pb, 1), pb_int(pb, 2)};
    uint64_t odict = pb_object(pb, pb->odict, PY_SIZEOF(layout, odict));
    uint64_t nodes[] = {pb_take(pb, 16), pb_take(pb, 16)};
    PB_SET(pb, odict, dict, ma_used, 2);
    PB_SET(pb, odict, dict, ma_keys, pb_keys(pb, PB_UNICODE, 3, 2, keys, values));
    PB_SET(pb, odict, odict, od_first, nodes[0]);
    PB_SET(pb, nodes[0], odictnode, key, keys[1]);
    PB_SET(pb, nodes[0], odictnode, next, nodes[1]);
    PB_SET(pb, nodes[1], odictnode, key, keys[0]);
    WALK(walked, pb, odict);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, keys[1], keys[0], values[0], values[1]);
}

static uint64_t make_lru(struct pb *pb, uint64_t *ret_links, uint64_t key, uint64_t result)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t lru = pb_object(pb, pb->lru, PY_SIZEOF(layout, lru));
    uint64_t root = PY_AT(layout, lru, lru, root), cache = pb_dict(pb, PB_GENERAL, 0, NULL, NULL);
    PB_SET(pb, cache, dict, ma_used, 2);
    for (int i = 0; i < 2; i++) {
        ret_links[i] = pb_object(pb, pb->lru_link, PY_SIZEOF(layout, lrulink));
        PB_SET(pb, ret_links[i], lrulink, key, key);
        PB_SET(pb, ret_links[i], lrulink, result, result);
    }
    PB_SET(pb, root, lrulink, next, ret_links[0]);
    PB_SET(pb, ret_links[0], lrulink, next, ret_links[1]);
    PB_SET(pb, ret_links[1], lrulink, next, root);
    PB_SET(pb, lru, lru, cache, cache);
    return lru;
}

static void test_lru(void **state)
{
    struct pb *pb = *state;
    uint64_t links[2], key = pb_int(pb, 1), result = pb_int(pb, 2);
    uint64_t lru = make_lru(pb, links, key, result);
    uint64_t cache = pb_get(pb, PY_AT(&pb->py.layout, lru, lru, cache));
    WALK(walked, pb, lru);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, key, result, key, result, cache);
    CHECK_TARGETS(walked, O, links[0], links[1]);
    check_label(pb, &walked, result, "[1]");
    WALK(link, pb, links[0]); /* all that it owns, the wrapper visits */
    CHECK_NONE(link, O);
}

static void test_rows(void **state)
{
    struct pb *pb = *state;
    uint64_t a = pb_int(pb, 1), cell = pb_object(pb, pb->cell, 64);
    PB_SET(pb, cell, cell, ob_ref, a);
    WALK(held, pb, cell);
    CHECK_TARGETS(held, R, a);
    check_label(pb, &held, a, ".cell_contents");
    WALK(empty, pb, pb_object(pb, pb->cell, 64));
    CHECK_NONE(empty, R);
    uint64_t weak = pb_object(pb, pb->weakref, 64);
    PB_SET(pb, weak, weakref, wr_object, cell);
    PB_SET(pb, weak, weakref, wr_callback, a);
    WALK(weakly, pb, weak);
    CHECK_TARGETS(weakly, PY_REF_WEAK, cell);
    CHECK_TARGETS(weakly, R, a);
    uint64_t function = pb_object(pb, pb->function, 128), name = pb_str(pb, "f");
    PB_SET(pb, function, function, func_qualname, name);
    PB_SET(pb, function, function, func_closure, cell);
    WALK(closed, pb, function);
    CHECK_TARGETS(closed, R, cell, name);
    check_text(pb, function, "<function f>");
}

static void test_module(void **state)
{
    struct pb *pb = *state;
    uint64_t module = pb_object(pb, pb->module_type, 64), definition = pb_take(pb, 64);
    uint64_t dict = pb_dict(pb, PB_UNICODE, 0, NULL, NULL);
    PB_SET(pb, module, module, md_dict, dict);
    WALK(plain, pb, module);
    CHECK_TARGETS(plain, R, dict);
    PB_SET(pb, module, module, md_def, definition);
    PB_SET(pb, definition, moduledef, m_traverse, 0x5000);
    PB_SET(pb, definition, moduledef, m_size, 8);
    WALK(without_state, pb, module);
    CHECK_TARGETS(without_state, R, dict);
    PB_SET(pb, module, module, md_state, dict);
    WALK(own_code, pb, module);
    assert_int_equal(own_code.status, PY_DEFERRED);
    assert_int_equal(own_code.refs.count, 0);
}

static uint64_t make_code(struct pb *pb)
{
    uint64_t code = pb_object(pb, pb->code, PY_SIZEOF(&pb->py.layout, code));
    PB_SET(pb, code, code, co_name, pb_str(pb, "work"));
    PB_SET(pb, code, code, co_nlocals, 2);
    PB_SET(pb, code, code, co_nlocalsplus, 2);
    PB_SET(pb, code, code, co_stacksize, 3);
    return code;
}

/* An interpreter frame at `frame` with two locals and one word of stack. */
static void fill_frame(struct pb *pb, uint64_t frame, uint64_t code, const uint64_t *slots,
                       uint8_t owner)
{
    const struct py_layout *layout = &pb->py.layout;
    uint64_t first = PY_AT(layout, frame, iframe, localsplus);
    PB_SET(pb, frame, iframe, executable, code);
    PB_SET(pb, frame, iframe, owner, owner);
    PB_SET(pb, frame, iframe, stacktop, 3);
    PB_SET(pb, frame, iframe, stackpointer, first + 24);
    for (int i = 0; i < 3; i++)
        pb_put(pb, first + (uint64_t)i * 8, slots[i]);
}

static void test_frame_objects(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t frame = pb_object(pb, pb->frame, 256), code = make_code(pb);
    uint64_t slots[] = {pb_int(pb, 1), pb_int(pb, 2), pb_int(pb, 3)};
    if (layout->frame_shape != PY_FRAME_OBJECTS) {
        uint64_t inner = PY_AT(layout, frame, frameobject, f_frame_data);
        PB_SET(pb, frame, frameobject, f_frame, inner);
        fill_frame(pb, inner, code, slots, 2);
    } else {
        uint64_t first = PY_AT(layout, frame, frameobject, f_localsplus);
        PB_SET(pb, frame, frameobject, f_code, code);
        PB_SET(pb, frame, frameobject, f_valuestack, first + 16);
        PB_SET(pb, frame, frameobject, f_stacktop, first + 24);
        PB_SET(pb, frame, frameobject, f_stackdepth, 1);
        for (int i = 0; i < 3; i++)
            pb_put(pb, first + (uint64_t)i * 8, slots[i]);
    }
    WALK(walked, pb, frame);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, R, code, slots[0], slots[1], slots[2]);
    check_label(pb, &walked, code, ".f_code");
}

static void test_generator(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t generator = pb_object(pb, pb->generator, 256), code = make_code(pb);
    uint64_t name = pb_str(pb, "work");
    uint64_t slots[] = {pb_int(pb, 1), pb_int(pb, 2), pb_int(pb, 3)};
    PB_SET(pb, generator, gen, gi_code, code);
    PB_SET(pb, generator, gen, gi_qualname, name);
    check_text(pb, generator, "<generator work, running>");
    if (layout->frame_shape == PY_FRAME_OBJECTS) {
        PB_SET(pb, generator, gen, gi_frame, slots[0]);
        WALK(walked, pb, generator);
        CHECK_TARGETS(walked, R, code, name, slots[0]);
        return;
    }
    fill_frame(pb, PY_AT(layout, generator, gen, gi_iframe), code, slots, 1);
    PB_SET(pb, generator, gen, gi_frame_state, 0xff); /* suspended */
    WALK(walked, pb, generator);
    if (layout->generator_visits_code)
        CHECK_TARGETS(walked, R, code, name, code, slots[0], slots[1], slots[2]);
    else
        CHECK_TARGETS(walked, R, name, code, slots[0], slots[1], slots[2]);
    PB_SET(pb, generator, gen, gi_frame_state, 4); /* cleared: its frame is gone */
    WALK(ended, pb, generator);
    for (size_t i = 0; i < ended.refs.count; i++)
        assert_int_not_equal(ended.refs.items[i].target, slots[0]);
}

/* Tagged words of 3.14's frames: borrowed (1), NULL (1 alone), ints (3). */
static void test_tagged_slots(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    if (layout->frame_shape != PY_FRAME_STACKREFS)
        return;
    uint64_t generator = pb_object(pb, pb->generator, 256), code = make_code(pb), a = pb_int(pb, 1);
    uint64_t slots[] = {a | 1, 1, 7 << 2 | 3};
    fill_frame(pb, PY_AT(layout, generator, gen, gi_iframe), code | 1, slots, 1);
    PB_SET(pb, generator, gen, gi_frame_state, 0xff);
    WALK(walked, pb, generator);
    CHECK_TARGETS(walked, R, code, a);
}

/* Without an emulator a type of its own code is scanned, and every object of it. */
static void test_fallback(void **state)
{
    struct pb *pb = *state;
    uint64_t type =
        pb_static_type(pb, "lib.Thing", PY_TPFLAGS_HAVE_GC, head_size(pb) + 24, 0, pb->object);
    uint64_t a = pb_int(pb, 1), one = pb_object(pb, type, 64), two = pb_object(pb, type, 64);
    pb_put(pb, one + head_size(pb), a);
    pb_put(pb, one + head_size(pb) + 8, 0x123450);
    pb_put(pb, two + head_size(pb) + 16, a);
    for (int i = 0; i < 2; i++) {
        WALK(deferred, pb, i ? two : one);
        assert_int_equal(deferred.status, PY_DEFERRED);
        struct walked walked = {.object = i ? two : one};
        py_walk_one(pb->objects, walked.object, &walked.refs);
        CHECK_TARGETS(walked, PY_REF_GUESS, a);
        check_label(pb, &walked, a,
                    i ? (pb->form->free_threaded ? "+0x30" : "+0x20")
                      : (pb->form->free_threaded ? "+0x20" : "+0x10"));
        walked_free(&walked);
    }
    uint32_t index = py_type_index(pb->objects, type);
    assert_int_equal(py_type_at(pb->objects, index)->walk_kind, PY_WALK_CONSERVATIVE);
}

/* A static type whose metatype has a traverse of its own (ctypes): as any static type. */
static void test_static_instance_of_metatype(void **state)
{
    struct pb *pb = *state;
    uint64_t meta =
        pb_static_type(pb, "_ctypes.PyCStructType", PY_TPFLAGS_HAVE_GC | PY_TPFLAGS_TYPE,
                       PY_SIZEOF(&pb->py.layout, heaptype), 40, pb->type);
    uint64_t type = pb_static_type(pb, "_ctypes.Structure", 0, 32, 0, pb->object);
    PB_SET(pb, type, object, ob_type, meta);
    WALK(walked, pb, type);
    assert_int_equal(walked.status, PY_OK);
    CHECK_TARGETS(walked, O, pb->object);
}

/* Hidden fields are visited, 10 shown or not. */
static void test_struct_sequence(void **state)
{
    struct pb *pb = *state;
    const struct py_layout *layout = &pb->py.layout;
    uint64_t type = pb_static_type(pb, "os.stat_result", PY_TPFLAGS_HAVE_GC | PY_TPFLAGS_TUPLE,
                                   PY_OFF(layout, tuple, ob_item), 8, pb->tuple);
    uint64_t keys[] = {pb_str(pb, "n_sequence_fields"), pb_str(pb, "n_fields")};
    uint64_t counts[] = {pb_int(pb, 1), pb_int(pb, 3)};
    PB_SET(pb, type, type, tp_dict, pb_dict(pb, PB_UNICODE, 2, keys, counts));
    uint64_t object = pb_object(pb, type, 96), a = pb_int(pb, 1), b = pb_int(pb, 2);
    PB_SET(pb, object, varobject, ob_size, 1);
    pb_put(pb, PY_AT(layout, object, tuple, ob_item), a);
    pb_put(pb, PY_AT(layout, object, tuple, ob_item) + 16, b);
    WALK(walked, pb, object);
    CHECK_TARGETS(walked, R, a, b);
}

static void test_has_del(void **state)
{
    struct pb *pb = *state;
    uint64_t plain = pb_class(pb, "Plain", pb->object, false, NULL);
    uint64_t ends = pb_class(pb, "Ends", pb->object, false, NULL);
    PB_SET(pb, ends, type, tp_finalize, 0x6000);
    struct py_objects *objects = pb_open(pb);
    assert_false(py_type_at(objects, py_type_index(objects, plain))->has_del);
    assert_true(py_type_at(objects, py_type_index(objects, ends))->has_del);
}

int main(void)
{
    static const struct form_test tests[] = {
        {"tuple", test_tuple},
        {"list", test_list},
        {"dict of strings", test_dict_of_strings},
        {"dict of anything", test_dict_of_anything},
        {"split dict", test_split_dict},
        {"set", test_set},
        {"ints", test_ints},
        {"strings", test_strings},
        {"attributes", test_attributes},
        {"materialised dict", test_materialized},
        {"slots", test_slots},
        {"tuple subclass", test_tuple_subclass},
        {"types", test_types},
        {"deque", test_deque},
        {"ordered dict", test_ordered_dict},
        {"lru_cache", test_lru},
        {"rows of fields", test_rows},
        {"module", test_module},
        {"frame objects", test_frame_objects},
        {"generator", test_generator},
        {"tagged slots", test_tagged_slots},
        {"fallback", test_fallback},
        {"static instance of a metatype", test_static_instance_of_metatype},
        {"struct sequence", test_struct_sequence},
        {"has __del__", test_has_del},
    };
    return run_forms(tests, sizeof(tests) / sizeof(*tests));
}
