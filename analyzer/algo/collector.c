/* SPDX-License-Identifier: MIT
 * collector.c: update_refs, subtract_refs, move_unreachable and move_legacy_finalizers on arrays.
 *
 * Instead of copying reference counts and taking edges away (gc_refs), the edges into each
 * candidate are counted; a candidate is held from outside when it has more references than that.
 * Only candidates are traversed, as in CPython, where the collector walks its own lists and its
 * visitor skips what is not in them.
 */
#include "analyzer/algo/collector.h"

#include "dumpfmt/base/mem.h"

struct collector {
    const struct al_collector_input *in;
    uint8_t *verdict;
    uint32_t *queue;
    uint32_t tail;
};

static inline bool sees(const struct al_collector_input *in, uint32_t edge)
{
    return (!in->visited || in->visited[edge]) && in->candidate[in->graph->target[edge]];
}

/* seen[v]: edges into v that the collector sees. Fits: there are at most UINT32_MAX edges. */
static void subtract_refs(const struct al_collector_input *in, uint32_t *seen)
{
    const struct al_csr *graph = in->graph;

    for (uint32_t v = 0; v < graph->count; v++) {
        if (!in->candidate[v])
            continue;
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            seen[graph->target[e]] += sees(in, e);
    }
}

static void enter(struct collector *c, uint32_t v, enum al_verdict verdict)
{
    c->verdict[v] = verdict;
    c->queue[c->tail++] = v;
}

/* Everything reachable from the queue within the candidates that are still `from` becomes `to`. */
static void spread(struct collector *c, enum al_verdict from, enum al_verdict to)
{
    const struct al_csr *graph = c->in->graph;

    for (uint32_t head = 0; head < c->tail; head++) {
        uint32_t v = c->queue[head];

        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
            if (sees(c->in, e) && c->verdict[graph->target[e]] == from)
                enter(c, graph->target[e], to);
    }
}

/* Sorts the candidates into held from outside (entered) and, for now, garbage. */
static void find_held(struct collector *c, const uint32_t *seen, struct al_collector_result *result)
{
    for (uint32_t v = 0; v < c->in->graph->count; v++) {
        c->verdict[v] = c->in->candidate[v] ? AL_GARBAGE : AL_NOT_CANDIDATE;
        if (!c->in->candidate[v])
            continue;
        if (c->in->references[v] > (int64_t)seen[v])
            enter(c, v, AL_ALIVE);
        else if (c->in->references[v] < (int64_t)seen[v] && result->inconsistent++ == 0)
            result->first_inconsistent = v;
    }
}

static void find_legacy(struct collector *c)
{
    c->tail = 0;
    for (uint32_t v = 0; v < c->in->graph->count; v++)
        if (c->verdict[v] == AL_GARBAGE && c->in->legacy[v])
            enter(c, v, AL_UNCOLLECTABLE);
    spread(c, AL_GARBAGE, AL_UNCOLLECTABLE);
}

struct df_err *al_collector(const struct al_collector_input *input,
                            struct al_collector_result *result)
{
    DF_CLEANUP_FREE uint32_t *seen = NULL;
    DF_CLEANUP_FREE uint32_t *queue = NULL;
    struct collector c = {.in = input, .verdict = result->verdict};

    DF_TRY(df_array(input->graph->count, sizeof(*seen), &seen));
    DF_TRY(df_array(input->graph->count, sizeof(*queue), &queue));
    c.queue = queue;
    result->garbage = result->uncollectable = result->inconsistent = 0;
    result->first_inconsistent = AL_NONE;

    subtract_refs(input, seen);
    find_held(&c, seen, result);
    spread(&c, AL_GARBAGE, AL_ALIVE);
    if (input->legacy)
        find_legacy(&c);
    for (uint32_t v = 0; v < input->graph->count; v++) {
        result->garbage += c.verdict[v] == AL_GARBAGE;
        result->uncollectable += c.verdict[v] == AL_UNCOLLECTABLE;
    }
    return NULL;
}
