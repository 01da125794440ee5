/* SPDX-License-Identifier: MIT
 * discover.c: a worklist in order of discovery. Objects are walked in small groups, then the
 * references of the group are resolved together, so that the look-ups of their targets can be
 * fetched ahead: a look-up is a cache miss, and there is one for each reference of the process.
 *
 * Objects that need emulation (PY_DEFERRED) are put by and walked in batches, since a batch shares
 * the cost of starting the emulator. Their edges come later than those of their neighbours, which
 * is why every object keeps where its run of edges begins.
 */
#include "analyzer/graph/discover.h"

#include <string.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"

#define GROUP_OBJECTS 256
#define GROUP_REFS 4096
#define BATCH_OBJECTS 65536 /* deferred objects that are walked at once */
#define FETCH_AHEAD 16
#define PROGRESS_STEP 65536

struct run { /* the references of one object in the group's buffer */
    uint32_t object;
    size_t first, count;
};

void gr_discovery_init(struct gr_discovery *discovery, struct py_objects *objects, struct py *py,
                       const struct df_progress *progress)
{
    *discovery = (struct gr_discovery){
        .py = py, .objects = objects, .reader = py_reader(py), .progress = progress};
    df_map_init(&discovery->numbers);
    discovery->interned = df_xcalloc(py->interpreter_count + 1, sizeof(*discovery->interned));
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        discovery->interned[i] = py_interned_strings(py, i);
}

void gr_discovery_deinit(struct gr_discovery *discovery)
{
    free(discovery->interned);
    df_map_deinit(&discovery->numbers);
    free(discovery->found.items);
    free(discovery->targets);
    free(discovery->kinds);
    free(discovery->weak.items);
    free(discovery->native.items);
    free(discovery->refs.items);
    free(discovery->deferred.items);
}

/* How surely each source says that there is an object. */
static int source_strength(enum gr_source source)
{
    static const int strength[GR_SOURCES] = {
        [GR_FROM_GC_LIST] = 4, [GR_FROM_STATIC] = 3, [GR_FROM_REFERENT] = 2, [GR_FROM_SWEEP] = 1};

    return strength[source];
}

uint32_t gr_discover(struct gr_discovery *discovery, uint64_t address, enum gr_source source,
                     uint8_t flags)
{
    uint32_t number = address ? df_map_get(&discovery->numbers, address) : DF_MAP_NONE;
    uint32_t type;

    if (number != DF_MAP_NONE) {
        struct gr_found *found = &discovery->found.items[number];

        found->flags |= flags;
        if (source_strength(source) > source_strength(found->source))
            found->source = (uint8_t)source;
        return number;
    }
    type = address ? py_object_type(discovery->objects, address) : PY_NO_TYPE;
    if (type == PY_NO_TYPE)
        return AL_NONE;
    if (discovery->found.count >= AL_MAX_NODES) {
        discovery->too_many = true;
        return AL_NONE;
    }
    number = (uint32_t)discovery->found.count;
    df_map_set(&discovery->numbers, address, number);
    DF_PUSH(&discovery->found,
            (struct gr_found){
                .address = address, .type = type, .flags = flags, .source = (uint8_t)source});
    return number;
}

struct gc_visit {
    struct gr_discovery *discovery;
    uint8_t flags;
};

static bool visit_gc_object(void *context, uint64_t object)
{
    struct gc_visit *visit = context;
    struct gr_discovery *discovery = visit->discovery;
    size_t before = discovery->found.count;
    uint32_t number = gr_discover(discovery, object, GR_FROM_GC_LIST, visit->flags);

    /* Lists are walked before all else: what was met already is in two lists, or the list has
     * come back to where it was. */
    if (number != AL_NONE && number < before)
        return false;
    if (number == AL_NONE)
        py_ledger_add(discovery->objects, "entries of collector lists without a type", object);
    if (discovery->found.count % PROGRESS_STEP == 0)
        df_progress(discovery->progress, "reading collector lists", discovery->found.count, 0);
    return !discovery->too_many;
}

static void damaged(struct gr_discovery *discovery, const char *what, uint64_t address)
{
    discovery->lists_damaged = true;
    py_ledger_add(discovery->objects, what, address);
}

static void discover_gc_list(struct gr_discovery *discovery, uint64_t head, uint8_t flags)
{
    struct gc_visit visit = {.discovery = discovery, .flags = flags};

    if (!py_gc_list(discovery->py, head, visit_gc_object, &visit) && !discovery->too_many)
        damaged(discovery, "collector lists damaged", head);
}

static bool is_new(void *context, uint64_t object)
{
    struct gr_discovery *discovery = context;

    return df_map_get(&discovery->numbers, object) == DF_MAP_NONE;
}

static void discover_stack_list(void *context, uint64_t head)
{
    discover_gc_list(context, head, GR_TRACKED);
}

static bool visit_page_object(void *context, uint64_t object, bool frozen)
{
    struct gc_visit visit = {.discovery = context, .flags = GR_TRACKED | (frozen ? GR_FROZEN : 0)};

    return visit_gc_object(&visit, object);
}

void gr_discover_gc_lists(struct gr_discovery *discovery)
{
    bool collecting = false;

    for (uint32_t i = 0; i < discovery->py->interpreter_count; i++) {
        const struct py_gc *gc = &discovery->py->interpreters[i].gc;

        for (size_t generation = 0; generation < 3; generation++)
            if (gc->generations[generation].head)
                discover_gc_list(discovery, gc->generations[generation].head, GR_TRACKED);
        if (gc->permanent)
            discover_gc_list(discovery, gc->permanent, GR_TRACKED | GR_FROZEN);
        if (!py_gc_pages(discovery->py, i, visit_page_object, discovery) && !discovery->too_many)
            damaged(discovery, "allocator pages damaged", discovery->py->interpreters[i].address);
        collecting |= gc->collecting;
    }
    if (collecting)
        py_gc_stack_lists(discovery->py, is_new, discover_stack_list, discovery);
}

static void push_edge(struct gr_discovery *discovery, uint32_t target, uint8_t kind)
{
    discovery->targets = df_grow(discovery->targets, discovery->edge_count,
                                 &discovery->target_capacity, sizeof(*discovery->targets));
    discovery->kinds = df_grow(discovery->kinds, discovery->edge_count, &discovery->kind_capacity,
                               sizeof(*discovery->kinds));
    discovery->targets[discovery->edge_count] = target;
    discovery->kinds[discovery->edge_count++] = kind;
}

void gr_discover_reference(struct gr_discovery *discovery, uint32_t number)
{
    struct gr_found *found = &discovery->found.items[number];

    if (found->references < INT64_MAX / 2)
        found->references++;
}

static void absorb_ref(struct gr_discovery *discovery, uint32_t source, const struct py_ref *ref)
{
    enum gr_source how = ref->kind == PY_REF_GUESS ? GR_FROM_GUESS : GR_FROM_REFERENT;
    uint32_t target;

    if (ref->kind == PY_REF_WEAK) {
        DF_PUSH(&discovery->weak, (struct gr_weak_edge){.source = source, .target = ref->target});
        return;
    }
    target = gr_discover(discovery, ref->target, how, 0);
    if (target == AL_NONE) {
        py_ledger_add(discovery->objects, "references to no object", ref->target);
        return;
    }
    if (ref->uncounted)
        gr_discover_reference(discovery, target);
    if (ref->kind == PY_REF_NATIVE) {
        discovery->references_by_kind[PY_REF_NATIVE]++;
        DF_PUSH(&discovery->native, ref->target);
        return;
    }
    if (discovery->edge_count >= UINT32_MAX - 1) {
        discovery->too_many = true;
        return;
    }
    discovery->references_by_kind[ref->kind]++;
    push_edge(discovery, target, ref->kind);
}

static void fetch_ref(const struct gr_discovery *discovery, const struct py_ref *ref)
{
    const struct df_map *map = &discovery->numbers;

    if (map->keys)
        __builtin_prefetch(&map->keys[df_map_slot_(map, ref->target)]);
}

/* The dict of interned strings does not count what it holds (Objects/unicodeobject.c). */
static bool holds_weakly(const struct gr_discovery *discovery, uint64_t object)
{
    for (uint32_t i = 0; i < discovery->py->interpreter_count; i++)
        if (object == discovery->interned[i])
            return true;
    return false;
}

/* Turns the references of a group of objects into edges. */
static void absorb(struct gr_discovery *discovery, const struct run *runs, size_t count)
{
    const struct py_refs *refs = &discovery->refs;

    for (size_t i = 0; i < count && !discovery->too_many; i++) {
        uint32_t object = runs[i].object;
        size_t first = discovery->edge_count;
        bool weakly = holds_weakly(discovery, discovery->found.items[object].address);

        for (size_t r = runs[i].first; r < runs[i].first + runs[i].count; r++) {
            if (r + FETCH_AHEAD < refs->count)
                fetch_ref(discovery, &refs->items[r + FETCH_AHEAD]);
            struct py_ref ref = refs->items[r];
            if (weakly && ref.kind != PY_REF_REFERENT)
                continue; /* a key, which is the value too */
            if (weakly)
                ref.kind = PY_REF_WEAK;
            absorb_ref(discovery, object, &ref);
        }
        discovery->found.items[object].flags |= weakly ? GR_UNCOUNTED : 0;
        discovery->found.items[object].first = (uint32_t)first;
        discovery->found.items[object].count = (uint32_t)(discovery->edge_count - first);
    }
}

/* Facts, not faults: what could not be read is counted, and an example kept. */
static void note_status(struct gr_discovery *discovery, uint64_t object, enum py_status status)
{
    static const char *const reasons[PY_STATUS_COUNT] = {
        [PY_FAULT] = "objects read only in part",
        [PY_IMPLAUSIBLE] = "objects whose tables contradict themselves",
        [PY_NOT_OBJECT] = "objects that are none on a second look",
    };

    if (status < PY_STATUS_COUNT && reasons[status])
        py_ledger_add(discovery->objects, reasons[status], object);
}

/* Immortal is immortal; else the sum. */
static int64_t counted(int64_t uncounted, int64_t count)
{
    int64_t sum;

    return count == INT64_MAX || __builtin_add_overflow(uncounted, count, &sum) ? INT64_MAX : sum;
}

/* All that is asked of an object but its references. */
static void measure(struct gr_discovery *discovery, struct gr_found *found)
{
    struct py_objects *objects = discovery->objects;
    const struct py_type *type = py_type_at(objects, found->type);
    uint8_t flags = py_object_flags(objects, found->address, found->type);

    if (py_size(objects, found->address, found->type, &found->size) != PY_OK) {
        py_ledger_add(objects, "objects whose size is not known", found->address);
        if (!found->size)
            found->size = type->basic_size > 0 ? (uint64_t)type->basic_size : 0;
    }
    found->references = counted(found->references, py_refcount(&discovery->reader, found->address));
    if (flags & PY_FLAG_TRACKED)
        found->flags |= GR_TRACKED;
    if (flags & PY_FLAG_FINALIZED)
        found->flags |= GR_FINALIZED;
    if (flags & PY_FLAG_IMMORTAL || found->references == INT64_MAX) {
        found->flags |= GR_IMMORTAL;
        found->references = INT64_MAX;
    }
    if (type->has_del || type->del)
        found->flags |= GR_HAS_FINALIZER;
    if (py_is_gc(objects, found->address, found->type))
        found->flags |= GR_GC;
}

/* Walks some objects of the worklist. */
static void walk_group(struct gr_discovery *discovery)
{
    struct run runs[GROUP_OBJECTS];
    size_t count = 0;

    discovery->refs.count = 0;
    while (count < GROUP_OBJECTS && discovery->refs.count < GROUP_REFS &&
           discovery->next < discovery->found.count) {
        uint32_t number = (uint32_t)discovery->next++;
        struct gr_found *found = &discovery->found.items[number];
        struct run run = {.object = number, .first = discovery->refs.count};
        enum py_status status;

        measure(discovery, found);
        status = py_walk(discovery->objects, found->address, found->type, &discovery->refs);
        note_status(discovery, found->address, status);
        if (status == PY_DEFERRED) {
            DF_PUSH(&discovery->deferred,
                    (struct py_batch_item){.object = found->address, .type = found->type});
            continue;
        }
        run.count = discovery->refs.count - run.first;
        runs[count++] = run;
    }
    absorb(discovery, runs, count);
}

/* Walks the deferred objects and absorbs their references. */
static void walk_deferred(struct gr_discovery *discovery)
{
    struct gr_deferred *deferred = &discovery->deferred;
    size_t count = deferred->count;

    discovery->refs.count = 0;
    py_walk_batch(discovery->objects, deferred->items, count, &discovery->refs);
    for (size_t i = 0; i < count; i++) {
        const struct py_batch_item *item = &deferred->items[i];
        struct run run = {.object = df_map_get(&discovery->numbers, item->object),
                          .first = item->first,
                          .count = item->count};

        note_status(discovery, item->object, item->status);
        absorb(discovery, &run, 1);
    }
    deferred->count = 0;
}

struct df_err *gr_discover_all(struct gr_discovery *discovery)
{
    size_t told = 0;

    while (!discovery->too_many) {
        if (discovery->next < discovery->found.count) {
            walk_group(discovery);
            if (discovery->deferred.count < BATCH_OBJECTS &&
                discovery->next < discovery->found.count) {
                if (discovery->next - told >= PROGRESS_STEP) {
                    told = discovery->next;
                    df_progress(discovery->progress, "walking objects", told,
                                discovery->found.count);
                }
                continue;
            }
        }
        if (!discovery->deferred.count)
            break;
        walk_deferred(discovery);
    }
    if (discovery->too_many)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "the process has more than 4 billion objects or references, which is "
                          "more than this program can number");
    df_progress(discovery->progress, "walking objects", discovery->next, discovery->found.count);
    return NULL;
}
