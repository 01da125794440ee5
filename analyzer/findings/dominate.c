/* SPDX-License-Identifier: MIT
 * dominate.c: the dominators of the stem are found by the algorithm; that of a twig is the nearest
 * one that its referrers have in common.
 *
 * While this goes on idom has places (al_dominator_places): of a row's dominator in the stem, 0 the
 * virtual root. Referrers of twigs that refer to twigs are all of the stem: their dominators stand
 * first. One that is the only referrer of another twig is its dominator, which has no place:
 * `by_row` says that idom is its row; with any other referrer beside it, its own dominator takes
 * its part, since it reaches nothing else.
 */
#include "analyzer/findings/dominate.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/dominators.h"
#include "dumpfmt/base/mem.h"

struct finding {
    const struct gr_graph *graph;
    const struct gr_trunk *trunk;
    const struct gr_stem *stem;
    struct al_dominator_places places;
    uint32_t *idom, *order;
    uint64_t *by_row; /* a bit per row */
    uint32_t reached;
};

/* All nodes of the trunk with their rows: `next` begins at 0. */
struct rows {
    const struct gr_trunk *trunk;
    size_t word;
    uint64_t left;
    uint32_t next;
};

static struct rows all_rows(const struct gr_trunk *trunk)
{
    return (struct rows){.trunk = trunk, .left = trunk->bits[0]};
}

static inline bool next_row(struct rows *rows, uint32_t *node, uint32_t *row)
{
    size_t words = (size_t)rows->trunk->graph->count / 64 + 1;

    while (!rows->left) {
        if (++rows->word >= words)
            return false;
        rows->left = rows->trunk->bits[rows->word];
    }
    *node = (uint32_t)(rows->word * 64) + (uint32_t)__builtin_ctzll(rows->left);
    *row = rows->next++;
    rows->left &= rows->left - 1;
    return true;
}

static inline bool is_twig(const struct finding *f, uint32_t node)
{
    return gr_in_trunk(f->trunk, node) && !gr_in_stem(f->stem, node);
}

/* One more referrer of a twig is dominated by, or is, what has this place. */
static inline void meet(struct finding *f, uint32_t row, uint32_t place)
{
    uint32_t *idom = &f->idom[row];

    if (*idom == AL_NONE)
        *idom = place;
    else if (*idom != place && *idom != 0)
        *idom = al_common_dominator(&f->places, *idom, place);
}

static void meet_twig(struct finding *f, uint32_t row, uint32_t referrer)
{
    if (f->idom[row] == AL_NONE) {
        f->idom[row] = referrer;
        gr_set_bit(f->by_row, row);
        return;
    }
    if (gr_bit(f->by_row, row)) {
        if (f->idom[row] == referrer)
            return;
        f->by_row[row / 64] &= ~(UINT64_C(1) << row % 64);
        f->idom[row] = f->idom[f->idom[row]];
    }
    meet(f, row, f->idom[referrer]);
}

static void take_stem(struct finding *f)
{
    struct rows rows = all_rows(f->trunk);

    for (uint32_t v, row, number = 0; next_row(&rows, &v, &row);) {
        uint32_t place;

        if (!gr_in_stem(f->stem, v))
            continue;
        place = f->places.place[number++];
        if (place == AL_NONE)
            continue;
        f->order[place - 1] = row;
        f->idom[row] = f->places.dominator[place];
        for (uint32_t e = f->graph->start[v]; e < f->graph->start[v + 1]; e++)
            if (is_twig(f, f->graph->target[e]))
                meet(f, gr_trunk_row(f->trunk, f->graph->target[e]), place);
    }
    f->reached = f->places.reached;
}

/* True when the node refers to twigs. */
static bool meet_twigs(struct finding *f, uint32_t v, uint32_t row)
{
    bool any = false;

    for (uint32_t e = f->graph->start[v]; e < f->graph->start[v + 1]; e++) {
        if (!gr_in_trunk(f->trunk, f->graph->target[e]))
            continue;
        meet_twig(f, gr_trunk_row(f->trunk, f->graph->target[e]), row);
        any = true;
    }
    return any;
}

/* Twigs that refer to twigs come into the order before the rest of them. */
static struct df_err *take_twigs(struct finding *f)
{
    DF_CLEANUP_FREE uint64_t *ordered = NULL; /* a bit per row */
    struct rows rows = all_rows(f->trunk);

    DF_TRY(df_array((size_t)f->trunk->count / 64 + 1, sizeof(*ordered), &ordered));
    for (uint32_t v, row; next_row(&rows, &v, &row);)
        if (!gr_in_stem(f->stem, v) && f->idom[row] != AL_NONE && meet_twigs(f, v, row)) {
            f->order[f->reached++] = row;
            gr_set_bit(ordered, row);
        }
    rows = all_rows(f->trunk);
    for (uint32_t v, row; next_row(&rows, &v, &row);)
        if (!gr_in_stem(f->stem, v) && f->idom[row] != AL_NONE && !gr_bit(ordered, row))
            f->order[f->reached++] = row;
    return NULL;
}

/* Places become rows. */
static void name_rows(struct finding *f)
{
    for (uint32_t row = 0; row < f->trunk->count; row++) {
        uint32_t *idom = &f->idom[row];

        if (*idom != AL_NONE && !gr_bit(f->by_row, row))
            *idom = *idom == 0 ? AL_ROOT : f->order[*idom - 1];
    }
}

static struct df_err *find(struct finding *f, void (*done)(void *context), void *context)
{
    uint32_t count = f->trunk->count;

    DF_TRY(al_dominator_places_find(&f->stem->csr, f->stem->roots, f->stem->root_count, done,
                                    context, &f->places));
    DF_TRY(df_array(count, sizeof(*f->idom), &f->idom));
    DF_TRY(df_array(count, sizeof(*f->order), &f->order));
    DF_TRY(df_array((size_t)count / 64 + 1, sizeof(*f->by_row), &f->by_row));
    memset(f->idom, 0xff, (size_t)count * sizeof(*f->idom));
    for (uint32_t i = 0; i < f->graph->root_node_count; i++) /* whoever else refers to them */
        f->idom[gr_trunk_row(f->trunk, f->graph->root_nodes[i])] = 0;
    take_stem(f);
    DF_TRY(take_twigs(f));
    name_rows(f);
    return NULL;
}

struct df_err *fi_dominators_find(const struct gr_stem *stem, void (*done)(void *context),
                                  void *context, struct fi_dominators *ret)
{
    struct finding f = {.graph = stem->trunk->graph, .trunk = stem->trunk, .stem = stem};
    struct df_err *err = find(&f, done, context);

    al_dominator_places_deinit(&f.places);
    free(f.by_row);
    *ret = (struct fi_dominators){f.idom, f.order, f.reached};
    return err;
}

void fi_dominators_deinit(struct fi_dominators *dominators)
{
    free(DF_TAKE(dominators->idom));
    free(DF_TAKE(dominators->order));
}
