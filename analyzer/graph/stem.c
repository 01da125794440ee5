/* SPDX-License-Identifier: MIT
 * stem.c: see stem.h.
 */
#include "analyzer/graph/stem.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define WORDS 4096 /* of bits, that are one thread's at a time */

struct pruning {
    const struct gr_graph *graph;
    const uint64_t *from; /* what there was before */
    uint64_t *to;         /* what of it refers to some of it */
    size_t words;
};

static bool refers_into(const struct pruning *p, uint32_t v)
{
    const struct gr_graph *graph = p->graph;

    for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++)
        if (gr_bit(p->from, graph->target[e]))
            return true;
    return false;
}

static void prune_part(void *context, uint32_t part)
{
    const struct pruning *p = context;

    for (size_t i = (size_t)part * WORDS; i < (size_t)(part + 1) * WORDS && i < p->words; i++) {
        uint64_t kept = 0;

        for (uint64_t left = p->from[i]; left; left &= left - 1)
            if (refers_into(p, (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(left)))
                kept |= left & -left;
        p->to[i] = kept;
    }
}

static uint32_t parts_of(size_t words)
{
    return (uint32_t)((words + WORDS - 1) / WORDS);
}

/* Twice: what would go in further rounds are few nodes, and lists from their ends on. */
static struct df_err *prune(const struct gr_trunk *trunk, uint32_t jobs, struct gr_stem *ret)
{
    DF_CLEANUP_FREE uint64_t *once = NULL;
    size_t words = (size_t)trunk->graph->count / 64 + 1;
    struct pruning p = {.graph = trunk->graph, .words = words};

    DF_TRY(df_array(words, sizeof(*once), &once));
    DF_TRY(df_array(words, sizeof(*ret->bits), &ret->bits));
    p.from = trunk->bits;
    p.to = once;
    df_threads_share(jobs, parts_of(words), prune_part, &p);
    p.from = once;
    p.to = ret->bits;
    df_threads_share(jobs, parts_of(words), prune_part, &p);
    return NULL;
}

struct filling {
    struct gr_stem *stem;
    uint32_t *edge; /* per part: where its references begin */
    size_t words;
};

/* Returns how many references a node has within the stem; target: where they go, NULL: nowhere. */
static uint32_t fill_row(const struct gr_stem *stem, uint32_t node, uint32_t *target)
{
    const struct gr_graph *graph = stem->trunk->graph;
    uint32_t used = 0;

    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        if (!gr_in_stem(stem, graph->target[e]))
            continue;
        if (target)
            target[used] = gr_stem_number(stem, graph->target[e]);
        used++;
    }
    return used;
}

static void fill_part(const struct filling *f, uint32_t part, bool write)
{
    struct gr_stem *stem = f->stem;
    size_t first = (size_t)part * WORDS;
    uint32_t row = stem->before[first], used = write ? f->edge[part] : 0;

    for (size_t i = first; i < first + WORDS && i < f->words; i++)
        for (uint64_t left = stem->bits[i]; left; left &= left - 1) {
            uint32_t node = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(left);

            used += fill_row(stem, node, write ? stem->target + used : NULL);
            if (write)
                stem->start[++row] = used;
        }
    if (!write)
        f->edge[part] = used;
}

static void count_in_part(void *context, uint32_t part)
{
    fill_part(context, part, false);
}

static void write_part(void *context, uint32_t part)
{
    fill_part(context, part, true);
}

static struct df_err *fill(struct gr_stem *stem, uint32_t jobs)
{
    DF_CLEANUP_FREE uint32_t *edge = NULL;
    struct filling filling = {.stem = stem, .words = (size_t)stem->trunk->graph->count / 64 + 1};
    uint32_t parts = parts_of(filling.words), used = 0;

    DF_TRY(df_array(parts, sizeof(*edge), &edge));
    filling.edge = edge;
    df_threads_share(jobs, parts, count_in_part, &filling);
    for (uint32_t part = 0; part < parts; part++) {
        uint32_t count = edge[part];

        edge[part] = used;
        used += count;
    }
    DF_TRY(df_array((size_t)stem->csr.count + 1, sizeof(*stem->start), &stem->start));
    DF_TRY(df_array(used, sizeof(*stem->target), &stem->target));
    df_threads_share(jobs, parts, write_part, &filling);
    stem->csr.start = stem->start;
    stem->csr.target = stem->target;
    return NULL;
}

static struct df_err *fill_roots(struct gr_stem *stem)
{
    const struct gr_graph *graph = stem->trunk->graph;

    DF_TRY(df_array(graph->root_node_count, sizeof(*stem->roots), &stem->roots));
    for (uint32_t i = 0; i < graph->root_node_count; i++)
        if (gr_in_stem(stem, graph->root_nodes[i]))
            stem->roots[stem->root_count++] = gr_stem_number(stem, graph->root_nodes[i]);
    return NULL;
}

static struct df_err *make(struct gr_stem *stem, uint32_t jobs)
{
    DF_TRY(prune(stem->trunk, jobs, stem));
    DF_TRY(gr_bits_count(stem->bits, stem->trunk->graph->count, &stem->before, &stem->csr.count));
    DF_TRY(fill(stem, jobs));
    return fill_roots(stem);
}

struct df_err *gr_stem_make(const struct gr_trunk *trunk, uint32_t jobs, struct gr_stem *ret)
{
    struct df_err *err;

    *ret = (struct gr_stem){.trunk = trunk};
    err = make(ret, jobs);
    if (err)
        gr_stem_deinit(ret);
    return err;
}

void gr_stem_give_back(struct gr_stem *stem)
{
    free(DF_TAKE(stem->start));
    free(DF_TAKE(stem->target));
    stem->csr.start = stem->csr.target = NULL;
}

void gr_stem_deinit(struct gr_stem *stem)
{
    gr_stem_give_back(stem);
    free(stem->bits);
    free(stem->before);
    free(stem->roots);
    *stem = (struct gr_stem){0};
}
