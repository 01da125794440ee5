/* SPDX-License-Identifier: MIT
 * scouts.c: workers beside which types are still met.
 *
 * What they read of the owner's is types that are settled: of these nothing changes any more that a
 * walk asks for. Their tables of types are their own, and grow by what they are told.
 */
#include "analyzer/objects/internal.h"

struct py_objects *py_scout_open(const struct py_objects *owner)
{
    struct py_objects *scout = df_xcalloc(1, sizeof(*scout));
    scout->py = owner->py;
    scout->reader = owner->reader;
    scout->reader.fault = false;
    scout->is_worker = true;
    df_map_init(&scout->type_map);
    return scout;
}

void py_scout_close(struct py_objects *scout)
{
    if (!scout)
        return;
    df_map_deinit(&scout->type_map);
    free(scout->types);
    free(scout->scratch.items);
    free(scout);
}

/* Walkers that read the object and its tables and nothing else, however often they are asked. */
static bool is_for_scouts(py_walker walk)
{
    static const py_walker walkers[] = {
        py_walk_tuple, py_walk_structseq,   py_walk_list,  py_walk_set,           py_walk_dict,
        py_walk_odict, py_walk_defaultdict, py_walk_deque, py_walk_generator,     py_walk_row,
        py_walk_frame, py_walk_instance,    py_walk_code,  py_walk_timezone_owner};
    for (size_t i = 0; i < sizeof(walkers) / sizeof(*walkers); i++)
        if (walk == walkers[i])
            return true;
    return !walk;
}

static bool type_is_for_scouts(struct py_objects *objects, const struct py_type *type)
{
    const struct py_type *base = type->python_class ? py_instance_base(objects, type) : NULL;
    const struct py_known *row = type->walk == py_walk_unvisited ? type->data : NULL;
    const struct py_known *owner =
        type->owner_index == PY_NO_TYPE ? NULL : objects->types[type->owner_index]->data;
    return !type->deferred && !type->asks_gc && is_for_scouts(row ? row->walk : type->walk) &&
           (!base || is_for_scouts(base->walk)) && (!owner || is_for_scouts(owner->walk));
}

void py_type_settle(struct py_objects *owner, uint32_t index)
{
    struct py_type *type = owner->types[index];
    bool fault = owner->reader.fault;
    if (type->settled)
        return;
    py_find_members(owner, type);
    type->for_scouts = type_is_for_scouts(owner, type);
    type->settled = true;
    owner->reader.fault = fault;
    DF_PUSH(&owner->settled, (struct py_told_type){type, true});
}

static void show_bases(struct py_objects *owner, const struct py_type *type)
{
    for (uint32_t i = type->base_index; i != PY_NO_TYPE && !owner->types[i]->shown;
         i = owner->types[i]->base_index) {
        owner->types[i]->shown = true;
        DF_PUSH(&owner->told, (struct py_told_type){owner->types[i], false});
    }
}

void py_scouts_tell(struct py_objects *owner)
{
    while (owner->settled_told < owner->settled.count) {
        struct py_type *type = owner->settled.items[owner->settled_told++].type;
        show_bases(owner, type);
        type->shown = true;
        DF_PUSH(&owner->told, (struct py_told_type){type, true});
    }
}

static void hear(struct py_objects *scout, struct py_type *type, bool settled)
{
    while (scout->type_count <= type->index) {
        scout->types =
            df_grow(scout->types, scout->type_count, &scout->type_capacity, sizeof(*scout->types));
        scout->types[scout->type_count++] = NULL;
    }
    scout->types[type->index] = type;
    if (settled)
        df_map_set(&scout->type_map, type->address, type->index);
}

void py_scout_brief(struct py_objects *scout, const struct py_objects *owner)
{
    for (; scout->heard < owner->told.count; scout->heard++)
        hear(scout, owner->told.items[scout->heard].type, owner->told.items[scout->heard].settled);
}
