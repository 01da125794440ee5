/* SPDX-License-Identifier: MIT
 * crew.c: objects are walked by several threads, and what they lead to is discovered in the order
 * in which one thread would.
 *
 * The worklist is taken in runs. Whoever takes one walks its objects (a scout: objects/object.h),
 * looks the references up among what is known to be an object, and notes in order what is new, with
 * its type. What it sees may be a little old by then: what is noted may be known already when the
 * run's turn comes. Runs are entered in the order of the worklist, by the caller's thread, the
 * leader, which alone knows all types and can run code of the dead process: that is left a bit to
 * set and to count for each new object, and the few objects that it must walk itself.
 *
 * Places, bits and types of many references are looked up one after the other, each fetched ahead:
 * each is a cache miss, and there is one for each reference of the process.
 */
#include "analyzer/graph/crew.h"

#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define RUN_OBJECTS 1024  /* at most */
#define RUN_LEAST 64      /* at least, while there are more */
#define RUNS_AHEAD 4      /* of a thread: how many may wait for their turn */
#define GROUP_OBJECTS 256 /* whose references are looked up together */
#define GROUP_REFS 2048
#define MAX_NOTES 32768 /* of a run; with more it waits for its turn */
#define FETCH_OBJECT 8  /* objects ahead */
#define FETCH_BITS 16   /* references ahead */
#define FETCH_TYPE 12   /* notes ahead */
#define FETCH_NOTE 16
#define PROGRESS_STEP 65536

#define IN_TURN 255 /* a kind of reference: not one, but an object that the leader is to walk */

enum {
    NOTE_LEAF = 1,   /* its type has no references */
    NOTE_UNMET = 2,  /* its type is to be asked */
    NOTE_WALK = 4,   /* an object to be walked */
    NOTE_GUESS = 8,  /* the reference is one */
    NOTE_NATIVE = 16 /* likewise */
};
#define NOTE_SHIFT 56 /* above all addresses */
#define NOTE_ADDRESS ((UINT64_C(1) << NOTE_SHIFT) - 1)

struct note {
    uint64_t place;
    uint64_t what; /* address, and above it NOTE_LEAF, ... */
};

enum run_state {
    RUN_TAKEN,
    RUN_FULL, /* what is noted is to be entered before it goes on */
    RUN_DONE
};

struct run {
    enum run_state state;
    uint32_t count;
    uint64_t objects[RUN_OBJECTS];
    struct {
        struct note *items;
        size_t count, capacity;
    } notes;
    uint64_t edges; /* references to objects that are sure to be some */
};

struct gr_crew {
    struct gr_discovery *discovery;
    uint32_t threads;
    uint32_t slots;
    struct run *runs;           /* run n is runs[n % slots] */
    struct py_objects **scouts; /* one a thread */
    pthread_mutex_t lock;       /* of all that follows, of `work`, of what scouts are told */
    pthread_cond_t changed;
    uint32_t waiting;        /* threads that wait for it */
    uint64_t taken, entered; /* runs */
    bool over;
    uint64_t told; /* to the progress */
};

struct gr_crew *gr_crew_create(struct gr_discovery *discovery)
{
    struct gr_crew *crew = df_xcalloc(1, sizeof(*crew));

    crew->discovery = discovery;
    crew->threads = discovery->jobs;
    crew->slots = crew->threads > 1 ? crew->threads * RUNS_AHEAD : 1;
    crew->runs = df_xcalloc(crew->slots, sizeof(*crew->runs));
    crew->scouts = df_xcalloc(crew->threads, sizeof(*crew->scouts));
    for (uint32_t i = 0; i < crew->threads; i++)
        crew->scouts[i] = py_scout_open(discovery->objects);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->changed, NULL);
    return crew;
}

void gr_crew_destroy(struct gr_crew *crew)
{
    if (!crew)
        return;
    for (uint32_t i = 0; i < crew->slots; i++)
        free(crew->runs[i].notes.items);
    for (uint32_t i = 0; i < crew->threads; i++)
        py_scout_close(crew->scouts[i]);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->lock);
    free(crew->runs);
    free(crew->scouts);
    free(crew);
}

/* What one thread has for its walks. */
struct walker {
    struct gr_crew *crew;
    const struct gr_discovery *discovery;
    struct py_objects *scout;
    struct py_refs refs;
    struct gr_near_range near[GR_NEAR_RANGES];
    bool leads;
};

static void wait_for_change(struct gr_crew *crew)
{
    crew->waiting++;
    pthread_cond_wait(&crew->changed, &crew->lock);
    crew->waiting--;
}

static void tell_change(struct gr_crew *crew)
{
    if (crew->waiting)
        pthread_cond_broadcast(&crew->changed);
}

static size_t left(const struct gr_crew *crew)
{
    return crew->discovery->work.count - crew->discovery->next;
}

static bool is_shared(const struct gr_crew *crew)
{
    return left(crew) >= crew->discovery->least_shared;
}

/* Runs get smaller towards the end, so that all threads come to it together. */
static uint32_t run_length(const struct gr_crew *crew)
{
    size_t count = left(crew), part = crew->threads > 1 ? count / crew->threads / 2 : count;

    if (part < RUN_LEAST)
        part = count < RUN_LEAST ? count : RUN_LEAST;
    return part < RUN_OBJECTS ? (uint32_t)part : RUN_OBJECTS;
}

/* In the lock: whether a thread may take a run. Few objects are left to the leader, who need not be
 * waited for. */
static bool may_take(const struct walker *walker)
{
    const struct gr_crew *crew = walker->crew;

    return crew->taken - crew->entered < crew->slots &&
           (walker->leads ? left(crew) > 0 : is_shared(crew));
}

/* In the lock. */
static struct run *take_run(struct walker *walker)
{
    struct gr_crew *crew = walker->crew;
    struct gr_discovery *discovery = crew->discovery;
    struct run *run = &crew->runs[crew->taken++ % crew->slots];

    run->state = RUN_TAKEN;
    run->count = run_length(crew);
    memcpy(run->objects, discovery->work.items + discovery->next,
           run->count * sizeof(*run->objects));
    discovery->next += run->count;
    run->notes.count = 0;
    run->edges = 0;
    py_scout_brief(walker->scout, discovery->objects);
    return run;
}

/* In the lock: what was found is there to be walked. */
static void hand_out(struct gr_crew *crew)
{
    struct gr_discovery *discovery = crew->discovery;
    struct gr_address_list *found = &discovery->found;

    py_scouts_tell(discovery->objects);
    if (discovery->next == discovery->work.count) {
        const struct gr_address_list work = discovery->work;

        discovery->work = *found;
        discovery->next = 0;
        *found = work;
    } else {
        DF_APPEND(&discovery->work, found->items, found->count);
    }
    found->count = 0;
}

/* What the leader does: */

static void enter_unmet(struct gr_discovery *discovery, const struct note *note)
{
    enum gr_source how = note->what >> NOTE_SHIFT & NOTE_GUESS ? GR_FROM_GUESS : GR_FROM_REFERENT;

    if (gr_discover_at(discovery, note->what & NOTE_ADDRESS, note->place, how) != GR_NO_OBJECT &&
        !(note->what >> NOTE_SHIFT & NOTE_NATIVE))
        discovery->edge_count++;
}

static void enter_note(struct gr_discovery *discovery, const struct note *note)
{
    uint64_t flags = note->what >> NOTE_SHIFT, address = note->what & NOTE_ADDRESS;
    enum gr_source how = flags & NOTE_GUESS ? GR_FROM_GUESS : GR_FROM_REFERENT;

    if (flags & NOTE_WALK)
        gr_walk_in_turn(discovery, address);
    else if (flags & NOTE_UNMET)
        enter_unmet(discovery, note);
    else if (!gr_bit(discovery->places.bits, note->place))
        gr_enter(discovery, address, note->place, flags & NOTE_LEAF, how);
    else if (discovery->weak_sources)
        gr_strengthen(discovery, address, note->place, how);
}

/* Inlined at any rate: see gr_fetch_near. */
static inline __attribute__((always_inline)) void fetch_note(const struct gr_discovery *discovery,
                                                             const struct note *note)
{
    if (note->place != GR_NO_PLACE)
        __builtin_prefetch(&discovery->places.bits[note->place / 64], 1);
}

static void enter_notes(struct gr_discovery *discovery, struct run *run)
{
    for (size_t i = 0; i < run->notes.count && !discovery->too_many; i++) {
        if (i + FETCH_NOTE < run->notes.count)
            fetch_note(discovery, &run->notes.items[i + FETCH_NOTE]);
        enter_note(discovery, &run->notes.items[i]);
    }
    discovery->edge_count += run->edges;
    if (discovery->edge_count >= UINT32_MAX - 1)
        discovery->too_many = true;
    run->notes.count = 0;
    run->edges = 0;
}

/* In the lock. */
static void report_walked(struct gr_crew *crew, uint32_t more)
{
    struct gr_discovery *discovery = crew->discovery;

    discovery->walked += more;
    if (discovery->walked - crew->told < PROGRESS_STEP)
        return;
    crew->told = discovery->walked;
    df_progress(discovery->progress, "walking objects", discovery->walked,
                discovery->walked + left(crew));
}

/* In the lock: enters the first run that was not, if it has anything to enter. */
static bool enter_first(struct gr_crew *crew)
{
    struct run *run = &crew->runs[crew->entered % crew->slots];
    bool done = run->state == RUN_DONE;

    if (crew->entered == crew->taken || run->state == RUN_TAKEN)
        return false;
    pthread_mutex_unlock(&crew->lock);
    enter_notes(crew->discovery, run);
    pthread_mutex_lock(&crew->lock);
    hand_out(crew);
    if (done)
        report_walked(crew, run->count);
    crew->entered += done;
    crew->over |= crew->discovery->too_many;
    run->state = RUN_TAKEN;
    if (!done || crew->over || is_shared(crew))
        tell_change(crew);
    return true;
}

/* A run that has noted too much waits until that is entered. */
static void empty_run(struct walker *walker, struct run *run)
{
    struct gr_crew *crew = walker->crew;

    pthread_mutex_lock(&crew->lock);
    run->state = RUN_FULL;
    tell_change(crew);
    while (run->state == RUN_FULL && !crew->over)
        if (!walker->leads || !enter_first(crew))
            wait_for_change(crew);
    if (crew->over)
        run->notes.count = 0;
    pthread_mutex_unlock(&crew->lock);
}

/* What every thread does: */

/* The place of a reference that keeps alive, which takes the place of its label's argument. */
static void find_place(struct walker *walker, struct py_ref *ref)
{
    const struct gr_places *places = &walker->discovery->places;

    ref->argument = ref->kind == PY_REF_WEAK || ref->kind == IN_TURN
                        ? GR_NO_PLACE
                        : gr_place_near(places, walker->near, ref->target);
    if (ref->argument != GR_NO_PLACE)
        __builtin_prefetch(&places->bits[ref->argument / 64]);
}

static inline void note_down(struct run *run, uint64_t place, uint64_t address, uint64_t flags)
{
    run->notes.items[run->notes.count++] =
        (struct note){.place = place, .what = address | flags << NOTE_SHIFT};
}

/* Notes what is not known to be an object, and from when on sources may be weak also what is. */
static void note_ref(struct walker *walker, struct run *run, const struct py_ref *ref)
{
    const struct gr_discovery *discovery = walker->discovery;
    uint64_t flags = (ref->kind == PY_REF_GUESS ? NOTE_GUESS : 0) |
                     (ref->kind == PY_REF_NATIVE ? NOTE_NATIVE : 0);

    if (ref->kind == IN_TURN)
        note_down(run, GR_NO_PLACE, ref->target, NOTE_WALK);
    if (ref->argument == GR_NO_PLACE)
        return;
    if (!gr_bit_beside(&discovery->places, ref->argument)) {
        gr_fetch_near(walker->near, ref->target);
        note_down(run, ref->argument, ref->target, flags);
        return;
    }
    run->edges += ref->kind != PY_REF_NATIVE;
    if (atomic_load_explicit(&discovery->strengthening, memory_order_relaxed))
        note_down(run, ref->argument, ref->target, flags | NOTE_LEAF); /* its type is known */
}

/* False: it is no object. */
static bool add_type(struct walker *walker, struct run *run, struct note *note)
{
    uint64_t flags = note->what >> NOTE_SHIFT;
    uint32_t type;

    if (flags & (NOTE_WALK | NOTE_LEAF))
        return true;
    type = py_scout_type(walker->scout, note->what & NOTE_ADDRESS);
    if (type == PY_NO_TYPE)
        return false;
    if (type == PY_UNMET_TYPE) {
        note->what |= (uint64_t)NOTE_UNMET << NOTE_SHIFT;
        return true;
    }
    run->edges += !(flags & NOTE_NATIVE);
    if (py_type_has_no_references(py_type_at(walker->scout, type)))
        note->what |= (uint64_t)NOTE_LEAF << NOTE_SHIFT;
    return true;
}

/* Of the references of a group: each one's place is found, then its bit looked at, and of what is
 * new the type, at distances that leave memory time. Notes that have no type are dropped: `typed`
 * of them have one, those from `next` on were not looked at. */
static void note_group(struct walker *walker, struct run *run)
{
    struct py_refs *refs = &walker->refs;
    size_t typed = run->notes.count, next = typed;

    run->notes.items = df_room(run->notes.items, run->notes.count, refs->count + 1,
                               &run->notes.capacity, sizeof(*run->notes.items));
    for (size_t r = 0; r < refs->count + FETCH_BITS || next < run->notes.count; r++) {
        if (r < refs->count)
            find_place(walker, &refs->items[r]);
        if (r >= FETCH_BITS && r - FETCH_BITS < refs->count)
            note_ref(walker, run, &refs->items[r - FETCH_BITS]);
        if (next < run->notes.count &&
            (run->notes.count - next > FETCH_TYPE || r >= refs->count + FETCH_BITS)) {
            struct note note = run->notes.items[next++];

            if (add_type(walker, run, &note))
                run->notes.items[typed++] = note;
        }
    }
    run->notes.count = typed;
    refs->count = 0;
    if (run->notes.count > MAX_NOTES)
        empty_run(walker, run);
}

static void walk_one(struct walker *walker, uint64_t object)
{
    uint32_t type = py_scout_type(walker->scout, object);

    if (type < PY_UNMET_TYPE && py_type_at(walker->scout, type)->for_scouts &&
        !gr_holds_weakly(walker->discovery, object))
        py_walk(walker->scout, object, type, &walker->refs);
    else
        DF_PUSH(&walker->refs, (struct py_ref){.target = object, .kind = IN_TURN});
}

static void walk_run(struct walker *walker, struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        if (i + FETCH_OBJECT < run->count)
            gr_fetch_near(walker->near, run->objects[i + FETCH_OBJECT]);
        walk_one(walker, run->objects[i]);
        if (walker->refs.count >= GROUP_REFS || i % GROUP_OBJECTS == GROUP_OBJECTS - 1)
            note_group(walker, run);
    }
    note_group(walker, run);
}

/* In the lock. */
static void take_and_walk(struct walker *walker)
{
    struct gr_crew *crew = walker->crew;
    struct run *run = take_run(walker);

    pthread_mutex_unlock(&crew->lock);
    walk_run(walker, run);
    pthread_mutex_lock(&crew->lock);
    run->state = RUN_DONE;
}

/* In the lock: nothing is being walked, and nothing left to be. */
static bool is_idle(const struct gr_crew *crew)
{
    return crew->entered == crew->taken && !left(crew);
}

/* In the lock. */
static void walk_deferred(struct gr_crew *crew)
{
    pthread_mutex_unlock(&crew->lock);
    gr_walk_deferred(crew->discovery);
    pthread_mutex_lock(&crew->lock);
    hand_out(crew);
    crew->over |= crew->discovery->too_many;
    tell_change(crew);
}

/* One thing after the other; false: there is nothing that could be done now. In the lock. */
static bool lead_on(struct walker *walker)
{
    struct gr_crew *crew = walker->crew;

    if (enter_first(crew))
        return true;
    if (may_take(walker))
        take_and_walk(walker);
    else if (!is_idle(crew))
        return false;
    else if (crew->discovery->deferred.count)
        walk_deferred(crew);
    else
        crew->over = true;
    return true;
}

static void lead(struct walker *walker, bool alone)
{
    struct gr_crew *crew = walker->crew;

    pthread_mutex_lock(&crew->lock);
    hand_out(crew);
    while (!crew->over && !(alone && crew->threads > 1 && is_shared(crew)))
        if (!lead_on(walker))
            wait_for_change(crew);
    tell_change(crew);
    pthread_mutex_unlock(&crew->lock);
}

static void follow(struct walker *walker)
{
    struct gr_crew *crew = walker->crew;

    pthread_mutex_lock(&crew->lock);
    while (!crew->over) {
        if (may_take(walker)) {
            take_and_walk(walker);
            tell_change(crew);
        } else {
            wait_for_change(crew);
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

static void work(struct gr_crew *crew, uint32_t thread, bool alone)
{
    struct walker walker = {.crew = crew,
                            .discovery = crew->discovery,
                            .scout = crew->scouts[thread],
                            .refs = {.bare = true},
                            .leads = thread == 0};

    if (walker.leads)
        lead(&walker, alone);
    else
        follow(&walker);
    free(walker.refs.items);
}

static void work_together(void *context, uint32_t thread)
{
    work(context, thread, false);
}

void gr_crew_walk(struct gr_crew *crew)
{
    struct gr_discovery *discovery = crew->discovery;

    crew->over = discovery->too_many;
    atomic_store_explicit(&discovery->strengthening, discovery->weak_sources > 0,
                          memory_order_relaxed);
    work(crew, 0, true);
    if (!crew->over) /* there is much to do */
        df_threads_run(crew->threads, work_together, crew);
    crew->taken = crew->entered = 0;
    df_progress(discovery->progress, "walking objects", discovery->walked, discovery->walked);
}
