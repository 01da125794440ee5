/* SPDX-License-Identifier: MIT
 * text_containers.c: lists, tuples with and without names, sets, deques, ranges and slices.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>

/* Items that lie one after the other. */
static void put_items(struct py_writer *w, uint64_t items, uint64_t count)
{
    uint64_t index = 0;
    while (index < count && py_next(w, &index))
        py_put_object(w, py_word(w->reader, items + (index - 1) * 8));
    py_rest(w, index, count);
}

void py_text_list(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    int64_t count = py_ob_size(reader, object);
    uint64_t items = PY_PTR(reader, object, list, ob_item);
    (void)type;
    if (count < 0 || !py_plausible_words(w->objects, items, (uint64_t)count)) {
        py_put(w, "<list, unreadable>");
        return;
    }
    if (!py_enter(w, object, "[...]", count ? "[…]" : "[]"))
        return;
    py_put(w, "[");
    put_items(w, items, (uint64_t)count);
    py_put(w, "]");
    py_leave(w);
}

/* A tuple whose items have names: Point(x=1, y=2). `names` are str objects, or C strings. */
struct fields {
    uint64_t items, count; /* of the tuple */
    uint64_t names, stride;
    bool strings; /* the names are C strings (struct sequences) */
};

static void put_fields(struct py_writer *w, const struct fields *fields)
{
    uint64_t index = 0;
    py_put(w, "(");
    while (index < fields->count && py_next(w, &index)) {
        uint64_t name = py_word(w->reader, fields->names + (index - 1) * fields->stride);
        if (fields->strings) {
            DF_CLEANUP_FREE char *text = df_cstring(w->reader->space, name, 100);
            py_put_escaped(w, text ? text : "?");
        } else {
            py_put_name(w, name);
        }
        py_put(w, "=");
        py_put_object(w, py_word(w->reader, fields->items + (index - 1) * 8));
    }
    py_rest(w, index, fields->count);
    py_put(w, ")");
}

/* The visible fields of a struct sequence have the first members of their type
 * (structseq_repr, Objects/structseq.c); collections.namedtuple has their names in _fields. */
static bool find_fields(struct py_writer *w, const struct py_type *type, struct fields *fields)
{
    struct py_reader *reader = w->reader;
    uint64_t count;
    if (type->python_class)
        return py_tuple(reader, py_type_attribute(w->objects, type, "_fields"), &fields->names,
                        &count) &&
               count == fields->count && (fields->stride = 8);
    if (type->base_index == PY_NO_TYPE || !py_structseq_fields(w->objects, type))
        return false;
    fields->strings = true;
    fields->stride = PY_SIZEOF(reader->layout, memberdef);
    fields->names = PY_PTR(reader, type->address, type, tp_members);
    return fields->names && PY_HAS(reader->layout, memberdef, name) &&
           (fields->names = PY_AT(reader->layout, fields->names, memberdef, name));
}

void py_text_tuple(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct fields fields = {0};
    int64_t count = py_ob_size(w->reader, object);
    fields.items = PY_AT(w->reader->layout, object, tuple, ob_item);
    fields.count = (uint64_t)count;
    if (count < 0 || !py_plausible_words(w->objects, fields.items, fields.count)) {
        py_put(w, "<tuple, unreadable>");
        return;
    }
    if (!py_enter(w, object, "(...)", count ? "(…)" : "()"))
        return;
    if (find_fields(w, type, &fields)) {
        if (fields.strings) /* static types: with the module */
            py_put_escaped(w, type->name);
        else
            py_put_class(w, type);
        put_fields(w, &fields);
    } else {
        bool named = type->own_repr;
        if (named)
            py_put_escaped(w, type->name);
        py_put(w, "(");
        put_items(w, fields.items, fields.count);
        py_put(w, count == 1 && !named ? ",)" : ")");
    }
    py_leave(w);
}

/* Members in the order of the table; an entry whose hash is -1 was removed. */
static void put_members(struct py_writer *w, uint64_t object, uint64_t used)
{
    struct py_reader *reader = w->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t mask = PY_PTR(reader, object, set, mask), at = PY_PTR(reader, object, set, table);
    uint32_t entry = PY_SIZEOF(layout, setentry);
    uint64_t index = 0;
    if ((mask & (mask + 1)) || mask > PY_MAX_TUPLE / 2)
        mask = 0;
    for (uint64_t i = 0; i <= mask && py_step(w, 1); i++, at += entry) {
        uint64_t key = 0, hash = 0;
        if (!df_u64(reader->space, PY_AT(layout, at, setentry, key), &key) ||
            !df_u64(reader->space, PY_AT(layout, at, setentry, hash), &hash))
            break;
        if (!key || hash == UINT64_MAX)
            continue;
        if (!py_next(w, &index))
            break;
        py_put_object(w, key);
    }
    py_rest(w, index, used);
}

/* set_repr (Objects/setobject.c): the name is left out for exact sets. */
static void put_set(struct py_writer *w, const struct py_type *type, uint64_t object, bool named)
{
    uint64_t used = PY_PTR(w->reader, object, set, used);
    if (named || !used)
        py_put_class(w, type);
    if (!used) {
        py_put(w, "()");
        return;
    }
    py_put(w, named ? "({" : "{");
    put_members(w, object, used);
    py_put(w, named ? "})" : "}");
}

void py_text_set(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    if (!py_enter(w, object, "set(...)", "{…}"))
        return;
    put_set(w, type, object, strcmp(type->name, "set") != 0);
    py_leave(w);
}

void py_text_frozenset(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    if (!py_enter(w, object, "frozenset(...)", "frozenset({…})"))
        return;
    put_set(w, type, object, true);
    py_leave(w);
}

/* Blocks of items, linked to the right, as py_walk_deque goes. */
static void put_deque_items(struct py_writer *w, uint64_t object, uint64_t count)
{
    struct py_reader *reader = w->reader;
    const struct py_layout *layout = reader->layout;
    uint64_t block = PY_PTR(reader, object, deque, leftblock);
    uint64_t at = PY_PTR(reader, object, deque, leftindex), index = 0;
    uint64_t length = (PY_SIZEOF(layout, dequeblock) - 16) / 8;
    while (index < count && block && at <= length && py_next(w, &index)) {
        if (at == length) {
            block = PY_PTR(reader, block, dequeblock, rightlink);
            at = 0;
        }
        py_put_object(w, py_word(reader, PY_AT(layout, block, dequeblock, data) + at++ * 8));
    }
    py_rest(w, index, count);
}

/* deque_repr (Modules/_collectionsmodule.c) */
void py_text_deque(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    int64_t count = py_ob_size(w->reader, object);
    if (!py_enter(w, object, "[...]", "deque([…])"))
        return;
    py_put_class(w, type);
    py_put(w, "([");
    put_deque_items(w, object, count > 0 ? (uint64_t)count : 0);
    py_put(w, "]");
    int64_t most = PY_HAS(w->reader->layout, deque, maxlen)
                       ? (int64_t)PY_PTR(w->reader, object, deque, maxlen)
                       : -1;
    if (most >= 0)
        py_put_format(w, ", maxlen=%" PRId64, most);
    py_put(w, ")");
    py_leave(w);
}

/* range_repr (Objects/rangeobject.c) */
void py_text_range(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    uint64_t step = PY_PTR(reader, object, range, step);
    int64_t value;
    (void)type;
    py_put(w, "range(");
    py_put_object(w, PY_PTR(reader, object, range, start));
    py_put(w, ", ");
    py_put_object(w, PY_PTR(reader, object, range, stop));
    if (!py_int(reader, step, &value) || value != 1) {
        py_put(w, ", ");
        py_put_object(w, step);
    }
    py_put(w, ")");
}

void py_text_slice(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct py_reader *reader = w->reader;
    (void)type;
    if (!py_enter(w, object, "slice(...)", "slice(…)"))
        return;
    py_put(w, "slice(");
    py_put_object(w, PY_PTR(reader, object, slice, start));
    py_put(w, ", ");
    py_put_object(w, PY_PTR(reader, object, slice, stop));
    py_put(w, ", ");
    py_put_object(w, PY_PTR(reader, object, slice, step));
    py_put(w, ")");
    py_leave(w);
}
