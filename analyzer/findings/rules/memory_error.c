/* SPDX-License-Identifier: MIT
 * memory_error.c: which threads ran out of memory?
 *
 * A MemoryError that a thread raises or handles when the process dies is what somebody wants to
 * know first.
 */
#include "analyzer/findings/rules/rules.h"

#include <string.h>

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_thread *thread, const struct fi_exception *exception)
{
    struct fi_finding *finding = fi_finding_add(context, rule);
    const struct fi_frame *last =
        exception->frame_count ? &exception->frames[exception->frame_count - 1] : NULL;
    const char *place = last ? fi_pool_format(context->pool, " in %s (%s:%d)", last->function,
                                              last->file ? last->file : "?", last->line)
                             : "";
    finding->severity = FI_HIGH;
    finding->type = exception->type;
    finding->count = 1;
    finding->title = fi_pool_format(context->pool, "The thread `%s` ran out of memory%s",
                                    thread->name ? thread->name : "?", place);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "it %s %s", exception->raised ? "raises" : "handles",
                               exception->text));
    if (exception->note)
        fi_evidence(context, finding, exception->note);
    finding->advice = "If one request was too large: bound it, or work in pieces. If the process "
                      "had no memory left: the other findings say what held it.";
    finding->signature =
        fi_pool_format(context->pool, "memory-error:%s", last ? last->function : "");
}

struct df_err *fi_ask_memory_error(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_verdict *verdict = context->verdict;
    for (uint32_t i = 0; i < verdict->thread_count; i++)
        for (uint32_t j = 0; j < verdict->threads[i].exception_count; j++)
            if (verdict->threads[i].exceptions[j].memory)
                accuse(context, rule, &verdict->threads[i], &verdict->threads[i].exceptions[j]);
    return NULL;
}
