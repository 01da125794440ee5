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

#include <stdlib.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"

#define MOST_COUNTED (INT64_C(1) << 60)
#define MOST_LOST 65536 /* references of an object that only the sweep found: else it is none */
#define MAX_BODY 4096   /* bytes of an object that are looked at */
#define HEADER 16
#define LONGER 16 /* bytes of an object behind what its type says */

struct ledger {
    struct gr_graph *graph;
    struct py_objects *objects;
    const struct py *py;
    struct py_reader reader;
    uint32_t *held;      /* per node: by slots of structures and frames */
    uint64_t state_size; /* of _PyRuntime; 0 when not known */
    uint32_t *maybe;     /* per node: references that may be none */
    struct df_map own;   /* dicts and subclasses of static types, which hold them themselves */
    struct df_map slots; /* addresses of words that are counted in `held` */
    struct {
        struct gr_native *items;
        size_t count, capacity;
    } natives;
};

static void hold(struct ledger *ledger, uint64_t slot, uint64_t object)
{
    uint32_t node = gr_node(ledger->graph, object);
    bool added = true;

    if (slot)
        df_map_add(&ledger->slots, slot, 1, &added);
    if (added && node != AL_NONE && ledger->held[node] < UINT32_MAX)
        ledger->held[node]++;
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

    if (ledger->graph->source[dict] != GR_FROM_SWEEP)
        hold(ledger, 0, key);
    else if (node != AL_NONE)
        ledger->maybe[node]++;
}

/* Keys of a table that several dicts share are owned by the table, once. The class that made it has
 * it in the graph, until it makes another one or is gone: what then is left of a table is nobody's
 * in particular (new_keys_object, make_keys_shared, Objects/dictobject.c). */
static void hold_keys(struct ledger *ledger)
{
    struct gr_graph *graph = ledger->graph;
    struct py_refs refs = {0};
    struct df_map seen;
    bool added;

    df_map_init(&seen);
    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t v = 0; v < graph->count; v++) {
            uint64_t flags = py_type_at(ledger->objects, graph->type[v])->flags;
            uint64_t keys = 0;

            if (flags & (pass ? PY_TPFLAGS_DICT : PY_TPFLAGS_TYPE))
                keys = py_shared_keys(ledger->objects, graph->address[v]);
            if (!keys || (df_map_add(&seen, keys, 0, &added), !added) || !pass)
                continue;
            refs.count = 0;
            py_own_keys(ledger->objects, keys, &refs);
            for (size_t i = 0; i < refs.count; i++)
                hold_key(ledger, v, refs.items[i].target);
        }
    free(refs.items);
    df_map_deinit(&seen);
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
static void release_interned(struct ledger *ledger, int64_t *found)
{
    const struct gr_graph *graph = ledger->graph;

    for (uint32_t i = 0; i < ledger->py->interpreter_count; i++) {
        uint64_t dict = py_interned_strings(ledger->py, i);
        uint32_t node = dict ? gr_node(graph, dict) : AL_NONE;

        if (node == AL_NONE)
            continue;
        hold(ledger, 0, dict);
        for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
            if (graph->source[node] == GR_FROM_SWEEP)
                ledger->maybe[graph->target[e]]--;
            else
                found[graph->target[e]]--;
        }
    }
}

static bool is_static(const struct ledger *ledger, uint32_t v)
{
    return df_module_at(ledger->py->dump->modules, ledger->graph->address[v]) != NULL;
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

static void balance(struct ledger *ledger, const int64_t *found)
{
    struct gr_graph *graph = ledger->graph;
    struct gr_counts *counts = &graph->counts;

    for (uint32_t v = 0; v < graph->count; v++) {
        if (graph->references[v] == INT64_MAX)
            continue;
        int64_t left = believable(graph->references[v]) - found[v] - ledger->held[v];
        if (left && is_static(ledger, v))
            continue;
        if (graph->source[v] == GR_FROM_SWEEP && left > MOST_LOST)
            continue;
        if (left > 0)
            left = left > ledger->maybe[v] ? left - ledger->maybe[v] : 0;
        counts->checked++;
        graph->surplus[v] = clamp(left);
        counts->surplus += left > 0;
        if (left >= 0)
            continue;
        if (counts->deficit_example_count < 8)
            counts->deficit_examples[counts->deficit_example_count++] = v;
        counts->deficit++;
    }
}

/* Thread states have weak references in disguise (on_delete_data, up to 3.12). */
static bool in_thread_state(const struct ledger *ledger, uint64_t address)
{
    uint64_t size = PY_SIZEOF(&ledger->py->layout, thread);

    for (uint32_t t = 0; t < ledger->py->thread_count && size != PY_ABSENT; t++)
        if (address - ledger->py->threads[t].address < size)
            return true;
    return false;
}

/* The rest of the interpreter's state has nothing but its slots: what else is there is borrowed
 * (caches of types), or left over (places of free lists). */
static bool in_state(const struct ledger *ledger, uint64_t address)
{
    if (!ledger->py->layout.runtime_slots.count && !ledger->py->layout.interp_slots.count)
        return false;
    return address - ledger->py->runtime < ledger->state_size && !in_thread_state(ledger, address);
}

/* A word that is a slot of something known explains nothing again. */
static void explain(void *context, uint64_t target, const struct gr_native *word)
{
    struct ledger *ledger = context;
    const struct gr_graph *graph = ledger->graph;
    uint32_t node = gr_node(graph, target);
    struct gr_native copy = *word;

    if (node == AL_NONE || graph->surplus[node] <= 0)
        return;
    if (word->place != GR_NATIVE_REGISTER &&
        df_map_get(&ledger->slots, word->address) != DF_MAP_NONE)
        return;
    if (word->place == GR_NATIVE_DATA && gr_native_in_object(graph, word))
        return;
    if (word->place == GR_NATIVE_DATA && in_state(ledger, word->address))
        return;
    copy.node = node;
    DF_PUSH(&ledger->natives, copy);
}

/* What CPython itself forgets is nobody's leak. */
static void explain_loss(void *context, uint64_t object, uint32_t number)
{
    struct ledger *ledger = context;
    uint32_t node = gr_node(ledger->graph, object);

    if (node == AL_NONE || ledger->graph->surplus[node] <= 0)
        return;
    DF_PUSH(&ledger->natives,
            (struct gr_native){.node = node, .place = GR_NATIVE_LOST, .index = number});
    ledger->graph->counts.lost++;
}

static int by_node(const void *left, const void *right)
{
    const struct gr_native *a = left, *b = right;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return a->address < b->address ? -1 : a->address > b->address;
}

/* References of one object to another that its walk has found, of whatever kind. */
static uint32_t known_references(const struct gr_graph *graph, uint32_t from, uint32_t to)
{
    uint32_t count = 0;

    for (uint32_t e = graph->start[from]; e < graph->start[from + 1]; e++)
        count += graph->target[e] == to;
    for (uint32_t e = graph->weak_start[from]; e < graph->weak_start[from + 1]; e++)
        count += graph->weak_target[e] == to;
    return count;
}

/* Bytes of an object that are looked at. Some of C extensions are longer than their type says, by
 * what makes them owners of something (_cffi_backend's CData). */
static int64_t body_size(const struct ledger *ledger, uint32_t v, const struct py_type *type)
{
    const struct gr_graph *graph = ledger->graph;
    const struct df_module *module = df_module_at(ledger->py->dump->modules, type->dealloc);
    bool foreign = module && module != ledger->py->module && !type->traverse;
    int64_t size = type->basic_size + (foreign ? LONGER : 0);

    if (v + 1 < graph->count && graph->address[v + 1] - graph->address[v] < (uint64_t)size)
        size = (int64_t)(graph->address[v + 1] - graph->address[v]);
    if (size < type->basic_size)
        size = type->basic_size;
    return size < MAX_BODY ? size : MAX_BODY;
}

/* Words of an object that nobody visits, beyond those that are the references found in it. */
static void look_into(struct ledger *ledger, uint32_t v, const struct py_type *type, int64_t at)
{
    const struct gr_graph *graph = ledger->graph;
    const struct df_aspace *space = ledger->py->dump->space;
    uint64_t address = graph->address[v], last = graph->address[graph->count - 1], word;
    int64_t size = body_size(ledger, v, type);
    size_t first = ledger->natives.count;
    bool all = at == HEADER; /* else: members beyond those that the walker knows */

    for (; at + 8 <= size; at += 8) {
        uint32_t node, same = 0;

        if (!df_u64(space, address + (uint64_t)at, &word) || word < graph->address[0] ||
            word > last || (word & 7) || at == type->weaklist_offset)
            continue;
        node = gr_node(graph, word);
        if (node == AL_NONE || graph->surplus[node] <= 0)
            continue;
        for (size_t i = first; i < ledger->natives.count; i++)
            same += ledger->natives.items[i].node == node;
        DF_PUSH(&ledger->natives, (struct gr_native){.node = node,
                                                     .place = GR_NATIVE_OBJECT,
                                                     .index = v,
                                                     .address = address + (uint64_t)at,
                                                     .block = address});
        /* The first words are taken for what was found; of the rest each explains one. */
        if (all && same < known_references(graph, v, node))
            ledger->natives.items[ledger->natives.count - 1].place = GR_NATIVE_NONE;
    }
}

/* Where the words begin that no walker knows; the object's size where it knows them all, as those
 * do that are written by hand; but a type of C's that inherits one may have members of its own. */
static int64_t unknown_words(const struct ledger *ledger, const struct py_type *type)
{
    const struct py_type *base =
        type->base_index != PY_NO_TYPE ? py_type_at(ledger->objects, type->base_index) : NULL;

    if (type->flags & (PY_TPFLAGS_LONG | PY_TPFLAGS_BYTES | PY_TPFLAGS_UNICODE))
        return type->basic_size;
    if (type->walk_kind != PY_WALK_HAND || type->python_class)
        return HEADER;
    return base && base->traverse == type->traverse && base->basic_size > HEADER ? base->basic_size
                                                                                 : type->basic_size;
}

static void find_members(struct ledger *ledger)
{
    const struct gr_graph *graph = ledger->graph;
    size_t kept = ledger->natives.count;

    for (uint32_t v = 0; v < graph->count; v++) {
        const struct py_type *type = py_type_at(ledger->objects, graph->type[v]);

        look_into(ledger, v, type, unknown_words(ledger, type));
    }
    for (size_t i = kept; i < ledger->natives.count; i++)
        if (ledger->natives.items[i].place != GR_NATIVE_NONE)
            ledger->natives.items[kept++] = ledger->natives.items[i];
    ledger->natives.count = kept;
}

static void find_words(struct ledger *ledger)
{
    struct gr_graph *graph = ledger->graph;

    if (!graph->count || !graph->counts.surplus)
        return;
    gr_native_scan(ledger->py, graph->sweep, graph->address[0],
                   graph->address[graph->count - 1] + 1, explain, ledger);
    py_losses(ledger->py, explain_loss, ledger);
    find_members(ledger);
    graph->natives = ledger->natives.items;
    graph->native_count = ledger->natives.count;
    if (graph->native_count)
        qsort(graph->natives, graph->native_count, sizeof(*graph->natives), by_node);
    for (uint32_t v = 0; v < graph->count; v++)
        graph->counts.unexplained += gr_unexplained(graph, v) > 0;
}

/* A guess may be none, and so may all that an object refers to which the sweep has guessed. */
static void count_edges(struct ledger *ledger, int64_t *found)
{
    const struct gr_graph *graph = ledger->graph;

    for (uint32_t v = 0; v < graph->count; v++) {
        bool lost = graph->source[v] == GR_FROM_SWEEP;

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            if (lost || graph->kind[e] == PY_REF_GUESS)
                ledger->maybe[graph->target[e]]++;
            else
                found[graph->target[e]]++;
        }
    }
}

/* Without debug information the slots of the interpreter's state are not known; free-threaded
 * builds count in several places, and defer. Up to 3.10 tables of keys that several dicts share and
 * no type has any more own some names, and stacks hold more (every frame). What is lost of a core
 * may have held anything. */
static bool is_reliable(const struct py *py)
{
    return py->layout.interp_slots.count && py->layout.ref_shape != PY_COUNT_BIASED &&
           py->layout.frame_shape != PY_FRAME_OBJECTS && !df_core_is_cut(py->dump->core);
}

static struct df_err *add_up(struct ledger *ledger)
{
    struct gr_graph *graph = ledger->graph;
    DF_CLEANUP_FREE int64_t *found = NULL;

    DF_TRY(df_array(graph->count, sizeof(*found), &found));
    DF_TRY(df_array(graph->count, sizeof(*ledger->maybe), &ledger->maybe));
    DF_TRY(df_array(graph->count, sizeof(*ledger->held), &ledger->held));
    DF_TRY(df_array(graph->count, sizeof(*graph->surplus), &graph->surplus));
    count_edges(ledger, found);
    graph->counts.reliable = is_reliable(ledger->py);
    find_own(ledger);
    py_state_words(ledger->py, hold_slot, ledger);
    hold_frames(ledger);
    hold_keys(ledger);
    release_interned(ledger, found);
    balance(ledger, found);
    return NULL;
}

struct df_err *gr_ledger_make(struct gr_graph *graph, struct py_objects *objects,
                              const struct py *py)
{
    struct ledger ledger = {.graph = graph, .objects = objects, .py = py, .reader = py_reader(py)};
    const struct df_symbol *symbol;
    struct df_err *err;

    symbol = py->module ? df_module_symbol(py->module, "_PyRuntime") : NULL;
    ledger.state_size = symbol ? symbol->size : 0;
    df_map_init(&ledger.slots);
    df_map_init(&ledger.own);
    err = add_up(&ledger);
    if (!err)
        find_words(&ledger);
    df_map_deinit(&ledger.slots);
    df_map_deinit(&ledger.own);
    free(ledger.held);
    free(ledger.maybe);
    return err;
}
