/* SPDX-License-Identifier: MIT
 * duplicate_values.c: which texts, bytes and tuples are there many times over?
 *
 * Equal values are told by a hash of their content, and compared byte for byte with the first that
 * had it. A tuple is its items: an item that is a text counts by its content, a small number by its
 * value, a tuple by its items, anything else by what it is. (The idea: JOverflow, Eclipse MAT's
 * "find strings".)
 *
 * Most values are there once. They are told by 32 bits of hash each (repeats.c; of a tuple by what
 * the graph knows of its items), and never looked at again; a kind of which too few bytes are left
 * then is not told of, whatever it is.
 */
#include "analyzer/findings/rules/looks.h"
#include "analyzer/findings/rules/places.h"
#include "analyzer/findings/rules/repeats.h"
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define SHARE 50      /* a fiftieth of the heap in copies is worth a finding */
#define GRAVE_SHARE 8 /* an eighth of it more than that */
#define LEAST_BYTES 64000
#define MAX_TUPLE_ITEMS 64 /* longer ones are tables, not values */
#define MAX_NESTED 4       /* tuples within tuples */
#define EXAMPLES 3
#define READS 8     /* of a value's content, at most */
#define SOME 32     /* values that are fetched at a time */
#define LINE 64     /* bytes that are fetched at once */
#define TEXT 60     /* characters of a value that are shown */
#define SAMPLE 4096 /* copies whose place is looked up */

enum kind { TEXTS, BYTES, TUPLES, KINDS };

struct group { /* equal values */
    uint32_t first, count;
    uint64_t bytes; /* of all */
};

struct values {       /* of a kind, by ascending node */
    uint32_t *hashes; /* of all that are of its types, 0: none, alone; then: members' groups */
    uint32_t count;
    uint64_t *member; /* per node, bits: in a group */
    uint32_t *before; /* per BLOCK words of bits: members before; one more */
};

#define BLOCK 8

struct depth {               /* of tuples in a tuple */
    uint32_t levels, tuples; /* above the one that is looked at; that may still be looked at */
};

struct fi_duplicates {
    const struct fi_look *look;
    struct py_reader reader;
    uint8_t *kind_of;    /* per type: 1 + enum kind; 0: none */
    uint8_t *is_int;     /* per type */
    struct df_map index; /* hash of the content -> group */
    uint64_t budget;     /* bytes of content that may still be read */
    struct values values[KINDS];
    struct {
        struct group *items;
        size_t count, capacity;
    } groups;
    size_t end[KINDS]; /* of the groups of each kind */
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

/* The last bytes, fewer than 8, as a word; without a call of memcpy. */
static uint64_t rest(const uint8_t *data, uint64_t size)
{
    uint32_t first, last;
    if (size >= 4) {
        memcpy(&first, data, 4);
        memcpy(&last, data + size - 4, 4);
        return (uint64_t)last << 32 | first;
    }
    return size ? data[0] | (uint32_t)data[size / 2] << 8 | (uint32_t)data[size - 1] << 16 : 0;
}

static uint64_t hash_bytes(const uint8_t *data, uint64_t size, uint64_t seed)
{
    uint64_t hash = mix(seed, size), word;
    for (; size >= 8; size -= 8, data += 8) {
        memcpy(&word, data, 8);
        hash = mix(hash, word);
    }
    hash = mix(hash, rest(data, size));
    return hash ? hash : 1; /* 0 is no key of a map */
}

static uint32_t cut_hash(uint64_t hash)
{
    uint32_t cut = (uint32_t)(hash >> 32);
    return cut ? cut : 1;
}

/* The content of a text or bytes object, in the core; NULL when it cannot be read in one piece. */
static const uint8_t *content(struct fi_duplicates *search, uint64_t object, enum kind kind,
                              uint64_t *ret_size)
{
    struct py_reader *reader = &search->reader;
    uint64_t limit = search->budget < PY_MAX_TUPLE ? search->budget : PY_MAX_TUPLE;
    const uint8_t *bytes = NULL;
    reader->fault = false;
    if (kind == TEXTS) {
        bytes = py_str_bytes(reader, object, limit, ret_size);
    } else {
        *ret_size = (uint64_t)py_ob_size(reader, object);
        if (!reader->fault && *ret_size <= limit && !reader->redacted)
            bytes = py_ptr(reader, PY_AT(reader->layout, object, bytes, ob_sval), *ret_size);
    }
    search->budget -= bytes ? *ret_size : 0;
    return bytes;
}

static bool is_same_value(struct fi_duplicates *search, uint64_t object, uint64_t first,
                          enum kind kind)
{
    uint64_t size, first_size;
    const uint8_t *here = content(search, object, kind, &size);
    const uint8_t *there = content(search, first, kind, &first_size);
    return here && there && size == first_size && memcmp(here, there, size) == 0;
}

/* The hash of a text or bytes object's content, 0 when it cannot be read. */
static uint64_t hash_content(struct fi_duplicates *search, uint64_t object, enum kind kind)
{
    uint64_t size;
    const uint8_t *data = content(search, object, kind, &size);
    return data ? hash_bytes(data, size, kind + 1) : 0;
}

/* A hash of what the graph knows of a tuple: equal for equal tuples. Items that may be equal though
 * they are several objects count by their type; in no order, for the graph promises none. */
static uint32_t hash_items(const struct fi_duplicates *search, uint32_t node)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint32_t first = graph->start[node], end = graph->start[node + 1];
    uint64_t sum = end - first;
    if (end - first > MAX_TUPLE_ITEMS)
        return 0;
    for (uint32_t e = first; e < end; e++) {
        uint32_t item = graph->target[e], type = gr_type(graph, item);
        uint8_t kind = search->kind_of[type];
        sum += kind || search->is_int[type] ? mix(2, kind) : mix(1, item);
    }
    return cut_hash(mix(3, sum));
}

/* Of a node of a kind's type: does it count? */
static bool is_value(const struct fi_duplicates *search, uint32_t node)
{
    return !(search->look->analysis->graph->flags[node] & GR_IMMORTAL) &&
           !fi_is_garbage(search->look->analysis, node);
}

struct some { /* values of a kind whose content is on its way to the processor */
    uint64_t objects[SOME];
    uint32_t count;
};

static void hash_some(struct fi_duplicates *search, enum kind kind, struct some *some)
{
    struct values *values = &search->values[kind];
    for (uint32_t i = 0; i < some->count; i++) {
        uint64_t hash = some->objects[i] ? hash_content(search, some->objects[i], kind) : 0;
        values->hashes[values->count++] = hash ? cut_hash(hash) : 0;
    }
    some->count = 0;
}

static void fetch(struct fi_duplicates *search, enum kind kind, uint64_t object, struct some *some)
{
    const uint8_t *bytes = object ? py_ptr(&search->reader, object, 1) : NULL;
    if (bytes) {
        __builtin_prefetch(bytes);
        __builtin_prefetch(bytes + LINE);
    }
    some->objects[some->count++] = object;
    if (some->count == SOME)
        hash_some(search, kind, some);
}

static struct df_err *hash_all(struct fi_duplicates *search, const bool *wanted)
{
    const struct fi_census *census = search->look->census;
    const struct gr_graph *graph = search->look->analysis->graph;
    uint64_t totals[KINDS + 1] = {0}, address;
    struct some some[KINDS] = {0};
    for (uint32_t i = 0; i < census->types; i++)
        totals[search->kind_of[i] ? search->kind_of[i] - 1 : KINDS] += census->sums[i].count;
    for (int kind = 0; kind < KINDS; kind++)
        DF_TRY(df_array(wanted[kind] ? totals[kind] : 0, sizeof(uint32_t),
                        &search->values[kind].hashes));
    struct gr_node_cursor cursor = gr_nodes(graph);
    for (uint32_t node; gr_next_node(&cursor, &node, &address);) {
        uint8_t of_type = search->kind_of[gr_type(graph, node)];
        if (!of_type || !wanted[of_type - 1])
            continue;
        enum kind kind = (enum kind)(of_type - 1);
        struct values *values = &search->values[kind];
        if (kind == TUPLES)
            values->hashes[values->count++] = is_value(search, node) ? hash_items(search, node) : 0;
        else
            fetch(search, kind, is_value(search, node) ? address : 0, &some[kind]);
    }
    hash_some(search, TEXTS, &some[TEXTS]);
    hash_some(search, BYTES, &some[BYTES]);
    for (int kind = 0; kind < KINDS; kind++)
        DF_TRY(fi_keep_repeats(search->values[kind].hashes, search->values[kind].count));
    return NULL;
}

/* Nodes of a kind whose values are not alone, ascending. */
struct cursor {
    const struct fi_duplicates *search;
    enum kind kind;
    uint32_t node, at;
};

static bool next(struct cursor *cursor, uint32_t *ret_node, uint32_t *ret_at)
{
    const struct fi_duplicates *search = cursor->search;
    const struct gr_graph *graph = search->look->analysis->graph;
    const struct values *values = &search->values[cursor->kind];
    while (cursor->at < values->count && cursor->node < graph->count) {
        uint32_t node = cursor->node++;
        if (search->kind_of[gr_type(graph, node)] != cursor->kind + 1)
            continue;
        *ret_at = cursor->at++;
        *ret_node = node;
        if (values->hashes[*ret_at])
            return true;
    }
    return false;
}

static bool is_enough(const struct fi_duplicates *search, uint64_t bytes)
{
    return bytes >= search->look->analysis->total_bytes / SHARE && bytes >= LEAST_BYTES;
}

/* Of the kinds that are wanted, those whose values that are not alone have bytes enough. */
static void keep_large(const struct fi_duplicates *search, bool *wanted)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint64_t bytes[KINDS] = {0};
    uint32_t at[KINDS] = {0};
    for (uint32_t node = 0; node < graph->count; node++) {
        uint8_t kind = search->kind_of[gr_type(graph, node)];
        if (kind && at[kind - 1] < search->values[kind - 1].count &&
            search->values[kind - 1].hashes[at[kind - 1]++])
            bytes[kind - 1] += gr_size(graph, node);
    }
    for (int kind = 0; kind < KINDS; kind++)
        wanted[kind] = wanted[kind] && is_enough(search, bytes[kind]);
}

/* 1 + the group of a node of a kind that was collected; 0: it is in none. */
static uint32_t group_of(const struct fi_duplicates *search, enum kind kind, uint32_t node)
{
    const struct values *values = &search->values[kind];
    uint32_t word = node / 64, block = word / BLOCK;
    if (!values->member || !gr_bit(values->member, node))
        return 0;
    uint64_t at = values->before[block];
    for (uint32_t i = block * BLOCK; i < word; i++)
        at += gr_count_bits(values->member[i]);
    at += gr_count_bits(values->member[word] & ((UINT64_C(1) << node % 64) - 1));
    return values->hashes[at] + 1;
}

static uint64_t nested_key(struct fi_duplicates *search, uint64_t object, struct depth *depth);

/* What a tuple's item counts as: its value's group, its number, its items, or its address. */
static uint64_t item_key(struct fi_duplicates *search, uint64_t item, struct depth *depth)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint32_t node = gr_node(graph, item);
    int64_t number;
    if (node == AL_NONE)
        return item;
    uint32_t type = gr_type(graph, node), group = 0;
    uint8_t kind = search->kind_of[type];
    if (kind == 1 + TUPLES && is_value(search, node))
        return nested_key(search, item, depth);
    if (kind && kind != 1 + TUPLES)
        group = group_of(search, (enum kind)(kind - 1), node);
    if (group)
        return mix(1, group);
    if (search->is_int[type] && py_int(&search->reader, item, &number))
        return mix(2, (uint64_t)number);
    return mix(3, item);
}

static bool keys_of_items(struct fi_duplicates *search, uint64_t object, uint64_t *keys,
                          uint64_t *ret_count, struct depth *depth)
{
    uint64_t items;
    if (!py_tuple(&search->reader, object, &items, ret_count) || !*ret_count ||
        *ret_count > MAX_TUPLE_ITEMS)
        return false;
    for (uint64_t i = 0; i < *ret_count; i++)
        keys[i] = item_key(search, py_word(&search->reader, items + i * 8), depth);
    return !search->reader.fault;
}

/* A tuple in a tuple counts by its items, down to some depth. */
static uint64_t nested_key(struct fi_duplicates *search, uint64_t object, struct depth *depth)
{
    uint64_t keys[MAX_TUPLE_ITEMS], count, key = mix(3, object);
    if (depth->levels == MAX_NESTED || !depth->tuples)
        return key;
    depth->levels++;
    depth->tuples--;
    if (keys_of_items(search, object, keys, &count, depth))
        key = hash_bytes((const uint8_t *)keys, count * 8, KINDS + 2);
    depth->levels--;
    return key;
}

static bool tuple_keys(struct fi_duplicates *search, uint64_t object, uint64_t *keys,
                       uint64_t *ret_count)
{
    struct depth depth = {.tuples = MAX_TUPLE_ITEMS};
    search->reader.fault = false;
    return keys_of_items(search, object, keys, ret_count, &depth);
}

static bool is_same_tuple(struct fi_duplicates *search, uint64_t object, uint64_t first)
{
    uint64_t keys[MAX_TUPLE_ITEMS], others[MAX_TUPLE_ITEMS], count, other_count;
    return tuple_keys(search, object, keys, &count) &&
           tuple_keys(search, first, others, &other_count) && other_count == count &&
           memcmp(keys, others, count * 8) == 0;
}

static uint64_t hash_value(struct fi_duplicates *search, uint64_t object, enum kind kind)
{
    uint64_t keys[MAX_TUPLE_ITEMS], count;
    if (kind != TUPLES)
        return hash_content(search, object, kind);
    return tuple_keys(search, object, keys, &count)
               ? hash_bytes((const uint8_t *)keys, count * 8, KINDS + 1)
               : 0;
}

/* The group of a value, UINT32_MAX when it is equal to none that has its hash. */
static uint32_t enter(struct fi_duplicates *search, uint32_t node, enum kind kind)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint64_t object = gr_address(graph, node), hash = hash_value(search, object, kind);
    bool added;
    if (!hash)
        return UINT32_MAX;
    uint32_t at = df_map_add(&search->index, hash, (uint32_t)search->groups.count, &added);
    if (added)
        DF_PUSH(&search->groups, (struct group){.first = node});
    uint64_t first = added ? object : gr_address(graph, search->groups.items[at].first);
    if (!added && !(kind == TUPLES ? is_same_tuple(search, object, first)
                                   : is_same_value(search, object, first, kind)))
        return UINT32_MAX;
    search->groups.items[at].count++;
    search->groups.items[at].bytes += gr_size(graph, node);
    return at;
}

static struct df_err *rank_members(struct values *values, uint32_t nodes)
{
    uint32_t words = nodes / 64 + 1, blocks = words / BLOCK + 1;
    DF_TRY(df_array((size_t)blocks + 1, sizeof(uint32_t), &values->before));
    for (uint32_t block = 0; block < blocks; block++) {
        values->before[block + 1] = values->before[block];
        for (uint32_t i = block * BLOCK; i < words && i < (block + 1) * BLOCK; i++)
            values->before[block + 1] += (uint32_t)gr_count_bits(values->member[i]);
    }
    return NULL;
}

/* Of tuples that may be equal as far as the graph knows, those that may be so after all. */
static struct df_err *look_into_tuples(struct fi_duplicates *search)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    struct values *tuples = &search->values[TUPLES];
    struct cursor cursor = {.search = search, .kind = TUPLES};
    for (uint32_t node, at; next(&cursor, &node, &at);) {
        uint64_t hash = hash_value(search, gr_address(graph, node), TUPLES);
        tuples->hashes[at] = hash ? cut_hash(hash) : 0;
    }
    return fi_keep_repeats(tuples->hashes, tuples->count);
}

static struct df_err *collect(struct fi_duplicates *search, enum kind kind)
{
    uint32_t nodes = search->look->analysis->graph->count, members = 0;
    struct values *values = &search->values[kind];
    struct cursor cursor = {.search = search, .kind = kind};
    if (kind == TUPLES)
        DF_TRY(look_into_tuples(search));
    DF_TRY(df_array((size_t)nodes / 64 + 1, sizeof(uint64_t), &values->member));
    df_map_init(&search->index);
    for (uint32_t node, at; next(&cursor, &node, &at);) {
        uint32_t group = enter(search, node, kind);
        if (group == UINT32_MAX)
            continue;
        gr_set_bit(values->member, node);
        values->hashes[members++] = group; /* members <= at: its hash has served */
    }
    df_map_deinit(&search->index);
    return rank_members(values, nodes);
}

static uint64_t wasted(const struct group *group)
{
    return group->count > 1 ? group->bytes - group->bytes / group->count : 0;
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    uint64_t of_a = wasted(a), of_b = wasted(b);
    if (of_a != of_b)
        return of_a > of_b ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

struct sum {
    uint64_t values, copies, bytes; /* values that have copies, copies beyond the first of each */
};

static struct sum add_up(const struct group *groups, size_t count)
{
    struct sum sum = {0};
    for (size_t i = 0; i < count; i++)
        if (groups[i].count > 1) {
            sum.values++;
            sum.copies += groups[i].count - 1;
            sum.bytes += wasted(&groups[i]);
        }
    return sum;
}

/* Nodes of a group, at most SAMPLE. Malloc'ed. */
static uint32_t *members(const struct fi_duplicates *search, enum kind kind, uint32_t group,
                         size_t *ret_count)
{
    const struct values *values = &search->values[kind];
    uint32_t words = search->look->analysis->graph->count / 64 + 1, at = 0;
    uint32_t *nodes = df_xcalloc(SAMPLE, sizeof(*nodes));
    *ret_count = 0;
    for (uint32_t word = 0; word < words; word++)
        for (uint64_t left = values->member[word]; left; left &= left - 1, at++)
            if (values->hashes[at] == group && *ret_count < SAMPLE)
                nodes[(*ret_count)++] = word * 64 + (uint32_t)__builtin_ctzll(left);
    return nodes;
}

static void show_examples(struct fi_context *context, const struct fi_duplicates *search,
                          struct fi_finding *finding, enum kind kind, const struct group *sorted,
                          size_t count)
{
    struct py_objects *objects = context->analysis->objects;
    for (size_t i = 0; i < EXAMPLES && i < count && wasted(&sorted[i]); i++) {
        uint32_t first = sorted[i].first;
        size_t found;
        DF_CLEANUP_FREE uint32_t *nodes =
            members(search, kind, group_of(search, kind, first) - 1, &found);
        struct fi_place place = fi_commonest_place(context, nodes, found);
        DF_CLEANUP_FREE char *text =
            py_text(objects, gr_address(context->analysis->graph, first), TEXT);
        if (!i && place.path)
            finding->holder = fi_place_holder(context, &place);
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s times %s (%s)%s%s%s",
                                   fi_number_phrase(sorted[i].count).text, text,
                                   fi_bytes_phrase(sorted[i].bytes).text,
                                   place.path ? ", most at `" : "", place.path ? place.path : "",
                                   place.path ? "`" : ""));
    }
}

static const char *const plural[KINDS] = {"texts", "byte strings", "tuples"};
static const char *const singular[KINDS] = {"text", "byte string", "tuple"};
static const char *const types[KINDS] = {"str", "bytes", "tuple"};
static const char *const advice[KINDS] = {
    "Keep one of each: sys.intern() for texts that come from files and the network again and "
    "again, an enum or a table of the few that there are.",
    "Keep one of each: a dict that gives back the one that is there already "
    "(seen.setdefault(value, value)).",
    "Keep one of each: a dict that gives back the one that is there already "
    "(seen.setdefault(value, value)), or one object that all of them refer to.",
};

static struct group *sorted_groups(const struct group *groups, size_t count)
{
    struct group *sorted = df_xcalloc(count, sizeof(*sorted));
    memcpy(sorted, groups, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_groups);
    return sorted;
}

static void report(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_duplicates *search, enum kind kind)
{
    size_t first = kind ? search->end[kind - 1] : 0, count = search->end[kind] - first;
    if (!count)
        return;
    struct sum sum = add_up(search->groups.items + first, count);
    uint64_t heap = context->verdict->heap_bytes;
    if (!is_enough(search, sum.bytes))
        return;
    DF_CLEANUP_FREE struct group *sorted = sorted_groups(search->groups.items + first, count);

    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = sum.bytes >= heap / GRAVE_SHARE ? FI_MEDIUM : FI_LOW;
    finding->type = types[kind];
    finding->count = sum.copies;
    finding->shallow_bytes = finding->retained_bytes = sum.bytes;
    finding->title = fi_pool_format(
        context->pool, "%s cop%s of %s %s (%s, %s of the heap) could be one object each",
        fi_number_phrase(sum.copies).text, sum.copies == 1 ? "y" : "ies",
        fi_number_phrase(sum.values).text, sum.values == 1 ? singular[kind] : plural[kind],
        fi_bytes_phrase(sum.bytes).text, fi_percent_phrase(sum.bytes, heap).text);
    finding->advice = advice[kind];
    show_examples(context, search, finding, kind, sorted, count);
    finding->signature = fi_pool_format(context->pool, "%s:%s:%s", rule->name, types[kind],
                                        finding->holder.path ? finding->holder.path : "");
}

/* Each byte of the dump belongs to one value. A value is read to be seen, to be entered and to be
 * compared, and the first of its group with it: values that ask for more than that lie over each
 * other, as damaged lengths make them, and cost their number times the dump. */
static uint64_t content_budget(const struct df_aspace *space)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < space->count; i++)
        if (space->ranges[i].host)
            bytes += space->ranges[i].end - space->ranges[i].start;
    return bytes * READS;
}

/* Sets what each type is; which kinds have bytes enough to be told of at all, were all copies. */
static void classify_types(struct fi_duplicates *search, bool *wanted)
{
    const struct fi_census *census = search->look->census;
    uint64_t bytes[KINDS] = {0};
    for (uint32_t i = 0; i < census->types; i++) {
        const char *name = search->look->types[i]->name;
        search->is_int[i] = strcmp(name, "int") == 0;
        for (int kind = 0; kind < KINDS; kind++)
            if (strcmp(name, types[kind]) == 0) {
                search->kind_of[i] = (uint8_t)(kind + 1);
                if (__builtin_add_overflow(bytes[kind], census->sums[i].shallow, &bytes[kind]))
                    bytes[kind] = UINT64_MAX;
            }
    }
    for (int kind = 0; kind < KINDS; kind++)
        wanted[kind] = is_enough(search, bytes[kind]);
}

static struct df_err *look_for_all(struct fi_duplicates *search)
{
    bool wanted[KINDS];
    classify_types(search, wanted);
    if (wanted[TUPLES]) /* equal texts make equal tuples */
        wanted[TEXTS] = wanted[BYTES] = true;
    if (!wanted[TEXTS] && !wanted[BYTES])
        return NULL;
    DF_TRY(hash_all(search, wanted));
    keep_large(search, wanted);
    for (int kind = 0; kind < KINDS; kind++) {
        if (wanted[kind] || (kind != TUPLES && wanted[TUPLES]))
            DF_TRY(collect(search, (enum kind)kind));
        search->end[kind] = search->groups.count;
    }
    return NULL;
}

struct df_err *fi_look_for_duplicates(const struct fi_look *look, struct fi_duplicates **ret)
{
    struct fi_duplicates *search = df_xcalloc(1, sizeof(*search));
    *ret = search;
    search->look = look;
    search->reader = look->reader;
    search->budget = content_budget(look->reader.space);
    search->kind_of = df_xcalloc(look->census->types, 1);
    search->is_int = df_xcalloc(look->census->types, 1);
    return look_for_all(search);
}

void fi_duplicates_free(struct fi_duplicates *search)
{
    if (!search)
        return;
    for (int kind = 0; kind < KINDS; kind++) {
        free(search->values[kind].hashes);
        free(search->values[kind].member);
        free(search->values[kind].before);
    }
    free(search->groups.items);
    free(search->kind_of);
    free(search->is_int);
    free(search);
}

struct df_err *fi_ask_duplicate_values(struct fi_context *context, const struct fi_rule *rule)
{
    struct fi_duplicates *search;
    DF_TRY(fi_looked_for_duplicates(context->looks, &search));
    for (int kind = 0; kind < KINDS; kind++)
        report(context, rule, search, (enum kind)kind);
    return NULL;
}
