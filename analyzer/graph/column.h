/* SPDX-License-Identifier: MIT
 * column.h: a number for each node where most numbers are small: 1, 2 or 4 bytes each, and those
 * that do not fit in a list of their own, by node.
 *
 * Sizes fit 2 bytes and reference counts 1 for all but a few in a thousand objects of any heap that
 * was looked at, so that a column costs little more than its narrow part. The largest narrow number
 * says "in the list".
 *
 * Threads: gr_column_put may be called for different nodes at the same time, each thread with a
 * list of its own; these are joined in ascending order of nodes. After that: read only.
 */
#ifndef GR_COLUMN_H
#define GR_COLUMN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "dumpfmt/base/err.h"

struct gr_wide {
    uint32_t node;
    uint64_t value;
};

struct gr_wide_list {
    struct gr_wide *items;
    size_t count, capacity;
};

struct gr_column {
    void *items;
    uint8_t width;            /* bytes: 1, 2, 4 */
    struct gr_wide_list wide; /* ascending, each node once */
};

/* All zero. */
struct df_err *gr_column_init(struct gr_column *column, uint32_t count, uint8_t width);
void gr_column_deinit(struct gr_column *column);
/* False: it is too large, and the node says so now. */
static inline bool gr_column_put_narrow(struct gr_column *column, uint32_t node, uint64_t value)
{
    uint64_t most = (UINT64_C(1) << 8 * column->width) - 1;
    uint64_t narrow = value < most ? value : most;

    if (column->width == 1)
        ((uint8_t *)column->items)[node] = (uint8_t)narrow;
    else if (column->width == 2)
        ((uint16_t *)column->items)[node] = (uint16_t)narrow;
    else
        ((uint32_t *)column->items)[node] = (uint32_t)narrow;
    return value < most;
}

void gr_column_widen(struct gr_wide_list *wide, uint32_t node, uint64_t value);
/* Of each node once, ascending for each list. */
static inline void gr_column_put(struct gr_column *column, struct gr_wide_list *wide, uint32_t node,
                                 uint64_t value)
{
    if (!gr_column_put_narrow(column, node, value))
        gr_column_widen(wide, node, value);
}
/* Appends a list of higher nodes than all so far, and frees it. */
void gr_column_join(struct gr_column *column, struct gr_wide_list *wide);
/* At any time, of any node, by one thread; costs a move of the list when a number becomes wide. */
void gr_column_set(struct gr_column *column, uint32_t node, uint64_t value);
/* The width that saves most for so many numbers; wide: how many of them are as large as the largest
 * number of one byte, of two bytes. */
uint8_t gr_column_best_width(uint32_t count, const uint64_t wide[2]);
/* A column of these numbers, as narrow as saves most. */
struct df_err *gr_column_pack(struct gr_column *column, const uint32_t *values, uint32_t count);
uint64_t gr_column_wide(const struct gr_column *column, uint32_t node);

static inline uint64_t gr_column_get(const struct gr_column *column, uint32_t node)
{
    uint32_t value;

    if (column->width == 1) {
        value = ((const uint8_t *)column->items)[node];
        return value < UINT8_MAX ? value : gr_column_wide(column, node);
    }
    if (column->width == 2) {
        value = ((const uint16_t *)column->items)[node];
        return value < UINT16_MAX ? value : gr_column_wide(column, node);
    }
    value = ((const uint32_t *)column->items)[node];
    return value < UINT32_MAX ? value : gr_column_wide(column, node);
}

#endif
