/* SPDX-License-Identifier: MIT
 * column.c: see column.h.
 */
#include "analyzer/graph/column.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

struct df_err *gr_column_init(struct gr_column *column, uint32_t count, uint8_t width)
{
    uint8_t *items;

    DF_TRY(df_array((size_t)count * width, 1, &items));
    *column = (struct gr_column){.items = items, .width = width};
    return NULL;
}

void gr_column_deinit(struct gr_column *column)
{
    free(column->items);
    free(column->wide.items);
    *column = (struct gr_column){0};
}

uint8_t gr_column_best_width(uint32_t count, const uint64_t wide[2])
{
    uint64_t one = count + wide[0] * sizeof(struct gr_wide);
    uint64_t two = 2 * (uint64_t)count + wide[1] * sizeof(struct gr_wide);

    if (one <= two && one <= 4 * (uint64_t)count)
        return 1;
    return two <= 4 * (uint64_t)count ? 2 : 4;
}

static uint8_t best_width(const uint32_t *values, uint32_t count)
{
    uint64_t wide[2] = {0};

    for (uint32_t i = 0; i < count; i++) {
        wide[0] += values[i] >= UINT8_MAX;
        wide[1] += values[i] >= UINT16_MAX;
    }
    return gr_column_best_width(count, wide);
}

struct df_err *gr_column_pack(struct gr_column *column, const uint32_t *values, uint32_t count)
{
    struct gr_wide_list wide = {0};

    DF_TRY(gr_column_init(column, count, best_width(values, count)));
    for (uint32_t i = 0; i < count; i++)
        gr_column_put(column, &wide, i, values[i]);
    gr_column_join(column, &wide);
    return NULL;
}

void gr_column_widen(struct gr_wide_list *wide, uint32_t node, uint64_t value)
{
    DF_PUSH(wide, (struct gr_wide){.node = node, .value = value});
}

void gr_column_join(struct gr_column *column, struct gr_wide_list *wide)
{
    for (size_t i = 0; i < wide->count; i++)
        DF_PUSH(&column->wide, wide->items[i]);
    free(wide->items);
    *wide = (struct gr_wide_list){0};
}

/* The place of the first that is not below a node. */
static size_t find(const struct gr_wide_list *wide, uint32_t node)
{
    size_t low = 0, high = wide->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (wide->items[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t gr_column_wide(const struct gr_column *column, uint32_t node)
{
    size_t at = find(&column->wide, node);

    return at < column->wide.count && column->wide.items[at].node == node
               ? column->wide.items[at].value
               : 0;
}

void gr_column_set(struct gr_column *column, uint32_t node, uint64_t value)
{
    struct gr_wide_list *wide = &column->wide;
    size_t at = find(wide, node);
    bool is_wide = at < wide->count && wide->items[at].node == node;

    if (gr_column_put_narrow(column, node, value))
        return; /* a row that is left behind is not asked any more */
    if (!is_wide) {
        DF_PUSH(wide, (struct gr_wide){0});
        memmove(&wide->items[at + 1], &wide->items[at],
                (wide->count - 1 - at) * sizeof(*wide->items));
    }
    wide->items[at] = (struct gr_wide){.node = node, .value = value};
}
