/* SPDX-License-Identifier: MIT
 * shared_objects.c: what is much, but held by several at once?
 *
 * Objects that two containers know (a list and an index) are dominated by neither: no single holder
 * shows, and letting go of one container frees nothing. Here the instances of a class that hang
 * under the virtual root or in a mere namespace are summed; when they are a tenth of the heap, the
 * containers that know most of them are named together. (The idea: Eclipse MAT's group suspects,
 * FindLeaksQuery.java.)
 */
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define SHARE 10 /* a tenth of the heap */
#define LEAST_OBJECTS 100
#define MAX_FINDINGS 3
#define MAX_HOLDERS 3
#define HOLDER_SHARE 10 /* knows a tenth of the objects */

struct group { /* of a type, by its named number */
    uint64_t count, shallow, retained;
};

struct knower {
    uint32_t node, count;
};

struct search {
    struct fi_context *context;
    struct group *groups;
    uint8_t *is_instance;  /* per type: of a class, and no class itself */
    uint8_t *may_be_space; /* per type: may be a namespace */
    struct df_map spaces;  /* an immediate dominator, plus 1: is it a namespace? */
};

/* No single thing holds it: its dominator is the virtual root, or only a namespace. */
static bool is_loose(struct search *search, uint32_t node)
{
    const struct fi_analysis *analysis = search->context->analysis;
    uint32_t above = fi_idom(analysis, node);
    if (above == AL_ROOT) /* what a root refers to itself has that holder */
        return gr_root_kind_of(analysis->graph, node) == GR_ROOT_NONE;
    if (above >= analysis->graph->count)
        return false;
    if (!search->may_be_space[gr_type(analysis->graph, above)])
        return false;
    bool added;
    uint64_t key = (uint64_t)above + 1;
    uint32_t known = df_map_add(&search->spaces, key, 0, &added);
    if (added) {
        known = fi_is_namespace(analysis, above);
        df_map_set(&search->spaces, key, known);
    }
    return known == 1;
}

static void collect(struct search *search)
{
    const struct fi_analysis *analysis = search->context->analysis;
    const struct gr_graph *graph = analysis->graph;
    for (uint32_t node = 0; node < graph->count; node++) {
        if (!search->is_instance[gr_type(graph, node)] || !is_loose(search, node) ||
            fi_is_garbage(analysis, node))
            continue;
        struct group *group = &search->groups[search->context->named[gr_type(graph, node)]];
        group->count++;
        group->shallow += gr_size(graph, node);
        group->retained += fi_retained(analysis, node);
    }
}

static int compare_knowers(const void *left, const void *right)
{
    const struct knower *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* Who refers to the loose objects of a type, and to how many; those who know most first. */
static struct knower *find_knowers(struct search *search, uint32_t type, uint32_t *ret_count)
{
    const struct gr_graph *graph = search->context->analysis->graph;
    struct {
        struct knower *items;
        size_t count, capacity;
    } knowers = {0};
    struct df_map index;
    df_map_init(&index);
    for (uint32_t node = 0; node < graph->count; node++) {
        if (search->context->named[gr_type(graph, node)] != type ||
            !search->is_instance[gr_type(graph, node)] || !is_loose(search, node) ||
            fi_is_garbage(search->context->analysis, node))
            continue;
        uint32_t from;
        GR_EACH_REFERRER (graph, node, from) {
            bool added;
            uint32_t at = df_map_add(&index, (uint64_t)from + 1, (uint32_t)knowers.count, &added);
            if (added)
                DF_PUSH(&knowers, (struct knower){.node = from});
            knowers.items[at].count++;
        }
    }
    df_map_deinit(&index);
    if (knowers.count)
        qsort(knowers.items, knowers.count, sizeof(struct knower), compare_knowers);
    *ret_count = (uint32_t)knowers.count;
    return knowers.items;
}

static void name_knowers(struct fi_context *context, struct fi_finding *finding,
                         const struct knower *knowers, uint32_t count, uint64_t objects)
{
    for (uint32_t i = 0; i < count && i < MAX_HOLDERS; i++) {
        if (i && knowers[i].count < objects / HOLDER_SHARE)
            break;
        struct fi_holder holder = fi_holder_make(context, knowers[i].node);
        if (!i)
            finding->holder = holder;
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "`%s`, %s, knows %s of them", holder.path,
                                   holder.text, fi_number_phrase(knowers[i].count).text));
    }
}

static void report(struct search *search, const struct fi_rule *rule, uint32_t type)
{
    struct fi_context *context = search->context;
    const struct group *group = &search->groups[type];
    uint32_t count;
    struct knower *knowers = find_knowers(search, type, &count);
    if (count && fi_is_claimed(context, knowers[0].node)) { /* another rule has told of them */
        free(knowers);
        return;
    }
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = fi_severity_of(context, group->retained);
    finding->type = fi_pool_text(context->pool, py_type_at(context->analysis->objects, type)->name);
    finding->count = group->count;
    finding->shallow_bytes = group->shallow;
    finding->retained_bytes = group->retained;
    name_knowers(context, finding, knowers, count, group->count);
    finding->title = fi_pool_format(
        context->pool, "%s `%s` (%s, %s of the heap) are held by several at once%s%s%s",
        fi_number_phrase(group->count).text, finding->type, fi_bytes_phrase(group->retained).text,
        fi_percent_phrase(group->retained, context->verdict->heap_bytes).text,
        finding->holder.path ? ", first of all by `" : "",
        finding->holder.path ? finding->holder.path : "", finding->holder.path ? "`" : "");
    finding->advice = "To free them, all of these must let go: remove them together, or make one "
                      "the owner and let the others refer weakly (weakref).";
    finding->signature = fi_pool_format(context->pool, "shared-objects:%s", finding->type);
    free(knowers);
}

static uint32_t heaviest(const struct search *search, uint32_t types)
{
    uint32_t best = PY_NO_TYPE;
    for (uint32_t i = 0; i < types; i++)
        if (search->groups[i].count >= LEAST_OBJECTS &&
            (best == PY_NO_TYPE || search->groups[i].retained > search->groups[best].retained))
            best = i;
    return best;
}

struct df_err *fi_ask_shared_objects(struct fi_context *context, const struct fi_rule *rule)
{
    uint32_t types = py_type_count(context->analysis->objects);
    struct search search = {.context = context};
    const struct fi_analysis *analysis = context->analysis;
    static const char *const module[] = {"module", NULL};
    search.is_instance = df_xcalloc(types, 1);
    search.may_be_space = df_xcalloc(types, 1);
    for (uint32_t i = 0; i < types; i++) {
        const struct py_type *type = py_type_at(analysis->objects, i);
        search.is_instance[i] = type->python_class && !(type->flags & PY_TPFLAGS_TYPE);
        search.may_be_space[i] = (type->flags & (PY_TPFLAGS_TYPE | PY_TPFLAGS_DICT)) ||
                                 fi_type_is_a(analysis, type, module);
    }
    search.groups = df_xcalloc(types, sizeof(*search.groups));
    df_map_init(&search.spaces);
    collect(&search);
    for (int told = 0; told < MAX_FINDINGS; told++) {
        uint32_t type = heaviest(&search, types);
        if (type == PY_NO_TYPE ||
            search.groups[type].retained < context->verdict->heap_bytes / SHARE)
            break;
        report(&search, rule, type);
        search.groups[type].count = 0;
    }
    df_map_deinit(&search.spaces);
    free(search.groups);
    free(search.is_instance);
    free(search.may_be_space);
    return NULL;
}
