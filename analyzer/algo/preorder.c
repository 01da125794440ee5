/* SPDX-License-Identifier: MIT
 * preorder.c: see preorder.h.
 */
#include "analyzer/algo/preorder.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/dominators.h"
#include "dumpfmt/base/mem.h"

/* Runs are known from below upwards; then each node hands out places to its children. */
static void lay_out(struct al_preorder *tree, const uint32_t *idom, const uint32_t *order,
                    const uint32_t *start, const uint32_t *child, const uint32_t *span,
                    uint32_t count)
{
    uint32_t next = 0;

    for (uint32_t i = start[count]; i < start[count + 1]; i++) {
        tree->place[child[i]] = next;
        next += span[child[i]];
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        uint32_t v = order[i];

        next = tree->place[v] + 1;
        for (uint32_t c = start[v]; c < start[v + 1]; c++) {
            tree->place[child[c]] = next;
            next += span[child[c]];
        }
        tree->node[tree->place[v]] = v;
        tree->span[tree->place[v]] = span[v];
        tree->above[tree->place[v]] = idom[v] == AL_ROOT ? AL_NONE : tree->place[idom[v]];
    }
}

static struct df_err *make(struct al_preorder *tree, uint32_t count, const uint32_t *idom,
                           const uint32_t *order, const uint64_t *retained)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *child = NULL;
    DF_CLEANUP_FREE uint32_t *span = NULL;

    DF_TRY(al_dominator_children(count, idom, retained, &start, &child));
    DF_TRY(df_array(count, sizeof(*span), &span));
    DF_TRY(df_array(count, sizeof(*tree->place), &tree->place));
    DF_TRY(df_array(tree->count, sizeof(*tree->node), &tree->node));
    DF_TRY(df_array(tree->count, sizeof(*tree->span), &tree->span));
    DF_TRY(df_array(tree->count, sizeof(*tree->above), &tree->above));
    memset(tree->place, 0xff, (size_t)count * sizeof(*tree->place));
    for (uint32_t i = tree->count; i-- > 0;) {
        uint32_t v = order[i];

        span[v]++;
        if (idom[v] != AL_ROOT)
            span[idom[v]] += span[v];
    }
    lay_out(tree, idom, order, start, child, span, count);
    return NULL;
}

struct df_err *al_preorder_make(uint32_t count, const uint32_t *idom, const uint32_t *order,
                                uint32_t reached, const uint64_t *retained, struct al_preorder *ret)
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
