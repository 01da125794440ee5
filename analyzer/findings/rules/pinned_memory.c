/* SPDX-License-Identifier: MIT
 * pinned_memory.c: which small NumPy views keep large memory that nobody else uses?
 *
 * A slice of an array shows a part of it and keeps all of it. What is told is memory whose owner
 * only views hold, views that show less than half of it together.
 */
#include "analyzer/findings/rules/places.h"
#include "analyzer/findings/rules/rules.h"

#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define SHARE 20
#define GRAVE_SHARE 5
#define LEAST_BYTES 64000
#define MAX_BASES 64 /* views of views */
#define LEAST 4096   /* bytes of one base that matter */

struct owner {
    uint32_t node, view, views;
    uint64_t shown;
};

struct search {
    struct fi_context *context;
    struct df_map index; /* node of the owner, plus 1 -> owners */
    struct {
        struct owner *items;
        size_t count, capacity;
    } owners;
    struct {
        uint32_t *items;
        size_t count, capacity;
    } views;          /* of pinned owners, one each */
    uint32_t largest; /* the view that pins most */
};

/* The node whose memory a view shows in the end; AL_NONE when it is none. */
static uint32_t owner_of(const struct fi_analysis *analysis, uint32_t node, uint64_t *ret_bytes)
{
    const struct gr_graph *graph = analysis->graph;
    uint64_t bytes, base;
    if (!py_array_view(analysis->objects, gr_address(graph, node), gr_type(graph, node), ret_bytes,
                       &base))
        return AL_NONE;
    uint32_t at = gr_node(graph, base);
    for (int step = 0; at != AL_NONE && step < MAX_BASES; step++) {
        if (!py_array_view(analysis->objects, gr_address(graph, at), gr_type(graph, at), &bytes,
                           &base))
            return at;
        at = gr_node(graph, base);
    }
    return AL_NONE;
}

static struct df_err *collect(struct search *search)
{
    const struct fi_analysis *analysis = search->context->analysis;
    uint32_t types = py_type_count(analysis->objects), count;
    DF_CLEANUP_FREE uint8_t *arrays = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = 0; i < types; i++)
        arrays[i] = py_type_is_array(analysis->objects, i);
    DF_TRY(fi_nodes_of(search->context, arrays, &nodes, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = nodes[i];
        uint64_t bytes;
        if (fi_is_garbage(analysis, node))
            continue;
        uint32_t owner = owner_of(analysis, node, &bytes);
        if (owner == AL_NONE)
            continue;
        bool added;
        uint32_t at =
            df_map_add(&search->index, (uint64_t)owner + 1, (uint32_t)search->owners.count, &added);
        if (added)
            DF_PUSH(&search->owners, (struct owner){.node = owner, .view = node});
        search->owners.items[at].views++;
        if (__builtin_add_overflow(search->owners.items[at].shown, bytes,
                                   &search->owners.items[at].shown))
            search->owners.items[at].shown = UINT64_MAX;
    }
    return NULL;
}

/* Nobody but views has it: each holder is one, and so many of them. */
static bool only_views_hold(const struct fi_analysis *analysis, const struct owner *owner)
{
    const struct gr_graph *graph = analysis->graph;
    if (gr_root_kind_of(graph, owner->node) != GR_ROOT_NONE)
        return false;
    uint32_t from;
    GR_EACH_REFERRER (graph, owner->node, from) {
        uint64_t bytes, base;
        if (!py_array_view(analysis->objects, gr_address(graph, from), gr_type(graph, from), &bytes,
                           &base))
            return false;
    }
    return true;
}

static uint64_t unseen(const struct fi_analysis *analysis, const struct owner *owner)
{
    uint64_t size = gr_size(analysis->graph, owner->node);
    if (size < LEAST || owner->shown >= size / 2 || !only_views_hold(analysis, owner))
        return 0;
    return size - owner->shown;
}

static void report(struct search *search, const struct fi_rule *rule, uint64_t pinned,
                   uint64_t whole)
{
    struct fi_context *context = search->context;
    uint64_t heap = context->verdict->heap_bytes, count = search->views.count;
    struct fi_place place = fi_commonest_place(context, search->views.items, search->views.count);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = pinned >= heap / GRAVE_SHARE ? FI_MEDIUM : FI_LOW;
    finding->type = fi_pool_text(context->pool, fi_type_name(context->analysis, search->largest));
    finding->count = count;
    finding->shallow_bytes = whole;
    finding->retained_bytes = pinned;
    finding->holder = fi_place_holder(context, &place);
    finding->title = fi_pool_format(
        context->pool,
        "views of %s array%s keep %s (%s of the heap) that nobody looks at; most are at `%s`",
        fi_number_phrase(count).text, count == 1 ? "" : "s", fi_bytes_phrase(pinned).text,
        fi_percent_phrase(pinned, heap).text, place.path);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "they show %s of %s",
                               fi_bytes_phrase(whole - pinned).text, fi_bytes_phrase(whole).text));
    finding->advice = "Copy what is to be kept (array[...].copy()): a slice keeps the whole array.";
    finding->signature = fi_pool_format(context->pool, "%s:%s", rule->name, place.path);
}

struct df_err *fi_ask_pinned_memory(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    struct search search = {.context = context};
    uint64_t pinned = 0, whole = 0, most = 0;
    df_map_init(&search.index);
    struct df_err *err = collect(&search);
    for (size_t i = 0; i < search.owners.count; i++) {
        uint64_t bytes = unseen(analysis, &search.owners.items[i]);
        if (!bytes)
            continue;
        pinned += bytes;
        if (bytes > most) {
            most = bytes;
            search.largest = search.owners.items[i].view;
        }
        whole += gr_size(analysis->graph, search.owners.items[i].node);
        DF_PUSH(&search.views, search.owners.items[i].view);
    }
    if (pinned >= LEAST_BYTES && pinned >= context->verdict->heap_bytes / SHARE)
        report(&search, rule, pinned, whole);
    df_map_deinit(&search.index);
    free(search.owners.items);
    free(search.views.items);
    return err;
}
