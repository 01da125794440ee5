/* SPDX-License-Identifier: MIT
 * gc_garbage.c: what did the collector give up on?
 *
 * gc.garbage holds what it found uncollectable (legacy finalizers), or, with gc.DEBUG_SAVEALL,
 * everything that it would have freed.
 */
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

#define DEBUG_SAVEALL 32 /* Modules/gcmodule.c, Python/gc.c */
#define SHARE 10         /* a tenth of the heap saved for nobody is why somebody took this core */

static uint32_t garbage_list(const struct fi_analysis *analysis)
{
    for (uint32_t i = 0; i < analysis->py->interpreter_count; i++) {
        uint64_t list = analysis->py->interpreters[i].gc.garbage;
        uint32_t node = list ? gr_node(analysis->graph, list) : AL_NONE;
        if (node != AL_NONE && analysis->graph->start[node] != analysis->graph->start[node + 1])
            return node;
    }
    return AL_NONE;
}

/* The type that a person would count: of a class of Python code, when a third is of one
 * (before 3.11 each instance lies there with the dict of its attributes); else the commonest. */
static uint32_t usual_type(const struct fi_context *context, uint32_t list, uint64_t *ret_count)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects), best = PY_NO_TYPE, class = PY_NO_TYPE;
    uint64_t all = graph->start[list + 1] - graph->start[list];
    DF_CLEANUP_FREE uint64_t *count = df_xcalloc(types, sizeof(*count));
    for (uint32_t e = graph->start[list]; e < graph->start[list + 1]; e++)
        count[context->named[gr_type(graph, graph->target[e])]]++;
    for (uint32_t i = 0; i < types; i++) {
        if (!count[i])
            continue;
        if (best == PY_NO_TYPE || count[i] > count[best])
            best = i;
        if (py_type_at(analysis->objects, i)->python_class &&
            (class == PY_NO_TYPE || count[i] > count[class]))
            class = i;
    }
    if (class != PY_NO_TYPE && count[class] >= all / 3)
        best = class;
    *ret_count = best == PY_NO_TYPE ? all : count[best];
    return best;
}

static const char *title(const struct fi_context *context, const struct fi_finding *finding,
                         uint64_t all)
{
    const char *head = fi_pool_format(context->pool, "gc.garbage holds %s object%s (%s)",
                                      fi_number_phrase(all).text, all == 1 ? "" : "s",
                                      fi_bytes_phrase(finding->retained_bytes).text);
    if (!finding->type)
        return head;
    return finding->count == all
               ? fi_pool_format(context->pool, "%s, `%s`", head, finding->type)
               : fi_pool_format(context->pool, "%s, %s of them `%s`", head,
                                fi_number_phrase(finding->count).text, finding->type);
}

struct df_err *fi_ask_gc_garbage(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    uint64_t count = context->verdict->garbage.in_gc_garbage;
    uint32_t list = garbage_list(analysis);
    if (!count || list == AL_NONE)
        return NULL;
    bool saved = context->verdict->python.gc_debug_flags & DEBUG_SAVEALL;
    struct fi_holding items = fi_items(analysis, list);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity =
        !saved || fi_retained(analysis, list) >= context->verdict->heap_bytes / SHARE ? FI_HIGH
                                                                                      : FI_MEDIUM;
    fi_claim(context, list);
    finding->holder = fi_holder_make(context, list);
    uint32_t type = usual_type(context, list, &finding->count);
    finding->retained_bytes = fi_retained(analysis, list);
    finding->shallow_bytes = items.shallow;
    if (type != PY_NO_TYPE)
        finding->type = fi_pool_text(context->pool, py_type_at(analysis->objects, type)->name);
    finding->title = title(context, finding, count);
    fi_evidence(context, finding,
                saved ? "gc.DEBUG_SAVEALL is set: the collector keeps all that it finds"
                      : "the collector could not free them: legacy finalizers (tp_del)");
    finding->advice = saved ? "Take gc.set_debug(gc.DEBUG_SAVEALL) or gc.DEBUG_LEAK out of the "
                              "program: it is for debugging and keeps every dead cycle alive."
                            : "Look at their finalizers, and clear gc.garbage after breaking the "
                              "cycles by hand.";
    finding->signature =
        fi_pool_format(context->pool, "gc-garbage:%s", finding->type ? finding->type : "");
    return NULL;
}
