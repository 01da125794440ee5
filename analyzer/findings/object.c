/* SPDX-License-Identifier: MIT
 * object.c: one object for a person: what it is, what it holds, what holds it.
 *
 * References are shown as they are, one by one, dicts of attributes included: the bare facts. What
 * a person calls an object's fields is in fields.c, what its kind has besides in kinds.c, what it
 * is a part of in belongs.c.
 */
#include "analyzer/findings/show.h"

#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/findings/pool.h"
#include "analyzer/graph/native.h"
#include "dumpfmt/base/mem.h"

#define TEXT_LENGTH 2000       /* characters of a text that is all there is to see */
#define FIELDS_TEXT_LENGTH 300 /* of one of an object whose fields are listed */
#define LINK_TEXT_LENGTH 60
#define TEXT_DEPTH 4
#define PATH_HOPS 64

static const char *kind_name(uint8_t kind)
{
    static const char *const names[PY_REF_KINDS] = {
        [PY_REF_REFERENT] = "referent", [PY_REF_OWNED] = "owned",   [PY_REF_GUESS] = "guess",
        [PY_REF_WEAK] = "weak",         [PY_REF_NATIVE] = "native",
    };

    return kind < PY_REF_KINDS ? names[kind] : "unknown";
}

static const char *verdict_name(uint8_t verdict)
{
    static const char *const names[] = {
        [AL_NOT_CANDIDATE] = "not the collector's business",
        [AL_ALIVE] = "alive",
        [AL_GARBAGE] = "garbage",
        [AL_UNCOLLECTABLE] = "uncollectable",
    };

    return verdict < sizeof(names) / sizeof(*names) ? names[verdict] : "unknown";
}

struct fi_link fi_show_link(struct fi_show *m, uint32_t holder, uint64_t other,
                            const struct py_ref *ref)
{
    struct py_objects *objects = m->analysis->objects;
    uint32_t type = py_object_type(objects, other);

    return (struct fi_link){
        .address = other,
        .type = type == PY_NO_TYPE ? "?" : py_type_at(objects, type)->name,
        .label = fi_pool_take(m->pool, fi_hop_text(m->analysis, holder, ref)),
        .text = fi_pool_take(m->pool, py_text(objects, other, LINK_TEXT_LENGTH)),
        .kind = kind_name(ref->kind),
    };
}

static bool within_limit(const struct fi_show *m, uint64_t listed)
{
    return !m->limit || listed < m->limit;
}

static void fill_referents(struct fi_show *m)
{
    struct fi_object *object = m->object;
    uint64_t room;

    fi_walk(m->analysis, m->node, &m->refs);
    room = m->limit && m->refs.count > m->limit ? m->limit : m->refs.count;
    object->referent_total = m->refs.count;
    object->referents = fi_pool_array(m->pool, room, sizeof(*object->referents));
    for (size_t i = 0; i < room; i++)
        object->referents[object->referent_count++] =
            fi_show_link(m, m->node, m->refs.items[i].target, &m->refs.items[i]);
}

/* The references of one holder to the object, each with its label; a holder that cannot be walked
 * again is listed without. */
static void list_holder(struct fi_show *m, uint32_t holder, bool weak)
{
    const struct gr_graph *graph = m->analysis->graph;
    struct fi_object *object = m->object;
    bool found = false;

    fi_walk_to(m->analysis, holder, m->node, &m->refs);
    for (size_t i = 0; i < m->refs.count; i++) {
        const struct py_ref *ref = &m->refs.items[i];

        if (ref->target != gr_address(graph, m->node) || (ref->kind == PY_REF_WEAK) != weak)
            continue;
        found = true;
        if (within_limit(m, object->referrer_count))
            object->referrers[object->referrer_count++] =
                fi_show_link(m, holder, gr_address(graph, holder), ref);
    }
    if (!found && within_limit(m, object->referrer_count)) {
        struct py_ref unknown = {.target = gr_address(graph, m->node),
                                 .kind = weak ? PY_REF_WEAK : PY_REF_REFERENT};

        object->referrers[object->referrer_count++] =
            fi_show_link(m, holder, gr_address(graph, holder), &unknown);
    }
}

static uint64_t count_weak(const struct gr_graph *graph, uint32_t node)
{
    uint64_t count = 0;

    for (uint32_t e = 0; e < graph->weak_count; e++)
        count += graph->weak_target[e] == node;
    return count;
}

static void list_weak_holders(struct fi_show *m)
{
    const struct gr_graph *graph = m->analysis->graph;

    for (uint32_t i = 0; i < graph->weak_holder_count; i++) {
        if (!within_limit(m, m->object->referrer_count))
            return;
        for (uint32_t e = graph->weak_start[i]; e < graph->weak_start[i + 1]; e++)
            if (graph->weak_target[e] == m->node) {
                list_holder(m, graph->weak_holder[i], true);
                break;
            }
    }
}

static void fill_referrers(struct fi_show *m)
{
    const struct gr_graph *graph = m->analysis->graph;
    struct fi_object *object = m->object;
    struct gr_referrers holders = gr_referrers(graph, m->node);
    uint64_t weak = count_weak(graph, m->node), room = holders.left + weak;
    uint32_t holder, last = AL_NONE;

    object->referrer_total = room;
    if (m->limit && room > m->limit)
        room = m->limit;
    object->referrers = fi_pool_array(m->pool, room, sizeof(*object->referrers));
    m->limit = (uint32_t)room; /* the array's end, from here on */
    if (!room)
        return;
    while (within_limit(m, object->referrer_count) && gr_next_referrer(&holders, &holder)) {
        if (holder != last)
            list_holder(m, holder, false);
        last = holder;
    }
    if (weak)
        list_weak_holders(m);
}

/* Words outside of Python's objects that are the object's address, as referrers without an object.
 * Words of C data and the like, whether they count or not: the ledger tells. */
static void fill_natives(struct fi_show *m, uint32_t limit)
{
    struct fi_analysis *a = m->analysis;
    struct fi_object *object = m->object;
    size_t count = 0;
    DF_CLEANUP_FREE struct gr_native *words =
        a->py ? gr_native_find(a->py, a->graph, m->node, &count) : NULL;
    uint32_t listed = object->referrer_count;
    struct fi_link *larger;

    object->referrer_total += count;
    if (limit && count > limit - (listed < limit ? listed : limit))
        count = limit - (listed < limit ? listed : limit);
    if (!count)
        return;
    larger = fi_pool_array(m->pool, listed + count, sizeof(*larger));
    if (listed)
        memcpy(larger, object->referrers, listed * sizeof(*larger));
    for (size_t i = 0; i < count; i++)
        larger[object->referrer_count++] =
            (struct fi_link){.address = words[i].address,
                             .type = "",
                             .label = "",
                             .text = fi_pool_take(m->pool, gr_native_name(a->py, &words[i])),
                             .kind = kind_name(PY_REF_NATIVE)};
    object->referrers = larger;
}

static void fill_facts(struct fi_show *m)
{
    struct fi_analysis *a = m->analysis;
    const struct gr_graph *graph = a->graph;
    struct fi_object *object = m->object;
    uint32_t v = m->node;

    object->address = gr_address(graph, v);
    object->size = gr_size(graph, v);
    object->retained_bytes = fi_retained(a, v);
    object->retained_objects = fi_retained_count(a, v);
    object->references = gr_references(graph, v);
    object->type = fi_type(a, v)->name;
    object->path = fi_pool_take(m->pool, fi_path(a, v, false, PATH_HOPS));
    object->dominator_path = fi_pool_take(m->pool, fi_path(a, v, true, PATH_HOPS));
    object->source = gr_source_name(gr_source_of(graph, v));
    object->root = gr_root_kind_of(graph, v) ? gr_root_kind_name(gr_root_kind_of(graph, v)) : NULL;
    object->verdict = verdict_name(fi_verdict_of(a, v));
    object->tracked = graph->flags[v] & GR_TRACKED;
    object->finalized = graph->flags[v] & GR_FINALIZED;
    object->immortal = graph->flags[v] & GR_IMMORTAL;
    object->garbage = fi_verdict_of(a, v) == AL_GARBAGE || fi_verdict_of(a, v) == AL_UNCOLLECTABLE;
}

const char *fi_show_text(struct fi_show *show, uint64_t address, uint64_t length)
{
    struct py_text_options options = {.max_characters = show->full ? 0 : length,
                                      .max_depth = show->full ? 0 : TEXT_DEPTH};

    return fi_pool_take(show->pool, py_text_as(show->analysis->objects, address, &options));
}

struct df_err *fi_object_make(struct fi_analysis *analysis, uint32_t node,
                              const struct fi_object_options *options, struct fi_object **ret)
{
    struct fi_show m = {
        .analysis = analysis, .node = node, .limit = options->limit, .full = options->full};
    struct df_err *err;

    if (node >= analysis->graph->count)
        return df_err_new(DF_ERR_USAGE, "there is no such object");
    m.pool = fi_pool_create();
    m.object = fi_pool_array(m.pool, 1, sizeof(*m.object));
    m.object->pool = m.pool;
    fill_facts(&m);
    fi_show_fields(&m);
    m.object->text = fi_show_text(&m, gr_address(analysis->graph, node),
                                  m.object->field_total ? FIELDS_TEXT_LENGTH : TEXT_LENGTH);
    fi_show_kind(&m);
    fill_referents(&m);
    fill_referrers(&m);
    fill_natives(&m, options->limit);
    fi_allocated_fill(analysis, m.pool, node, &m.object->allocated, &m.object->allocated_count);
    err = fi_show_belongs(&m);
    free(m.refs.items);
    if (err)
        fi_pool_destroy(m.pool);
    else
        *ret = m.object;
    return err;
}

void fi_object_free(struct fi_object *object)
{
    if (object)
        fi_pool_destroy(object->pool);
}
