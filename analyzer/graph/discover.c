/* SPDX-License-Identifier: MIT
 * discover.c: what is known to be an object, and what was found but not walked yet, in order of
 * discovery. Objects whose types have no references need not be walked.
 *
 * Objects that need emulation (PY_DEFERRED) are put by and walked in batches, since a batch shares
 * the cost of starting the emulator; what it finds is kept.
 */
#include "analyzer/graph/crew.h"

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define LONG_LIST 16384
#define LEAST_SHARED 2048
#define BATCH_OBJECTS 65536 /* deferred objects that are walked at once */

struct df_err *gr_discovery_init(struct gr_discovery *discovery, struct py_objects *objects,
                                 struct py *py, const struct df_progress *progress, uint32_t jobs)
{
    *discovery = (struct gr_discovery){.py = py,
                                       .objects = objects,
                                       .reader = py_reader(py),
                                       .progress = progress,
                                       .refs = {.bare = true},
                                       .long_list = LONG_LIST,
                                       .least_shared = LEAST_SHARED,
                                       .jobs = !jobs                   ? 1
                                               : jobs < DF_MAX_THREADS ? jobs
                                                                       : DF_MAX_THREADS};
    df_map_init(&discovery->sources);
    discovery->interned = df_xcalloc(py->interpreter_count + 1, sizeof(*discovery->interned));
    for (uint32_t i = 0; i < py->interpreter_count; i++)
        discovery->interned[i] = py_interned_strings(py, i);
    DF_TRY(gr_places_init(&discovery->places, py->dump->space));
    DF_TRY(gr_places_bits(&discovery->places, &discovery->listed));
    return gr_places_bits(&discovery->places, &discovery->frozen);
}

void gr_discovery_release(struct gr_discovery *discovery)
{
    free(DF_TAKE(discovery->listed));
    free(DF_TAKE(discovery->frozen));
    gr_crew_destroy(DF_TAKE(discovery->crew));
    free(DF_TAKE(discovery->fresh.items));
    free(DF_TAKE(discovery->found.items));
    free(DF_TAKE(discovery->work.items));
    free(DF_TAKE(discovery->refs.items));
    free(DF_TAKE(discovery->deferred.items));
    free(DF_TAKE(discovery->kept.items));
    free(DF_TAKE(discovery->kept_refs.items));
    free(DF_TAKE(discovery->uncounted.items));
}

void gr_discovery_deinit(struct gr_discovery *discovery)
{
    gr_discovery_release(discovery);
    gr_places_deinit(&discovery->places);
    df_map_deinit(&discovery->sources);
    free(discovery->native.items);
    free(discovery->interned);
}

/* How surely each source says that there is an object. */
static int source_strength(enum gr_source source)
{
    static const int strength[GR_SOURCES] = {
        [GR_FROM_GC_LIST] = 4, [GR_FROM_STATIC] = 3, [GR_FROM_REFERENT] = 2, [GR_FROM_SWEEP] = 1};

    return strength[source];
}

static bool is_weak(enum gr_source source)
{
    return source_strength(source) < source_strength(GR_FROM_REFERENT);
}

enum gr_source gr_discovered_by(const struct gr_discovery *discovery, uint64_t address,
                                uint64_t place)
{
    uint32_t source;

    if (gr_bit(discovery->listed, place))
        return GR_FROM_GC_LIST;
    source = df_map_get(&discovery->sources, address);
    return source == DF_MAP_NONE ? GR_FROM_REFERENT : (enum gr_source)source;
}

uint32_t gr_discovered_from(const struct gr_discovery *discovery, enum gr_source source)
{
    const struct df_map *map = &discovery->sources;
    uint32_t count = 0;

    for (size_t i = 0; map->keys && i <= map->mask; i++)
        count += map->keys[i] && map->values[i] == (uint32_t)source;
    return count;
}

void gr_strengthen(struct gr_discovery *discovery, uint64_t address, uint64_t place,
                   enum gr_source source)
{
    enum gr_source known = gr_discovered_by(discovery, address, place);

    if (source_strength(source) <= source_strength(known))
        return;
    discovery->weak_sources -= is_weak(known) && !is_weak(source);
    df_map_set(&discovery->sources, address, source);
}

static inline void push_address(struct gr_address_list *list, uint64_t address)
{
    if (list->count == list->capacity)
        list->items = df_grow(list->items, list->count, &list->capacity, sizeof(*list->items));
    list->items[list->count++] = address;
}

void gr_enter(struct gr_discovery *discovery, uint64_t address, uint64_t place, bool is_leaf,
              enum gr_source source)
{
    if (discovery->count >= AL_MAX_NODES) {
        discovery->too_many = true;
        return;
    }
    if (is_weak(source)) {
        discovery->weak_sources++;
        atomic_store_explicit(&discovery->strengthening, true, memory_order_relaxed);
    }
    if (source != GR_FROM_GC_LIST && source != GR_FROM_REFERENT)
        df_map_set(&discovery->sources, address, source);
    gr_set_bit_beside(&discovery->places, place);
    discovery->count++;
    if (!is_leaf)
        push_address(&discovery->found, address);
    if (discovery->logging)
        push_address(&discovery->fresh, address);
}

enum gr_discovered gr_discover_at(struct gr_discovery *discovery, uint64_t address, uint64_t place,
                                  enum gr_source source)
{
    struct py_objects *objects = discovery->objects;
    const struct py_type *type;
    uint32_t index;

    if (gr_bit(discovery->places.bits, place)) {
        if (discovery->weak_sources || source == GR_FROM_STATIC)
            gr_strengthen(discovery, address, place, source);
        return GR_KNOWN_OBJECT;
    }
    index = py_object_type(objects, address);
    if (index == PY_NO_TYPE)
        return GR_NO_OBJECT;
    type = py_type_at(objects, index);
    if (!type->settled)
        py_type_settle(objects, index);
    gr_enter(discovery, address, place, py_type_has_no_references(type), source);
    return discovery->too_many ? GR_NO_OBJECT : GR_NEW_OBJECT;
}

enum gr_discovered gr_discover(struct gr_discovery *discovery, uint64_t address,
                               enum gr_source source)
{
    uint64_t place = gr_place_near(&discovery->places, discovery->near, address);

    return place == GR_NO_PLACE ? GR_NO_OBJECT : gr_discover_at(discovery, address, place, source);
}

void gr_discover_reference(struct gr_discovery *discovery, uint64_t object)
{
    DF_PUSH(&discovery->uncounted, object);
}

bool gr_holds_weakly(const struct gr_discovery *discovery, uint64_t object)
{
    /* The dict of interned strings does not count what it holds (Objects/unicodeobject.c). */
    for (uint32_t i = 0; i < discovery->py->interpreter_count; i++)
        if (object == discovery->interned[i])
            return true;
    return false;
}

static void absorb_ref(struct gr_discovery *discovery, const struct py_ref *ref, bool weakly)
{
    enum gr_source how = ref->kind == PY_REF_GUESS ? GR_FROM_GUESS : GR_FROM_REFERENT;

    if (ref->kind == PY_REF_WEAK || weakly) /* weak references discover nothing */
        return;
    if (gr_discover(discovery, ref->target, how) != GR_NO_OBJECT && ref->kind != PY_REF_NATIVE)
        discovery->edge_count++;
}

void gr_note_status(struct py_objects *objects, uint64_t object, enum py_status status)
{
    static const char *const reasons[PY_STATUS_COUNT] = {
        [PY_FAULT] = "objects read only in part",
        [PY_IMPLAUSIBLE] = "objects whose tables contradict themselves",
        [PY_NOT_OBJECT] = "objects that are none on a second look",
    };

    if (status < PY_STATUS_COUNT && reasons[status])
        py_ledger_add(objects, reasons[status], object);
}

/* Strings that are immortal may be in this dict alone: it leads to them, if it keeps them not. */
static void discover_interned(struct gr_discovery *discovery)
{
    struct py_refs *refs = &discovery->refs;

    for (size_t r = 0; r < refs->count && !discovery->too_many; r++)
        if (refs->items[r].kind == PY_REF_REFERENT)
            gr_discover(discovery, refs->items[r].target, GR_FROM_REFERENT);
    refs->count = 0;
}

void gr_walk_in_turn(struct gr_discovery *discovery, uint64_t object)
{
    struct py_refs *refs = &discovery->refs;
    uint32_t type = py_object_type(discovery->objects, object);

    refs->count = 0;
    if (py_walk(discovery->objects, object, type, refs) == PY_DEFERRED)
        DF_PUSH(&discovery->deferred, (struct py_batch_item){.object = object, .type = type});
    if (gr_holds_weakly(discovery, object))
        discover_interned(discovery);
    for (size_t r = 0; r < refs->count && !discovery->too_many; r++)
        absorb_ref(discovery, &refs->items[r], false);
    if (discovery->deferred.count == BATCH_OBJECTS)
        gr_walk_deferred(discovery);
}

static void keep(struct gr_discovery *discovery, const struct py_batch_item *item)
{
    bool weakly = gr_holds_weakly(discovery, item->object);

    DF_PUSH(&discovery->kept, (struct gr_kept){.object = item->object,
                                               .first = (uint32_t)discovery->kept_refs.count,
                                               .count = item->count});
    for (size_t r = item->first; r < (size_t)item->first + item->count; r++) {
        const struct py_ref *ref = &discovery->refs.items[r];

        DF_PUSH(&discovery->kept_refs, (struct gr_kept_ref){.target = ref->target,
                                                            .kind = ref->kind,
                                                            .uncounted = ref->uncounted});
        absorb_ref(discovery, ref, weakly);
    }
    if (discovery->kept_refs.count >= UINT32_MAX - 1 || discovery->edge_count >= UINT32_MAX - 1)
        discovery->too_many = true;
}

/* Their references are kept. */
void gr_walk_deferred(struct gr_discovery *discovery)
{
    struct gr_deferred *deferred = &discovery->deferred;
    size_t count = deferred->count;

    discovery->refs.count = 0;
    py_walk_batch(discovery->objects, deferred->items, count, &discovery->refs);
    for (size_t i = 0; i < count && !discovery->too_many; i++) {
        gr_note_status(discovery->objects, deferred->items[i].object,
                       (enum py_status)deferred->items[i].status);
        keep(discovery, &deferred->items[i]);
    }
    deferred->count = 0;
}

/* Of the room of what was walked the larger part is kept: numbering has use for it. */
static void keep_room(struct gr_discovery *discovery)
{
    struct gr_address_list *work = &discovery->work, *found = &discovery->found;
    struct gr_address_list smaller = *work;

    if (found->capacity > work->capacity)
        *work = *found;
    else
        smaller = *found;
    free(smaller.items);
    *found = (struct gr_address_list){0};
    work->count = discovery->next = 0;
}

struct df_err *gr_discover_all(struct gr_discovery *discovery)
{
    if (!discovery->crew)
        discovery->crew = gr_crew_create(discovery);
    gr_crew_walk(discovery->crew);
    keep_room(discovery);
    if (discovery->too_many)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "the process has more than 4 billion objects or references, which is "
                          "more than this program can number");
    return NULL;
}
