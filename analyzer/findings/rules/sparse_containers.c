/* SPDX-License-Identifier: MIT
 * sparse_containers.c: which containers have room for far more than they hold?
 *
 * A table that was full once does not shrink when it is emptied. What is counted is the room beyond
 * what the container would have if it were made anew with what it holds, and only where that is
 * less than a quarter (dict, set) or half (list, bytearray): growing by itself leaves less.
 * (Objects/dictobject.c USABLE_FRACTION, GROWTH_RATE; Objects/setobject.c set_add_entry;
 * Objects/listobject.c list_resize.) Empty containers by the ten thousand are told too.
 */
#include "analyzer/findings/rules/looks.h"
#include "analyzer/findings/rules/places.h"
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define SHARE 50 /* a fiftieth of the heap */
#define GRAVE_SHARE 8
#define LEAST_BYTES 64000
#define MANY_EMPTY 10000
#define SMALL 16      /* a sixteenth of the usual */
#define SOME 32       /* containers that are fetched at a time */
#define LEAST_SLOTS 8 /* of the smallest table (PyDict_MINSIZE, PySet_MINSIZE) */

enum kind { LISTS, DICTS, SETS, BYTEARRAYS, KINDS };

struct tally {
    uint64_t count, room, empty, empty_bytes; /* room: bytes that could go */
    uint64_t largest_room;
    uint32_t largest;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } nodes, empties;
    struct {
        uint64_t *items;
        size_t count, capacity;
    } rooms; /* of nodes */
};

struct fi_room {
    const struct fi_look *look;
    struct py_reader reader;
    struct tally tallies[KINDS];
    struct {
        uint32_t *items;
        size_t count, capacity;
    } large; /* nodes that may have room: who has py_objects looks at them */
};

static void add_size(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    (void)address;
    if (kind == PY_BUFFER_ITEMS || kind == PY_BUFFER_TABLE || kind == PY_BUFFER_TEXT)
        *(uint64_t *)context += size;
}

/* Slots of a table made for so many entries, of which a numerator/denominator part may be used. */
static uint64_t slots_for(uint64_t used, uint64_t numerator, uint64_t denominator)
{
    uint64_t slots = LEAST_SLOTS;
    while (slots * numerator / denominator <= used && slots < PY_MAX_TUPLE)
        slots *= 2;
    return slots;
}

static uint64_t power_of_two_above(uint64_t number)
{
    uint64_t power = LEAST_SLOTS;
    while (power < number && power < PY_MAX_TUPLE)
        power *= 2;
    return power;
}

/* Bytes of `size` that a table of so many slots would not have if it had only the needed ones. */
static uint64_t room_of_table(uint64_t size, uint64_t slots, uint64_t needed)
{
    return slots >= 4 * needed ? size - size / (slots / needed) : 0;
}

static uint64_t room_of(struct fi_room *search, enum kind kind, uint64_t object, uint64_t size,
                        uint64_t *ret_used)
{
    struct py_reader *reader = &search->reader;
    uint64_t used, slots;
    switch (kind) {
    case LISTS:
        used = *ret_used = (uint64_t)py_ob_size(reader, object);
        return used <= size / 8 && size / 8 >= 2 * used + 8 ? size - used * 8 : 0;
    case BYTEARRAYS:
        used = *ret_used = (uint64_t)py_ob_size(reader, object);
        return used <= size && size >= 2 * used + 64 ? size - used : 0;
    case DICTS: {
        uint64_t keys = PY_PTR(reader, object, dict, ma_keys);
        used = *ret_used = PY_PTR(reader, object, dict, ma_used);
        if (PY_PTR(reader, object, dict, ma_values) || !keys)
            return 0; /* the table belongs to the class */
        uint64_t entries =
            PY_GET(reader, keys, dictkeys, dk_nentries) + PY_GET(reader, keys, dictkeys, dk_usable);
        slots = entries <= PY_MAX_TUPLE ? power_of_two_above(entries + entries / 2) : 0;
        return room_of_table(size, slots, slots_for(used, 2, 3));
    }
    default:
        used = *ret_used = PY_PTR(reader, object, set, used);
        slots = PY_PTR(reader, object, set, mask) + 1;
        return size && slots <= PY_MAX_TUPLE ? room_of_table(size, slots, slots_for(used, 3, 5))
                                             : 0;
    }
}

static enum kind kind_of(const struct py_type *type)
{
    if (type->flags & PY_TPFLAGS_LIST)
        return LISTS;
    if (type->flags & PY_TPFLAGS_DICT)
        return DICTS;
    if (strcmp(type->name, "set") == 0)
        return SETS;
    return strcmp(type->name, "bytearray") == 0 ? BYTEARRAYS : KINDS;
}

/* The size below which an object of a plain type cannot have much room; 0: it is looked at. A list
 * has room when it could hold ten; a dict when its table has 32 slots, and entries for two thirds
 * of these (Objects/dictobject.c, USABLE_FRACTION). */
static uint64_t least_size(const struct py_layout *layout, const struct py_type *type)
{
    enum { POINTER = 8, LEAST_LIST = 10 * POINTER, LEAST_DICT = 32 + 21 * 2 * POINTER };
    bool list = !strcmp(type->name, "list");
    if ((type->flags & PY_TPFLAGS_HEAPTYPE) || (!list && strcmp(type->name, "dict") != 0))
        return 0;
    return (uint64_t)type->basic_size + layout->gc_head_size + (list ? LEAST_LIST : LEAST_DICT);
}

static void add_empty(struct tally *tally, const struct gr_graph *graph, uint32_t node)
{
    tally->empty++;
    tally->empty_bytes += gr_size(graph, node);
    DF_PUSH(&tally->empties, node);
}

/* A small one without references: it may be empty. */
static void look_at_small(struct fi_room *search, uint32_t node, uint64_t object, enum kind kind)
{
    struct py_reader *reader = &search->reader;
    reader->fault = false;
    uint64_t used = kind == LISTS ? (uint64_t)py_ob_size(reader, object)
                                  : PY_PTR(reader, object, dict, ma_used);
    if (!used && !reader->fault)
        add_empty(&search->tallies[kind], search->look->analysis->graph, node);
}

static void look_at(struct fi_room *search, uint32_t node, uint64_t object, enum kind kind)
{
    const struct fi_analysis *analysis = search->look->analysis;
    struct tally *tally = &search->tallies[kind];
    uint64_t size = 0, used = 0;
    py_buffers(analysis->objects, object, gr_type(analysis->graph, node), add_size, &size);
    search->reader.fault = false;
    uint64_t room = room_of(search, kind, object, size, &used);
    if (search->reader.fault)
        return;
    if (room) {
        tally->count++;
        tally->room += room;
        DF_PUSH(&tally->nodes, node);
        DF_PUSH(&tally->rooms, room);
        if (room > tally->largest_room) {
            tally->largest_room = room;
            tally->largest = node;
        }
    } else if (!used) {
        add_empty(tally, analysis->graph, node);
    }
}

static const char *const one[KINDS] = {"list", "dict", "set", "bytearray"};

/* Small ones that are there in any process are not what a person counts. */
static void leave_out_small(struct tally *tally)
{
    uint64_t least = tally->count ? tally->room / tally->count / SMALL : 0;
    size_t kept = 0;
    for (size_t i = 0; i < tally->nodes.count; i++) {
        if (tally->rooms.items[i] < least) {
            tally->count--;
            tally->room -= tally->rooms.items[i];
            continue;
        }
        tally->nodes.items[kept++] = tally->nodes.items[i];
    }
    tally->nodes.count = kept;
}

static void report_room(struct fi_context *context, struct fi_room *search,
                        const struct fi_rule *rule, enum kind kind)
{
    struct tally *tally = &search->tallies[kind];
    uint64_t heap = context->verdict->heap_bytes;
    if (tally->room < heap / SHARE || tally->room < LEAST_BYTES)
        return;
    leave_out_small(tally);
    struct fi_place place =
        tally->largest_room > tally->room / 2
            ? fi_commonest_place(context, &tally->largest, 1)
            : fi_commonest_place(context, tally->nodes.items, tally->nodes.count);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = tally->room >= heap / GRAVE_SHARE ? FI_MEDIUM : FI_LOW;
    finding->type = one[kind];
    finding->count = tally->count;
    finding->shallow_bytes = finding->retained_bytes = tally->room;
    finding->holder = fi_place_holder(context, &place);
    finding->title = fi_pool_format(
        context->pool, "%s %s%s %s room for far more than %s: %s (%s of the heap) unused",
        fi_number_phrase(tally->count).text, one[kind], tally->count == 1 ? "" : "s",
        tally->count == 1 ? "has" : "have", tally->count == 1 ? "it holds" : "they hold",
        fi_bytes_phrase(tally->room).text, fi_percent_phrase(tally->room, heap).text);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "%u of %u that were looked up are at `%s`",
                               place.same, place.asked, place.path));
    finding->advice = "A table that was full once does not shrink when it is emptied: make it anew "
                      "(d = dict(d), items[:] = list(items)), or make a new one for each round.";
    finding->signature =
        fi_pool_format(context->pool, "%s:%s:%s", rule->name, one[kind], place.path);
}

static void report_empty(struct fi_context *context, struct fi_room *search,
                         const struct fi_rule *rule, enum kind kind)
{
    const struct tally *tally = &search->tallies[kind];
    uint64_t heap = context->verdict->heap_bytes;
    if (tally->empty < MANY_EMPTY || tally->empty_bytes < heap / SHARE)
        return;
    struct fi_place place = fi_commonest_place(context, tally->empties.items, tally->empties.count);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = FI_LOW;
    finding->type = one[kind];
    finding->count = tally->empty;
    finding->shallow_bytes = finding->retained_bytes = tally->empty_bytes;
    finding->holder = fi_place_holder(context, &place);
    finding->title = fi_pool_format(context->pool, "%s %ss are empty (%s, %s of the heap)",
                                    fi_number_phrase(tally->empty).text, one[kind],
                                    fi_bytes_phrase(tally->empty_bytes).text,
                                    fi_percent_phrase(tally->empty_bytes, heap).text);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "%u of %u that were looked up are at `%s`",
                               place.same, place.asked, place.path));
    finding->advice = "Make them when the first element comes (None until then), or let all share "
                      "an empty tuple.";
    finding->signature =
        fi_pool_format(context->pool, "%s:empty %s:%s", rule->name, one[kind], place.path);
}

/* Those that were found empty among the large ones, from `first` on, get their places among the
 * small ones: all ascend. */
static void merge_empties(struct tally *tally, size_t first)
{
    size_t count = tally->empties.count, left = 0, right = first, at = 0;
    if (!first || first == count)
        return;
    uint32_t *old = tally->empties.items, *merged = df_xcalloc(count, sizeof(*merged));
    while (at < count)
        merged[at++] =
            right == count || (left < first && old[left] < old[right]) ? old[left++] : old[right++];
    free(old);
    tally->empties.items = merged;
    tally->empties.capacity = count;
}

struct some { /* containers that are on their way to the processor */
    struct {
        uint64_t object;
        uint32_t node;
        enum kind kind;
    } items[SOME];
    uint32_t count;
};

static void look_at_some(struct fi_room *search, struct some *some, bool small)
{
    for (uint32_t i = 0; i < some->count; i++)
        (small ? look_at_small : look_at)(search, some->items[i].node, some->items[i].object,
                                          some->items[i].kind);
    some->count = 0;
}

static void fetch(struct fi_room *search, struct some *some, uint32_t node, enum kind kind,
                  bool small)
{
    uint64_t object = gr_address(search->look->analysis->graph, node);
    const void *bytes = py_ptr(&search->reader, object, 1);
    if (bytes)
        __builtin_prefetch(bytes);
    some->items[some->count].object = object;
    some->items[some->count].node = node;
    some->items[some->count++].kind = kind;
    if (some->count == SOME)
        look_at_some(search, some, small);
}

static void sort_out(struct fi_room *search, const uint8_t *kinds, const uint64_t *least)
{
    const struct fi_analysis *analysis = search->look->analysis;
    const struct gr_graph *graph = analysis->graph;
    struct some some = {.count = 0};
    for (uint32_t node = 0; node < graph->count; node++) {
        uint32_t type = gr_type(graph, node);
        if (kinds[type] == KINDS)
            continue;
        bool small = least[type] && gr_size(graph, node) < least[type];
        if (small && graph->start[node] != graph->start[node + 1])
            continue; /* it holds something */
        if (fi_is_garbage(analysis, node))
            continue;
        if (small)
            fetch(search, &some, node, (enum kind)kinds[type], true);
        else
            DF_PUSH(&search->large, node);
    }
    look_at_some(search, &some, true);
}

struct df_err *fi_look_for_room(const struct fi_look *look, struct fi_room **ret)
{
    struct fi_room *search = df_xcalloc(1, sizeof(*search));
    DF_CLEANUP_FREE uint8_t *kinds = df_xcalloc(look->type_count, 1);
    DF_CLEANUP_FREE uint64_t *least = df_xcalloc(look->type_count, sizeof(*least));
    *ret = search;
    search->look = look;
    search->reader = look->reader;
    for (uint32_t i = 0; i < look->type_count; i++) {
        kinds[i] = (uint8_t)kind_of(look->types[i]);
        least[i] = least_size(search->reader.layout, look->types[i]);
    }
    sort_out(search, kinds, least);
    return NULL;
}

static void look_at_large(struct fi_room *search)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    size_t small[KINDS];
    struct some some = {.count = 0};
    for (int kind = 0; kind < KINDS; kind++)
        small[kind] = search->tallies[kind].empties.count;
    for (size_t i = 0; i < search->large.count; i++) {
        uint32_t node = search->large.items[i];
        enum kind kind = kind_of(search->look->types[gr_type(graph, node)]);
        fetch(search, &some, node, kind, false);
    }
    look_at_some(search, &some, false);
    for (int kind = 0; kind < KINDS; kind++)
        merge_empties(&search->tallies[kind], small[kind]);
}

void fi_room_free(struct fi_room *room)
{
    if (!room)
        return;
    for (int kind = 0; kind < KINDS; kind++) {
        free(room->tallies[kind].nodes.items);
        free(room->tallies[kind].empties.items);
        free(room->tallies[kind].rooms.items);
    }
    free(room->large.items);
    free(room);
}

struct df_err *fi_ask_sparse_containers(struct fi_context *context, const struct fi_rule *rule)
{
    struct fi_room *search;
    DF_TRY(fi_looked_for_room(context->looks, &search));
    look_at_large(search);
    for (int kind = 0; kind < KINDS; kind++) {
        report_room(context, search, rule, (enum kind)kind);
        report_empty(context, search, rule, (enum kind)kind);
    }
    return NULL;
}
