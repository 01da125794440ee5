/* SPDX-License-Identifier: MIT
 * ledger_words.c: what may explain that an object counts more references than were found.
 *
 * Words outside of Python's objects that are its address (native.h); members of objects that
 * nobody visits; words that lead into it, where C code is known to keep such: to the text of a str
 * or bytes (PyMethodDef.ml_doc from PyUnicode_AsUTF8, NumPy's add_docstring), to a struct within an
 * object of an extension (libev's watchers in gevent's). And what CPython itself, or a module when
 * it was imported, is known to forget (losses.c, ledger_constants.c).
 *
 * A word explains one reference.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/ledger.h"
#include "analyzer/graph/picks.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define MAX_BODY 4096 /* bytes of an object that are looked at */
#define HEADER 16
#define LACKING_BITS 32 /* for each object with a surplus */
#define LONGER 16       /* bytes of an object behind what its type says */

struct inside { /* [start, end): words that lead here are references to the node */
    uint64_t start, end;
    uint32_t node;
};

struct explainer {
    struct gr_graph *graph;
    struct py_objects *objects;
    const struct py *py;
    const struct df_map *slots; /* addresses of words that are counted already */
    uint64_t state_size;        /* of _PyRuntime; 0 when not known */
    uint64_t lowest, highest;   /* addresses of objects */
    struct {
        struct inside *items; /* sorted, disjoint */
        size_t count, capacity;
    } inside;
    struct gr_words natives;
    uint64_t *lacking; /* bits: hashes of the addresses of objects with a surplus */
    unsigned lacking_shift;
};

/* Thread states have weak references in disguise (on_delete_data, up to 3.12). */
static bool in_thread_state(const struct explainer *ledger, uint64_t address)
{
    uint64_t size = PY_SIZEOF(&ledger->py->layout, thread);

    for (uint32_t t = 0; t < ledger->py->thread_count && size != PY_ABSENT; t++)
        if (address - ledger->py->threads[t].address < size)
            return true;
    return false;
}

/* The rest of the interpreter's state has nothing but its slots: what else is there is borrowed
 * (caches of types), or left over (places of free lists). */
static bool in_state(const struct explainer *ledger, uint64_t address)
{
    uint64_t size = PY_SIZEOF(&ledger->py->layout, interp);

    if (!ledger->py->layout.runtime_slots.count && !ledger->py->layout.interp_slots.count)
        return false;
    if (address - ledger->py->runtime < ledger->state_size)
        return !in_thread_state(ledger, address);
    for (uint32_t i = 0; i < ledger->py->interpreter_count && size != PY_ABSENT; i++)
        if (address - ledger->py->interpreters[i].address < size)
            return true;
    return false;
}

/* Where words lead that are references to a node, beside its address. */
static void add_inside(struct explainer *ledger, uint64_t start, uint64_t end, uint32_t node)
{
    if (start && start < end)
        DF_PUSH(&ledger->inside, (struct inside){start, end, node});
}

/* What frees objects of a type of C's, or of the type of C's that a class is made from. */
static bool is_foreign(const struct explainer *ledger, const struct py_type *type)
{
    const struct df_module *module;

    while (type->python_class && type->base_index != PY_NO_TYPE)
        type = py_type_at(ledger->objects, type->base_index);
    module = df_module_at(ledger->py->dump->modules, type->dealloc);
    return module && module != ledger->py->module;
}

static int by_start(const void *left, const void *right)
{
    const struct inside *a = left, *b = right;

    return a->start < b->start ? -1 : a->start > b->start;
}

static void find_insides(struct explainer *ledger)
{
    const struct gr_graph *graph = ledger->graph;
    struct py_reader reader = py_reader(ledger->py);

    for (uint32_t i = 0; i < graph->surplus_count; i++) {
        uint32_t v = graph->surpluses[i].node, kind;
        const struct py_type *type = py_type_at(ledger->objects, gr_type(graph, v));
        uint64_t at = gr_address(graph, v), text, length;

        if (graph->surpluses[i].count <= 0)
            continue;
        if (type->flags & PY_TPFLAGS_BYTES)
            add_inside(ledger, PY_AT(reader.layout, at, bytes, ob_sval),
                       PY_AT(reader.layout, at, bytes, ob_sval) + 1, v);
        else if (!(type->flags & PY_TPFLAGS_UNICODE) && is_foreign(ledger, type))
            add_inside(ledger, at + HEADER, at + (uint64_t)type->basic_size, v);
        else if ((type->flags & PY_TPFLAGS_UNICODE) &&
                 py_str_data(&reader, at, &text, &length, &kind))
            add_inside(ledger, text, text + 1, v);
    }
    if (ledger->inside.count)
        qsort(ledger->inside.items, ledger->inside.count, sizeof(struct inside), by_start);
}

static uint32_t node_inside(const struct explainer *ledger, uint64_t word)
{
    size_t low = 0, high = ledger->inside.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ledger->inside.items[middle].end <= word)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ledger->inside.count && ledger->inside.items[low].start <= word
               ? ledger->inside.items[low].node
               : AL_NONE;
}

/* What lies on stacks leads into anything. */
static bool leads_inside(const struct gr_native *word)
{
    return word->place == GR_NATIVE_DATA || word->place == GR_NATIVE_BLOCK ||
           word->place == GR_NATIVE_MAPPING;
}

/* A word that is a slot of something known explains nothing again. */
static void explain(void *context, uint64_t target, const struct gr_native *word)
{
    struct explainer *ledger = context;
    const struct gr_graph *graph = ledger->graph;
    uint32_t node = gr_node(graph, target);
    struct gr_native copy = *word;

    if (node == AL_NONE && leads_inside(word))
        node = node_inside(ledger, target);
    if (node == AL_NONE || gr_surplus(graph, node) <= 0)
        return;
    if (word->place != GR_NATIVE_REGISTER &&
        df_map_get(ledger->slots, word->address) != DF_MAP_NONE)
        return;
    /* A walk has found what a static type refers to, but not whose text its tp_doc is. */
    if (word->place == GR_NATIVE_DATA && target == gr_address(graph, node) &&
        gr_native_in_object(graph, word))
        return;
    if (leads_inside(word) && in_state(ledger, word->address))
        return;
    copy.node = node;
    DF_PUSH(&ledger->natives, copy);
}

/* What CPython itself forgets is nobody's leak. */
static void explain_loss(void *context, uint64_t object, uint32_t number)
{
    struct explainer *ledger = context;
    uint32_t node = gr_node(ledger->graph, object);

    if (node == AL_NONE || gr_surplus(ledger->graph, node) <= 0)
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
    const uint32_t *weak;
    uint32_t count = 0, weak_count;

    for (uint32_t e = graph->start[from]; e < graph->start[from + 1]; e++)
        count += graph->target[e] == to;
    weak = gr_weak(graph, from, &weak_count);
    for (uint32_t i = 0; i < weak_count; i++)
        count += weak[i] == to;
    return count;
}

/* Bytes of an object that are looked at. Some of C extensions are longer than their type says, by
 * what makes them owners of something (_cffi_backend's CData). */
static int64_t body_size(const struct explainer *ledger, const struct py_type *type)
{
    const struct df_module *module = df_module_at(ledger->py->dump->modules, type->dealloc);
    bool foreign = module && module != ledger->py->module && !type->traverse;

    return type->basic_size + (foreign ? LONGER : 0);
}

/* What is looked at of the objects of a type: nothing when it is too short for a word. */
struct body {
    int64_t first, size;
};

static int64_t limit_size(const struct explainer *ledger, const struct gr_pick *object,
                          const struct body *body)
{
    const struct gr_graph *graph = ledger->graph;
    int64_t size = body->size, least = py_type_at(ledger->objects, object->type)->basic_size;

    if (size > least && object->node + 1 < graph->count) {
        uint64_t room = gr_address(graph, object->node + 1) - object->address;

        if (room < (uint64_t)size)
            size = (int64_t)room > least ? (int64_t)room : least;
    }
    return size < MAX_BODY ? size : MAX_BODY;
}

/* A word of an object that is the address of one with a surplus. */
static void add_member(const struct explainer *ledger, const struct gr_pick *object, int64_t at,
                       bool all, uint32_t node, size_t first, struct gr_words *ret)
{
    uint32_t same = 0;

    for (size_t i = first; i < ret->count; i++)
        same += ret->items[i].node == node;
    DF_PUSH(ret, (struct gr_native){.node = node,
                                    .place = GR_NATIVE_OBJECT,
                                    .index = object->node,
                                    .address = object->address + (uint64_t)at,
                                    .block = object->address});
    /* The first words are taken for what was found; of the rest each explains one. */
    if (all && same < known_references(ledger->graph, object->node, node))
        ret->items[ret->count - 1].place = GR_NATIVE_NONE;
}

/* Where `lacking` has the bit of an address. */
static inline uint64_t lacking_bit(const struct explainer *ledger, uint64_t address)
{
    return address * UINT64_C(0x9E3779B97F4A7C15) >> ledger->lacking_shift;
}

/* Whether a word may be the address of an object with a surplus: seldom said of others. */
static inline bool may_lack(const struct explainer *ledger, uint64_t word)
{
    return word - ledger->lowest <= ledger->highest - ledger->lowest &&
           gr_bit(ledger->lacking, lacking_bit(ledger, word));
}

/* Words of an object that nobody visits, beyond those that are the references found in it. `bytes`:
 * from body->first on; NULL when they are not contiguous. */
static void look_into(const struct explainer *ledger, const struct gr_pick *object, int64_t size,
                      const struct body *body, const uint8_t *bytes, struct gr_words *ret)
{
    const struct df_aspace *space = ledger->py->dump->space;
    const struct py_type *type = py_type_at(ledger->objects, object->type);
    size_t first = ret->count;
    uint64_t word;

    for (int64_t at = body->first; at + 8 <= size; at += 8) {
        uint32_t node;

        if (bytes)
            memcpy(&word, bytes + (at - body->first), 8);
        else if (!df_u64(space, object->address + (uint64_t)at, &word))
            continue;
        if (!may_lack(ledger, word) || (word & 7) || at == type->weaklist_offset)
            continue;
        node = gr_node(ledger->graph, word);
        if (node == AL_NONE || gr_surplus(ledger->graph, node) <= 0)
            continue;
        /* A first word behind the header: members beyond those that the walker knows. */
        add_member(ledger, object, at, body->first == HEADER, node, first, ret);
    }
}

/* The size of str itself: a subclass of C's may have members behind it (multidict's istr). */
static int64_t str_size(const struct explainer *ledger, const struct py_type *type)
{
    int64_t size = type->basic_size;

    if (type->python_class)
        return size;
    while (type->base_index != PY_NO_TYPE) {
        type = py_type_at(ledger->objects, type->base_index);
        if (type->flags & PY_TPFLAGS_UNICODE)
            size = type->basic_size;
    }
    return size;
}

/* The interpreter's own types of numbers, of which there are many: what they have is no address,
 * even where it looks like one. */
static bool is_number(const struct explainer *ledger, const struct py_type *type)
{
    return (strcmp(type->name, "float") == 0 || strcmp(type->name, "complex") == 0) &&
           df_module_at(ledger->py->dump->modules, type->address) == ledger->py->module;
}

/* Where the words begin that no walker knows; the object's size where it knows them all, as those
 * do that are written by hand; but a type of C's that inherits one may have members of its own. */
static int64_t unknown_words(const struct explainer *ledger, const struct py_type *type)
{
    const struct py_type *base =
        type->base_index != PY_NO_TYPE ? py_type_at(ledger->objects, type->base_index) : NULL;

    if (type->flags & PY_TPFLAGS_UNICODE)
        return str_size(ledger, type);
    if (type->flags & (PY_TPFLAGS_LONG | PY_TPFLAGS_BYTES) || is_number(ledger, type))
        return type->basic_size;
    if (type->walk_kind != PY_WALK_HAND || type->python_class)
        return HEADER;
    return base && base->traverse == type->traverse && base->basic_size > HEADER ? base->basic_size
                                                                                 : type->basic_size;
}

static struct body *make_bodies(const struct explainer *ledger)
{
    uint32_t types = py_type_count(ledger->objects);
    struct body *bodies = df_xcalloc((size_t)types + 1, sizeof(*bodies));

    for (uint32_t i = 0; i < types; i++) {
        const struct py_type *type = py_type_at(ledger->objects, i);

        bodies[i] = (struct body){unknown_words(ledger, type), body_size(ledger, type)};
    }
    return bodies;
}

#define PART 65536 /* nodes that one thread looks into */

struct members { /* of all objects, part by part */
    const struct explainer *ledger;
    const struct body *bodies;  /* by type */
    const uint8_t *wanted;      /* by type: LOOK, CODE */
    struct gr_words *words;     /* of each part */
    struct gr_node_list *codes; /* of each part: code objects, for gr_explain_constants */
};

enum { LOOK = 1, CODE = 2 }; /* there is something to look at; its objects are code */

/* Of the batch, what there is something to look at in. */
static void sort_out(const struct members *members, struct gr_picks *picks,
                     struct gr_node_list *codes)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < picks->count; i++) {
        if (members->wanted[picks->items[i].type] & CODE)
            DF_PUSH(codes, picks->items[i].node);
        if (members->wanted[picks->items[i].type] & LOOK)
            picks->items[kept++] = picks->items[i];
    }
    picks->count = kept;
}

static void look_into_batch(const struct members *members, const struct gr_picks *picks,
                            struct gr_words *words)
{
    const struct df_aspace *space = members->ledger->py->dump->space;
    const uint8_t *bytes[GR_PICKS];
    int64_t size[GR_PICKS];

    for (uint32_t i = 0; i < picks->count; i++) {
        const struct gr_pick *object = &picks->items[i];
        int64_t first = members->bodies[object->type].first;

        size[i] = limit_size(members->ledger, object, &members->bodies[object->type]);
        bytes[i] = first < size[i] ? gr_fetch(space, object->address + (uint64_t)first,
                                              (uint64_t)(size[i] - first))
                                   : NULL;
    }
    for (uint32_t i = 0; i < picks->count; i++)
        look_into(members->ledger, &picks->items[i], size[i],
                  &members->bodies[picks->items[i].type], bytes[i], words);
}

static void find_in_part(void *context, uint32_t part)
{
    const struct members *members = context;
    struct gr_words *words = &members->words[part];
    struct gr_picks picks;
    size_t kept = 0;

    gr_picks_begin(&picks, members->ledger->graph, members->wanted, (uint64_t)part * PART,
                   (uint64_t)(part + 1) * PART);
    while (gr_picks_next(&picks)) {
        sort_out(members, &picks, &members->codes[part]);
        look_into_batch(members, &picks, words);
    }
    for (size_t i = 0; i < words->count; i++)
        if (words->items[i].place != GR_NATIVE_NONE)
            words->items[kept++] = words->items[i];
    words->count = kept;
}

static uint8_t *find_wanted(const struct explainer *ledger, const struct body *bodies)
{
    uint32_t types = py_type_count(ledger->objects), code = gr_code_type(ledger->objects);
    uint8_t *wanted = df_xcalloc((size_t)types + 1, 1);

    for (uint32_t i = 0; i < types; i++)
        wanted[i] =
            (uint8_t)((bodies[i].first + 8 <= bodies[i].size ? LOOK : 0) | (i == code ? CODE : 0));
    return wanted;
}

/* A bit for each object with a surplus, at a hash of its address, among many that are not set. */
static void mark_lacking(struct explainer *ledger)
{
    const struct gr_graph *graph = ledger->graph;
    unsigned width = 10;

    while (width < 36 && UINT64_C(1) << width < LACKING_BITS * graph->counts.surplus)
        width++;
    ledger->lacking = df_xcalloc((size_t)1 << (width - 6), sizeof(*ledger->lacking));
    ledger->lacking_shift = 64 - width;
    for (uint32_t i = 0; i < graph->surplus_count; i++)
        if (graph->surpluses[i].count > 0)
            gr_set_bit(ledger->lacking,
                       lacking_bit(ledger, gr_address(graph, graph->surpluses[i].node)));
}

static void find_members(struct explainer *ledger, uint32_t jobs, struct gr_node_list *ret_codes)
{
    uint32_t parts = (ledger->graph->count - 1) / PART + 1;
    DF_CLEANUP_FREE struct body *bodies = make_bodies(ledger);
    DF_CLEANUP_FREE uint8_t *wanted = find_wanted(ledger, bodies);
    DF_CLEANUP_FREE struct gr_words *words = df_xcalloc(parts, sizeof(*words));
    DF_CLEANUP_FREE struct gr_node_list *codes = df_xcalloc(parts, sizeof(*codes));
    struct members members = {
        .ledger = ledger, .bodies = bodies, .wanted = wanted, .words = words, .codes = codes};

    mark_lacking(ledger);
    df_threads_share(jobs, parts, find_in_part, &members);
    for (uint32_t i = 0; i < parts; i++) {
        DF_APPEND(&ledger->natives, words[i].items, words[i].count);
        DF_APPEND(ret_codes, codes[i].items, codes[i].count);
        free(words[i].items);
        free(codes[i].items);
    }
}

/* The words found so far become the graph's. */
static void install(struct explainer *ledger)
{
    struct gr_graph *graph = ledger->graph;

    graph->natives = ledger->natives.items;
    graph->native_count = ledger->natives.count;
    if (graph->native_count)
        qsort(graph->natives, graph->native_count, sizeof(*graph->natives), by_node);
}

void gr_ledger_explain(struct gr_graph *graph, struct py_objects *objects, const struct py *py,
                       const struct df_map *slots, uint32_t jobs)
{
    struct explainer ledger = {.graph = graph, .objects = objects, .py = py, .slots = slots};
    const struct df_symbol *symbol;
    struct gr_node_list codes = {0};

    if (!graph->count || !graph->counts.surplus)
        return;
    symbol = py->module ? df_module_symbol(py->module, "_PyRuntime") : NULL;
    ledger.state_size = symbol ? symbol->size : 0;
    ledger.lowest = gr_address(graph, 0);
    ledger.highest = gr_address(graph, graph->count - 1);
    find_insides(&ledger);
    gr_native_scan(py, graph->sweep, ledger.lowest, ledger.highest + MAX_BODY, explain, &ledger);
    py_losses(py, explain_loss, &ledger);
    find_members(&ledger, jobs, &codes);
    install(&ledger);
    gr_explain_constants(graph, objects, py, &codes, &ledger.natives);
    install(&ledger);
    for (uint32_t i = 0; i < graph->surplus_count; i++)
        graph->counts.unexplained += gr_unexplained(graph, graph->surpluses[i].node) > 0;
    free(ledger.inside.items);
    free(ledger.lacking);
    free(codes.items);
}
