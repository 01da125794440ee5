/* SPDX-License-Identifier: MIT
 * listeners.c: who was told to call back, and is never told to stop?
 *
 * A container of bound methods, partials or weak references with callbacks is a list of listeners
 * whatever it is called; one of other objects is, when its name says so (Bus.listeners,
 * Signal.receivers, _subscribers). atexit keeps its callbacks in C: they have no container.
 */
#include "analyzer/findings/rules/accuse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

#define LEAST 100
#define MOSTLY 0.45 /* of its elements are callbacks (the keys of a dict are elements too) */

static const char advice[] =
    "Whoever adds a listener must remove it: look for the missing disconnect, unsubscribe or "
    "unregister; or hold listeners weakly (weakref.WeakMethod, weakref.WeakSet).";

struct asker {
    const struct fi_analysis *analysis;
    uint8_t *is_callback; /* per type */
};

/* Malloc'ed, one for each type. */
static uint8_t *callback_types(const struct fi_analysis *analysis)
{
    static const char *const names[] = {"method", "functools.partial", "functools.partialmethod",
                                        "weakref.WeakMethod", NULL};
    uint32_t types = py_type_count(analysis->objects);
    uint8_t *right = df_xcalloc(types, 1);
    for (uint32_t i = 0; i < types; i++)
        right[i] = fi_type_is_a(analysis, py_type_at(analysis->objects, i), names);
    return right;
}

static bool is_callback(const struct asker *asker, uint32_t node)
{
    return asker->is_callback[gr_type(asker->analysis->graph, node)];
}

/* How many elements of a container (or of those in it) are callbacks, and how many there are. */
static void count_callbacks(const struct asker *asker, uint32_t node, int depth,
                            uint64_t *ret_callbacks, uint64_t *ret_all)
{
    const struct fi_analysis *analysis = asker->analysis;
    const struct gr_graph *graph = analysis->graph;
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        uint32_t item = graph->target[e];
        if (is_callback(asker, item)) {
            ++*ret_callbacks;
            ++*ret_all;
        } else if (fi_holds_alone(analysis, node, item)) {
            uint64_t before = *ret_all;
            if (depth)
                count_callbacks(asker, item, depth - 1, ret_callbacks, ret_all);
            *ret_all += *ret_all == before;
        }
    }
}

/* "`method`": what the callbacks below a container are. */
static const char *callback_type(const struct asker *asker, uint32_t node, int depth)
{
    const struct fi_analysis *analysis = asker->analysis;
    const struct gr_graph *graph = analysis->graph;
    const char *found = NULL;
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1] && !found; e++) {
        uint32_t item = graph->target[e];
        if (is_callback(asker, item))
            found = fi_type_name(analysis, item);
        else if (depth && fi_holds_alone(analysis, node, item))
            found = callback_type(asker, item, depth - 1);
    }
    return found;
}

static bool word_in(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (; *text; text++)
        if (!strncasecmp(text, word, length))
            return true;
    return false;
}

/* Does the last name of the path say so? */
static bool named_so(const char *path)
{
    static const char *const words[] = {"listener", "subscri", "observer", "receiver", "callback",
                                        "handlers", "hooks",   "watchers", "slots"};
    size_t depth = 0;
    const char *last = path;
    for (const char *at = path; *at; at++) {
        depth += *at == '[';
        depth -= *at == ']' && depth;
        if (*at == '.' && !depth)
            last = at + 1;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (word_in(last, words[i]))
            return true;
    return false;
}

/* "a list", "a dict with 10 containers": what " of listeners" follows. */
static const char *of_listeners(struct fi_context *context, const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    const char *phrase = fi_type_phrase(
        context->pool, py_type_at(analysis->objects, gr_type(analysis->graph, suspect->node)));
    if (!suspect->inner)
        return phrase;
    return fi_pool_format(context->pool, "%s with %s container%s", phrase,
                          fi_number_phrase(suspect->inner).text, suspect->inner == 1 ? "" : "s");
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct asker *asker, const struct fi_suspect *suspect, uint64_t callbacks)
{
    const char *place = fi_place_phrase(context, suspect);
    struct fi_charge charge = {.advice = advice};
    charge.what = callbacks ? fi_pool_format(context->pool, "%s that keeps %s callbacks (`%s`)",
                                             fi_container_phrase(context, suspect),
                                             fi_number_phrase(callbacks).text,
                                             callback_type(asker, suspect->node, 2))
                            : fi_pool_format(context->pool, "%s of listeners%s%s",
                                             of_listeners(context, suspect), place ? ", " : "",
                                             place ? place : "");
    fi_accuse(context, rule, suspect, &charge);
}

struct df_err *fi_ask_listeners(struct fi_context *context, const struct fi_rule *rule)
{
    DF_CLEANUP_FREE uint8_t *of_callbacks = callback_types(context->analysis);
    struct asker asker = {.analysis = context->analysis, .is_callback = of_callbacks};
    DF_CLEANUP_FREE uint8_t *has_any = fi_suspects_with(context, of_callbacks);
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        if (fi_is_explained(context, suspect) || suspect->itself)
            continue;
        uint64_t callbacks = 0, all = 0;
        if (has_any[i])
            count_callbacks(&asker, suspect->node, 2, &callbacks, &all);
        if (callbacks >= LEAST && callbacks >= MOSTLY * all)
            accuse(context, rule, &asker, suspect, callbacks);
        else if (suspect->held.count >= LEAST && named_so(suspect->path) &&
                 suspect->held.type != PY_NO_TYPE && strcmp(suspect->held_name, "function") != 0)
            accuse(context, rule, &asker, suspect, 0);
    }
    return NULL;
}
