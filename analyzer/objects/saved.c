/* SPDX-License-Identifier: MIT
 * saved.c: the types of a snapshot, and what was found out about objects by running code.
 *
 * Types are restored from their rows, not from their objects in the dump: thousands of them are
 * scattered over its memory. Walkers and rules for sizes go by name. Types keep their numbers; one
 * that is met later is resolved as in a core, from memory.
 */
#include "analyzer/objects/learned.h"
#include "dumpfmt/facts.h"

#define TYPES "objects.types"
#define TEXTS "objects.texts"
#define SHAPES "objects.shapes"
#define ASKED "objects.asked"
#define STATE "objects.state"
#define NO_TEXT UINT32_MAX
#define MAX_TYPES (UINT32_C(1) << 30)

enum walker { NO_WALKER, INSTANCE, UNVISITED, STRUCTSEQ, ROW, WALKERS };

enum {
    DEFERRED = 1,
    OWNS_NOTHING = 2,
    PYTHON_CLASS = 4,
    HAS_DEL = 8,
    SIZE_IS_GUESS = 16,
    ALL_FLAGS = 31
};

struct type_row {
    uint64_t address, type_flags;
    int64_t basic_size, item_size, dict_offset, weaklist_offset;
    uint64_t traverse, dealloc, base, finalize, del, asks_gc, object_traverse;
    uint64_t sizeof_function, sizeof_class, failed, fields; /* fields: of a struct sequence */
    uint32_t base_index, owner_index;
    uint32_t name, row, sizer; /* texts; row: of known.c, NO_TEXT when there is none */
    uint16_t buffer_rules;
    uint8_t walker, walk_kind, failed_status, flags;
    uint8_t zero[6];
};
_Static_assert(sizeof(struct type_row) == 168, "as specified");

struct asked_row { /* an object whose tp_is_gc was asked */
    uint64_t object, said;
};

struct state_row {
    uint64_t subtype_traverse;
    uint64_t flags; /* 1: subtype_traverse was looked for */
};

/* ---- saving ---- */

static uint32_t add_text(struct df_text_list *texts, const char *text)
{
    uint64_t offset = text ? df_text_add(texts, text) : NO_TEXT;
    return offset < NO_TEXT ? (uint32_t)offset : NO_TEXT;
}

static enum walker walker_of(const struct py_type *type)
{
    return !type->walk                       ? NO_WALKER
           : type->walk == py_walk_instance  ? INSTANCE
           : type->walk == py_walk_unvisited ? UNVISITED
           : type->walk == py_walk_structseq ? STRUCTSEQ
                                             : ROW;
}

/* choose_walker, types.c: which row the walker and its data are of. */
static const char *row_name(const struct py_type *type, enum walker walker)
{
    const struct py_known *row = walker == ROW         ? py_known_row_of(type)
                                 : walker == UNVISITED ? type->data
                                                       : NULL;
    return row ? row->name : NULL;
}

static struct type_row row_of(const struct py_type *type, struct df_text_list *texts)
{
    enum walker walker = walker_of(type);
    return (struct type_row){
        .address = type->address,
        .type_flags = type->flags,
        .basic_size = type->basic_size,
        .item_size = type->item_size,
        .dict_offset = type->dict_offset,
        .weaklist_offset = type->weaklist_offset,
        .traverse = type->traverse,
        .dealloc = type->dealloc,
        .base = type->base,
        .finalize = type->finalize,
        .del = type->del,
        .asks_gc = type->asks_gc,
        .object_traverse = type->object_traverse,
        .sizeof_function = type->sizeof_function,
        .sizeof_class = type->sizeof_class,
        .failed = type->failed,
        .fields = walker == STRUCTSEQ ? (uint64_t)(uintptr_t)type->data : 0,
        .base_index = type->base_index,
        .owner_index = type->owner_index,
        .name = add_text(texts, type->name),
        .row = add_text(texts, row_name(type, walker)),
        .sizer = add_text(texts, py_sizer_name(type->size)),
        .buffer_rules = type->buffer_rules,
        .walker = (uint8_t)walker,
        .walk_kind = (uint8_t)type->walk_kind,
        .failed_status = type->failed_status,
        .flags =
            (uint8_t)((type->deferred ? DEFERRED : 0) | (type->owns_nothing ? OWNS_NOTHING : 0) |
                      (type->python_class ? PYTHON_CLASS : 0) | (type->has_del ? HAS_DEL : 0) |
                      (type->size_is_guess ? SIZE_IS_GUESS : 0)),
    };
}

static struct df_err *save_types(struct py_objects *objects, struct df_text_list *texts,
                                 struct df_necro_writer *writer)
{
    DF_CLEANUP_FREE struct type_row *rows = NULL;
    DF_TRY(df_array(objects->type_count, sizeof(*rows), &rows));
    for (size_t i = 0; i < objects->type_count; i++)
        rows[i] = row_of(objects->types[i], texts);
    return df_necro_add(writer, TYPES, DF_NECRO_PACKED, rows, sizeof(*rows), objects->type_count);
}

static struct df_err *save_learned(const struct py_objects *objects, struct df_necro_writer *writer)
{
    struct py_learned_rows rows = {0};
    for (size_t i = 0; i < objects->type_count; i++)
        py_learned_save(objects->types[i], &rows);
    struct df_err *err =
        df_necro_add(writer, SHAPES, DF_NECRO_PACKED, rows.items, sizeof(*rows.items), rows.count);
    free(rows.items);
    return err;
}

static int by_object(const void *left, const void *right)
{
    uint64_t a = ((const struct asked_row *)left)->object;
    uint64_t b = ((const struct asked_row *)right)->object;
    return a < b ? -1 : a > b;
}

static struct df_err *save_asked(const struct df_map *asked, struct df_necro_writer *writer)
{
    DF_CLEANUP_FREE struct asked_row *rows = NULL;
    size_t count = 0;
    DF_TRY(df_array(asked->count, sizeof(*rows), &rows));
    for (size_t i = 0; asked->keys && i <= asked->mask && count < asked->count; i++)
        if (asked->keys[i])
            rows[count++] = (struct asked_row){asked->keys[i], asked->values[i] != 0};
    if (count)
        qsort(rows, count, sizeof(*rows), by_object);
    return df_necro_add(writer, ASKED, DF_NECRO_PACKED, rows, sizeof(*rows), count);
}

static struct df_err *save_all(struct py_objects *objects, struct df_text_list *texts,
                               struct df_necro_writer *writer)
{
    const struct state_row state = {.subtype_traverse = objects->subtype_traverse,
                                    .flags = objects->subtype_traverse_known};
    DF_TRY(df_necro_add(writer, STATE, 0, &state, sizeof(state), 1));
    DF_TRY(py_structs_save(objects, writer));
    DF_TRY(save_types(objects, texts, writer));
    DF_TRY(save_learned(objects, writer));
    DF_TRY(save_asked(&objects->gc_map, writer));
    return df_necro_add(writer, TEXTS, DF_NECRO_PACKED, texts->items, 1, texts->count);
}

struct df_err *py_objects_save(struct py_objects *objects, struct df_necro_writer *writer)
{
    struct df_text_list texts = {0};
    py_find_sizers(objects);
    struct df_err *err = save_all(objects, &texts, writer);
    free(texts.items);
    return err;
}

/* ---- restoring ---- */

struct restoring {
    struct py_objects *objects;
    struct df_necro *necro;
    struct df_texts texts;
};

static const char *text_at(const struct restoring *from, uint32_t offset)
{
    return offset == NO_TEXT ? NULL : df_text_at(&from->texts, offset);
}

static bool restore_walker(const struct restoring *from, const struct type_row *row,
                           struct py_type *type)
{
    const struct py_layout *layout = from->objects->reader.layout;
    const char *name = text_at(from, row->row);
    const struct py_type called = {.name = (char *)(name ? name : "")};
    const struct py_known *known = NULL;
    switch ((enum walker)row->walker) {
    case INSTANCE:
        type->walk = py_walk_instance;
        return true;
    case UNVISITED:
        type->walk = py_walk_unvisited;
        type->data = known = py_known_owner(layout, &called);
        return !name || known;
    case STRUCTSEQ:
        type->walk = py_walk_structseq;
        type->data = (const void *)(uintptr_t)row->fields;
        return true;
    case ROW:
        known = py_known_type(layout, &called);
        type->walk = known ? known->walk : NULL;
        type->data = known ? known->data : NULL;
        return known;
    default:
        return row->walker == NO_WALKER;
    }
}

static bool is_earlier(uint32_t other, uint64_t index)
{
    return other == PY_NO_TYPE || other < index;
}

/* The same bounds as those of types.c, which readers rely upon. */
static bool is_sane(const struct type_row *row, uint64_t index)
{
    return row->address && !(row->address & 7) && is_earlier(row->base_index, index) &&
           is_earlier(row->owner_index, index) && row->basic_size >= 0 &&
           row->basic_size <= (1 << 24) && row->item_size >= 0 && row->item_size <= (1 << 20) &&
           row->walk_kind <= PY_WALK_CONSERVATIVE && !(row->flags & ~ALL_FLAGS);
}

static bool restore_type(const struct restoring *from, const struct type_row *row,
                         struct py_type *ret)
{
    const char *name = text_at(from, row->name);
    const char *sizer = text_at(from, row->sizer);
    if (!name || !sizer)
        return false;
    *ret = (struct py_type){
        .address = row->address,
        .name = (char *)name, /* the snapshot's: nobody changes it (free_types) */
        .flags = row->type_flags,
        .basic_size = row->basic_size,
        .item_size = row->item_size,
        .dict_offset = row->dict_offset,
        .weaklist_offset = row->weaklist_offset,
        .traverse = row->traverse,
        .dealloc = row->dealloc,
        .base = row->base,
        .finalize = row->finalize,
        .del = row->del,
        .asks_gc = row->asks_gc,
        .object_traverse = row->object_traverse,
        .base_index = row->base_index,
        .owner_index = row->owner_index,
        .size = py_sizer_named(from->objects->reader.layout, sizer),
        .walk_kind = (enum py_walk_kind)row->walk_kind,
        .deferred = row->flags & DEFERRED,
        .owns_nothing = row->flags & OWNS_NOTHING,
        .plausible = true,
        .python_class = row->flags & PYTHON_CLASS,
        .may_have_slots = row->flags & PYTHON_CLASS,
        .has_del = row->flags & HAS_DEL,
        .size_is_guess = row->flags & SIZE_IS_GUESS,
        .sizeof_function = row->sizeof_function,
        .sizeof_class = row->sizeof_class,
        .failed = row->failed,
        .failed_status = row->failed_status,
        .buffer_rules = row->buffer_rules,
    };
    return ret->size && restore_walker(from, row, ret);
}

/* The base that owns must be one of those that have a row (py_walk, objects.c). */
static bool owner_is_sane(const struct py_objects *objects, const struct py_type *type)
{
    if (type->owner_index == PY_NO_TYPE)
        return true;
    const struct py_type *owner = objects->types[type->owner_index];
    return owner->walk == py_walk_unvisited && owner->data;
}

static bool add_type(struct py_objects *objects, struct py_type *type)
{
    bool added;
    uint32_t index = (uint32_t)objects->type_count;
    type->index = index;
    if (!owner_is_sane(objects, type))
        return false;
    objects->types[objects->type_count++] = type;
    if (walker_of(type) == ROW)
        df_map_add(&objects->traverse_map, type->traverse, index, &added);
    df_map_add(&objects->type_map, type->address, index, &added);
    return added;
}

static struct df_err *restore_types(const struct restoring *from)
{
    struct py_objects *objects = from->objects;
    const struct type_row *rows;
    uint64_t count;
    DF_TRY(df_necro_section(from->necro, TYPES, sizeof(*rows), &rows, &count));
    if (count > MAX_TYPES)
        return df_necro_senseless(from->necro, TYPES);
    DF_TRY(df_array((size_t)count, sizeof(*objects->restored), &objects->restored));
    DF_TRY(df_array((size_t)count, sizeof(*objects->types), &objects->types));
    objects->type_capacity = objects->restored_count = (size_t)count;
    df_map_reserve(&objects->type_map, (size_t)count);
    for (uint64_t i = 0; i < count; i++)
        if (!is_sane(&rows[i], i) || !restore_type(from, &rows[i], &objects->restored[i]) ||
            !add_type(objects, &objects->restored[i]))
            return df_necro_senseless(from->necro, TYPES);
    return NULL;
}

static struct df_err *restore_learned(const struct restoring *from)
{
    const struct py_learned_row *rows;
    uint64_t count;
    DF_TRY(df_necro_section(from->necro, SHAPES, sizeof(*rows), &rows, &count));
    for (uint64_t i = 0; i < count; i++)
        if (!py_learned_restore(from->objects, &rows[i]))
            return df_necro_senseless(from->necro, SHAPES);
    return NULL;
}

static struct df_err *restore_asked(const struct restoring *from)
{
    const struct asked_row *rows;
    uint64_t count;
    DF_TRY(df_necro_section(from->necro, ASKED, sizeof(*rows), &rows, &count));
    df_map_reserve(&from->objects->gc_map, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        if (!rows[i].object || rows[i].said > 1)
            return df_necro_senseless(from->necro, ASKED);
        df_map_set(&from->objects->gc_map, rows[i].object, (uint32_t)rows[i].said);
    }
    return NULL;
}

static struct df_err *restore_state(const struct restoring *from)
{
    const struct state_row *state;
    uint64_t count;
    DF_TRY(df_necro_section(from->necro, STATE, sizeof(*state), &state, &count));
    if (count != 1 || state->flags > 1)
        return df_necro_senseless(from->necro, STATE);
    from->objects->subtype_traverse = state->subtype_traverse;
    from->objects->subtype_traverse_known = state->flags;
    return NULL;
}

struct df_err *py_objects_restore(struct py_objects *objects)
{
    struct restoring from = {.objects = objects, .necro = objects->py->dump->necro};
    if (!df_necro_has(from.necro, STATE))
        return NULL; /* of the dump only: what can be found out again is */
    DF_TRY(df_texts_open(from.necro, TEXTS, &from.texts));
    DF_TRY(restore_state(&from));
    DF_TRY(restore_types(&from));
    DF_TRY(restore_learned(&from));
    return restore_asked(&from);
}
