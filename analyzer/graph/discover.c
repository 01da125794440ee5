/* SPDX-License-Identifier: MIT
 * discover.c: a worklist in order of discovery. Objects are walked in small groups, then the
 * references of the group are looked up together, so that the bits and the types of their targets
 * can be fetched ahead: each is a cache miss, and there is one for each reference of the process.
 *
 * Objects that need emulation (PY_DEFERRED) are put by and walked in batches, since a batch shares
 * the cost of starting the emulator; what it finds is kept. Objects whose types have no references
 * are not put on the worklist at all.
 */
#include "analyzer/graph/discover.h"

#include <string.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define GROUP_OBJECTS 256
#define GROUP_REFS 4096
#define BATCH_OBJECTS 65536 /* deferred objects that are walked at once */
#define FETCH_BITS 32       /* references ahead */
#define FETCH_TYPE 16
#define FETCH_OBJECT 8 /* objects ahead */
#define PROGRESS_STEP 65536

struct df_err *gr_discovery_init(struct gr_discovery *discovery, struct py_objects *objects,
                                 struct py *py, const struct df_progress *progress, uint32_t jobs)
{
    *discovery = (struct gr_discovery){.py = py,
                                       .objects = objects,
                                       .reader = py_reader(py),
                                       .progress = progress,
                                       .refs = {.bare = true},
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
    free(DF_TAKE(discovery->fresh.items));
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

static void strengthen(struct gr_discovery *discovery, uint64_t address, uint64_t place,
                       enum gr_source source)
{
    enum gr_source known = gr_discovered_by(discovery, address, place);

    if (source_strength(source) <= source_strength(known))
        return;
    discovery->weak_sources -= is_weak(known) && !is_weak(source);
    df_map_set(&discovery->sources, address, source);
}

static void enter(struct gr_discovery *discovery, uint64_t address, uint64_t place, uint32_t type,
                  enum gr_source source)
{
    gr_set_bit(discovery->places.bits, place);
    discovery->count++;
    if (source == GR_FROM_GC_LIST)
        gr_set_bit(discovery->listed, place);
    else if (source != GR_FROM_REFERENT)
        df_map_set(&discovery->sources, address, source);
    discovery->weak_sources += is_weak(source);
    if (!py_type_has_no_references(py_type_at(discovery->objects, type)))
        DF_PUSH(&discovery->work, address);
    if (discovery->logging)
        DF_PUSH(&discovery->fresh, address);
}

enum gr_discovered gr_discover(struct gr_discovery *discovery, uint64_t address,
                               enum gr_source source)
{
    uint64_t place = gr_place(&discovery->places, address);
    uint32_t type;

    if (place == GR_NO_PLACE)
        return GR_NO_OBJECT;
    if (gr_bit(discovery->places.bits, place)) {
        if (discovery->weak_sources || source == GR_FROM_STATIC)
            strengthen(discovery, address, place, source);
        return GR_KNOWN_OBJECT;
    }
    type = py_object_type(discovery->objects, address);
    if (type == PY_NO_TYPE)
        return GR_NO_OBJECT;
    if (discovery->count >= AL_MAX_NODES) {
        discovery->too_many = true;
        return GR_NO_OBJECT;
    }
    enter(discovery, address, place, type, source);
    return GR_NEW_OBJECT;
}

struct gc_visit {
    struct gr_discovery *discovery;
    bool frozen;
};

static bool visit_gc_object(void *context, uint64_t object)
{
    struct gc_visit *visit = context;
    struct gr_discovery *discovery = visit->discovery;
    enum gr_discovered found = gr_discover(discovery, object, GR_FROM_GC_LIST);

    /* Lists are walked before all else: what was met already is in two lists, or the list has
     * come back to where it was. */
    if (found == GR_KNOWN_OBJECT)
        return false;
    if (found == GR_NO_OBJECT)
        py_ledger_add(discovery->objects, "entries of collector lists without a type", object);
    else if (visit->frozen)
        gr_set_bit(discovery->frozen, gr_place(&discovery->places, object));
    if (discovery->count % PROGRESS_STEP == 0)
        df_progress(discovery->progress, "reading collector lists", discovery->count, 0);
    return !discovery->too_many;
}

static void damaged(struct gr_discovery *discovery, const char *what, uint64_t address)
{
    discovery->lists_damaged = true;
    py_ledger_add(discovery->objects, what, address);
}

static void discover_gc_list(struct gr_discovery *discovery, uint64_t head, bool frozen)
{
    struct gc_visit visit = {.discovery = discovery, .frozen = frozen};

    if (!py_gc_list(discovery->py, head, visit_gc_object, &visit) && !discovery->too_many)
        damaged(discovery, "collector lists damaged", head);
}

static bool is_new(void *context, uint64_t object)
{
    return !gr_is_discovered(context, object);
}

static void discover_stack_list(void *context, uint64_t head)
{
    discover_gc_list(context, head, false);
}

static bool visit_page_object(void *context, uint64_t object, bool frozen)
{
    struct gc_visit visit = {.discovery = context, .frozen = frozen};

    return visit_gc_object(&visit, object);
}

void gr_discover_gc_lists(struct gr_discovery *discovery)
{
    bool collecting = false;

    for (uint32_t i = 0; i < discovery->py->interpreter_count; i++) {
        const struct py_gc *gc = &discovery->py->interpreters[i].gc;

        for (size_t generation = 0; generation < 3; generation++)
            if (gc->generations[generation].head)
                discover_gc_list(discovery, gc->generations[generation].head, false);
        if (gc->permanent)
            discover_gc_list(discovery, gc->permanent, true);
        if (!py_gc_pages(discovery->py, i, visit_page_object, discovery) && !discovery->too_many)
            damaged(discovery, "allocator pages damaged", discovery->py->interpreters[i].address);
        collecting |= gc->collecting;
    }
    if (collecting)
        py_gc_stack_lists(discovery->py, is_new, discover_stack_list, discovery);
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

/* The bits of a reference's target; then, of one that is new, its type. */
static void fetch_bits(const struct gr_discovery *discovery, uint64_t target)
{
    uint64_t place = gr_place(&discovery->places, target);

    if (place != GR_NO_PLACE)
        __builtin_prefetch(&discovery->places.bits[place / 64]);
}

static void fetch_object(const struct gr_discovery *discovery, uint64_t object)
{
    const char *bytes = df_ptr(discovery->places.space, object, 1);

    if (bytes)
        __builtin_prefetch(bytes);
}

static void fetch_type(const struct gr_discovery *discovery, uint64_t target)
{
    uint64_t place = gr_place(&discovery->places, target);

    if (place != GR_NO_PLACE && !gr_bit(discovery->places.bits, place))
        fetch_object(discovery, target);
}

static void absorb_ref(struct gr_discovery *discovery, const struct py_ref *ref, bool weakly)
{
    enum gr_source how = ref->kind == PY_REF_GUESS ? GR_FROM_GUESS : GR_FROM_REFERENT;

    if (ref->kind == PY_REF_WEAK || weakly) /* weak references discover nothing */
        return;
    if (gr_discover(discovery, ref->target, how) != GR_NO_OBJECT && ref->kind != PY_REF_NATIVE)
        discovery->edge_count++;
}

/* Discovers what the references in the buffer lead to. */
static void absorb(struct gr_discovery *discovery)
{
    const struct py_refs *refs = &discovery->refs;

    for (size_t r = 0; r < refs->count && !discovery->too_many; r++) {
        if (r + FETCH_BITS < refs->count)
            fetch_bits(discovery, refs->items[r + FETCH_BITS].target);
        if (r + FETCH_TYPE < refs->count)
            fetch_type(discovery, refs->items[r + FETCH_TYPE].target);
        absorb_ref(discovery, &refs->items[r], false);
    }
    if (discovery->edge_count >= UINT32_MAX - 1)
        discovery->too_many = true;
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
static void discover_interned(struct gr_discovery *discovery, size_t first)
{
    struct py_refs *refs = &discovery->refs;

    for (size_t r = first; r < refs->count && !discovery->too_many; r++)
        if (refs->items[r].kind == PY_REF_REFERENT)
            gr_discover(discovery, refs->items[r].target, GR_FROM_REFERENT);
    refs->count = first;
}

/* Walks some objects of the worklist. */
static void walk_group(struct gr_discovery *discovery)
{
    struct py_refs *refs = &discovery->refs;
    const struct gr_address_list *work = &discovery->work;

    refs->count = 0;
    for (size_t n = 0; n < GROUP_OBJECTS && refs->count < GROUP_REFS; n++) {
        if (discovery->next >= work->count)
            break;
        uint64_t object = work->items[discovery->next++];
        uint32_t type = py_object_type(discovery->objects, object);
        size_t before = refs->count;

        if (discovery->next + FETCH_OBJECT < work->count)
            fetch_object(discovery, work->items[discovery->next + FETCH_OBJECT]);
        if (py_walk(discovery->objects, object, type, refs) == PY_DEFERRED)
            DF_PUSH(&discovery->deferred, (struct py_batch_item){.object = object, .type = type});
        if (gr_holds_weakly(discovery, object))
            discover_interned(discovery, before);
    }
    absorb(discovery);
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

/* Walks the deferred objects, keeps their references and discovers what they lead to. */
static void walk_deferred(struct gr_discovery *discovery)
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

struct df_err *gr_discover_all(struct gr_discovery *discovery)
{
    size_t told = 0;

    while (!discovery->too_many) {
        if (discovery->next < discovery->work.count) {
            walk_group(discovery);
            if (discovery->deferred.count < BATCH_OBJECTS &&
                discovery->next < discovery->work.count) {
                if (discovery->next - told >= PROGRESS_STEP) {
                    told = discovery->next;
                    df_progress(discovery->progress, "walking objects", told,
                                discovery->work.count);
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
    df_progress(discovery->progress, "walking objects", discovery->next, discovery->work.count);
    return NULL;
}
