/* SPDX-License-Identifier: MIT
 * preorder.c: see preorder.h.
 */
#include "analyzer/algo/preorder.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/dominators.h"
#include "dumpfmt/base/mem.h"

/* How many nodes each dominates, itself too, from below upwards. */
static struct df_err *add_up_spans(uint32_t count, const uint32_t *idom, const uint32_t *order,
                                   uint32_t reached, uint32_t **ret)
{
    uint32_t *span;

    DF_TRY(df_array(count, sizeof(*span), &span));
    for (uint32_t i = reached; i-- > 0;) {
        uint32_t v = order[i];

        span[v]++;
        if (idom[v] != AL_ROOT)
            span[idom[v]] += span[v];
    }
    *ret = span;
    return NULL;
}

/* Hands out places to the children of a row. */
static void place_row(struct al_preorder *tree, const uint32_t *child, uint32_t count,
                      const uint32_t *span, uint32_t next)
{
    for (uint32_t i = 0; i < count; i++) {
        tree->place[child[i]] = next;
        tree->node[next] = child[i];
        next += span[child[i]];
    }
}

/* Each node hands out places when its own comes up. */
static struct df_err *lay_out(struct al_preorder *tree, uint32_t count, const uint32_t *idom,
                              const uint64_t *retained, const uint32_t *span)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *child = NULL;

    DF_TRY(al_dominator_children(count, idom, retained, &start, &child));
    DF_TRY(df_array(count, sizeof(*tree->place), &tree->place));
    DF_TRY(df_array(tree->count, sizeof(*tree->node), &tree->node));
    memset(tree->place, 0xff, (size_t)count * sizeof(*tree->place));
    place_row(tree, child + start[count], start[count + 1] - start[count], span, 0);
    for (uint32_t at = 0; at < tree->count; at++) {
        uint32_t v = tree->node[at];

        place_row(tree, child + start[v], start[v + 1] - start[v], span, at + 1);
    }
    return NULL;
}

static struct df_err *make(struct al_preorder *tree, uint32_t count, uint32_t **idom,
                           uint32_t **order, const uint64_t *retained)
{
    DF_CLEANUP_FREE uint32_t *span = NULL;

    DF_TRY(add_up_spans(count, *idom, *order, tree->count, &span));
    free(DF_TAKE(*order));
    DF_TRY(lay_out(tree, count, *idom, retained, span));
    DF_TRY(df_array(tree->count, sizeof(*tree->span), &tree->span));
    for (uint32_t at = 0; at < tree->count; at++)
        tree->span[at] = span[tree->node[at]];
    free(DF_TAKE(span));
    DF_TRY(df_array(tree->count, sizeof(*tree->above), &tree->above));
    for (uint32_t at = 0; at < tree->count; at++) {
        uint32_t above = (*idom)[tree->node[at]];

        tree->above[at] = above == AL_ROOT ? AL_NONE : tree->place[above];
    }
    free(DF_TAKE(*idom));
    return NULL;
}

struct df_err *al_preorder_make(uint32_t count, uint32_t **idom, uint32_t **order, uint32_t reached,
                                const uint64_t *retained, struct al_preorder *ret)
{
    struct df_err *err;

    *ret = (struct al_preorder){.count = reached};
    err = make(ret, count, idom, order, retained);
    if (err)
        al_preorder_deinit(ret);
    return err;
}

void al_preorder_deinit(struct al_preorder *tree)
{
    free(tree->place);
    free(tree->node);
    free(tree->span);
    free(tree->above);
    *tree = (struct al_preorder){0};
}
