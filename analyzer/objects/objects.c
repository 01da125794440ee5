/* SPDX-License-Identifier: MIT
 * objects.c: opening and closing, workers, the ledger, and the walk of one object: which walkers in
 * which order.
 */
#include "analyzer/objects/learned.h"

struct df_err *py_objects_open(struct py *py, const struct py_objects_options *options,
                               struct py_objects **ret)
{
    struct py_objects *objects = df_xcalloc(1, sizeof(*objects));
    objects->py = py;
    objects->reader = py_reader(py);
    objects->no_emulator = options && options->no_emulator;
    df_map_init(&objects->type_map);
    df_map_init(&objects->traverse_map);
    df_map_init(&objects->sizeof_map);
    df_map_init(&objects->gc_map);
    if (py->dump->necro) {
        struct df_err *err = py_objects_restore(objects);
        if (err) {
            py_objects_close(objects);
            return err;
        }
    } else {
        py_probe_managed_visit(objects); /* a snapshot's layout has the answer */
    }
    *ret = objects;
    return NULL;
}

void py_objects_set_source(struct py_objects *objects, const struct py_objects_source *source)
{
    objects->source = *source;
}

static void free_types(struct py_objects *objects)
{
    for (size_t i = 0; i < objects->type_count; i++) {
        py_learned_free(objects->types[i]->learned);
        if (i < objects->restored_count)
            continue; /* of the block, its name the snapshot's */
        free(objects->types[i]->name);
        free(objects->types[i]);
    }
    free(objects->restored);
    free(objects->types);
}

void py_objects_close(struct py_objects *objects)
{
    if (!objects)
        return;
    free_types(objects);
    df_map_deinit(&objects->type_map);
    df_map_deinit(&objects->traverse_map);
    df_map_deinit(&objects->sizeof_map);
    df_map_deinit(&objects->gc_map);
    free(objects->sizeofs.items);
    df_emulator_destroy(objects->emulator);
    free(objects->emulator_note);
    free(objects->targets.items);
    free(objects->scratch.items);
    free(objects->sourced.items);
    free(objects->settled.items);
    free(objects->told.items);
    py_debug_close(objects->debug);
    py_names_close(objects->names);
    py_thread_names_close(objects->thread_names);
    free(objects);
}

static void add_to_ledger(struct py_objects *objects, const struct py_ledger_row *row)
{
    uint32_t i = 0;
    while (i < objects->ledger_count && strcmp(objects->ledger[i].reason, row->reason) != 0)
        i++;
    if (i == objects->ledger_count) {
        if (i == PY_MAX_LEDGER)
            i--; /* the last row takes what has no room; there are far fewer reasons than rows */
        else
            objects->ledger[objects->ledger_count++] =
                (struct py_ledger_row){.reason = row->reason, .example = row->example};
    }
    objects->ledger[i].count += row->count;
}

/* Whatever is asked of types at need: a worker must find it there. New types may be met on the way.
 */
void py_find_sizers(struct py_objects *objects)
{
    for (size_t i = 0; i < objects->type_count; i++)
        py_settle_sizer(objects, objects->types[i]);
}

static struct py_objects *make_worker(const struct py_objects *owner)
{
    struct py_objects *worker = df_xcalloc(1, sizeof(*worker));
    *worker = *owner;
    worker->is_worker = true;
    worker->reader.fault = false;
    worker->ledger_count = 0;
    worker->targets = (struct df_targets){0};
    worker->scratch = worker->sourced = (struct py_refs){0};
    return worker;
}

struct py_objects **py_objects_workers(struct py_objects *owner, uint32_t count)
{
    struct py_objects **workers = df_xcalloc(count ? count : 1, sizeof(*workers));
    py_find_sizers(owner);
    for (uint32_t i = 0; i < count; i++)
        workers[i] = make_worker(owner);
    return workers;
}

void py_objects_close_workers(struct py_objects **workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(workers[i]->scratch.items);
        free(workers[i]->sourced.items);
        free(workers[i]);
    }
    free(workers);
}

void py_objects_take_ledger(struct py_objects *owner, struct py_objects *worker)
{
    for (uint32_t i = 0; i < worker->ledger_count; i++)
        add_to_ledger(owner, &worker->ledger[i]);
    worker->ledger_count = 0;
}

uint32_t py_ledger(const struct py_objects *objects, const struct py_ledger_row **ret)
{
    *ret = objects->ledger;
    return objects->ledger_count;
}

void py_ledger_add_row(struct py_objects *objects, const struct py_ledger_row *row)
{
    add_to_ledger(objects, row);
}

void py_ledger_add(struct py_objects *objects, const char *reason, uint64_t object)
{
    add_to_ledger(objects,
                  &(struct py_ledger_row){.reason = reason, .count = 1, .example = object});
}

void py_disown(struct py_refs *refs, size_t first)
{
    for (size_t i = first; i < refs->count; i++)
        if (refs->items[i].kind == PY_REF_REFERENT)
            refs->items[i].kind = PY_REF_OWNED;
}

enum py_status py_walk(struct py_objects *objects, uint64_t object, uint32_t type_index,
                       struct py_refs *refs)
{
    const struct py_type *type = objects->types[type_index];
    size_t before = refs->count;
    enum py_status status = PY_OK, base_status = PY_OK;
    /* A static type with a metatype of its own: type_is_gc says that nobody traverses it. */
    if (type->deferred && (type->flags & PY_TPFLAGS_TYPE) && !py_is_gc(objects, object, type_index))
        return py_walk_type(objects, type, object, refs);
    if (type->deferred)
        return PY_DEFERRED;
    if (type->walk)
        status = type->walk(objects, type, object, refs);
    if (type->python_class && status != PY_DEFERRED) {
        const struct py_type *base = py_instance_base(objects, type);
        if (base && base->walk)
            base_status = base->walk(objects, base, object, refs);
    }
    if (status == PY_DEFERRED || base_status == PY_DEFERRED) {
        refs->count = before;
        return PY_DEFERRED;
    }
    if (type->owner_index != PY_NO_TYPE) {
        const struct py_type *owner = objects->types[type->owner_index];
        const struct py_known *row = owner->data;
        struct py_type as = *owner;
        as.data = row->data;
        base_status = row->walk(objects, &as, object, refs);
    }
    if (type->asks_gc && !py_is_gc(objects, object, type_index))
        py_disown(refs, before);
    py_own_type(objects, type, object, refs, before);
    return status != PY_OK ? status : base_status;
}
