/* SPDX-License-Identifier: MIT
 * dominator_tree.c: what follows from immediate dominators: retained sizes, and the children of
 * each node.
 */
#include "analyzer/algo/dominator_tree.h"

#include <string.h>

#include "analyzer/algo/dominators.h"
#include "dumpfmt/base/mem.h"

/* Rows up to this length are sorted by insertion; most have one to three children. */
#define SHORT_ROW 12

static inline uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

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

void al_retained(uint32_t count, const uint32_t *idom, const uint32_t *order, uint32_t reached,
                 uint64_t *retained, uint32_t *retained_count)
{
    for (uint32_t v = 0; v < count; v++) {
        if (idom[v] != AL_NONE)
            continue;
        retained[v] = 0;
        if (retained_count)
            retained_count[v] = 0;
    }
    for (uint32_t i = reached; i-- > 0;) {
        uint32_t v = order[i];

        if (idom[v] == AL_ROOT)
            continue;
        retained[idom[v]] = add_saturating(retained[idom[v]], retained[v]);
        if (retained_count)
            retained_count[idom[v]] += retained_count[v];
    }
}

static inline bool stands_before(const uint64_t *retained, uint32_t a, uint32_t b)
{
    return retained[a] > retained[b] || (retained[a] == retained[b] && a < b);
}

static int compare_children(const void *a, const void *b, void *retained)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return stands_before(retained, x, y) ? -1 : stands_before(retained, y, x);
}

static void sort_row(uint32_t *row, uint32_t length, const uint64_t *retained)
{
    if (length > SHORT_ROW) {
        qsort_r(row, length, sizeof(*row), compare_children, (void *)retained);
        return;
    }
    for (uint32_t i = 1; i < length; i++) {
        uint32_t child = row[i], at = i;

        for (; at > 0 && stands_before(retained, child, row[at - 1]); at--)
            row[at] = row[at - 1];
        row[at] = child;
    }
}

static inline uint32_t row_of(uint32_t count, uint32_t idom)
{
    return idom == AL_ROOT ? count : idom;
}

/* Filled from behind like al_csr_reverse. */
struct df_err *al_dominator_children(uint32_t count, const uint32_t *idom, const uint64_t *retained,
                                     uint32_t **ret_start, uint32_t **ret_child)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *child = NULL;

    DF_TRY(df_array((size_t)count + 2, sizeof(*start), &start));
    for (uint32_t v = 0; v < count; v++)
        if (idom[v] != AL_NONE)
            start[row_of(count, idom[v])]++;
    for (uint32_t v = 1; v <= count; v++)
        start[v] += start[v - 1];
    start[count + 1] = start[count];
    DF_TRY(df_array(start[count], sizeof(*child), &child));
    for (uint32_t v = count; v-- > 0;)
        if (idom[v] != AL_NONE)
            child[--start[row_of(count, idom[v])]] = v;
    for (uint32_t v = 0; v <= count; v++)
        sort_row(child + start[v], start[v + 1] - start[v], retained);
    *ret_start = DF_TAKE(start);
    *ret_child = DF_TAKE(child);
    return NULL;
}
