/* SPDX-License-Identifier: MIT
 * closure.c: see closure.h.
 */
#include "tests/support/closure.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define BATCH 16384

struct walk {
    struct closure *closure;
    struct py_objects *objects;
    struct py_refs refs;
    struct py_batch_item deferred[BATCH];
    size_t deferred_count;
};

static bool add(void *context, uint64_t object)
{
    struct walk *walk = context;
    struct closure *closure = walk->closure;
    bool added;
    if (!object || (closure->limit && closure->count >= closure->limit))
        return !closure->limit || closure->count < closure->limit;
    if (df_map_get(&closure->seen, object) != DF_MAP_NONE)
        return true;
    uint32_t type = py_object_type(walk->objects, object);
    if (type == PY_NO_TYPE)
        return true;
    df_map_add(&closure->seen, object, (uint32_t)closure->count, &added);
    DF_PUSH(closure, (struct py_batch_item){.object = object, .type = type});
    return true;
}

static void add_targets(struct walk *walk)
{
    walk->closure->references += walk->refs.count;
    for (size_t i = 0; i < walk->refs.count; i++)
        add(walk, walk->refs.items[i].target);
    walk->refs.count = 0;
}

static void flush(struct walk *walk)
{
    walk->refs.count = 0;
    py_walk_batch(walk->objects, walk->deferred, walk->deferred_count, &walk->refs);
    for (size_t i = 0; i < walk->deferred_count; i++)
        walk->closure->bad[walk->deferred[i].status]++;
    walk->closure->deferred += walk->deferred_count;
    walk->deferred_count = 0;
    add_targets(walk);
}

static void visit(struct walk *walk, const struct py_batch_item *item)
{
    walk->refs.count = 0;
    enum py_status status = py_walk(walk->objects, item->object, item->type, &walk->refs);
    if (status != PY_DEFERRED) {
        walk->closure->bad[status]++;
        add_targets(walk);
        return;
    }
    walk->deferred[walk->deferred_count++] = *item;
    if (walk->deferred_count == BATCH)
        flush(walk);
}

static bool add_of_page(void *context, uint64_t object, bool frozen)
{
    (void)frozen;
    return add(context, object);
}

static void collect_lists(struct walk *walk, struct py *py)
{
    for (uint32_t i = 0; i < py->interpreter_count; i++) {
        const struct py_gc *gc = &py->interpreters[i].gc;
        for (int generation = 0; generation < 3; generation++)
            py_gc_list(py, gc->generations[generation].head, add, walk);
        py_gc_list(py, gc->permanent, add, walk);
        py_gc_pages(py, i, add_of_page, walk);
    }
}

void closure_collect(struct closure *closure, struct py *py, struct py_objects *objects)
{
    struct walk *walk = df_xcalloc(1, sizeof(*walk));
    walk->closure = closure;
    walk->objects = objects;
    df_map_init(&closure->seen);
    collect_lists(walk, py);
    closure->from_lists = closure->count;
    for (size_t i = 0; i < closure->more_count; i++)
        add(walk, closure->more[i]);
    for (size_t next = 0; next < closure->count || walk->deferred_count;) {
        if (next == closure->count) {
            flush(walk);
            continue;
        }
        struct py_batch_item item = closure->items[next++]; /* the array moves */
        visit(walk, &item);
    }
    free(walk->refs.items);
    free(walk);
}

void closure_deinit(struct closure *closure)
{
    free(closure->items);
    df_map_deinit(&closure->seen);
    memset(closure, 0, sizeof(*closure));
}
