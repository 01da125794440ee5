/* SPDX-License-Identifier: MIT
 * deadlock.c: which threads wait for each other?
 *
 * An RLock knows the thread that has it; where that thread waits for an RLock that the first one
 * has, over however many threads, none of them will ever go on. Plain locks do not know their
 * owner: such circles are not seen.
 */
#include "analyzer/findings/rules/rules.h"

#include <string.h>

#define MAX_CIRCLE 64

/* The threads of the circle that `start` is in, from it on; 0 when it is in none. */
static uint32_t circle(const struct fi_verdict *verdict, uint32_t start, uint32_t *ret)
{
    uint32_t count = 0, at = start;
    while (count < MAX_CIRCLE) {
        ret[count++] = at;
        int32_t next = verdict->threads[at].wait.owner_thread;
        if (next < 0 || (uint32_t)next >= verdict->thread_count)
            return 0;
        if ((uint32_t)next == start)
            return count;
        at = (uint32_t)next;
    }
    return 0;
}

static const char *name_of(const struct fi_thread *thread)
{
    return thread->name ? thread->name : "?";
}

static void accuse(struct fi_context *context, const struct fi_rule *rule, const uint32_t *threads,
                   uint32_t count)
{
    const struct fi_verdict *verdict = context->verdict;
    struct fi_finding *finding = fi_finding_add(context, rule);
    const char *names = "";
    for (uint32_t i = 0; i < count; i++) {
        const struct fi_thread *thread = &verdict->threads[threads[i]];
        const struct fi_frame *frame = thread->frame_count ? &thread->frames[0] : NULL;
        names = fi_pool_format(context->pool, "%s%s`%s`", names, i ? ", " : "", name_of(thread));
        fi_evidence(
            context, finding,
            fi_pool_format(context->pool, "`%s` waits for %s, in %s (%s:%d)", name_of(thread),
                           thread->wait.text, frame ? frame->function : "?",
                           frame && frame->file ? frame->file : "?", frame ? frame->line : 0));
    }
    finding->severity = FI_HIGH;
    finding->count = count;
    finding->title = count == 1
                         ? fi_pool_format(context->pool, "The thread %s waits for itself", names)
                         : fi_pool_format(context->pool,
                                          "%u threads wait for each other and will never go on: %s",
                                          count, names);
    finding->advice = "Take locks in one order everywhere, or with a time limit "
                      "(lock.acquire(timeout=...)), or put what they guard under one lock.";
    finding->signature = fi_pool_format(context->pool, "deadlock:%u", count);
}

struct df_err *fi_ask_deadlock(struct fi_context *context, const struct fi_rule *rule)
{
    uint32_t threads[MAX_CIRCLE];
    for (uint32_t i = 0; i < context->verdict->thread_count; i++) {
        uint32_t count = circle(context->verdict, i, threads), least = i;
        for (uint32_t j = 0; j < count; j++)
            least = threads[j] < least ? threads[j] : least;
        if (count && least == i) /* told once, by its first thread */
            accuse(context, rule, threads, count);
    }
    return NULL;
}
