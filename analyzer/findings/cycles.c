/* SPDX-License-Identifier: MIT
 * cycles.c: cycles grouped by shape, the multiset of the types of their members.
 *
 * A shape is a sorted list of (type name, count), kept exactly; its hash only finds it. The same
 * shape among the living and among the garbage makes two groups. The living heap has one huge
 * component (modules, classes, functions), whose signature names its most frequent types only.
 */
#include "analyzer/findings/kept.h"
#include "analyzer/findings/parts.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define SIGNATURE_TYPES 6 /* named in a signature */
#define EXAMPLE_MEMBERS 16
#define SMALL_CYCLE 64 /* members, up to which sorting beats a tally of all types */

struct part { /* of a shape */
    uint32_t type, count;
};

struct group {
    size_t part; /* first, in shapes->parts */
    uint32_t part_count;
    bool garbage;
    uint64_t count, objects, bytes;
    uint32_t example; /* a cycle */
};

struct shapes {
    struct df_map index; /* hash to group */
    struct {
        struct part *items;
        size_t count, capacity;
    } parts;
    struct {
        struct group *items;
        size_t count, capacity;
    } groups;
    uint32_t *tally;    /* per rank; zero between uses */
    uint32_t *by_rank;  /* types, by context->rank */
    uint8_t *finalizer; /* per type */
};

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

bool fi_is_garbage(const struct fi_analysis *analysis, uint32_t node)
{
    return fi_verdict_of(analysis, node) == AL_GARBAGE ||
           fi_verdict_of(analysis, node) == AL_UNCOLLECTABLE;
}

static bool is_garbage_cycle(const struct fi_analysis *analysis, const uint32_t *members,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!fi_is_garbage(analysis, members[i]))
            return false;
    return true;
}

static void add_part(struct shapes *shapes, uint32_t rank, uint32_t count)
{
    struct part part = {.type = shapes->by_rank[rank], .count = count};
    DF_PUSH(&shapes->parts, part);
}

static void count_small(const struct fi_context *context, struct shapes *shapes,
                        const uint32_t *members, uint32_t count)
{
    uint32_t ranks[SMALL_CYCLE], run = 0;
    for (uint32_t i = 0; i < count; i++)
        ranks[i] = context->rank[gr_type(context->analysis->graph, members[i])];
    if (count > 1)
        qsort(ranks, count, sizeof(uint32_t), compare_numbers);
    for (uint32_t i = 0; i < count; i++) {
        run++;
        if (i + 1 < count && ranks[i + 1] == ranks[i])
            continue;
        add_part(shapes, ranks[i], run);
        run = 0;
    }
}

static void count_large(const struct fi_context *context, struct shapes *shapes,
                        const uint32_t *members, uint32_t count)
{
    uint32_t types = py_type_count(context->analysis->objects);
    for (uint32_t i = 0; i < count; i++)
        shapes->tally[context->rank[gr_type(context->analysis->graph, members[i])]]++;
    for (uint32_t rank = 0; rank < types; rank++) {
        if (shapes->tally[rank])
            add_part(shapes, rank, shapes->tally[rank]);
        shapes->tally[rank] = 0;
    }
}

/* Appends the shape of a cycle to the parts, in the order of names; returns how many parts. */
static uint32_t make_shape(const struct fi_context *context, struct shapes *shapes,
                           const uint32_t *members, uint32_t count)
{
    size_t before = shapes->parts.count;
    if (count <= SMALL_CYCLE)
        count_small(context, shapes, members, count);
    else
        count_large(context, shapes, members, count);
    return (uint32_t)(shapes->parts.count - before);
}

static uint64_t hash_shape(const struct part *parts, uint32_t count, bool garbage)
{
    uint64_t hash = garbage ? UINT64_C(0x9E3779B97F4A7C15) : UINT64_C(0xD1B54A32D192ED03);
    for (uint32_t i = 0; i < count; i++) {
        hash ^= (uint64_t)parts[i].type << 32 | parts[i].count;
        hash *= UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 29;
    }
    return hash | 1;
}

/* The group of the shape that stands last in the parts; drops the shape when it is known. */
static struct group *find_group(struct shapes *shapes, uint32_t part_count, bool garbage,
                                uint32_t cycle)
{
    size_t first = shapes->parts.count - part_count;
    const struct part *parts = shapes->parts.items + first;
    for (uint64_t key = hash_shape(parts, part_count, garbage);; key += 2) {
        bool added;
        uint32_t index =
            df_map_add(&shapes->index, key ? key : 2, (uint32_t)shapes->groups.count, &added);
        if (added) {
            struct group group = {
                .part = first, .part_count = part_count, .garbage = garbage, .example = cycle};
            DF_PUSH(&shapes->groups, group);
            return &shapes->groups.items[index];
        }
        struct group *group = &shapes->groups.items[index];
        if (group->garbage == garbage && group->part_count == part_count &&
            !memcmp(shapes->parts.items + group->part, parts, part_count * sizeof(*parts))) {
            shapes->parts.count = first;
            return group;
        }
    }
}

static void group_cycles(struct fi_context *context, struct shapes *shapes)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_cycles *cycles = &context->verdict->cycles;
    for (uint32_t cycle = 0; cycle < analysis->cycle_count; cycle++) {
        const uint32_t *members = analysis->cycle_member + analysis->cycle_start[cycle];
        uint32_t count = analysis->cycle_start[cycle + 1] - analysis->cycle_start[cycle];
        bool garbage = is_garbage_cycle(analysis, members, count);
        uint32_t parts = make_shape(context, shapes, members, count);
        struct group *group = find_group(shapes, parts, garbage, cycle);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < count; i++)
            bytes += gr_size(analysis->graph, members[i]);
        group->count++;
        group->objects += count;
        group->bytes += bytes;
        cycles->objects += count;
        cycles->bytes += bytes;
    }
    cycles->count = analysis->cycle_count;
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->garbage != b->garbage)
        return a->garbage ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return (a->example > b->example) - (a->example < b->example);
}

static char *part_text(struct fi_context *context, const struct part *part)
{
    const char *name = py_type_at(context->analysis->objects, part->type)->name;
    if (part->count == 1)
        return fi_pool_text(context->pool, name);
    return fi_pool_format(context->pool, "%s × %s", fi_number_phrase(part->count).text, name);
}

static int compare_part_counts(const void *left, const void *right)
{
    const struct part *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return (a->type > b->type) - (a->type < b->type);
}

/* "2 × shop.Node", "shop.A, shop.B"; of many types the most frequent ones. */
static const char *signature(struct fi_context *context, const struct part *parts, uint32_t count)
{
    struct part *shown = (struct part *)parts;
    DF_CLEANUP_FREE struct part *sorted = NULL;
    if (count > SIGNATURE_TYPES) {
        sorted = df_xcalloc(count, sizeof(*sorted));
        shown = memcpy(sorted, parts, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_part_counts);
    }
    const char *text = "";
    for (uint32_t i = 0; i < count && i < SIGNATURE_TYPES; i++)
        text = fi_pool_format(context->pool, "%s%s%s", text, i ? ", " : "",
                              part_text(context, &shown[i]));
    if (count > SIGNATURE_TYPES)
        text = fi_pool_format(context->pool, "%s, … %s more types", text,
                              fi_number_phrase(count - SIGNATURE_TYPES).text);
    return text;
}

/* Per type: it or one of the same name has a finalizer. */
static void find_finalizers(struct fi_context *context, struct shapes *shapes)
{
    const struct py_objects *objects = context->analysis->objects;
    uint32_t types = py_type_count(objects);
    shapes->finalizer = fi_pool_array(context->pool, types, 1);
    for (uint32_t i = 0; i < types; i++) {
        const struct py_type *type = py_type_at(objects, i);
        if (type->has_del || type->del)
            shapes->finalizer[context->named[i]] = 1;
    }
}

static void name_finalizers(struct fi_context *context, const struct shapes *shapes,
                            const struct part *parts, uint32_t count, struct fi_cycle_group *group)
{
    group->finalizers = fi_pool_array(context->pool, count, sizeof(char *));
    for (uint32_t i = 0; i < count; i++)
        if (shapes->finalizer[parts[i].type])
            group->finalizers[group->finalizer_count++] = fi_pool_text(
                context->pool, py_type_at(context->analysis->objects, parts[i].type)->name);
}

static void fill_group(struct fi_context *context, const struct shapes *shapes,
                       const struct group *from, struct fi_cycle_group *group)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct part *parts = shapes->parts.items + from->part;
    group->signature = signature(context, parts, from->part_count);
    group->count = from->count;
    group->objects = from->objects;
    group->bytes = from->bytes;
    group->garbage = from->garbage;
    name_finalizers(context, shapes, parts, from->part_count, group);
    uint32_t first = analysis->cycle_start[from->example];
    uint32_t members = analysis->cycle_start[from->example + 1] - first;
    group->example_count = members < EXAMPLE_MEMBERS ? members : EXAMPLE_MEMBERS;
    group->example = fi_pool_array(context->pool, group->example_count, sizeof(uint64_t));
    for (uint32_t i = 0; i < group->example_count; i++)
        group->example[i] = gr_address(analysis->graph, analysis->cycle_member[first + i]);
}

struct df_err *fi_fill_cycles(struct fi_context *context)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_cycles *cycles = &context->verdict->cycles;
    struct shapes shapes = {0};
    DF_TRY(fi_need_cycles(context->analysis));
    df_map_init(&shapes.index);
    uint32_t types = py_type_count(analysis->objects);
    shapes.by_rank = fi_pool_array(context->pool, types, sizeof(uint32_t));
    shapes.tally = fi_pool_array(context->pool, types, sizeof(uint32_t));
    for (uint32_t i = 0; i < types; i++)
        shapes.by_rank[context->rank[i]] = context->named[i];
    find_finalizers(context, &shapes);
    group_cycles(context, &shapes);
    if (shapes.groups.count)
        qsort(shapes.groups.items, shapes.groups.count, sizeof(struct group), compare_groups);
    cycles->groups =
        fi_pool_array(context->pool, shapes.groups.count, sizeof(struct fi_cycle_group));
    for (size_t i = 0; i < shapes.groups.count; i++) {
        const struct group *group = &shapes.groups.items[i];
        context->verdict->garbage.cycles += group->garbage ? group->count : 0;
        fill_group(context, &shapes, group, &cycles->groups[cycles->group_count++]);
    }
    df_map_deinit(&shapes.index);
    free(shapes.parts.items);
    free(shapes.groups.items);
    return NULL;
}
