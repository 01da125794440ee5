/* SPDX-License-Identifier: MIT
 * preorder.c: see preorder.h.
 *
 * Children are lists first, through the array that has the dominators and then the places: a node
 * is taken out of the list before it gets its place. Links are numbers plus 1.
 */
#include "analyzer/algo/preorder.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

/* Rows up to this length are sorted by insertion; most have one to three children. */
#define SHORT_ROW 12
#define AHEAD 12 /* nodes that are fetched before they are asked */

struct df_err *al_weights_init(struct al_weights *weights, uint32_t count, bool wide)
{
    *weights = (struct al_weights){.count = count};
    DF_TRY(df_array(count, sizeof(*weights->of), &weights->of));
    return wide ? df_array(count, sizeof(*weights->high), &weights->high) : NULL;
}

void al_weights_deinit(struct al_weights *weights)
{
    free(weights->of);
    free(weights->high);
    *weights = (struct al_weights){0};
}

static inline void add(struct al_weights *weights, uint32_t to, uint32_t node)
{
    uint64_t sum;

    if (__builtin_add_overflow(al_weight(weights, to), al_weight(weights, node), &sum))
        sum = UINT64_MAX;
    al_weigh(weights, to, sum);
}

void al_weights_add_up(struct al_weights *weights, const uint32_t *idom, const uint32_t *order,
                       uint32_t reached)
{
    for (uint32_t i = reached; i-- > 0;) {
        uint32_t v = order[i];

        if (i >= 2 * AHEAD) {
            __builtin_prefetch(&idom[order[i - 2 * AHEAD]]);
            __builtin_prefetch(&weights->of[order[i - AHEAD]]);
        }
        weights->of[v].span++;
        if (idom[v] == AL_ROOT)
            continue;
        weights->of[idom[v]].span += weights->of[v].span;
        add(weights, idom[v], v);
    }
}

struct child { /* with what it is sorted by */
    uint64_t retained;
    uint32_t node;
};

struct making {
    struct al_weights *weights;
    struct al_preorder *tree;
    uint32_t *next; /* per node: in the list of its dominator's children; then its place */
    uint32_t top;   /* what nothing dominates */
    struct child *row;
    size_t count, capacity;
};

static void link_children(struct making *m)
{
    struct al_weight *of = m->weights->of;

    for (uint32_t v = m->weights->count; v-- > 0;) {
        uint32_t above = m->next[v], *first;

        if (v >= AHEAD && m->next[v - AHEAD] < AL_ROOT)
            __builtin_prefetch(&of[m->next[v - AHEAD]]);
        if (above == AL_NONE)
            continue;
        first = above == AL_ROOT ? &m->top : &of[above].child;
        m->next[v] = *first;
        *first = v + 1;
    }
}

static inline bool stands_before(const struct child *a, const struct child *b)
{
    return a->retained > b->retained || (a->retained == b->retained && a->node < b->node);
}

static int compare_children(const void *a, const void *b)
{
    return stands_before(a, b) ? -1 : stands_before(b, a);
}

static void sort_row(struct child *row, size_t count)
{
    if (count > SHORT_ROW) {
        qsort(row, count, sizeof(*row), compare_children);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct child child = row[i];
        size_t at = i;

        for (; at > 0 && stands_before(&child, &row[at - 1]); at--)
            row[at] = row[at - 1];
        row[at] = child;
    }
}

/* Hands out places to a list of children. */
static void place_children(struct making *m, uint32_t first, uint32_t place)
{
    m->count = 0;
    for (uint32_t link = first; link; link = m->next[link - 1]) {
        m->row = df_grow(m->row, m->count, &m->capacity, sizeof(*m->row));
        m->row[m->count++] = (struct child){al_weight(m->weights, link - 1), link - 1};
    }
    sort_row(m->row, m->count);
    for (size_t i = 0; i < m->count; i++) {
        uint32_t node = m->row[i].node;

        m->next[node] = place;
        m->tree->node[place] = node;
        place += m->weights->of[node].span;
    }
}

/* Each node hands out places when its own comes up. */
static void lay_out(struct making *m, void (*tell)(void *context, uint32_t place, uint32_t node),
                    void *context)
{
    struct al_preorder *tree = m->tree;

    place_children(m, m->top, 0);
    for (uint32_t place = 0; place < tree->count; place++) {
        uint32_t node = tree->node[place];

        tell(context, place, node);
        if (m->weights->of[node].child)
            place_children(m, m->weights->of[node].child, place + 1);
    }
}

struct df_err *al_preorder_make(struct al_weights *weights, uint32_t **idom, uint32_t reached,
                                void (*tell)(void *context, uint32_t place, uint32_t node),
                                void *context, struct al_preorder *ret)
{
    struct making m = {.weights = weights, .tree = ret, .next = *idom};

    *ret = (struct al_preorder){.count = reached};
    DF_TRY(df_array(reached, sizeof(*ret->node), &ret->node));
    ret->place = DF_TAKE(*idom);
    link_children(&m);
    lay_out(&m, tell, context);
    free(m.row);
    return NULL;
}

void al_preorder_deinit(struct al_preorder *tree)
{
    free(tree->place);
    free(tree->node);
    *tree = (struct al_preorder){0};
}
