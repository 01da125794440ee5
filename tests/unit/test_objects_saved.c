/* SPDX-License-Identifier: MIT
 * test_objects_saved.c: types come back from a snapshot as they were, references that code told
 * come from a source and get their labels, and sections that make no sense, and yet have right
 * checksums, do no harm.
 */
#include "tests/support/objects_check.h"

#include "dumpfmt/base/mem.h"
#include "dumpfmt/necro.h"

#define ROUNDS 60 /* in each form */

static const struct {
    const char *tag;
    size_t element;
} sections[] = {{"objects.state", 16},  {"objects.types", 168}, {"objects.shapes", 24},
                {"objects.asked", 16},  {"objects.texts", 1},   {"struct.list", 40},
                {"struct.members", 16}, {"struct.names", 1}};
enum { SECTIONS = sizeof(sections) / sizeof(*sections) };

struct snapshot {
    char path[64];
    struct df_file *file;
    struct df_necro *necro;
};

/* Opens `path`, and objects of the same memory with what is in it; NULL when it is refused. */
static struct py_objects *open_objects(struct pb *pb, struct snapshot *snapshot)
{
    struct py_objects *objects = NULL;
    assert_ok(df_file_open(snapshot->path, &snapshot->file));
    assert_ok(df_necro_open(snapshot->file, &snapshot->necro));
    pb->dump.necro = snapshot->necro;
    struct df_err *err = py_objects_open(&pb->py, NULL, &objects);
    pb->dump.necro = NULL;
    if (err)
        assert_true(df_err_code(err) == DF_ERR_INPUT || df_err_code(err) == DF_ERR_MISSING);
    df_err_free(err);
    return err ? NULL : objects;
}

static void close_objects(struct py_objects *objects, struct snapshot *snapshot)
{
    py_objects_close(objects);
    df_necro_close(snapshot->necro);
    df_file_close(snapshot->file);
    unlink(snapshot->path);
}

static void name_it(struct snapshot *snapshot)
{
    snprintf(snapshot->path, sizeof(snapshot->path), "/tmp/necropy-objects-XXXXXX");
    int fd = mkstemp(snapshot->path);
    assert_true(fd >= 0);
    close(fd);
}

static void save(struct pb *pb, struct snapshot *snapshot)
{
    struct df_necro_writer *writer;
    name_it(snapshot);
    assert_ok(df_necro_create(snapshot->path, 1, &writer));
    assert_ok(py_objects_save(pb_open(pb), writer));
    assert_ok(df_necro_commit(writer));
}

/* ---- what is in it ---- */

struct heap {
    uint64_t own_code, instance, list, words[2];
    uint64_t objects[3];
};

/* An object that only its own code can walk, an instance with a slot, a list. */
static struct heap make_heap(struct pb *pb)
{
    static const char *const slots[] = {"left", NULL};
    const uint64_t flags = PY_TPFLAGS_HAVE_GC | PY_TPFLAGS_READY;
    struct heap heap = {.words = {pb_str(pb, "a"), pb_str(pb, "b")}};
    uint64_t type = pb_static_type(pb, "m.OwnCode", flags, PY_SIZEOF(&pb->py.layout, object) + 24,
                                   0, pb->object);
    uint64_t class = pb_class(pb, "Pair", pb->object, true, slots);
    heap.own_code = pb_object(pb, type, PY_SIZEOF(&pb->py.layout, object) + 24);
    heap.instance = pb_object(pb, class, 128);
    heap.list = pb_list(pb, 2, heap.words, 2);
    pb_put(pb, heap.own_code + PY_SIZEOF(&pb->py.layout, object), heap.words[1]);
    heap.objects[0] = heap.own_code;
    heap.objects[1] = heap.instance;
    heap.objects[2] = heap.list;
    return heap;
}

static void meet(struct pb *pb, const struct heap *heap)
{
    struct py_objects *objects = pb_open(pb);
    const uint64_t types[] = {pb->type, pb->object,   pb->str,     pb->integer,   pb->tuple,
                              pb->list, pb->dict,     pb->set,     pb->function,  pb->module_type,
                              pb->code, pb->frame,    pb->odict,   pb->deque,     pb->lru,
                              pb->cell, pb->lru_link, pb->boolean, pb->exception, pb->weakref};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        py_type_index(objects, types[i]);
    for (size_t i = 0; i < 3; i++)
        assert_int_not_equal(py_object_type(objects, heap->objects[i]), PY_NO_TYPE);
}

static void same_type(const struct py_type *a, const struct py_type *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->address, b->address);
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->basic_size, b->basic_size);
    assert_int_equal(a->item_size, b->item_size);
    assert_int_equal(a->dict_offset, b->dict_offset);
    assert_int_equal(a->weaklist_offset, b->weaklist_offset);
    assert_int_equal(a->traverse, b->traverse);
    assert_int_equal(a->dealloc, b->dealloc);
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->object_traverse, b->object_traverse);
    assert_int_equal(a->base_index, b->base_index);
    assert_int_equal(a->owner_index, b->owner_index);
    assert_true(a->walk == b->walk && a->size == b->size && a->data == b->data);
    assert_int_equal(a->walk_kind, b->walk_kind);
    assert_int_equal(a->buffer_rules, b->buffer_rules);
    assert_true(a->deferred == b->deferred && a->python_class == b->python_class &&
                a->has_del == b->has_del && a->plausible == b->plausible &&
                a->owns_nothing == b->owns_nothing && a->size_is_guess == b->size_is_guess);
}

static void types_come_back(void **state)
{
    struct pb *pb = *state;
    struct heap heap = make_heap(pb);
    struct snapshot snapshot;
    meet(pb, &heap);
    save(pb, &snapshot);
    struct py_objects *objects = open_objects(pb, &snapshot);
    assert_non_null(objects);
    assert_int_equal(py_type_count(objects), py_type_count(pb->objects));
    assert_true(py_type_count(objects) > 20);
    for (uint32_t i = 0; i < py_type_count(objects); i++) {
        same_type(py_type_at(pb->objects, i), py_type_at(objects, i));
        assert_int_equal(py_type_index(objects, py_type_at(objects, i)->address), i);
    }
    /* One that is met later is resolved from memory, behind them. */
    uint64_t late = pb_class(pb, "Late", pb->object, true, NULL);
    assert_int_equal(py_type_index(objects, late), py_type_count(pb->objects));
    assert_string_equal(py_type_at(objects, py_type_count(pb->objects))->name, "m.Late");
    assert_true(py_type_at(objects, py_type_index(objects, late))->python_class);
    close_objects(objects, &snapshot);
}

/* ---- the source ---- */

static uint32_t asked;

static bool two_references(void *context, uint64_t object, struct py_refs *refs)
{
    const struct heap *heap = context;
    if (object != heap->own_code)
        return false;
    asked++;
    for (int i = 0; i < 2; i++) {
        refs->items = df_grow(refs->items, refs->count, &refs->capacity, sizeof(*refs->items));
        refs->items[refs->count++] =
            (struct py_ref){.target = heap->words[i], .kind = PY_REF_REFERENT};
    }
    return true;
}

/* In its order; the one that a word of the object holds is labelled by it. */
static void code_is_not_run_where_the_source_knows(void **state)
{
    struct pb *pb = *state;
    struct heap heap = make_heap(pb);
    struct snapshot snapshot;
    struct py_refs refs = {0};
    meet(pb, &heap);
    save(pb, &snapshot);
    struct py_objects *objects = open_objects(pb, &snapshot);
    assert_non_null(objects);
    py_objects_set_source(objects, &(struct py_objects_source){&heap, two_references, NULL});
    asked = 0;
    assert_int_equal(py_walk_one(objects, heap.own_code, &refs), PY_OK);
    assert_int_equal(asked, 1);
    assert_int_equal(refs.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(refs.items[i].target, heap.words[i]);
        assert_int_equal(refs.items[i].kind, PY_REF_REFERENT);
        assert_int_equal(refs.items[i].label, i ? PY_LABEL_OFFSET : PY_LABEL_NONE);
    }
    assert_int_equal(refs.items[1].argument, PY_SIZEOF(&pb->py.layout, object));
    refs.count = 0;
    assert_int_equal(py_walk_one(objects, heap.list, &refs), PY_OK); /* needs no source */
    assert_int_equal(asked, 1);
    assert_int_equal(refs.count, 2);
    free(refs.items);
    close_objects(objects, &snapshot);
}

/* ---- sections that make no sense ---- */

static uint32_t seed = 1;

static uint32_t chance(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static void bend(uint8_t *bytes, uint64_t size)
{
    static const uint8_t values[] = {0, 1, 2, 7, 0x7f, 0x80, 0xff};
    for (uint32_t i = chance(3) + 1; size && i; i--) {
        uint64_t at = chance((uint32_t)size);
        uint64_t run = chance(2) ? 1 : 8;
        for (uint64_t k = at; k < at + run && k < size; k++)
            bytes[k] = values[chance(sizeof(values))];
    }
}

/* A copy, one section of it bent, shorter, or not there. */
static void write_bent(struct df_necro *from, struct snapshot *to)
{
    struct df_necro_writer *writer;
    uint32_t which = chance(SECTIONS), how = chance(6);
    name_it(to);
    assert_ok(df_necro_create(to->path, 1, &writer));
    for (uint32_t i = 0; i < SECTIONS; i++) {
        const uint8_t *bytes;
        uint64_t count;
        if (i == which && !how)
            continue;
        assert_ok(df_necro_section(from, sections[i].tag, sections[i].element, &bytes, &count));
        uint8_t *copy = df_xmalloc(count * sections[i].element + 1);
        memcpy(copy, bytes, count * sections[i].element);
        if (i == which && how == 1 && count)
            count = chance((uint32_t)count);
        else if (i == which)
            bend(copy, count * sections[i].element);
        assert_ok(df_necro_add(writer, sections[i].tag, 0, copy, sections[i].element, count));
        free(copy);
    }
    assert_ok(df_necro_commit(writer));
}

static void use(struct py_objects *objects, const struct heap *heap)
{
    for (size_t i = 0; i < 3; i++) {
        struct py_refs refs = {0};
        uint64_t object = heap->objects[i], size;
        uint32_t type = py_object_type(objects, object);
        if (type == PY_NO_TYPE)
            continue;
        py_walk_one(objects, object, &refs);
        py_size(objects, object, type, &size);
        py_object_flags(objects, object, type);
        for (size_t r = 0; r < refs.count; r++)
            free(py_label_text(objects, object, &refs.items[r]));
        free(py_text(objects, object, 100));
        free(refs.items);
    }
}

static void nonsense_does_no_harm(void **state)
{
    struct pb *pb = *state;
    struct heap heap = make_heap(pb);
    struct snapshot good, bent;
    uint32_t refused = 0, opened = 0;
    meet(pb, &heap);
    save(pb, &good);
    struct py_objects *whole = open_objects(pb, &good);
    assert_non_null(whole);
    for (int i = 0; i < ROUNDS; i++) {
        write_bent(good.necro, &bent);
        struct py_objects *objects = open_objects(pb, &bent);
        refused += !objects;
        opened += objects != NULL;
        if (objects)
            use(objects, &heap);
        close_objects(objects, &bent);
    }
    assert_true(opened > ROUNDS / 20);
    assert_true(refused > ROUNDS / 20);
    close_objects(whole, &good);
}

int main(void)
{
    static const struct form_test tests[] = {
        {"types come back", types_come_back},
        {"code is not run where the source knows", code_is_not_run_where_the_source_knows},
        {"nonsense does no harm", nonsense_does_no_harm},
    };
    return run_forms(tests, sizeof(tests) / sizeof(*tests));
}
