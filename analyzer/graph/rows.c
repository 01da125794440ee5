/* SPDX-License-Identifier: MIT
 * rows.c: see rows.h. Objects are walked in small groups, then the references of the group are
 * looked up together, so that what is asked of their targets can be fetched ahead.
 */
#include "analyzer/graph/rows.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define GROUP_OBJECTS 256
#define GROUP_REFS 4096
#define SEE_AHEAD 16 /* references */

/* A size that is known in part serves. */
static uint64_t settled_size(struct py_objects *objects, uint64_t object,
                             const struct py_type *type, enum py_status status, uint64_t size)
{
    if (status == PY_OK)
        return size;
    py_ledger_add(objects, "objects whose size is not known", object);
    return size ? size : type->basic_size > 0 ? (uint64_t)type->basic_size : 0;
}

uint64_t gr_size_of(struct py_objects *objects, const struct gr_subject *object)
{
    uint64_t size = 0;
    enum py_status status = py_size(objects, object->address, object->type, &size);

    return settled_size(objects, object->address, py_type_at(objects, object->type), status, size);
}

static uint8_t flags_of(const struct gr_discovery *discovery, const struct gr_subject *object,
                        const struct py_type *type, uint8_t told, bool is_gc)
{
    uint8_t flags = 0;

    if (told & PY_FLAG_TRACKED || gr_bit(discovery->listed, object->place))
        flags |= GR_TRACKED;
    if (gr_bit(discovery->frozen, object->place))
        flags |= GR_FROZEN;
    if (told & PY_FLAG_FINALIZED)
        flags |= GR_FINALIZED;
    if (told & PY_FLAG_IMMORTAL)
        flags |= GR_IMMORTAL;
    if (type->has_del || type->del)
        flags |= GR_HAS_FINALIZER;
    if (is_gc)
        flags |= GR_GC;
    return flags;
}

uint8_t gr_flags_of(struct py_objects *objects, const struct gr_discovery *discovery,
                    const struct gr_subject *object)
{
    return flags_of(discovery, object, py_type_at(objects, object->type),
                    py_object_flags(objects, object->address, object->type),
                    py_is_gc(objects, object->address, object->type));
}

/* All that is asked of an object but its references. What is in no list has its source from the
 * discovery in the end, where it is another than its referent. */
static const struct py_type *fill_node(struct gr_rows *rows, struct gr_subject *object)
{
    struct gr_graph *graph = rows->graph;
    struct gr_row_lists *lists = &rows->lists;
    uint32_t v = object->node;
    bool listed = gr_bit(rows->discovery->listed, object->place);
    struct py_look look;

    py_look(rows->objects, object->address, &look);
    object->type = look.type->index;
    graph->origins[v] = listed ? GR_FROM_GC_LIST : GR_FROM_REFERENT;
    lists->objects_by_source[listed ? GR_FROM_GC_LIST : GR_FROM_REFERENT]++;
    gr_column_put(&graph->types, &lists->wide_types, v, object->type);
    gr_column_put(&graph->references, &lists->wide_references, v,
                  look.references == INT64_MAX ? 0 : (uint64_t)look.references);
    graph->flags[v] = look.references == INT64_MAX ? GR_IMMORTAL : 0;
    if (py_type_runs_code(look.type)) {
        DF_PUSH(&lists->asked, *object);
        return look.type;
    }
    graph->flags[v] |= flags_of(rows->discovery, object, look.type, look.flags, look.is_gc);
    gr_column_put(&graph->sizes, &lists->wide_sizes, v,
                  settled_size(rows->objects, object->address, look.type,
                               (enum py_status)look.status, look.size));
    return look.type;
}

static void push_edge(struct gr_row_lists *lists, uint32_t target, uint8_t kind)
{
    size_t edge = lists->target.count++;

    lists->target.items[edge] = target; /* there is room: see add_rows */
    if (kind != PY_REF_REFERENT)
        DF_PUSH(&lists->kinds, (struct gr_edge_kind){.edge = (uint32_t)edge, .kind = kind});
    lists->references_by_kind[kind]++;
}

/* Of one that is no plain edge. */
static void add_special(struct gr_rows *rows, const struct py_ref *ref, uint32_t target,
                        bool weakly)
{
    struct gr_row_lists *lists = &rows->lists;
    enum py_ref_kind kind = weakly ? PY_REF_WEAK : (enum py_ref_kind)ref->kind;

    if (weakly && ref->kind != PY_REF_REFERENT)
        return; /* a key, which is the value too */
    if (kind == PY_REF_WEAK) {
        if (target != GR_NO_RANK)
            DF_PUSH(&lists->weak_target, target);
        return;
    }
    if (target == GR_NO_RANK) {
        py_ledger_add(rows->objects, "references to no object", ref->target);
        return;
    }
    if (ref->uncounted)
        DF_PUSH(&lists->uncounted, target);
    if (kind != PY_REF_NATIVE) {
        push_edge(lists, target, (uint8_t)kind);
        return;
    }
    lists->references_by_kind[PY_REF_NATIVE]++;
    DF_PUSH(&lists->native, ref->target);
}

static void add_reference(struct gr_rows *rows, const struct py_ref *ref, uint64_t place,
                          bool weakly)
{
    const struct gr_places *places = &rows->discovery->places;
    uint32_t target = place != GR_NO_PLACE && gr_bit(places->bits, place)
                          ? (uint32_t)gr_rank_below(places, place)
                          : GR_NO_RANK;

    if (target != GR_NO_RANK && ref->kind < PY_REF_WEAK && !ref->uncounted && !weakly)
        push_edge(&rows->lists, target, ref->kind);
    else
        add_special(rows, ref, target, weakly);
}

/* The place of a reference's target, about which more is asked soon. */
static uint64_t see_target(struct gr_rows *rows, size_t r)
{
    const struct gr_places *places = &rows->discovery->places;
    uint64_t place = gr_place_near(places, rows->near, rows->refs.items[r].target);

    if (place != GR_NO_PLACE) {
        __builtin_prefetch(&places->bits[place / 64]);
        __builtin_prefetch(&places->ranks[place / 512]);
    }
    return place;
}

/* What emulation had found of an object. */
static bool push_kept(struct gr_rows *rows, uint64_t object)
{
    const struct gr_discovery *discovery = rows->discovery;

    while (rows->kept < discovery->kept.count && discovery->kept.items[rows->kept].object < object)
        rows->kept++;
    if (rows->kept == discovery->kept.count || discovery->kept.items[rows->kept].object != object)
        return false;
    const struct gr_kept *kept = &discovery->kept.items[rows->kept];

    for (size_t i = kept->first; i < (size_t)kept->first + kept->count; i++) {
        const struct gr_kept_ref *ref = &discovery->kept_refs.items[i];

        DF_PUSH(
            &rows->refs,
            (struct py_ref){.target = ref->target, .kind = ref->kind, .uncounted = ref->uncounted});
    }
    return true;
}

/* Those of lower addresses than the run's are not asked. */
static void find_kept(struct gr_rows *rows, uint64_t first)
{
    const struct gr_discovery *discovery = rows->discovery;
    size_t low = 0, high = discovery->kept.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (discovery->kept.items[middle].object < first)
            low = middle + 1;
        else
            high = middle;
    }
    rows->kept = low;
}

static void push_references(struct gr_rows *rows, const struct gr_subject *object,
                            const struct py_type *type)
{
    enum py_status status;

    if (py_type_has_no_references(type) || push_kept(rows, object->address))
        return;
    status = py_walk(rows->objects, object->address, object->type, &rows->refs);
    if (status != PY_OK)
        gr_note_status(rows->objects, object->address, status);
}

/* A group of objects, whose references are in the buffer: where those of each end. */
struct group {
    uint32_t first, count; /* nodes */
    uint64_t address[GROUP_OBJECTS];
    size_t end[GROUP_OBJECTS];
    uint64_t ahead[SEE_AHEAD]; /* places of the references that are next */
};

static void add_row(struct gr_rows *rows, struct group *group, uint32_t i, bool weakly)
{
    struct gr_graph *graph = rows->graph;
    struct gr_row_lists *lists = &rows->lists;
    uint32_t v = group->first + i;
    size_t weak = lists->weak_target.count;

    for (size_t r = i ? group->end[i - 1] : 0; r < group->end[i]; r++) {
        uint64_t place = group->ahead[r % SEE_AHEAD];

        if (r + SEE_AHEAD < rows->refs.count)
            group->ahead[r % SEE_AHEAD] = see_target(rows, r + SEE_AHEAD);
        add_reference(rows, &rows->refs.items[r], place, weakly);
    }
    graph->flags[v] |= weakly ? GR_UNCOUNTED : 0;
    graph->start[v + 1] = (uint32_t)lists->target.count;
    if (lists->weak_target.count == weak)
        return;
    DF_PUSH(&lists->weak_holder, v);
    DF_PUSH(&lists->weak_start, (uint32_t)weak);
}

/* Few hold weakly: whether one of a group does. */
static bool any_holds_weakly(const struct gr_discovery *discovery, const struct group *group)
{
    for (uint32_t i = 0; i < discovery->py->interpreter_count; i++)
        if (discovery->interned[i] >= group->address[0] &&
            discovery->interned[i] <= group->address[group->count - 1])
            return true;
    return false;
}

static void add_rows(struct gr_rows *rows, struct group *group)
{
    struct gr_numbers *target = &rows->lists.target;
    bool any = group->count && any_holds_weakly(rows->discovery, group);

    target->items = df_room(target->items, target->count, rows->refs.count, &target->capacity,
                            sizeof(*target->items));
    for (size_t r = 0; r < SEE_AHEAD && r < rows->refs.count; r++)
        group->ahead[r] = see_target(rows, r);
    for (uint32_t i = 0; i < group->count; i++)
        add_row(rows, group, i, any && gr_holds_weakly(rows->discovery, group->address[i]));
}

static void fill_group(struct gr_rows *rows, struct gr_run *run, struct group *group)
{
    struct gr_subject object;

    group->first = run->first;
    group->count = 0;
    rows->refs.count = 0;
    while (group->count < GROUP_OBJECTS && rows->refs.count < GROUP_REFS && run->first < run->end &&
           gr_places_next(&run->cursor, &object.address, &object.place)) {
        object.node = run->first++;
        push_references(rows, &object, fill_node(rows, &object));
        group->address[group->count] = object.address;
        group->end[group->count++] = rows->refs.count;
    }
}

void gr_rows_make(struct gr_rows *rows, struct gr_run run)
{
    struct gr_run first = run;
    uint64_t address, place;
    struct group group;

    if (gr_places_next(&first.cursor, &address, &place))
        find_kept(rows, address);
    while (run.first < run.end && rows->lists.target.count < UINT32_MAX) {
        fill_group(rows, &run, &group);
        add_rows(rows, &group);
    }
}

static void join(struct gr_numbers *numbers, struct gr_numbers *more, uint32_t first)
{
    DF_APPEND(numbers, more->items, more->count);
    for (size_t i = numbers->count - more->count; first && i < numbers->count; i++)
        numbers->items[i] += first;
    more->count = 0;
}

static void join_wide(struct gr_wide_list *wide, struct gr_wide_list *more)
{
    DF_APPEND(wide, more->items, more->count);
    more->count = 0;
}

void gr_row_lists_join(struct gr_row_lists *lists, struct gr_row_lists *more, uint64_t first_edge)
{
    for (size_t i = 0; i < more->kinds.count; i++)
        more->kinds.items[i].edge += (uint32_t)first_edge;
    DF_APPEND(&lists->kinds, more->kinds.items, more->kinds.count);
    join(&lists->weak_start, &more->weak_start, (uint32_t)lists->weak_target.count);
    join(&lists->weak_target, &more->weak_target, 0);
    join(&lists->weak_holder, &more->weak_holder, 0);
    join(&lists->uncounted, &more->uncounted, 0);
    join_wide(&lists->wide_types, &more->wide_types);
    join_wide(&lists->wide_sizes, &more->wide_sizes);
    join_wide(&lists->wide_references, &more->wide_references);
    DF_APPEND(&lists->native, more->native.items, more->native.count);
    DF_APPEND(&lists->asked, more->asked.items, more->asked.count);
    for (int i = 0; i < PY_REF_KINDS; i++)
        lists->references_by_kind[i] += more->references_by_kind[i];
    for (int i = 0; i < GR_SOURCES; i++)
        lists->objects_by_source[i] += more->objects_by_source[i];
    memset(more->references_by_kind, 0, sizeof(more->references_by_kind));
    memset(more->objects_by_source, 0, sizeof(more->objects_by_source));
    more->kinds.count = more->native.count = more->asked.count = more->target.count = 0;
}

void gr_row_lists_deinit(struct gr_row_lists *lists)
{
    free(lists->target.items);
    free(lists->kinds.items);
    free(lists->weak_target.items);
    free(lists->weak_holder.items);
    free(lists->weak_start.items);
    free(lists->wide_types.items);
    free(lists->wide_sizes.items);
    free(lists->wide_references.items);
    free(lists->uncounted.items);
    free(lists->native.items);
    free(lists->asked.items);
}
