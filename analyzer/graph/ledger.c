/* SPDX-License-Identifier: MIT
 * ledger.c: reference counts added up.
 *
 *   count in the header  =  counted references of objects (referent, owned, with multiplicity)
 *                        +  slots of the runtime's, interpreters' and threads' own structures
 *                        +  slots of frames that run
 *                        +  surplus
 *
 * A surplus may be explained by native words (native.h): a word explains one reference. What they
 * do not explain, nobody was found to hold: a reference that C code forgot to give back. A deficit
 * means that we count a reference that is none, or that the process had damaged itself.
 *
 * Counts tell nothing of immortal objects; of objects that are part of a mapped file (static types,
 * and all that is built into the interpreter: nobody frees them, so nobody counts with care); nor
 * where a guess is among the references.
 */
#include "analyzer/graph/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define MOST_COUNTED (INT64_C(1) << 60)
#define MOST_LOST 65536 /* references of an object that only the sweep found: else it is none */

struct surplus_list {
    struct gr_surplus *items;
    size_t count, capacity;
};

struct ledger {
    struct gr_graph *graph;
    struct py_objects *objects;
    const struct py *py;
    struct py_reader reader;
    /* Of few nodes, whose bits are set in `touched` (keys: node + 1; numbers modulo 2^32): */
    struct df_map held;   /* references by slots of structures and frames */
    struct df_map unsure; /* references of the graph that may be none */
    struct df_map maybe;  /* other references that may be none */
    uint64_t *touched;
    struct df_map own;   /* dicts and subclasses of static types, which hold them themselves */
    struct df_map slots; /* addresses of words that are counted in `held` */
};

static void count(struct ledger *ledger, struct df_map *map, uint32_t node, int32_t more)
{
    uint32_t known = df_map_get(map, (uint64_t)node + 1);

    gr_set_bit(ledger->touched, node);
    df_map_set(map, (uint64_t)node + 1, (known == DF_MAP_NONE ? 0 : known) + (uint32_t)more);
}

static int64_t counted(const struct df_map *map, uint32_t node)
{
    uint32_t known = df_map_get(map, (uint64_t)node + 1);

    return known == DF_MAP_NONE ? 0 : (int32_t)known;
}

static void hold(struct ledger *ledger, uint64_t slot, uint64_t object)
{
    uint32_t node = gr_node(ledger->graph, object);
    bool added = true;

    if (slot)
        df_map_add(&ledger->slots, slot, 1, &added);
    if (added && node != AL_NONE)
        count(ledger, &ledger->held, node, 1);
}

static void hold_slot(void *context, uint64_t slot, uint64_t object)
{
    struct ledger *ledger = context;
    bool added;

    if (df_map_get(&ledger->own, object) == 0) {
        df_map_set(&ledger->own, object, 1);
        df_map_add(&ledger->slots, slot, 1, &added);
        return;
    }
    hold(ledger, slot, object);
}

/* What the interpreter keeps for static types (3.12+) is the types' own in the graph. */
static void find_own(struct ledger *ledger)
{
    const struct gr_graph *graph = ledger->graph;

    for (uint32_t t = 0; t < py_type_count(ledger->objects); t++) {
        const struct py_type *type = py_type_at(ledger->objects, t);
        uint64_t own[] = {py_type_dict(ledger->py, type->address),
                          py_type_subclasses(ledger->py, type->address)};

        if (type->flags & PY_TPFLAGS_HEAPTYPE || gr_node(graph, type->address) == AL_NONE)
            continue;
        for (size_t i = 0; i < 2; i++)
            if (own[i])
                df_map_set(&ledger->own, own[i], 0);
    }
}

/* A word of a frame, which may be tagged. */
static void hold_word(struct ledger *ledger, uint64_t slot)
{
    bool counted = true;
    uint64_t word = py_word(&ledger->reader, slot);
    uint64_t object = word ? py_slot_object(ledger->py, word, &counted) : 0;

    if (object && counted)
        hold(ledger, slot, object);
}

/* Locals and the valid part of the stack, which a generator's walk does not see while it runs. */
static void hold_slots(struct ledger *ledger, const struct py_frame *frame)
{
    uint64_t count = (uint64_t)frame->slot_count + frame->stack_count;

    for (uint64_t i = 0; i < count && i < PY_MAX_LOCALS; i++)
        hold_word(ledger, frame->localsplus + i * 8);
    ledger->reader.fault = false;
}

/* Whether the walk of a generator sees the frame's slots. */
static bool has_top(struct ledger *ledger, const struct py_frame *frame)
{
    struct py_reader *reader = &ledger->reader;

    if (PY_HAS(reader->layout, iframe, stackpointer))
        return PY_PTR(reader, frame->address, iframe, stackpointer) > frame->localsplus;
    return (int32_t)PY_GET(reader, frame->address, iframe, stacktop) > 0;
}

/* Frames of generators are walked with them, but for their slots where the top is not known. */
static void hold_frame(struct ledger *ledger, const struct py_frame *frame)
{
    const struct py_layout *layout = ledger->reader.layout;
    bool thread_owns = frame->owner == 0;

    if (thread_owns || !has_top(ledger, frame))
        hold_slots(ledger, frame);
    if (!thread_owns)
        return;
    hold_word(ledger, PY_AT(layout, frame->address, iframe, executable));
    hold_word(ledger, PY_AT(layout, frame->address, iframe, funcobj));
    hold_word(ledger, PY_AT(layout, frame->address, iframe, frame_obj));
    hold_word(ledger, PY_AT(layout, frame->address, iframe, f_locals));
    ledger->reader.fault = false;
}

/* A dict that the sweep has guessed may be none. */
static void hold_key(struct ledger *ledger, uint32_t dict, uint64_t key)
{
    uint32_t node = gr_node(ledger->graph, key);

    if (gr_source_of(ledger->graph, dict) != GR_FROM_SWEEP)
        hold(ledger, 0, key);
    else if (node != AL_NONE)
        count(ledger, &ledger->maybe, node, 1);
}

/* Keys of a table that several dicts share are owned by the table, once. The class that made it has
 * it in the graph, until it makes another one or is gone: what then is left of a table is nobody's
 * in particular (new_keys_object, make_keys_shared, Objects/dictobject.c). */
static void hold_keys(struct ledger *ledger, uint32_t jobs)
{
    struct gr_shared_keys tables = {0};
    struct py_refs refs = {0};

    gr_find_shared_keys(ledger->graph, ledger->objects, ledger->reader.space, jobs, &tables);
    for (size_t i = 0; i < tables.count; i++) {
        refs.count = 0;
        py_own_keys(ledger->objects, tables.items[i].keys, &refs);
        for (size_t k = 0; k < refs.count; k++)
            hold_key(ledger, tables.items[i].node, refs.items[k].target);
    }
    free(tables.items);
    free(refs.items);
}

static void hold_frames(struct ledger *ledger)
{
    if (ledger->py->layout.frame_shape == PY_FRAME_OBJECTS)
        return; /* objects like others, which the C stack holds */
    for (uint32_t t = 0; t < ledger->py->thread_count; t++)
        for (uint32_t f = 0; f < ledger->py->threads[t].frame_count; f++)
            hold_frame(ledger, &ledger->py->threads[t].frames[f]);
}

/* The dict of interned strings does not count them (unicodeobject.c). */
static void release_interned(struct ledger *ledger)
{
    const struct gr_graph *graph = ledger->graph;

    for (uint32_t i = 0; i < ledger->py->interpreter_count; i++) {
        uint64_t dict = py_interned_strings(ledger->py, i);
        uint32_t node = dict ? gr_node(graph, dict) : AL_NONE;

        if (node == AL_NONE)
            continue;
        hold(ledger, 0, dict);
        for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
            bool lost = gr_source_of(graph, node) == GR_FROM_SWEEP;

            count(ledger, lost ? &ledger->maybe : &ledger->held, graph->target[e], -1);
        }
    }
}

static bool is_static(const struct ledger *ledger, uint32_t v)
{
    return df_module_at(ledger->py->dump->modules, gr_address(ledger->graph, v)) != NULL;
}

static int32_t clamp(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

/* A damaged count may be any number; what is found to refer to an object is far fewer. */
static int64_t believable(int64_t count)
{
    return count > MOST_COUNTED ? MOST_COUNTED : count < -MOST_COUNTED ? -MOST_COUNTED : count;
}

/* What is left of a count when all that was found is taken away. */
static int64_t left_of(const struct ledger *ledger, uint32_t v, uint32_t referrers)
{
    int64_t left = believable(gr_references(ledger->graph, v)) - referrers, maybe;

    if (gr_bit(ledger->touched, v)) {
        int64_t unsure = counted(&ledger->unsure, v);

        left += unsure - counted(&ledger->held, v);
        maybe = unsure + counted(&ledger->maybe, v);
        if (left > 0)
            left = left > maybe ? left - maybe : 0;
    }
    return left;
}

#define PART 65536 /* nodes that one thread balances; whole groups of rows */

struct part {
    struct surplus_list surpluses;
    uint64_t checked;
};

struct parts {
    const struct ledger *ledger;
    struct part *items;
};

static void balance_node(const struct ledger *ledger, uint32_t v, uint32_t referrers,
                         struct part *part)
{
    const struct gr_graph *graph = ledger->graph;
    int64_t left;

    if (gr_references(graph, v) == INT64_MAX)
        return;
    left = left_of(ledger, v, referrers);
    if (left && is_static(ledger, v))
        return;
    if (gr_source_of(graph, v) == GR_FROM_SWEEP && left > MOST_LOST)
        return;
    part->checked++;
    if (left)
        DF_PUSH(&part->surpluses, (struct gr_surplus){.node = v, .count = clamp(left)});
}

static void balance_part(void *context, uint32_t i)
{
    const struct parts *parts = context;
    const struct gr_graph *graph = parts->ledger->graph;
    uint64_t first = (uint64_t)i * PART;
    uint64_t end = first + PART < graph->count ? first + PART : graph->count;

    for (uint64_t v = first; v < end; v++)
        balance_node(parts->ledger, (uint32_t)v, gr_referrer_count(graph, (uint32_t)v),
                     &parts->items[i]);
}

static void count_surpluses(struct gr_graph *graph)
{
    struct gr_counts *counts = &graph->counts;

    for (uint32_t i = 0; i < graph->surplus_count; i++) {
        bool surplus = graph->surpluses[i].count > 0;

        counts->surplus += surplus;
        counts->deficit += !surplus;
        if (!surplus && counts->deficit_example_count < 8)
            counts->deficit_examples[counts->deficit_example_count++] = graph->surpluses[i].node;
    }
}

static void balance(struct ledger *ledger, uint32_t jobs)
{
    struct gr_graph *graph = ledger->graph;
    uint32_t count = (uint32_t)(((uint64_t)graph->count + PART - 1) / PART);
    struct parts parts = {.ledger = ledger,
                          .items = df_xcalloc(count ? count : 1, sizeof(*parts.items))};
    struct surplus_list all = {0};

    df_threads_share(jobs, count, balance_part, &parts);
    for (uint32_t i = 0; i < count; i++) {
        DF_APPEND(&all, parts.items[i].surpluses.items, parts.items[i].surpluses.count);
        graph->counts.checked += parts.items[i].checked;
        free(parts.items[i].surpluses.items);
    }
    free(parts.items);
    graph->surpluses = all.items;
    graph->surplus_count = (uint32_t)all.count;
    count_surpluses(graph);
}

/* All that an object refers to which the sweep has guessed, but for guesses. */
static void note_lost(struct ledger *ledger, uint32_t v)
{
    const struct gr_graph *graph = ledger->graph;

    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
        if (gr_edge_kind(graph, e) != PY_REF_GUESS)
            count(ledger, &ledger->unsure, graph->target[e], 1);
}

/* The guesses among the 32 references from `first` on. Of two bits only the upper one says so. */
static void note_guesses(struct ledger *ledger, uint32_t first, uint64_t kinds)
{
    const struct gr_graph *graph = ledger->graph;
    uint64_t guesses = kinds >> 1 & ~kinds & UINT64_C(0x5555555555555555);

    static_assert(PY_REF_REFERENT == 0 && PY_REF_OWNED == 1 && PY_REF_GUESS == 2, "two bits");
    for (; guesses; guesses &= guesses - 1) {
        uint32_t e = first + (uint32_t)__builtin_ctzll(guesses) / 2;

        count(ledger, &ledger->unsure, graph->target[e], 1);
    }
}

static void find_guesses(struct ledger *ledger)
{
    const struct gr_graph *graph = ledger->graph;
    size_t size = (size_t)graph->edge_count / 4 + 1; /* what is behind the last one is 0 */

    for (size_t at = 0; at < size; at += 8) {
        uint64_t kinds = 0;

        memcpy(&kinds, graph->edge_kinds + at, size - at < 8 ? size - at : 8);
        if (!kinds)
            continue;
        kinds = 0;
        for (size_t i = 0; i < 8 && at + i < size; i++)
            kinds |= (uint64_t)graph->edge_kinds[at + i] << 8 * i;
        note_guesses(ledger, (uint32_t)(at * 4), kinds);
    }
}

/* Whether one of eight origins says that the sweep has guessed the object. */
static bool any_swept(const uint8_t *origins)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), mask = (1 << GR_SOURCE_BITS) - 1;
    uint64_t word;

    memcpy(&word, origins, 8);
    word = (word & ones * mask) ^ ones * GR_FROM_SWEEP; /* is there a byte that is 0? */
    return (word - ones) & ~word & ones << 7;
}

static void find_lost(struct ledger *ledger)
{
    const struct gr_graph *graph = ledger->graph;

    for (uint32_t v = 0; v < graph->count; v++) {
        if (v % 8 == 0)
            while (graph->count - v >= 8 && !any_swept(graph->origins + v))
                v += 8;
        if (v < graph->count && gr_source_of(graph, v) == GR_FROM_SWEEP)
            note_lost(ledger, v);
    }
}

/* A guess may be none, and so may all that an object refers to which the sweep has guessed. */
static void find_unsure(struct ledger *ledger)
{
    const struct gr_graph *graph = ledger->graph;

    if (graph->unusual_count)
        find_guesses(ledger);
    if (graph->objects_by_source[GR_FROM_SWEEP])
        find_lost(ledger);
}

/* Without debug information the slots of the interpreter's state are not known; free-threaded
 * builds count in several places, and defer. What is lost of a core may have held anything. */
static bool is_reliable(const struct py *py)
{
    return py->layout.interp_slots.count && py->layout.ref_shape != PY_COUNT_BIASED &&
           !df_core_is_cut(py->dump->core);
}

static struct df_err *add_up(struct ledger *ledger, uint32_t jobs)
{
    struct gr_graph *graph = ledger->graph;

    DF_TRY(df_array((size_t)graph->count / 64 + 1, sizeof(*ledger->touched), &ledger->touched));
    graph->counts.reliable = is_reliable(ledger->py);
    find_unsure(ledger);
    find_own(ledger);
    py_state_words(ledger->py, hold_slot, ledger);
    hold_frames(ledger);
    hold_keys(ledger, jobs);
    release_interned(ledger);
    balance(ledger, jobs);
    return NULL;
}

struct df_err *gr_ledger_make(struct gr_graph *graph, struct py_objects *objects,
                              const struct py *py, uint32_t jobs)
{
    struct ledger ledger = {.graph = graph, .objects = objects, .py = py, .reader = py_reader(py)};
    struct df_map *maps[] = {&ledger.slots, &ledger.own, &ledger.held, &ledger.unsure,
                             &ledger.maybe};
    struct df_err *err;

    for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
        df_map_init(maps[i]);
    err = add_up(&ledger, jobs);
    if (!err)
        gr_ledger_explain(graph, objects, py, &ledger.slots, jobs);
    for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
        df_map_deinit(maps[i]);
    free(ledger.touched);
    return err;
}
