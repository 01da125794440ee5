/* SPDX-License-Identifier: MIT
 * look.c: what held objects look like: a few of them as text, the keys that dicts have in common,
 * the attributes of instances.
 */
#include "analyzer/findings/rules/accuse.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

#define SAMPLES 3
#define SAMPLE_TEXT 48
#define LOOKED_AT 2000 /* dicts whose keys are compared */
#define KEYS_SHOWN 12
#define ATTRIBUTES_SHOWN 4

struct members { /* some of the objects that a holder is said to hold */
    uint32_t *items;
    size_t count, capacity;
};

static void take(struct members *members, const struct fi_analysis *analysis, uint32_t from,
                 uint32_t type)
{
    const struct gr_graph *graph = analysis->graph;
    for (uint32_t e = graph->start[from]; e < graph->start[from + 1]; e++) {
        if (members->count >= LOOKED_AT)
            return;
        if (gr_type(graph, graph->target[e]) == type)
            DF_PUSH(members, graph->target[e]);
    }
}

/* Its own elements, or those of what is in it. */
static struct members find_members(const struct fi_analysis *analysis,
                                   const struct fi_suspect *suspect)
{
    const struct gr_graph *graph = analysis->graph;
    struct members members = {0};
    uint32_t node = suspect->node;
    take(&members, analysis, node, suspect->held.type);
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1] && !members.count; e++) {
        uint32_t inner = graph->target[e];
        if (fi_idom(analysis, inner) != node)
            continue;
        take(&members, analysis, inner, suspect->held.type);
        for (uint32_t k = graph->start[inner]; k < graph->start[inner + 1] && !members.count; k++)
            if (fi_idom(analysis, graph->target[k]) == inner)
                take(&members, analysis, graph->target[k], suspect->held.type);
    }
    return members;
}

/* "number=17, title='panel 17'": the attributes of an instance that are plain values. */
static char *attributes_text(struct fi_context *context, uint32_t node, struct py_refs *refs)
{
    struct fi_analysis *analysis = context->analysis;
    char *text = df_xstrdup("");
    unsigned shown = 0;
    fi_walk(analysis, node, refs);
    for (size_t i = 0; i < refs->count && shown < ATTRIBUTES_SHOWN; i++) {
        const struct py_ref *ref = &refs->items[i];
        uint32_t held = gr_node(analysis->graph, ref->target);
        if ((ref->label != PY_LABEL_ATTR && ref->label != PY_LABEL_SLOT) || held == AL_NONE)
            continue;
        DF_CLEANUP_FREE char *label = fi_hop_text(analysis, node, ref);
        DF_CLEANUP_FREE char *value = py_text(analysis->objects, ref->target, SAMPLE_TEXT / 2);
        bool plain = *value != '<' && strlen(value) <= 2 * SAMPLE_TEXT;
        char *longer = df_xasprintf("%s%s%s=%s", text, shown ? ", " : "", label + (*label == '.'),
                                    plain ? value : "…");
        free(text);
        text = longer;
        shown++;
    }
    return text;
}

static void tell_samples(struct fi_context *context, struct fi_finding *finding,
                         const struct members *members)
{
    struct fi_analysis *analysis = context->analysis;
    struct py_refs refs = {0};
    DF_CLEANUP_FREE char *all = df_xstrdup("");
    unsigned shown = 0;
    for (size_t i = 0; i < SAMPLES && i < members->count; i++) {
        uint32_t node = members->items[members->count < SAMPLES ? i : i * members->count / SAMPLES];
        DF_CLEANUP_FREE char *text =
            fi_type(analysis, node)->python_class
                ? attributes_text(context, node, &refs)
                : py_text(analysis->objects, gr_address(analysis->graph, node), SAMPLE_TEXT);
        if (!*text || *text == '<')
            continue;
        bool instance = fi_type(analysis, node)->python_class;
        char *longer = df_xasprintf("%s%s%s%s%s", all, shown ? "; " : "", instance ? "(" : "", text,
                                    instance ? ")" : "");
        free(all);
        all = longer;
        shown++;
    }
    free(refs.items);
    if (shown)
        fi_evidence(context, finding, fi_pool_format(context->pool, "for instance: %s", all));
}

struct shape { /* dicts with one set of keys */
    uint64_t hash;
    uint32_t count, node;
};

/* The same for the same keys in whatever order; 0 when they are not all strings. */
static uint64_t keys_hash(struct fi_analysis *analysis, uint32_t node, struct py_refs *refs)
{
    struct py_reader reader = py_reader(analysis->py);
    uint64_t sum = 0;
    fi_walk(analysis, node, refs);
    for (size_t i = 0; i < refs->count; i++) {
        if (refs->items[i].label != PY_LABEL_VALUE)
            continue;
        DF_CLEANUP_FREE char *key = py_str(&reader, refs->items[i].argument, 64, NULL);
        if (!key)
            return 0;
        uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
        for (const char *at = key; *at; at++)
            hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
        sum += hash;
    }
    return sum;
}

static char *keys_text(struct fi_analysis *analysis, uint32_t node, struct py_refs *refs)
{
    struct py_reader reader = py_reader(analysis->py);
    char *text = df_xstrdup("");
    unsigned shown = 0;
    fi_walk(analysis, node, refs);
    for (size_t i = 0; i < refs->count; i++) {
        if (refs->items[i].label != PY_LABEL_VALUE)
            continue;
        DF_CLEANUP_FREE char *key = py_str(&reader, refs->items[i].argument, 40, NULL);
        if (!key || shown++ > KEYS_SHOWN)
            continue;
        char *longer =
            df_xasprintf("%s%s%s", text, shown > 1 ? ", " : "", shown > KEYS_SHOWN ? "…" : key);
        free(text);
        text = longer;
    }
    return text;
}

static void tell_keys(struct fi_context *context, struct fi_finding *finding,
                      const struct members *members)
{
    struct fi_analysis *analysis = context->analysis;
    struct py_refs refs = {0};
    struct shape shapes[8] = {{0}};
    size_t used = 0, best = 0;
    for (size_t i = 0; i < members->count; i++) {
        uint64_t hash = keys_hash(analysis, members->items[i], &refs);
        size_t at = 0;
        while (at < used && shapes[at].hash != hash)
            at++;
        if (at == used && used == sizeof(shapes) / sizeof(shapes[0]))
            continue;
        if (at == used)
            shapes[used++] = (struct shape){.hash = hash, .node = members->items[i]};
        if (++shapes[at].count > shapes[best].count)
            best = at;
    }
    if (used && shapes[best].hash && shapes[best].count >= members->count / 2) {
        DF_CLEANUP_FREE char *keys = keys_text(analysis, shapes[best].node, &refs);
        bool all = shapes[best].count == members->count;
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s have the keys %s",
                                   all ? "they" : "most of them", keys));
    }
    free(refs.items);
}

void fi_look(struct fi_context *context, struct fi_finding *finding,
             const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    if (suspect->held.type == PY_NO_TYPE)
        return;
    struct members members = find_members(analysis, suspect);
    const struct py_type *type = py_type_at(analysis->objects, suspect->held.type);
    if (members.count && !strcmp(type->name, "dict"))
        tell_keys(context, finding, &members);
    if (members.count)
        tell_samples(context, finding, &members);
    free(members.items);
}
