/* SPDX-License-Identifier: MIT
 * lists.c: all that the collectors know.
 *
 * A long list is read from both ends: following links is waiting for memory, one object after the
 * other, which two threads do at once. The thread that comes from the end (py_gc_list_back) keeps
 * what it meets, until it meets what the other one has entered. When that comes to the object that
 * was kept last, the rest of the list is known, and is entered as if it had been read on: the
 * result is the same wherever the two meet, and also when they do not.
 */
#include "analyzer/graph/discover.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define PROGRESS_STEP 65536
#define FETCH_AHEAD 16

/* Of an address that was kept: its low bits. */
#define IS_LEAF 1  /* of a type without references */
#define IS_UNMET 2 /* its type is to be asked */

struct backward { /* the end of a list, kept by another thread */
    struct df_beside beside;
    const struct gr_discovery *discovery;
    uint64_t head;
    struct py_objects *scout;
    struct gr_near_range near[GR_NEAR_RANGES];
    struct gr_address_list kept; /* the list's last object first */
    _Atomic bool stop, done;
};

struct forward {
    struct gr_discovery *discovery;
    bool frozen;
    uint64_t head;
    uint64_t count;            /* objects visited */
    struct backward *backward; /* NULL: there is none */
    bool may_meet;             /* it is done, and what was entered of its objects dropped */
    bool joined, good;         /* the rest was taken from it; to the proper end */
};

static void damaged(struct gr_discovery *discovery, const char *what, uint64_t address)
{
    discovery->lists_damaged = true;
    py_ledger_add(discovery->objects, what, address);
}

/* What follows from how an object of a list was found; false: the list ends here. Lists are walked
 * before all else: what was met already is in two lists, or the list has come back to where it was.
 */
static bool note(struct gr_discovery *discovery, uint64_t object, bool frozen,
                 enum gr_discovered found)
{
    if (found == GR_KNOWN_OBJECT)
        return false;
    if (found == GR_NO_OBJECT)
        py_ledger_add(discovery->objects, "entries of collector lists without a type", object);
    else if (frozen)
        gr_set_bit(discovery->frozen, gr_place(&discovery->places, object));
    if (discovery->count % PROGRESS_STEP == 0)
        df_progress(discovery->progress, "reading collector lists", discovery->count, 0);
    return !discovery->too_many;
}

static uint64_t keep_type(struct py_objects *scout, uint64_t object)
{
    uint32_t type = py_scout_type(scout, object);

    if (type == PY_UNMET_TYPE || type == PY_NO_TYPE)
        return object | IS_UNMET;
    return object | (py_type_has_no_references(py_type_at(scout, type)) ? IS_LEAF : 0);
}

static bool visit_backward(void *context, uint64_t object)
{
    struct backward *backward = context;
    const struct gr_places *places = &backward->discovery->places;
    uint64_t place = gr_place_near(places, backward->near, object);

    if (place == GR_NO_PLACE || gr_bit_beside(places, place) ||
        (backward->kept.count % 64 == 0 && backward->stop))
        return false;
    DF_PUSH(&backward->kept, keep_type(backward->scout, object));
    return true;
}

static void read_backward(void *context)
{
    struct backward *backward = context;

    if (!backward->stop)
        py_gc_list_back(backward->discovery->py, backward->head, visit_backward, backward);
    backward->done = true;
}

static void begin_backward(struct forward *forward)
{
    struct gr_discovery *discovery = forward->discovery;
    struct backward *backward = df_xcalloc(1, sizeof(*backward));

    backward->discovery = discovery;
    backward->head = forward->head;
    backward->scout = py_scout_open(discovery->objects);
    py_scouts_tell(discovery->objects);
    py_scout_brief(backward->scout, discovery->objects);
    forward->backward = backward;
    df_beside_begin(&backward->beside, discovery->jobs, read_backward, backward);
}

static void end_backward(struct forward *forward)
{
    struct backward *backward = forward->backward;

    if (!backward)
        return;
    backward->stop = true;
    df_beside_end(&backward->beside);
    py_scout_close(backward->scout);
    free(backward->kept.items);
    free(backward);
}

static enum gr_discovered enter_kept(struct gr_discovery *discovery, uint64_t kept)
{
    uint64_t object = kept & ~UINT64_C(7);
    uint64_t place = gr_place_near(&discovery->places, discovery->near, object);

    if ((kept & IS_UNMET) || gr_bit(discovery->places.bits, place))
        return gr_discover_at(discovery, object, place, GR_FROM_GC_LIST);
    gr_enter(discovery, object, place, kept & IS_LEAF, GR_FROM_GC_LIST);
    return GR_NEW_OBJECT;
}

static void fetch_bits(const struct gr_places *places, struct gr_near_range *near, uint64_t address)
{
    uint64_t place = gr_place_near(places, near, address);

    if (place != GR_NO_PLACE)
        __builtin_prefetch(&places->bits[place / 64], 1);
}

/* The rest of the list, from what was kept last. */
static bool enter_rest(struct forward *forward)
{
    struct gr_discovery *discovery = forward->discovery;
    const struct gr_address_list *kept = &forward->backward->kept;
    struct gr_near_range near[GR_NEAR_RANGES] = {0};

    for (size_t i = kept->count; i; i--) {
        if (i > FETCH_AHEAD)
            fetch_bits(&discovery->places, near, kept->items[i - FETCH_AHEAD - 1] & ~UINT64_C(7));
        if (!note(discovery, kept->items[i - 1] & ~UINT64_C(7), forward->frozen,
                  enter_kept(discovery, kept->items[i - 1])))
            return false;
    }
    return true;
}

/* Whether an object is the one that was kept last. The other thread may have gone on a little
 * beyond where both met. */
static bool meets(struct forward *forward, uint64_t object)
{
    struct gr_address_list *kept = &forward->backward->kept;
    const struct gr_places *places = &forward->discovery->places;

    if (!forward->may_meet) {
        if (!forward->backward->done)
            return false;
        forward->may_meet = true;
        while (kept->count && gr_places_has(places, kept->items[kept->count - 1] & ~UINT64_C(7)))
            kept->count--;
    }
    return kept->count && (kept->items[kept->count - 1] & ~UINT64_C(7)) == object;
}

static bool visit_forward(void *context, uint64_t object)
{
    struct forward *forward = context;
    struct gr_discovery *discovery = forward->discovery;

    if (forward->backward && meets(forward, object)) {
        forward->joined = true;
        forward->good = enter_rest(forward);
        return false;
    }
    if (++forward->count == discovery->long_list && discovery->jobs > 1)
        begin_backward(forward);
    return note(discovery, object, forward->frozen,
                gr_discover(discovery, object, GR_FROM_GC_LIST));
}

static void discover_gc_list(struct gr_discovery *discovery, uint64_t head, bool frozen)
{
    struct forward forward = {.discovery = discovery, .head = head, .frozen = frozen};
    bool good = py_gc_list(discovery->py, head, visit_forward, &forward);

    end_backward(&forward);
    if (!(forward.joined ? forward.good : good) && !discovery->too_many)
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
    struct gr_discovery *discovery = context;

    return note(discovery, object, frozen, gr_discover(discovery, object, GR_FROM_GC_LIST));
}

/* Nothing but what is listed has a bit yet. */
static void note_listed(struct gr_discovery *discovery)
{
    const uint64_t *bits = discovery->places.bits;

    for (uint64_t word = 0; word < discovery->places.words; word++)
        if (bits[word]) /* else no memory is touched */
            discovery->listed[word] = bits[word];
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
    note_listed(discovery);
}
