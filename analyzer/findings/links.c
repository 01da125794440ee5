/* SPDX-License-Identifier: MIT
 * links.c: finds neighbours by walking holders, each once for a whole set.
 */
#include "analyzer/findings/links.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define OWNER_TRIES 64 /* holders of a dict that are asked whether it is their __dict__ */

struct df_err *fi_links_init(struct fi_links *links, struct fi_analysis *analysis,
                             const uint32_t *set_of)
{
    *links = (struct fi_links){.analysis = analysis, .set_of = set_of};
    df_map_init(&links->owners);
    return df_array(analysis->graph->count, sizeof(*links->stamp), &links->stamp);
}

void fi_links_deinit(struct fi_links *links)
{
    df_map_deinit(&links->owners);
    free(links->stamp);
    free(links->refs.items);
    free(links->inner.items);
}

static bool owns(struct fi_links *links, uint32_t holder, uint32_t dict)
{
    uint64_t address = gr_address(links->analysis->graph, dict);

    fi_walk(links->analysis, holder, &links->inner);
    for (size_t i = 0; i < links->inner.count; i++)
        if (links->inner.items[i].target == address && fi_is_attributes(&links->inner.items[i]))
            return true;
    return false;
}

/* Functions refer to the dict of their module by the thousand; modules and classes are asked
 * first, others only while they are few. */
static uint32_t find_owner(struct fi_links *links, uint32_t dict)
{
    const struct gr_graph *graph = links->analysis->graph;
    struct gr_referrers few = gr_referrers(graph, dict);
    uint32_t holder, tries = 0;

    GR_EACH_REFERRER (graph, dict, holder)
        if ((gr_root_kind_of(graph, holder) == GR_ROOT_MODULE ||
             (fi_type(links->analysis, holder)->flags & PY_TPFLAGS_TYPE)) &&
            owns(links, holder, dict))
            return holder;
    while (tries++ < OWNER_TRIES && gr_next_referrer(&few, &holder))
        if (owns(links, holder, dict))
            return holder;
    return dict;
}

/* The function whose closure a tuple is: one function has one. */
static uint32_t find_function(struct fi_links *links, uint32_t tuple)
{
    const struct gr_graph *graph = links->analysis->graph;
    uint32_t holder = gr_only_referrer(graph, tuple);

    if (holder == AL_NONE)
        return tuple;
    if (strcmp(fi_type(links->analysis, holder)->name, "function") != 0)
        return tuple;
    fi_walk(links->analysis, holder, &links->inner);
    for (size_t i = 0; i < links->inner.count; i++)
        if (links->inner.items[i].target == gr_address(graph, tuple) &&
            fi_is_field(&links->inner.items[i], "__closure__"))
            return holder;
    return tuple;
}

/* The object whose attributes a dict holds, or whose closure a tuple is; the node itself when it
 * is something else. */
static uint32_t owner_of(struct fi_links *links, uint32_t node)
{
    uint64_t flags = fi_type(links->analysis, node)->flags;
    uint64_t address = gr_address(links->analysis->graph, node);
    uint32_t owner;

    if (!(flags & (PY_TPFLAGS_DICT | PY_TPFLAGS_TUPLE)))
        return node;
    owner = df_map_get(&links->owners, address);
    if (owner == DF_MAP_NONE) {
        owner = flags & PY_TPFLAGS_DICT ? find_owner(links, node) : find_function(links, node);
        df_map_set(&links->owners, address, owner);
    }
    return owner;
}

static void report(struct fi_links *links, struct fi_neighbour *neighbour)
{
    DF_CLEANUP_FREE char *text = NULL;

    if (neighbour->attribute && neighbour->ref->label != PY_LABEL_KEY) {
        text = fi_link_text(links, neighbour);
        neighbour->shape = text;
    } else {
        neighbour->shape = fi_hop_shape(links->analysis, neighbour->holder, neighbour->ref, &text);
    }
    links->visit(links->context, neighbour);
}

/* The references of one holder to members of the set. */
static void visit_holder(struct fi_links *links, uint32_t set, uint32_t holder)
{
    const struct gr_graph *graph = links->analysis->graph;
    uint32_t owner = links->set_of[holder] == set + 1 ? holder : owner_of(links, holder);

    fi_walk(links->analysis, holder, &links->refs);
    for (size_t i = 0; i < links->refs.count; i++) {
        const struct py_ref *ref = &links->refs.items[i];
        uint32_t member;

        if (ref->kind == PY_REF_WEAK || ref->kind == PY_REF_NATIVE)
            continue;
        member = gr_node(graph, ref->target);
        if (member == AL_NONE || links->set_of[member] != set + 1)
            continue;
        report(links, &(struct fi_neighbour){.node = owner,
                                             .through = holder,
                                             .member = member,
                                             .holder = holder,
                                             .ref = ref,
                                             .attribute = owner != holder});
    }
}

void fi_links_holders(struct fi_links *links, uint32_t set, const uint32_t *members, size_t count)
{
    const struct gr_graph *graph = links->analysis->graph;

    for (size_t i = 0; i < count; i++) {
        uint32_t holder;

        GR_EACH_REFERRER (graph, members[i], holder) {
            if (links->stamp[holder] == set + 1)
                continue;
            links->stamp[holder] = set + 1;
            visit_holder(links, set, holder);
        }
    }
}

uint64_t fi_links_count_holders(struct fi_links *links, uint32_t set, const uint32_t *members,
                                size_t count)
{
    const struct gr_graph *graph = links->analysis->graph;
    uint64_t holders = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t holder;

        GR_EACH_REFERRER (graph, members[i], holder) {
            if (links->stamp[holder] == set + 1 || links->set_of[holder] == set + 1)
                continue;
            links->stamp[holder] = set + 1;
            holders++;
        }
    }
    return holders;
}

static void visit_held(struct fi_links *links, uint32_t member, uint32_t holder,
                       const struct py_ref *ref)
{
    uint32_t node = gr_node(links->analysis->graph, ref->target);

    if (node != AL_NONE)
        report(links, &(struct fi_neighbour){.node = node,
                                             .through = node,
                                             .member = member,
                                             .holder = holder,
                                             .ref = ref,
                                             .attribute = member != holder});
}

/* The values of a dict of attributes, as the member's own. Walked into the inner buffer. */
static void visit_attributes(struct fi_links *links, uint32_t member, uint32_t dict)
{
    fi_walk(links->analysis, dict, &links->inner);
    for (size_t i = 0; i < links->inner.count; i++)
        if (links->inner.items[i].label == PY_LABEL_VALUE)
            visit_held(links, member, dict, &links->inner.items[i]);
}

void fi_links_held(struct fi_links *links, const uint32_t *members, size_t count)
{
    for (size_t m = 0; m < count; m++) {
        fi_walk(links->analysis, members[m], &links->refs);
        for (size_t i = 0; i < links->refs.count; i++) {
            const struct py_ref *ref = &links->refs.items[i];
            uint32_t dict;

            if (ref->kind == PY_REF_WEAK || ref->kind == PY_REF_NATIVE ||
                ref->label == PY_LABEL_TYPE)
                continue;
            dict = fi_is_attributes(ref) ? gr_node(links->analysis->graph, ref->target) : AL_NONE;
            if (dict != AL_NONE)
                visit_attributes(links, members[m], dict);
            else
                visit_held(links, members[m], members[m], ref);
        }
    }
}

/* "closure x" for the i-th of `count` cells of a function: free variables are the last slots of its
 * code. NULL when the names cannot be read. */
static char *closure_text(struct fi_links *links, uint32_t function, uint64_t i, uint64_t count)
{
    const struct py *py = links->analysis->py;
    uint64_t code = 0, slots = 0;
    DF_CLEANUP_FREE char *name = NULL;
    bool cell;

    fi_walk(links->analysis, function, &links->inner);
    for (size_t r = 0; r < links->inner.count && !code; r++)
        if (fi_is_field(&links->inner.items[r], "__code__"))
            code = links->inner.items[r].target;
    while (code && slots < PY_MAX_LOCALS) {
        char *next = py_local_name(py, code, (uint32_t)slots, &cell);

        if (!next)
            break;
        free(next);
        slots++;
    }
    if (i >= count || count > slots)
        return NULL;
    name = py_local_name(py, code, (uint32_t)(slots - count + i), &cell);
    return name ? df_xasprintf("closure %s", name) : NULL;
}

char *fi_link_text(struct fi_links *links, const struct fi_neighbour *neighbour)
{
    const struct gr_graph *graph = links->analysis->graph;
    uint32_t holder = neighbour->holder;
    char *text = NULL;

    if (neighbour->attribute && neighbour->ref->label == PY_LABEL_ITEM)
        text = closure_text(links, neighbour->node, neighbour->ref->argument,
                            graph->start[holder + 1] - graph->start[holder]);
    if (text)
        return text;
    text = fi_hop_text(links->analysis, holder, neighbour->ref);
    if (neighbour->attribute)
        fi_key_to_attribute(text);
    return text;
}
