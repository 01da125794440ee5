/* SPDX-License-Identifier: MIT
 * duplicate_values.c: which texts, bytes and tuples are there many times over?
 *
 * Equal values are told by a hash of their content, and compared byte for byte with the first that
 * had it. A tuple is its items: an item that is a text counts by its content, a small number by its
 * value, anything else by what it is. (The idea: JOverflow, Eclipse MAT's "find strings".)
 */
#include "analyzer/findings/rules/looks.h"
#include "analyzer/findings/rules/places.h"
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define SHARE 50      /* a fiftieth of the heap in copies is worth a finding */
#define GRAVE_SHARE 8 /* an eighth of it more than that */
#define LEAST_BYTES 64000
#define MAX_TUPLE_ITEMS 64 /* longer ones are tables, not values */
#define EXAMPLES 3
#define READS 8     /* of a value's content, at most */
#define SOME 32     /* values whose hashes are computed at a time */
#define TEXT 60     /* characters of a value that are shown */
#define SAMPLE 4096 /* copies whose place is looked up */

enum kind { TEXTS, BYTES, TUPLES, KINDS, INTS = KINDS };

struct group { /* equal values */
    uint32_t first, count;
    uint64_t bytes; /* of all */
};

struct fi_duplicates {
    const struct fi_look *look;
    struct py_reader reader;
    uint8_t *kind_of;    /* per type: 1 + enum kind; 0: none */
    uint32_t *group_of;  /* per node: 1 + group, of texts and bytes */
    struct df_map index; /* hash of the content -> group */
    uint8_t *seen;       /* per hash, cut short, 2 bits: a value had it; several had */
    uint64_t seen_mask;
    uint64_t budget;                             /* bytes of content that may still be read */
    uint32_t *values[KINDS], value_count[KINDS]; /* nodes */
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

static uint64_t hash_bytes(const uint8_t *data, uint64_t size, uint64_t seed)
{
    uint64_t hash = mix(seed, size), word;
    for (; size >= 8; size -= 8, data += 8) {
        memcpy(&word, data, 8);
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, data, size);
    hash = mix(hash, word);
    return hash ? hash : 1; /* 0 is no key of a map */
}

/* The content of a text or bytes object, in the core; NULL when it cannot be read in one piece. */
static const uint8_t *content(struct fi_duplicates *search, uint32_t node, enum kind kind,
                              uint64_t *ret_size)
{
    struct py_reader *reader = &search->reader;
    uint64_t object = gr_address(search->look->analysis->graph, node), data, length;
    uint32_t width = 1;
    reader->fault = false;
    if (kind == TEXTS) {
        if (!py_str_data(reader, object, &data, &length, &width))
            return NULL;
    } else {
        data = PY_AT(reader->layout, object, bytes, ob_sval);
        length = (uint64_t)py_ob_size(reader, object);
    }
    if (reader->fault || length > PY_MAX_TUPLE || __builtin_mul_overflow(length, width, ret_size) ||
        *ret_size > search->budget)
        return NULL;
    search->budget -= *ret_size;
    return df_ptr(reader->space, data, *ret_size);
}

static bool is_same_value(struct fi_duplicates *search, uint32_t node, uint32_t first,
                          enum kind kind)
{
    uint64_t size, first_size;
    const uint8_t *here = content(search, node, kind, &size);
    const uint8_t *there = content(search, first, kind, &first_size);
    return here && there && size == first_size && memcmp(here, there, size) == 0;
}

static uint32_t enter(struct fi_duplicates *search, uint32_t node, uint64_t hash)
{
    bool added;
    uint32_t at = df_map_add(&search->index, hash, (uint32_t)search->groups.count, &added);
    if (added)
        DF_PUSH(&search->groups, (struct group){.first = node});
    return at;
}

static void count_one(struct fi_duplicates *search, uint32_t node, uint32_t at)
{
    search->groups.items[at].count++;
    search->groups.items[at].bytes += gr_size(search->look->analysis->graph, node);
    search->group_of[node] = at + 1;
}

/* Most values are there once. They are told by a first look at all, and never entered: a table of
 * all values would be larger than all else. */
static void see(struct fi_duplicates *search, uint64_t hash)
{
    uint64_t at = hash & search->seen_mask;
    unsigned shift = (unsigned)(at % 4) * 2;
    uint8_t *four = &search->seen[at / 4], once = *four >> shift & 1;
    *four |= (uint8_t)((once ? 2 : 1) << shift);
}

static bool is_seen_again(const struct fi_duplicates *search, uint64_t hash)
{
    uint64_t at = hash & search->seen_mask;
    return search->seen[at / 4] >> at % 4 * 2 & 2;
}

/* The hash of a text or bytes object's content, 0 when it cannot be read. */
static uint64_t hash_content(struct fi_duplicates *search, uint32_t node, enum kind kind)
{
    uint64_t size;
    const uint8_t *data = content(search, node, kind, &size);
    return data ? hash_bytes(data, size, kind + 1) : 0;
}

static void add_data(struct fi_duplicates *search, uint32_t node, uint64_t hash, enum kind kind)
{
    uint32_t at = enter(search, node, hash);
    uint32_t first = search->groups.items[at].first;
    if (first == node || is_same_value(search, node, first, kind))
        count_one(search, node, at);
}

/* Some values: first all hashes, so that what is known of them is fetched meanwhile. */
static void add_some(struct fi_duplicates *search, const uint32_t *nodes, uint32_t count,
                     enum kind kind, bool look)
{
    uint64_t hashes[SOME];
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = hash_content(search, nodes[i], kind);
        __builtin_prefetch(&search->seen[(hashes[i] & search->seen_mask) / 4]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (hashes[i] && look)
            see(search, hashes[i]);
        else if (hashes[i] && is_seen_again(search, hashes[i]))
            add_data(search, nodes[i], hashes[i], kind);
    }
}

/* What a tuple's item counts as: its value's group, its number, or its address. */
static uint64_t item_key(struct fi_duplicates *search, uint64_t item)
{
    const struct fi_analysis *analysis = search->look->analysis;
    uint32_t node = gr_node(analysis->graph, item);
    int64_t number;
    if (node == AL_NONE)
        return item;
    if (search->group_of[node])
        return mix(1, search->group_of[node]);
    if (search->kind_of[gr_type(analysis->graph, node)] == 1 + INTS &&
        py_int(&search->reader, item, &number))
        return mix(2, (uint64_t)number);
    return mix(3, item);
}

static bool tuple_keys(struct fi_duplicates *search, uint32_t node, uint64_t *keys,
                       uint64_t *ret_count)
{
    uint64_t object = gr_address(search->look->analysis->graph, node), items;
    search->reader.fault = false;
    if (!py_tuple(&search->reader, object, &items, ret_count) || !*ret_count ||
        *ret_count > MAX_TUPLE_ITEMS)
        return false;
    for (uint64_t i = 0; i < *ret_count; i++)
        keys[i] = item_key(search, py_word(&search->reader, items + i * 8));
    return !search->reader.fault;
}

static void add_tuple(struct fi_duplicates *search, uint32_t node)
{
    uint64_t keys[MAX_TUPLE_ITEMS], others[MAX_TUPLE_ITEMS], count, other_count;
    if (!tuple_keys(search, node, keys, &count))
        return;
    uint32_t at = enter(search, node, hash_bytes((const uint8_t *)keys, count * 8, KINDS + 1));
    uint32_t first = search->groups.items[at].first;
    if (first == node || (tuple_keys(search, first, others, &other_count) && other_count == count &&
                          memcmp(keys, others, count * 8) == 0))
        count_one(search, node, at);
}

/* The kind of a value that is looked at; KINDS for all else. */
static enum kind kind_of(const struct fi_duplicates *search, uint32_t node)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint8_t kind = search->kind_of[gr_type(graph, node)];
    if (!kind || kind == 1 + INTS || (graph->flags[node] & GR_IMMORTAL) ||
        fi_is_garbage(search->look->analysis, node))
        return KINDS;
    return (enum kind)(kind - 1);
}

/* Values of each kind, by address. */
static struct df_err *list_values(struct fi_duplicates *search)
{
    uint32_t count = search->look->analysis->graph->count, used[KINDS + 1] = {0};
    for (uint32_t node = 0; node < count; node++)
        used[kind_of(search, node)]++;
    for (int kind = 0; kind < KINDS; kind++) {
        DF_TRY(df_array(used[kind], sizeof(*search->values[kind]), &search->values[kind]));
        search->value_count[kind] = used[kind];
        used[kind] = 0;
    }
    for (uint32_t node = 0; node < count; node++) {
        enum kind kind = kind_of(search, node);
        if (kind != KINDS)
            search->values[kind][used[kind]++] = node;
    }
    return NULL;
}

/* Room for eight hashes a value, so that few values look as if they were there again. */
static struct df_err *make_seen(struct fi_duplicates *search, enum kind kind)
{
    uint64_t slots = 64;
    while (slots < search->value_count[kind] * UINT64_C(8))
        slots *= 2;
    search->seen_mask = slots - 1;
    return df_array(slots / 4, 1, &search->seen);
}

static struct df_err *collect(struct fi_duplicates *search, enum kind kind)
{
    if (kind != TUPLES)
        DF_TRY(make_seen(search, kind));
    const uint32_t *values = search->values[kind], count = search->value_count[kind];
    df_map_init(&search->index);
    for (int look = kind != TUPLES; look >= 0; look--)
        for (uint32_t i = 0; i < count; i += SOME) {
            uint32_t some = count - i < SOME ? count - i : SOME;
            if (kind != TUPLES)
                add_some(search, values + i, some, kind, look);
            for (uint32_t k = 0; kind == TUPLES && k < some; k++)
                add_tuple(search, values[i + k]);
        }
    df_map_deinit(&search->index);
    free(DF_TAKE(search->seen));
    free(DF_TAKE(search->values[kind]));
    return NULL;
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
static uint32_t *members(const struct fi_duplicates *search, uint32_t group, size_t *ret_count)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint32_t *nodes = df_xcalloc(SAMPLE, sizeof(*nodes));
    *ret_count = 0;
    for (uint32_t node = 0; node < graph->count && *ret_count < SAMPLE; node++)
        if (search->group_of[node] == group + 1)
            nodes[(*ret_count)++] = node;
    return nodes;
}

static void show_examples(struct fi_context *context, const struct fi_duplicates *search,
                          struct fi_finding *finding, const struct group *sorted, size_t count)
{
    struct py_objects *objects = context->analysis->objects;
    for (size_t i = 0; i < EXAMPLES && i < count && wasted(&sorted[i]); i++) {
        uint32_t first = sorted[i].first;
        size_t found;
        DF_CLEANUP_FREE uint32_t *nodes = members(search, search->group_of[first] - 1, &found);
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
    if (sum.bytes < heap / SHARE || sum.bytes < LEAST_BYTES)
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
    show_examples(context, search, finding, sorted, count);
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

static void classify_types(struct fi_duplicates *search)
{
    for (uint32_t i = 0; i < search->look->type_count; i++) {
        const char *name = search->look->types[i]->name;
        for (int kind = 0; kind < KINDS; kind++)
            if (strcmp(name, types[kind]) == 0)
                search->kind_of[i] = (uint8_t)(kind + 1);
        if (strcmp(name, "int") == 0)
            search->kind_of[i] = INTS + 1;
    }
}

static struct df_err *look_for_all(struct fi_duplicates *search)
{
    DF_TRY(df_array(search->look->analysis->graph->count, sizeof(*search->group_of),
                    &search->group_of));
    DF_TRY(list_values(search));
    for (int kind = 0; kind < KINDS; kind++) {
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
    search->kind_of = df_xcalloc(look->type_count, 1);
    classify_types(search);
    return look_for_all(search);
}

void fi_duplicates_free(struct fi_duplicates *search)
{
    if (!search)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        free(search->values[kind]);
    free(search->groups.items);
    free(search->group_of);
    free(search->kind_of);
    free(search->seen);
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
