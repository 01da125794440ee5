/* SPDX-License-Identifier: MIT
 * dominator_tree.c: see dominator_tree.h.
 */
#include "analyzer/algo/dominator_tree.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

struct df_err *al_dominator_tree_init(struct al_dominator_tree *tree, uint32_t count,
                                      const uint32_t *idom, const uint32_t *order, uint32_t reached)
{
    DF_CLEANUP_FREE uint32_t *first = NULL;
    DF_CLEANUP_FREE uint32_t *sibling = NULL;
    uint32_t top = AL_NONE;

    DF_TRY(df_array(count, sizeof(*first), &first));
    DF_TRY(df_array(count, sizeof(*sibling), &sibling));
    memset(first, 0xff, (size_t)count * sizeof(*first));
    for (uint32_t i = order ? reached : count; i-- > 0;) {
        uint32_t v = order ? order[i] : i;
        uint32_t *head = &top;

        if (idom[v] == AL_NONE)
            continue;
        if (idom[v] != AL_ROOT)
            head = &first[idom[v]];
        sibling[v] = *head;
        *head = v;
    }
    tree->top = top;
    tree->first = DF_TAKE(first);
    tree->sibling = DF_TAKE(sibling);
    return NULL;
}

void al_dominator_tree_deinit(struct al_dominator_tree *tree)
{
    free(tree->first);
    free(tree->sibling);
    *tree = (struct al_dominator_tree){.top = AL_NONE};
}
