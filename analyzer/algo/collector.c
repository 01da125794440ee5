/* SPDX-License-Identifier: MIT
 * collector.c: update_refs, subtract_refs, move_unreachable and move_legacy_finalizers on arrays.
 *
 * Instead of copying reference counts and taking edges away (gc_refs), the edges into each
 * candidate are counted; a candidate is held from outside when it has more references than that.
 * Only candidates are traversed, as in CPython, where the collector walks its own lists and its
 * visitor skips what is not in them.
 */
#include "analyzer/algo/collector.h"

#include <stdlib.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

struct collector {
    const struct al_collector_input *in;
    uint8_t *verdict;
    uint8_t *seen;    /* per node: edges into it that the collector sees, modulo 256; */
    uint64_t *often;  /* a bit: they are more, */
    struct df_map at; /* by node + 1: so many times 256 */
    uint32_t *stack;
    uint32_t depth;
};

static inline bool sees(const struct collector *c, uint32_t edge)
{
    const uint8_t *kinds = c->in->kinds;

    return (!kinds || !(kinds[edge / 4] >> 2 * (edge % 4) & 3)) &&
           c->verdict[c->in->graph->target[edge]] != AL_NOT_CANDIDATE;
}

/* Most nodes have few edges; what hangs on one in 256 of those of the others costs nothing. */
static void carry(struct collector *c, uint32_t v)
{
    uint32_t times = df_map_get(&c->at, (uint64_t)v + 1);

    c->often[v / 64] |= UINT64_C(1) << v % 64;
    df_map_set(&c->at, (uint64_t)v + 1, times == DF_MAP_NONE ? 1 : times + 1);
}

static void subtract_refs(struct collector *c)
{
    const struct al_csr *graph = c->in->graph;

    for (uint32_t v = 0; v < graph->count; v++) {
        if (c->verdict[v] == AL_NOT_CANDIDATE)
            continue;
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            if (sees(c, e) && ++c->seen[graph->target[e]] == 0)
                carry(c, graph->target[e]);
    }
}

static int64_t seen_of(const struct collector *c, uint32_t v)
{
    int64_t seen = c->seen[v];

    if (c->often[v / 64] >> v % 64 & 1)
        seen += (int64_t)df_map_get(&c->at, (uint64_t)v + 1) * 256;
    return seen;
}

static inline void enter(struct collector *c, uint32_t v, enum al_verdict verdict)
{
    c->verdict[v] = verdict;
    c->stack[c->depth++] = v;
}

/* Everything reachable from the stack within the candidates that are still `from` becomes `to`. The
 * last one first: what belongs together lies together. */
static void spread(struct collector *c, enum al_verdict from, enum al_verdict to)
{
    const struct al_csr *graph = c->in->graph;

    while (c->depth) {
        uint32_t v = c->stack[--c->depth];

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            if (sees(c, e) && c->verdict[graph->target[e]] == from)
                enter(c, graph->target[e], to);
    }
}

/* Sorts the candidates into held from outside (entered) and, for now, garbage. */
static void find_held(struct collector *c, struct al_collector_result *result)
{
    for (uint32_t v = 0; v < c->in->graph->count; v++) {
        int64_t references, seen;

        if (c->verdict[v] == AL_NOT_CANDIDATE)
            continue;
        references = c->in->references(c->in->context, v);
        seen = seen_of(c, v);
        if (references > seen) {
            enter(c, v, AL_ALIVE);
            continue;
        }
        c->verdict[v] = AL_GARBAGE;
        if (references < seen && result->inconsistent++ == 0)
            result->first_inconsistent = v;
    }
}

static void find_legacy(struct collector *c)
{
    for (uint32_t v = 0; v < c->in->graph->count; v++)
        if (c->verdict[v] == AL_GARBAGE && c->in->legacy(c->in->context, v))
            enter(c, v, AL_UNCOLLECTABLE);
    spread(c, AL_GARBAGE, AL_UNCOLLECTABLE);
}

static struct df_err *find_reachable(struct collector *c, struct al_collector_result *result)
{
    uint32_t count = c->in->graph->count, candidates = 0;

    DF_TRY(df_array(count, sizeof(*c->seen), &c->seen));
    DF_TRY(df_array((size_t)count / 64 + 1, sizeof(*c->often), &c->often));
    subtract_refs(c);
    for (uint32_t v = 0; v < count; v++)
        candidates += c->verdict[v] != AL_NOT_CANDIDATE;
    DF_TRY(df_array(candidates, sizeof(*c->stack), &c->stack));
    find_held(c, result);
    free(DF_TAKE(c->seen));
    spread(c, AL_GARBAGE, AL_ALIVE);
    return NULL;
}

struct df_err *al_collector(const struct al_collector_input *input,
                            struct al_collector_result *result)
{
    struct collector c = {.in = input, .verdict = result->verdict};
    struct df_err *err;

    result->garbage = result->uncollectable = result->inconsistent = 0;
    result->first_inconsistent = AL_NONE;
    df_map_init(&c.at);
    err = find_reachable(&c, result);
    if (!err && input->legacy)
        find_legacy(&c);
    df_map_deinit(&c.at);
    free(c.seen);
    free(c.often);
    free(c.stack);
    for (uint32_t v = 0; v < input->graph->count; v++) {
        result->garbage += c.verdict[v] == AL_GARBAGE;
        result->uncollectable += c.verdict[v] == AL_UNCOLLECTABLE;
    }
    return err;
}
