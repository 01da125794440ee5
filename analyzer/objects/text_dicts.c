/* SPDX-License-Identifier: MIT
 * text_dicts.c: dicts in all their forms, what is made of them, and views of them.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>

#define MAX_COUNTED 65536 /* entries of a Counter that are sorted */

enum part { PAIRS, KEYS, VALUES, TUPLES };

static void put_entry(struct py_writer *w, enum part part, uint64_t key, uint64_t value)
{
    if (part == TUPLES)
        py_put(w, "(");
    if (part != VALUES)
        py_put_object(w, key);
    if (part == PAIRS || part == TUPLES)
        py_put(w, part == PAIRS ? ": " : ", ");
    if (part != KEYS)
        py_put_object(w, value);
    if (part == TUPLES)
        py_put(w, ")");
}

static uint64_t count_of(struct py_writer *w, uint64_t dict)
{
    return PY_PTR(w->reader, dict, dict, ma_used);
}

/* The entries in the order of the table. */
static void put_entries(struct py_writer *w, uint64_t dict, enum part part)
{
    struct py_dict_cursor cursor;
    uint64_t key, value, index = 0, used = count_of(w, dict);
    if (!PY_PTR(w->reader, dict, dict, ma_keys))
        return; /* being built, or torn down */
    if (!py_dict_begin(w->reader, dict, &cursor)) {
        py_put(w, "<unreadable>");
        return;
    }
    while (py_has_room(w) && py_dict_next(w->reader, &cursor, &key, &value)) {
        py_next(w, &index);
        put_entry(w, part, key, value);
    }
    py_rest(w, index, used);
}

/* The entries of an OrderedDict in the order of its nodes, which is that of the table until a key
 * is moved; a node's key is the same object as the table's. */
static void put_ordered(struct py_writer *w, uint64_t dict, enum part part)
{
    struct py_reader *reader = w->reader;
    struct py_dict_cursor all, cursor;
    uint64_t node = PY_PTR(reader, dict, odict, od_first), index = 0, used = count_of(w, dict);
    struct py_cycle cycle = {0};
    if (!py_dict_begin(reader, dict, &all))
        node = 0;
    else
        cursor = all;
    while (node && index < used && !py_cycle_closed(&cycle, node) && !reader->fault) {
        uint64_t wanted = PY_PTR(reader, node, odictnode, key), key = 0, value = 0;
        bool again = false;
        while (py_step(w, 1)) { /* from where the last one was, then once from the start */
            if (py_dict_next(reader, &cursor, &key, &value)) {
                if (key == wanted)
                    break;
            } else if (again) {
                key = 0;
                break;
            } else {
                again = true;
                cursor = all;
            }
        }
        if (key != wanted || !py_next(w, &index))
            break;
        put_entry(w, part, key, value);
        node = PY_PTR(reader, node, odictnode, next);
    }
    py_rest(w, index, used);
}

static bool is_ordered(struct py_writer *w, uint64_t dict)
{
    uint32_t index = py_object_type(w->objects, dict);
    while (index != PY_NO_TYPE) {
        const struct py_type *type = w->objects->types[index];
        if (strcmp(type->name, "collections.OrderedDict") == 0)
            return !type->python_class && PY_HAS(w->reader->layout, odictnode, key);
        index = type->base_index;
    }
    return false;
}

void py_text_dict(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    if (!py_enter(w, object, "{...}", count_of(w, object) ? "{…}" : "{}"))
        return;
    py_put(w, "{");
    put_entries(w, object, PAIRS);
    py_put(w, "}");
    py_leave(w);
}

/* odict_repr (Objects/odictobject.c) */
void py_text_odict(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    bool pairs = w->reader->layout->odict_shows_pairs;
    if (!py_enter(w, object, "...", "OrderedDict(…)"))
        return;
    py_put_class(w, type);
    py_put(w, "(");
    if (count_of(w, object)) {
        py_put(w, pairs ? "[" : "{");
        put_ordered(w, object, pairs ? TUPLES : PAIRS);
        py_put(w, pairs ? "]" : "}");
    }
    py_put(w, ")");
    py_leave(w);
}

/* defdict_repr (Modules/_collectionsmodule.c) */
void py_text_defaultdict(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t factory = PY_PTR(w->reader, object, defaultdict, default_factory);
    if (!py_enter(w, object, "{...}", "defaultdict(…)"))
        return;
    py_put_class(w, type);
    py_put(w, "(");
    if (factory)
        py_put_object(w, factory);
    else
        py_put(w, "None");
    py_put(w, ", {");
    put_entries(w, object, PAIRS);
    py_put(w, "})");
    py_leave(w);
}

struct counted {
    uint64_t key, value;
    int64_t number;
    size_t order;
};

static int most_first(const void *a, const void *b)
{
    const struct counted *left = a, *right = b;
    if (left->number != right->number)
        return left->number < right->number ? 1 : -1;
    return left->order < right->order ? -1 : left->order > right->order;
}

/* The entries of a Counter, most common first; NULL when not all counts are small ints. */
static struct counted *sorted(struct py_writer *w, uint64_t dict, size_t *ret_count)
{
    struct py_dict_cursor cursor;
    uint64_t used = count_of(w, dict);
    size_t count = 0;
    if (used > MAX_COUNTED || !py_step(w, used) || !py_dict_begin(w->reader, dict, &cursor))
        return NULL;
    struct counted *items = df_xcalloc(used + 1, sizeof(*items));
    struct counted *item = items;
    while (count < used && py_dict_next(w->reader, &cursor, &item->key, &item->value)) {
        if (!py_int(w->reader, item->value, &item->number)) {
            free(items);
            return NULL;
        }
        item->order = count++;
        item++;
    }
    qsort(items, count, sizeof(*items), most_first);
    *ret_count = count;
    return items;
}

/* Counter.__repr__ (Lib/collections/__init__.py) */
void py_text_counter(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    size_t count = 0;
    uint64_t index = 0;
    if (!py_enter(w, object, "...", "Counter(…)"))
        return;
    py_put_class(w, type);
    py_put(w, count_of(w, object) ? "({" : "(");
    DF_CLEANUP_FREE struct counted *items = sorted(w, object, &count);
    while (items && index < count && py_next(w, &index))
        put_entry(w, PAIRS, items[index - 1].key, items[index - 1].value);
    if (items)
        py_rest(w, index, count);
    else
        put_entries(w, object, PAIRS);
    py_put(w, count_of(w, object) ? "})" : ")");
    py_leave(w);
}

void py_text_mappingproxy(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)type;
    if (!py_enter(w, object, "mappingproxy(...)", "mappingproxy(…)"))
        return;
    py_put(w, "mappingproxy(");
    py_put_object(w, PY_PTR(w->reader, object, mappingproxy, mapping));
    py_put(w, ")");
    py_leave(w);
}

/* dictview_repr (Objects/dictobject.c): name(list(view)) */
void py_text_dictview(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t dict = PY_PTR(w->reader, object, dictview, dv_dict);
    enum part part = strstr(type->name, "keys")    ? KEYS
                     : strstr(type->name, "items") ? TUPLES
                                                   : VALUES;
    if (!py_enter(w, object, "...", "[…]"))
        return;
    py_put_class(w, type);
    py_put(w, "([");
    if (!dict || !(py_flags_of(w->reader, dict) & PY_TPFLAGS_DICT))
        py_put(w, "…");
    else if (is_ordered(w, dict))
        put_ordered(w, dict, part);
    else
        put_entries(w, dict, part);
    py_put(w, "])");
    py_leave(w);
}
