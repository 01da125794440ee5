/* SPDX-License-Identifier: MIT
 * unbounded_cache.c: which caches never forget?
 *
 * functools.lru_cache and functools.cache say of themselves what their bound is and how often an
 * entry has served (facts.h). A dict in the closure of a function is a home-made one (a decorator
 * that memoizes).
 */
#include "analyzer/findings/rules/accuse.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/objects/facts.h"
#include "dumpfmt/base/mem.h"

#define BOUND_HELPS 10000 /* a full cache of so few entries is as somebody meant it */

static const char *use_text(struct fi_context *context, const struct py_lru *cache)
{
    uint64_t calls = cache->hits + cache->misses;
    return fi_pool_format(context->pool, "it was asked %s times, and had the answer %s times (%s)",
                          fi_number_phrase(calls).text, fi_number_phrase(cache->hits).text,
                          fi_percent_phrase(cache->hits, calls).text);
}

static void accuse_lru(struct fi_context *context, const struct fi_rule *rule,
                       const struct fi_suspect *suspect, const struct py_lru *cache)
{
    bool endless = cache->maxsize < 0;
    struct fi_charge charge = {
        .what = endless ? fi_pool_format(context->pool,
                                         "an lru_cache without a bound (maxsize=None), %s entries",
                                         fi_number_phrase(cache->entries).text)
                        : fi_pool_format(context->pool, "an lru_cache, %s of at most %s entries",
                                         fi_number_phrase(cache->entries).text,
                                         fi_number_phrase((uint64_t)cache->maxsize).text),
        .advice =
            endless ? "Give the cache a bound: functools.lru_cache(maxsize=...), or clear it with "
                      "cache_clear() when its entries have served. On a method it keeps every "
                      "`self` too."
                    : "It has a bound and stays as it is. Where that is too much memory: lower "
                      "maxsize, or cache something smaller. On a method it keeps every `self` "
                      "too.",
        .count = cache->entries,
        .bounded = !endless && cache->maxsize <= BOUND_HELPS,
    };
    struct fi_finding *finding = fi_accuse(context, rule, suspect, &charge);
    fi_evidence(context, finding, use_text(context, cache));
}

/* The name of the variable that is held by the closure of the function two steps up. */
static const char *variable(struct fi_context *context, const struct fi_suspect *suspect)
{
    struct fi_analysis *analysis = context->analysis;
    struct py_refs refs = {0};
    uint64_t code = 0, index = 0, count = 0;
    fi_walk(analysis, suspect->way[2], &refs); /* the tuple of cells */
    for (size_t i = 0; i < refs.count; i++) {
        if (refs.items[i].label != PY_LABEL_ITEM)
            continue;
        count++;
        if (refs.items[i].target == gr_address(analysis->graph, suspect->way[1]))
            index = refs.items[i].argument;
    }
    fi_walk(analysis, suspect->way[3], &refs);
    for (size_t i = 0; i < refs.count; i++)
        if (fi_is_field(&refs.items[i], "__code__"))
            code = refs.items[i].target;
    free(refs.items);
    return code ? fi_pool_take(context->pool, py_closure_name(analysis->py, code, (uint32_t)index,
                                                              (uint32_t)count))
                : NULL;
}

static bool is_in_closure(const struct fi_context *context, const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    return suspect->way_count >= 4 && !strcmp(fi_type_name(analysis, suspect->way[1]), "cell") &&
           !strcmp(fi_type_name(analysis, suspect->way[2]), "tuple") &&
           !strcmp(fi_type_name(analysis, suspect->way[3]), "function");
}

const char *fi_closure_variable(struct fi_context *context, const struct fi_suspect *suspect)
{
    if (!is_in_closure(context, suspect))
        return NULL;
    const char *name = variable(context, suspect);
    return name ? name : "?";
}

static void accuse_memo(struct fi_context *context, const struct fi_rule *rule,
                        const struct fi_suspect *suspect, const char *name)
{
    struct fi_charge charge = {
        .what = fi_pool_format(context->pool, "%s: the variable `%s` of a function's closure",
                               fi_container_phrase(context, suspect), name),
        .advice = "A cache made by hand that never forgets: use functools.lru_cache(maxsize=...), "
                  "or evict by age or number.",
    };
    fi_accuse(context, rule, suspect, &charge);
}

struct df_err *fi_ask_unbounded_cache(struct fi_context *context, const struct fi_rule *rule)
{
    struct fi_analysis *analysis = context->analysis;
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        struct py_lru cache;
        if (fi_is_explained(context, suspect))
            continue;
        if (py_lru_facts(analysis->objects, gr_address(analysis->graph, suspect->node), &cache)) {
            accuse_lru(context, rule, suspect, &cache);
            continue;
        }
        static const char *const dicts[] = {"dict", NULL};
        const char *name =
            fi_is_a(analysis, suspect->node, dicts) ? fi_closure_variable(context, suspect) : NULL;
        if (name)
            accuse_memo(context, rule, suspect, name);
    }
    return NULL;
}
