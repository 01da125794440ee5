/* SPDX-License-Identifier: MIT
 * core_threads.c: the threads of a core in the order of their numbers, thread registers or stacks.
 */
#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/core.h"

static int compare(const void *left, const void *right)
{
    const struct df_lwp_row *a = left, *b = right;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static uint64_t value_of(const struct df_lwp *lwp, enum df_lwp_key key)
{
    switch (key) {
    case DF_LWP_TID:
        return (uint64_t)(int64_t)lwp->tid;
    case DF_LWP_TLS:
        return lwp->tls;
    default:
        return lwp->sp;
    }
}

void df_lwp_order_make(struct df_lwp_order *order, const struct df_core *core, enum df_lwp_key key)
{
    order->rows = df_xcalloc(core->lwp_count, sizeof(*order->rows));
    order->count = core->lwp_count;
    for (uint32_t i = 0; i < core->lwp_count; i++)
        order->rows[i] = (struct df_lwp_row){value_of(&core->lwps[i], key), i};
    if (order->count)
        qsort(order->rows, order->count, sizeof(*order->rows), compare);
}

void df_lwp_order_free(struct df_lwp_order *order)
{
    free(order->rows);
    *order = (struct df_lwp_order){0};
}

uint32_t df_lwp_order_find(const struct df_lwp_order *order, uint64_t value)
{
    uint32_t low = 0, high = order->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (order->rows[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
