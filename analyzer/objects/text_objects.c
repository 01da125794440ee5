/* SPDX-License-Identifier: MIT
 * text_objects.c: instances with their attributes, exceptions, enums, and what refers to one
 * object.
 */
#include "analyzer/objects/text.h"

#include <inttypes.h>

#define MAX_SORTED 256 /* attributes of a namespace where they are sorted */

void py_text_singleton(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    (void)object;
    py_put(w, type->name[0] == 'e'                  ? "Ellipsis"
              : strcmp(type->name, "NoneType") == 0 ? "None"
                                                    : "NotImplemented");
}

struct attributes {
    struct py_writer *w;
    uint64_t index;
    const char *between;
};

static void put_attribute_name(struct py_writer *w, uint64_t name, const char *slot)
{
    if (slot)
        py_put_escaped(w, slot);
    else
        py_put_name(w, name);
    py_put(w, "=");
}

static bool put_attribute(void *context, uint64_t name, const char *slot, uint64_t value)
{
    struct attributes *a = context;
    if (!py_has_room(a->w)) {
        py_put(a->w, " …");
        return false;
    }
    if (a->index++)
        py_put(a->w, a->between);
    put_attribute_name(a->w, name, slot);
    py_put_object(a->w, value);
    return true;
}

/* A dataclass has its fields in a dict of its class: name -> Field, of which `repr` says whether it
 * is shown. _repr_fn, Lib/dataclasses.py. */
static void put_dataclass(struct py_writer *w, uint64_t fields, uint64_t object)
{
    struct py_dict_cursor cursor;
    uint64_t key, field, index = 0;
    int64_t shown;
    py_put(w, "(");
    if (py_dict_begin(w->reader, fields, &cursor))
        while (py_dict_next(w->reader, &cursor, &key, &field)) {
            DF_CLEANUP_FREE char *name = py_str(w->reader, key, 200, NULL);
            uint64_t value = name ? py_attribute(w->objects, object, name) : 0;
            uint64_t repr = py_attribute(w->objects, field, "repr");
            if (!value || (py_int(w->reader, repr, &shown) && !shown))
                continue;
            if (!py_next(w, &index)) {
                py_put(w, ", …");
                break;
            }
            put_attribute_name(w, 0, name);
            py_put_object(w, value);
        }
    py_put(w, ")");
}

/* "<shop.Row id=3 name='x'>", and a dataclass as it shows itself. */
void py_text_instance(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t fields =
        type->python_class ? py_type_attribute(w->objects, type, "__dataclass_fields__") : 0;
    struct attributes attributes = {w, 1, " "};
    if (fields && (py_flags_of(w->reader, fields) & PY_TPFLAGS_DICT)) {
        py_put_class(w, type);
        if (!py_enter(w, object, "(...)", "(…)"))
            return;
        put_dataclass(w, fields, object);
        py_leave(w);
        return;
    }
    py_put(w, "<");
    py_put_escaped(w, type->name);
    if (py_enter(w, object, " ...", "")) {
        py_attributes(w->objects, object, put_attribute, &attributes);
        py_leave(w);
    }
    py_put(w, ">");
}

/* BaseException_repr (Objects/exceptions.c) */
void py_text_exception(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t args = PY_PTR(w->reader, object, exception, args), items, count, index = 0;
    if (!py_enter(w, object, "...", "…"))
        return;
    py_put_class(w, type);
    py_put(w, "(");
    if (py_tuple(w->reader, args, &items, &count)) {
        while (index < count && py_next(w, &index))
            py_put_object(w, py_word(w->reader, items + (index - 1) * 8));
        py_rest(w, index, count);
    }
    py_put(w, ")");
    py_leave(w);
}

/* Enum.__repr__ (Lib/enum.py): <Color.RED: 1> */
void py_text_enum(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t value = py_attribute(w->objects, object, "_value_");
    uint64_t name = py_attribute(w->objects, object, "_name_");
    if (!py_enter(w, object, "...", "…"))
        return;
    py_put(w, "<");
    py_put_class(w, type);
    if (name && (py_flags_of(w->reader, name) & PY_TPFLAGS_UNICODE)) {
        py_put(w, ".");
        py_put_name(w, name);
    }
    py_put(w, ": ");
    py_put_object(w, value);
    py_put(w, ">");
    py_leave(w);
}

struct sorting {
    struct py_objects *objects;
    struct pair {
        char *name;
        uint64_t value;
    } items[MAX_SORTED];
    size_t count;
};

static bool collect(void *context, uint64_t name, const char *slot, uint64_t value)
{
    struct sorting *sorting = context;
    char *text = slot ? df_xstrdup(slot) : py_str(&sorting->objects->reader, name, 200, NULL);
    sorting->items[sorting->count++] = (struct pair){text ? text : df_xstrdup("?"), value};
    return sorting->count < MAX_SORTED;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

static void put_sorted(struct attributes *attributes, uint64_t object)
{
    struct sorting sorting = {.objects = attributes->w->objects};
    bool more = true;
    py_attributes(sorting.objects, object, collect, &sorting);
    qsort(sorting.items, sorting.count, sizeof(*sorting.items), by_name);
    for (size_t i = 0; i < sorting.count; i++) {
        more = more && put_attribute(attributes, 0, sorting.items[i].name, sorting.items[i].value);
        free(sorting.items[i].name);
    }
}

/* namespace_repr (Objects/namespaceobject.c) */
void py_text_namespace(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    struct attributes attributes = {w, 0, ", "};
    bool exact = strcmp(type->name, "types.SimpleNamespace") == 0;
    if (!py_enter(w, object, exact ? "namespace(...)" : "...", "namespace(…)"))
        return;
    if (exact)
        py_put(w, "namespace");
    else
        py_put_class(w, type);
    py_put(w, "(");
    if (w->reader->layout->namespace_sorts)
        put_sorted(&attributes, object);
    else
        py_attributes(w->objects, object, put_attribute, &attributes);
    py_put(w, ")");
    py_leave(w);
}

void py_text_cell(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t inner = PY_PTR(w->reader, object, cell, ob_ref);
    (void)type;
    if (!inner) {
        py_put(w, "<cell, empty>");
        return;
    }
    if (!py_enter(w, object, "<cell ...>", "<cell>"))
        return;
    py_put(w, "<cell of ");
    py_put_object(w, inner);
    py_put(w, ">");
    py_leave(w);
}

/* What it refers to: by type and address, since it is not the weak reference's own. None is what a
 * dead one refers to. */
void py_text_weakref(struct py_writer *w, const struct py_type *type, uint64_t object)
{
    uint64_t to = PY_PTR(w->reader, object, weakref, wr_object);
    uint32_t index = to ? py_object_type(w->objects, to) : PY_NO_TYPE;
    bool proxy = strstr(type->name, "roxy");
    bool dead = index == PY_NO_TYPE || strcmp(w->objects->types[index]->name, "NoneType") == 0;
    py_put(w, proxy ? "<weakproxy" : "<weakref");
    if (dead) {
        py_put(w, ", dead>");
        return;
    }
    py_put(w, " to ");
    py_put_escaped(w, w->objects->types[index]->name);
    py_put_format(w, " at 0x%" PRIx64 ">", to);
}
