/* SPDX-License-Identifier: MIT
 * queue.c: which queues fill faster than they are emptied?
 *
 * queue.Queue and asyncio.Queue keep their items in a deque (or a list, for priorities), a
 * multiprocessing.Queue what its feeder thread has not written yet; a deque without maxlen is a
 * queue too.
 */
#include "analyzer/findings/rules/accuse.h"

#include <string.h>

#include "analyzer/objects/facts.h"

struct kind {
    const char *type; /* of the queue, or a base of it */
    const char *bound, *advice;
};

#define BOUND_AND_BLOCK                                                                         \
    "Give it a bound (maxsize=...), so that who fills it waits for who empties it; or look at " \
    "why "                                                                                      \
    "the consumer is too slow, or gone."

static const struct kind kinds[] = {
    {"queue.Queue", "maxsize", BOUND_AND_BLOCK},
    {"asyncio.queues.Queue", "_maxsize", BOUND_AND_BLOCK},
    {"_queue.SimpleQueue", NULL,
     "A SimpleQueue has no bound: take queue.Queue(maxsize=...), or look at why the consumer is "
     "too "
     "slow, or gone."},
    {"multiprocessing.queues.Queue", "_maxsize",
     "What was put waits for the feeder thread to write it into the pipe: look at why the other "
     "process does not read, and give the queue a bound (maxsize=...)."},
    {"queue._PySimpleQueue", NULL, BOUND_AND_BLOCK},
    {"collections.deque", NULL,
     "Give it a bound (maxlen=...), or make who fills it wait for who empties it."},
};

/* The queue that the suspect is, or that it is the store of. */
static const struct kind *kind_of(const struct fi_context *context,
                                  const struct fi_suspect *suspect, uint32_t *ret)
{
    for (uint32_t step = 0; step < 2 && step < suspect->way_count; step++)
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            const char *const names[] = {kinds[i].type, NULL};
            bool store = step == 0 && i + 1 == sizeof(kinds) / sizeof(kinds[0]);
            if (!fi_is_a(context->analysis, suspect->way[step], names) || store)
                continue;
            *ret = suspect->way[step];
            return &kinds[i];
        }
    const struct kind *last = &kinds[sizeof(kinds) / sizeof(kinds[0]) - 1];
    const char *const names[] = {last->type, NULL};
    *ret = suspect->node;
    return fi_is_a(context->analysis, suspect->node, names) ? last : NULL;
}

#define ENDLESS 100000000 /* SEM_VALUE_MAX, multiprocessing's bound of a queue without one */

/* The bound that it has; 0: none, or not known. */
static uint64_t bound_of(const struct fi_context *context, uint32_t queue, const struct kind *kind)
{
    struct py_objects *objects = context->analysis->objects;
    uint64_t address = gr_address(context->analysis->graph, queue);
    struct py_reader reader = py_reader(context->analysis->py);
    struct py_deque deque;
    int64_t bound = 0;
    if (kind->bound) {
        uint64_t value = py_attribute(objects, address, kind->bound);
        return value && py_int(&reader, value, &bound) && bound > 0 && bound < ENDLESS
                   ? (uint64_t)bound
                   : 0;
    }
    return py_deque_facts(objects, address, &deque) && deque.maxlen > 0 ? (uint64_t)deque.maxlen
                                                                        : 0;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_suspect *suspect, const struct kind *kind, uint32_t queue)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct py_type *type = py_type_at(analysis->objects, gr_type(analysis->graph, queue));
    const char *phrase = fi_type_phrase(context->pool, type);
    bool deque = !kind->bound && !strcmp(kind->type, "collections.deque");
    uint64_t bound = bound_of(context, queue, kind);
    const char *place = fi_place_phrase(context, suspect);
    struct fi_charge charge = {.advice = kind->advice, .bounded = bound != 0};
    charge.what = fi_pool_format(
        context->pool, "%s%s%s%s", queue == suspect->node ? "" : "which is ", phrase,
        bound ? fi_pool_format(context->pool, " with room for %s", fi_number_phrase(bound).text)
              : (deque ? " without maxlen" : " without a bound"),
        place && queue == suspect->node ? fi_pool_format(context->pool, ", %s", place) : "");
    if (queue != suspect->node)
        charge.what = fi_pool_format(
            context->pool, "what waits in %s%s", phrase,
            bound ? fi_pool_format(context->pool, " with room for %s", fi_number_phrase(bound).text)
                  : " without a bound");
    fi_accuse(context, rule, suspect, &charge);
}

struct df_err *fi_ask_queue(struct fi_context *context, const struct fi_rule *rule)
{
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        uint32_t queue;
        if (fi_is_explained(context, suspect))
            continue;
        const struct kind *kind = kind_of(context, suspect, &queue);
        if (kind && suspect->held.type != PY_NO_TYPE)
            accuse(context, rule, suspect, kind, queue);
    }
    return NULL;
}
