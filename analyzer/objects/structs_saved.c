/* SPDX-License-Identifier: MIT
 * structs_saved.c: C structures of types, in a snapshot and from it: names for offsets, and
 * pointers to objects.
 *
 * A structure follows from tp_traverse, tp_dealloc and tp_basicsize (structs.c), so it is kept by
 * these three, not by type: thousands of classes of Python share one. Sections: "struct.list",
 * "struct.members", "struct.names"; README.md specifies them.
 */
#include "analyzer/objects/structs.h"
#include "dumpfmt/facts.h"

#define MAX_STRUCT 65536 /* bytes whose names are asked for */

struct saved_struct {
    uint64_t traverse, dealloc, basic_size;
    uint64_t first; /* of struct.members */
    uint32_t count, reserved;
};
_Static_assert(sizeof(struct saved_struct) == 40, "as specified");

enum saved_kind {
    MEMBER,        /* the name of a pointer at an offset */
    POINTER,       /* to an object, as its type says */
    OBJECT,        /* to what begins with an object's header */
    NESTED_OBJECT, /* the same, in a struct within the struct */
};

struct saved_row {
    uint32_t offset;
    uint32_t kind;
    uint32_t name; /* in struct.names; NO_NAME */
    uint32_t reserved;
};
#define NO_NAME UINT32_MAX

/* ---- saving ---- */

struct saving {
    struct py_objects *objects;
    struct df_text_list names;
    struct {
        struct saved_struct *items;
        size_t count, capacity;
    } structs;
    struct {
        struct saved_row *items;
        size_t count, capacity;
    } rows;
    enum saved_kind kind; /* of what is being added */
};

static void add_row(void *context, uint64_t offset, const char *name, bool nested)
{
    struct saving *saving = context;
    uint64_t at = df_text_add(&saving->names, name);
    DF_PUSH(&saving->rows, (struct saved_row){
                               .offset = (uint32_t)offset,
                               .kind = nested ? NESTED_OBJECT : saving->kind,
                               .name = at < NO_NAME ? (uint32_t)at : NO_NAME,
                           });
}

static void save_struct(struct saving *saving, const struct py_type *type)
{
    struct py_objects *objects = saving->objects;
    struct saved_struct saved = {.traverse = type->traverse,
                                 .dealloc = type->dealloc,
                                 .basic_size = (uint64_t)type->basic_size,
                                 .first = saving->rows.count};
    const struct type_struct *found = py_find_struct(objects, type);
    if (!found->structure && !found->rows)
        return;
    saving->kind = MEMBER;
    for (uint64_t offset = 0; offset < saved.basic_size && offset < MAX_STRUCT; offset += 8) {
        const char *name = py_struct_member(objects, type, offset);
        if (name)
            add_row(saving, offset, name, false);
    }
    saving->kind = POINTER;
    py_struct_pointers(found, add_row, saving);
    saving->kind = OBJECT;
    py_struct_objects(found, PY_SIZEOF(objects->reader.layout, object), add_row, saving);
    saved.count = (uint32_t)(saving->rows.count - saved.first);
    DF_PUSH(&saving->structs, saved);
}

static int compare_keys(uint64_t traverse, uint64_t dealloc, uint64_t size,
                        const struct saved_struct *other)
{
    if (traverse != other->traverse)
        return traverse < other->traverse ? -1 : 1;
    if (dealloc != other->dealloc)
        return dealloc < other->dealloc ? -1 : 1;
    return size < other->basic_size ? -1 : size > other->basic_size;
}

static int by_key(const void *left, const void *right)
{
    const struct py_type *a = *(const struct py_type *const *)left;
    const struct py_type *b = *(const struct py_type *const *)right;
    struct saved_struct key = {b->traverse, b->dealloc, (uint64_t)b->basic_size, 0, 0, 0};
    int order = compare_keys(a->traverse, a->dealloc, (uint64_t)a->basic_size, &key);
    if (order)
        return order;
    return a->address < b->address ? -1 : a->address > b->address;
}

static bool same_key(const struct py_type *a, const struct py_type *b)
{
    return a->traverse == b->traverse && a->dealloc == b->dealloc && a->basic_size == b->basic_size;
}

static struct df_err *write(struct saving *saving, struct df_necro_writer *writer)
{
    DF_TRY(df_necro_add(writer, "struct.list", DF_NECRO_PACKED, saving->structs.items,
                        sizeof(*saving->structs.items), saving->structs.count));
    DF_TRY(df_necro_add(writer, "struct.members", DF_NECRO_PACKED, saving->rows.items,
                        sizeof(*saving->rows.items), saving->rows.count));
    return df_necro_add(writer, "struct.names", DF_NECRO_PACKED, saving->names.items, 1,
                        saving->names.count);
}

struct df_err *py_structs_save(struct py_objects *objects, struct df_necro_writer *writer)
{
    struct saving saving = {.objects = objects};
    DF_CLEANUP_FREE const struct py_type **types = NULL;
    size_t count = objects->type_count;
    DF_TRY(df_array(count, sizeof(*types), &types));
    for (size_t i = 0; i < count; i++)
        types[i] = objects->types[i];
    qsort(types, count, sizeof(*types), by_key);
    for (size_t i = 0; i < count; i++)
        if (!i || !same_key(types[i - 1], types[i]))
            save_struct(&saving, types[i]);
    struct df_err *err = write(&saving, writer);
    free(saving.structs.items);
    free(saving.rows.items);
    free(saving.names.items);
    return err;
}

/* ---- from a snapshot ---- */

static const struct saved_struct *find(const struct saved_struct *structs, uint64_t count,
                                       const struct py_type *type)
{
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = compare_keys(type->traverse, type->dealloc, (uint64_t)type->basic_size,
                                 &structs[middle]);
        if (!order)
            return &structs[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct df_err *read_struct(struct df_necro *necro, const struct py_type *type,
                                  struct type_struct *ret)
{
    const struct saved_struct *structs, *saved;
    const struct saved_row *rows;
    struct df_texts names;
    uint64_t count, row_count;
    if (!df_necro_has(necro, "struct.list"))
        return NULL;
    DF_TRY(df_necro_section(necro, "struct.list", sizeof(*structs), &structs, &count));
    saved = find(structs, count, type);
    if (!saved)
        return NULL;
    DF_TRY(df_necro_section(necro, "struct.members", sizeof(*rows), &rows, &row_count));
    DF_TRY(df_texts_open(necro, "struct.names", &names));
    if (saved->first > row_count || saved->count > row_count - saved->first)
        return df_necro_senseless(necro, "struct.list");
    for (uint32_t i = 0; i < saved->count; i++) {
        const struct saved_row *row = &rows[saved->first + i];
        if ((row->name != NO_NAME && !df_text_at(&names, row->name)) || row->kind > NESTED_OBJECT ||
            (uint64_t)row->offset + 8 > (uint64_t)type->basic_size)
            return df_necro_senseless(necro, "struct.members");
    }
    ret->rows = rows + saved->first;
    ret->row_count = saved->count;
    ret->names = names.bytes;
    return NULL;
}

void py_saved_struct(struct py_objects *objects, const struct py_type *type,
                     struct type_struct *ret)
{
    df_err_free(read_struct(objects->py->dump->necro, type, ret)); /* the snapshot remembers it */
}

static const char *name_of(const struct type_struct *found, const struct saved_row *row)
{
    return row->name == NO_NAME ? NULL : found->names + row->name;
}

const char *py_saved_member(const struct type_struct *found, uint64_t offset)
{
    for (uint32_t i = 0; i < found->row_count; i++)
        if (found->rows[i].kind == MEMBER && found->rows[i].offset == offset)
            return name_of(found, &found->rows[i]);
    return NULL;
}

void py_saved_pointers(const struct type_struct *found, py_struct_visitor visit, void *context)
{
    for (uint32_t i = 0; i < found->row_count; i++)
        if (found->rows[i].kind == POINTER)
            visit(context, found->rows[i].offset, name_of(found, &found->rows[i]), false);
}

void py_saved_objects(const struct type_struct *found, py_struct_visitor visit, void *context)
{
    for (uint32_t i = 0; i < found->row_count; i++) {
        const struct saved_row *row = &found->rows[i];
        if (row->kind == OBJECT || row->kind == NESTED_OBJECT)
            visit(context, row->offset, name_of(found, row), row->kind == NESTED_OBJECT);
    }
}
