/* SPDX-License-Identifier: MIT
 * suspects.c: finds them.
 *
 * Single suspects are the accumulation points of the dominator tree (holders.c; Eclipse MAT,
 * FindLeaksQuery.java). What several hold at once is dominated by none of them: it lies under what
 * stands above them all, up to the virtual root, where no holder shows (LeakCanary's authors found
 * nearly all of their "root" bytes to be of that sort; shark, notes/dominator-tree.md). So objects
 * to which their immediate dominator has no reference are summed by that dominator and their type,
 * and who refers to most of such a group is the suspect; the others that do are named beside it. A
 * cache, a queue's weak table or a frame is the suspect only when nothing stronger knows as many:
 * the edges' strengths decide among those who know. Reachability never changes, and the strict
 * figure, what would be free without this holder alone, is kept beside the other one.
 */
#include "analyzer/findings/rules/suspects.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

#define FLOOR_SHARE 66 /* a suspect has 1.5 % of the heap */
#define MAX_SUSPECTS 24
#define MAX_GROUPS 12
#define GROUP_LEAST 100  /* objects that are shared before it matters */
#define KNOWN_SHARE 0.5  /* the suspect knows half of a group at least, */
#define OTHERS_SHARE 0.1 /* others that are named a tenth */
#define NO_MEMBER SIZE_MAX
#define MOST_ASKED 50000 /* holders of objects of some types */

struct group { /* objects of one type that one node dominates, but does not refer to */
    uint32_t above, type;
    uint32_t count;
    uint64_t retained, objects;
    uint32_t highest; /* member, */
    size_t last;      /* and the last of all: a place in members; the others follow by `next` */
};

struct member {
    uint32_t node;
    size_t next; /* NO_MEMBER: none */
};

struct knower {
    uint32_t node, count, strength, distance;
    uint64_t size;
};

struct finder {
    struct fi_context *context;
    const struct fi_analysis *analysis;
    uint64_t floor;
    bool *common; /* per type: is_common */
    struct {
        struct group *items;
        size_t count, capacity;
    } groups;
    struct df_map group_of; /* (above, type) -> place in groups */
    struct {
        struct member *items;
        size_t count, capacity;
    } members;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } heavy; /* nodes whose children are still to be looked at */
    struct {
        struct fi_suspect *items;
        size_t count, capacity;
    } found;
};

bool fi_is_a(const struct fi_analysis *analysis, uint32_t node, const char *const *names)
{
    return fi_type_is_a(analysis, py_type_at(analysis->objects, gr_type(analysis->graph, node)),
                        names);
}

/* Objects of these are shared by nature, and nobody's leak. */
static bool is_common(const struct py_type *type)
{
    static const char *const names[] = {"str",   "int",     "float",
                                        "bytes", "code",    "NoneType",
                                        "cell",  "weakref", "weakref.ReferenceType"};
    if (type->flags & PY_TPFLAGS_TYPE)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(type->name, names[i]))
            return true;
    return false;
}

static bool is_shared(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t above = fi_idom(analysis, node);
    if (above == AL_ROOT)
        return gr_root_kind_of(analysis->graph, node) == GR_ROOT_NONE;
    return above < analysis->graph->count && !fi_has_edge(analysis->graph, above, node);
}

static void add_to_group(struct finder *finder, uint32_t node)
{
    const struct fi_analysis *analysis = finder->analysis;
    uint32_t above = fi_idom(analysis, node);
    uint32_t type = finder->context->named[gr_type(analysis->graph, node)];
    uint64_t key = ((uint64_t)(above == AL_ROOT ? analysis->graph->count : above) << 32 | type) + 1;
    bool added;
    uint32_t at = df_map_add(&finder->group_of, key, (uint32_t)finder->groups.count, &added);
    if (added)
        DF_PUSH(&finder->groups, (struct group){.above = above, .type = type, .last = NO_MEMBER});
    struct group *group = &finder->groups.items[at];
    DF_PUSH(&finder->members, (struct member){.node = node, .next = group->last});
    group->last = finder->members.count - 1;
    group->highest = group->highest > node ? group->highest : node;
    group->count++;
    group->retained += fi_retained(analysis, node);
    group->objects += fi_retained_count(analysis, node);
}

/* What a node dominates and does not refer to; what of it is heavy is looked at next. A leaf is
 * shared by nobody. */
static void look_below(struct finder *finder, uint32_t above)
{
    const struct fi_analysis *analysis = finder->analysis;
    const struct gr_graph *graph = analysis->graph;
    struct fi_children children = fi_children(analysis, above);
    for (uint32_t node; fi_next_child(&children, &node) && gr_in_trunk(&analysis->trunk, node);) {
        if (fi_retained(analysis, node) >= finder->floor)
            DF_PUSH(&finder->heavy, node);
        if (!finder->common[gr_type(graph, node)] && gr_referrer_count(graph, node) >= 2 &&
            !fi_is_garbage(analysis, node) && is_shared(analysis, node))
            add_to_group(finder, node);
    }
}

static void find_groups(struct finder *finder)
{
    DF_PUSH(&finder->heavy, finder->analysis->graph->count);
    while (finder->heavy.count)
        look_below(finder, finder->heavy.items[--finder->heavy.count]);
}

/* How much it says that this holder knows an object: what owns before what only looks on. */
static uint32_t strength(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const caches[] = {"functools._lru_cache_wrapper",
                                         "functools._lru_list_elem",
                                         "frame",
                                         "traceback",
                                         "weakref.WeakValueDictionary",
                                         NULL};
    uint32_t above = fi_parent(analysis, node);
    if (fi_is_a(analysis, node, caches) ||
        (above < analysis->graph->count && fi_is_a(analysis, above, caches)))
        return 0;
    return 1;
}

static int compare_knowers(const void *left, const void *right)
{
    const struct knower *a = left, *b = right;
    if (a->strength != b->strength)
        return a->strength > b->strength ? -1 : 1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    if (a->size != b->size) /* what follows makes it the same in another dump */
        return a->size > b->size ? -1 : 1;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* Who refers to the members of a group, and to how many; sorted. Malloc'ed. */
static struct knower *find_knowers(struct finder *finder, const struct group *group, size_t *ret)
{
    const struct gr_graph *graph = finder->analysis->graph;
    struct {
        struct knower *items;
        size_t count, capacity;
    } knowers = {0};
    struct df_map index;
    df_map_init(&index);
    for (size_t at = group->last; at != NO_MEMBER; at = finder->members.items[at].next) {
        uint32_t last = AL_NONE, from;
        GR_EACH_REFERRER (graph, finder->members.items[at].node, from) {
            if (from == last) /* a holder that refers to it twice knows it once */
                continue;
            last = from;
            bool added;
            uint32_t row = df_map_add(&index, (uint64_t)from + 1, (uint32_t)knowers.count, &added);
            if (added)
                DF_PUSH(&knowers, (struct knower){.node = from});
            knowers.items[row].count++;
        }
    }
    df_map_deinit(&index);
    size_t kept = 0;
    for (size_t i = 0; i < knowers.count; i++) {
        if (knowers.items[i].count < OTHERS_SHARE * group->count)
            continue;
        knowers.items[kept] = knowers.items[i];
        knowers.items[kept].strength = strength(finder->analysis, knowers.items[i].node);
        knowers.items[kept].size = gr_size(graph, knowers.items[i].node);
        knowers.items[kept].distance = fi_distance(finder->analysis, knowers.items[i].node);
        kept++;
    }
    if (kept)
        qsort(knowers.items, kept, sizeof(struct knower), compare_knowers);
    *ret = kept;
    return knowers.items;
}

/* A cache's dict gives way to the cache, so that it is named. */
static uint32_t named_holder(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const cache[] = {"functools._lru_cache_wrapper", NULL};
    uint32_t above = fi_parent(analysis, node);
    return above < analysis->graph->count && fi_is_a(analysis, above, cache) &&
                   !fi_is_a(analysis, node, cache)
               ? above
               : node;
}

static bool is_attributes(const struct fi_analysis *analysis, uint32_t node, uint32_t above)
{
    static const char *const containers[] = {"list", "tuple", "dict", "set", "collections.deque",
                                             NULL};
    return above < analysis->graph->count && !strcmp(fi_type_name(analysis, node), "dict") &&
           !fi_is_a(analysis, above, containers) && fi_is_dict_of(analysis, above, node);
}

static void fill_way(struct finder *finder, struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = finder->analysis;
    uint32_t at = suspect->node, last = at;
    while (at < analysis->graph->count && suspect->way_count < FI_SUSPECT_STEPS) {
        uint32_t above = fi_parent(analysis, at);
        if (at == suspect->node || !is_attributes(analysis, at, above))
            suspect->way[suspect->way_count++] = at;
        last = at;
        at = above;
    }
    suspect->root = at == AL_ROOT ? gr_root_of(analysis->graph, last) : NULL;
}

/* Modules of the standard library lie in lib/python3.x, but not in a folder of packages there. */
static bool is_library(const struct fi_analysis *analysis, const struct gr_root *root)
{
    struct py_reader reader = py_reader(analysis->py);
    if (!root || root->kind != GR_ROOT_MODULE)
        return false;
    uint64_t file =
        py_attribute(analysis->objects, gr_address(analysis->graph, root->node), "__file__");
    DF_CLEANUP_FREE char *path = file ? py_str(&reader, file, 1000, NULL) : NULL;
    return path && strstr(path, "/lib/python3") && !strstr(path, "-packages/");
}

/* Its own bytes; a bytearray's lie in a bytes object that only it has (3.15+, ob_bytes_object). */
static uint64_t own_bytes(const struct fi_analysis *analysis, uint32_t node)
{
    uint64_t bytes = gr_size(analysis->graph, node);
    uint32_t below = AL_NONE;
    if (!strcmp(fi_type_name(analysis, node), "bytearray"))
        below = fi_biggest_child(analysis, node);
    if (below != AL_NONE && !strcmp(fi_type_name(analysis, below), "bytes"))
        bytes += gr_size(analysis->graph, below);
    return bytes;
}

static struct df_err *add_suspect(struct finder *finder, struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = finder->analysis;
    struct fi_context *context = finder->context;
    uint32_t node = suspect->node, store = node;
    if (suspect->above < analysis->graph->count && named_holder(analysis, suspect->above) == node)
        store = suspect->above; /* the dict of a cache */
    DF_TRY(fi_held(analysis, store, &suspect->held, &suspect->inner));
    if (suspect->held.type != PY_NO_TYPE)
        suspect->held_name =
            fi_pool_text(context->pool, py_type_at(analysis->objects, suspect->held.type)->name);
    suspect->strict = fi_retained(analysis, node);
    suspect->held.retained += suspect->semantic; /* what it shares */
    suspect->semantic += suspect->strict;
    suspect->semantic_objects += fi_retained_count(analysis, node);
    suspect->own_bytes = own_bytes(analysis, node);
    suspect->itself = suspect->own_bytes >= suspect->semantic / 10 * 9;
    fill_way(finder, suspect);
    suspect->library = is_library(analysis, suspect->root);
    suspect->path = fi_pool_take(context->pool, fi_path(context->analysis, node, false, 0));
    DF_PUSH(&finder->found, *suspect);
    return NULL;
}

static struct df_err *suspect_group(struct finder *finder, const struct group *group)
{
    const struct fi_analysis *analysis = finder->analysis;
    size_t count;
    DF_CLEANUP_FREE struct knower *knowers = find_knowers(finder, group, &count);
    struct fi_suspect suspect = {
        .above = group->above, .semantic = group->retained, .semantic_objects = group->objects};
    if (!count || knowers[0].count < KNOWN_SHARE * group->count ||
        fi_is_namespace(analysis, knowers[0].node))
        return NULL;
    suspect.node = named_holder(analysis, knowers[0].node);
    for (size_t i = 1; i < count && suspect.other_count < FI_SUSPECT_OTHERS; i++) {
        uint32_t other = named_holder(analysis, knowers[i].node);
        if (other == suspect.node)
            continue;
        suspect.others[suspect.other_count] = other;
        suspect.others_known[suspect.other_count++] = knowers[i].count;
    }
    for (size_t i = 0; i < finder->found.count; i++) /* the same holder, another type */
        if (finder->found.items[i].node == suspect.node) {
            finder->found.items[i].semantic += group->retained;
            finder->found.items[i].semantic_objects += group->objects;
            return NULL;
        }
    return add_suspect(finder, &suspect);
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    if (a->retained != b->retained)
        return a->retained > b->retained ? -1 : 1;
    return a->highest < b->highest ? -1 : a->highest > b->highest;
}

static struct df_err *suspect_groups(struct finder *finder)
{
    find_groups(finder);
    if (finder->groups.count)
        qsort(finder->groups.items, finder->groups.count, sizeof(struct group), compare_groups);
    uint32_t told = 0;
    for (size_t i = 0; i < finder->groups.count && told < MAX_GROUPS; i++) {
        const struct group *group = &finder->groups.items[i];
        if (group->retained < finder->floor)
            break;
        if (group->count < GROUP_LEAST)
            continue;
        told++;
        DF_TRY(suspect_group(finder, group));
    }
    return NULL;
}

/* Is this node, or what it is nearly all of, a suspect already? */
static bool is_told(const struct finder *finder, uint32_t node)
{
    for (size_t i = 0; i < finder->found.count; i++) {
        const struct fi_suspect *other = &finder->found.items[i];
        if (other->node == node)
            return true;
        uint32_t above = other->above; /* its dict of attributes, or what holds nothing but it */
        for (int step = 0; step < 3 && above < finder->analysis->graph->count; step++) {
            if (above == node && other->semantic >= fi_retained(finder->analysis, node) / 2)
                return true;
            above = fi_idom(finder->analysis, above);
        }
    }
    return false;
}

static struct df_err *suspect_points(struct finder *finder)
{
    const struct fi_analysis *analysis = finder->analysis;
    uint32_t *nodes, count;
    DF_TRY(fi_accumulation_points(analysis, 4 * MAX_SUSPECTS, &nodes, &count));
    struct df_err *err = NULL;
    for (uint32_t i = 0; i < count && finder->found.count < MAX_SUSPECTS && !err; i++) {
        if (fi_retained(analysis, nodes[i]) < finder->floor)
            break;
        if (fi_is_namespace(analysis, nodes[i]) || fi_is_garbage(analysis, nodes[i]))
            continue;
        struct fi_suspect suspect = {.node = named_holder(analysis, nodes[i]), .above = nodes[i]};
        if (!is_told(finder, nodes[i]) && !is_told(finder, suspect.node))
            err = add_suspect(finder, &suspect);
    }
    free(nodes);
    return err;
}

static int compare_suspects(const void *left, const void *right)
{
    const struct fi_suspect *a = left, *b = right;
    if (a->semantic != b->semantic)
        return a->semantic > b->semantic ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

struct df_err *fi_find_suspects(struct fi_context *context)
{
    struct finder finder = {.context = context,
                            .analysis = context->analysis,
                            .floor = context->analysis->total_bytes / FLOOR_SHARE + 1};
    uint32_t types = py_type_count(context->analysis->objects);
    finder.common = fi_pool_array(context->pool, types, sizeof(bool));
    for (uint32_t i = 0; i < types; i++)
        finder.common[i] = is_common(py_type_at(context->analysis->objects, i));
    df_map_init(&finder.group_of);
    struct df_err *err = suspect_groups(&finder);
    if (!err)
        err = suspect_points(&finder);
    if (finder.found.count)
        qsort(finder.found.items, finder.found.count, sizeof(struct fi_suspect), compare_suspects);
    context->suspect_count = (uint32_t)finder.found.count;
    context->suspects = fi_pool_array(context->pool, finder.found.count, sizeof(struct fi_suspect));
    if (finder.found.count)
        memcpy(context->suspects, finder.found.items,
               finder.found.count * sizeof(struct fi_suspect));
    df_map_deinit(&finder.group_of);
    free(finder.groups.items);
    free(finder.members.items);
    free(finder.heavy.items);
    free(finder.found.items);
    return err;
}

/* Marks those suspects among a node and what dominates it. */
static void mark_above(const struct fi_context *context, uint32_t node, uint8_t *marks)
{
    const struct fi_analysis *analysis = context->analysis;
    for (int step = 0; step <= 2 && node < analysis->graph->count;
         step++, node = fi_idom(analysis, node))
        for (uint32_t i = 0; i < context->suspect_count; i++)
            marks[i] |= context->suspects[i].node == node;
}

uint8_t *fi_suspects_with(const struct fi_context *context, const uint8_t *types)
{
    const struct gr_graph *graph = context->analysis->graph;
    uint8_t *marks = df_xcalloc(context->suspect_count, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    uint32_t count = 0, holder, asked = 0;
    struct df_err *err = fi_nodes_of(context, types, &nodes, &count);
    for (uint32_t i = 0; i < count && !err && asked < MOST_ASKED; i++) {
        GR_EACH_REFERRER (graph, nodes[i], holder) {
            mark_above(context, holder, marks);
            if (++asked == MOST_ASKED)
                break;
        }
    }
    if (err || asked == MOST_ASKED) /* too many: who wants to know must look */
        memset(marks, 1, context->suspect_count);
    df_err_free(err);
    return marks;
}
