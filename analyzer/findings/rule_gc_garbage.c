/* SPDX-License-Identifier: MIT
 * rule_gc_garbage.c: what did the collector give up on?
 *
 * gc.garbage holds what it found uncollectable (legacy finalizers), or, with gc.DEBUG_SAVEALL,
 * everything that it would have freed.
 */
#include "analyzer/findings/rules.h"

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
    finding->severity = !saved || analysis->retained[list] >= context->verdict->heap_bytes / SHARE
                            ? FI_HIGH
                            : FI_MEDIUM;
    fi_claim(context, list);
    finding->holder = fi_holder_make(context, list);
    finding->count = count;
    finding->retained_bytes = analysis->retained[list];
    finding->shallow_bytes = items.shallow;
    if (items.type != PY_NO_TYPE)
        finding->type =
            fi_pool_text(context->pool, py_type_at(analysis->objects, items.type)->name);
    finding->title = fi_pool_format(context->pool, "gc.garbage holds %s object%s (%s)%s%s%s",
                                    fi_number_phrase(count).text, count == 1 ? "" : "s",
                                    fi_bytes_phrase(finding->retained_bytes).text,
                                    finding->type ? ", mostly `" : "",
                                    finding->type ? finding->type : "", finding->type ? "`" : "");
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
