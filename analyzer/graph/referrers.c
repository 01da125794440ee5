/* SPDX-License-Identifier: MIT
 * referrers.c: see referrers.h.
 */
#include "analyzer/graph/referrers.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

static uint64_t signed_difference(uint32_t first, uint32_t node)
{
    int64_t difference = (int64_t)(int32_t)(first - node); /* modulo 2^32, either way */

    return ((uint64_t)difference << 1 ^ (uint64_t)(difference >> 63)) & UINT32_MAX;
}

static unsigned bytes_of(uint64_t value)
{
    unsigned bytes = 1;

    while (value >>= 7)
        bytes++;
    return bytes;
}

static uint8_t *put(uint8_t *at, uint64_t value)
{
    for (; value > 127; value >>= 7)
        *at++ = (uint8_t)(value | 128);
    *at++ = (uint8_t)value;
    return at;
}

/* Bytes of the differences of a row. */
static uint64_t row_bytes(const struct al_csr *reverse, uint32_t node)
{
    uint32_t first = reverse->start[node], end = reverse->start[node + 1];
    uint64_t bytes = 0;

    if (first < end)
        bytes = bytes_of(signed_difference(reverse->target[first], node));
    for (uint32_t e = first + 1; e < end; e++)
        bytes += bytes_of(reverse->target[e] - reverse->target[e - 1]);
    return bytes;
}

static uint64_t head_bytes(uint32_t count, uint64_t row)
{
    return bytes_of(count) + (count >= GR_LONG_ROW ? bytes_of(row) : 0);
}

static uint8_t *put_row(const struct al_csr *reverse, uint32_t node, uint8_t *at)
{
    uint32_t first = reverse->start[node], end = reverse->start[node + 1];

    at = put(at, end - first);
    if (end - first >= GR_LONG_ROW)
        at = put(at, row_bytes(reverse, node));
    if (first < end)
        at = put(at, signed_difference(reverse->target[first], node));
    for (uint32_t e = first + 1; e < end; e++)
        at = put(at, reverse->target[e] - reverse->target[e - 1]);
    return at;
}

static struct df_err *encode(const struct al_csr *reverse, struct gr_reverse *ret)
{
    uint64_t size = 0;
    uint8_t *at;

    ret->count = reverse->count;
    DF_TRY(df_array((size_t)reverse->count / GR_ROWS + 1, sizeof(*ret->group), &ret->group));
    for (uint32_t v = 0; v < reverse->count; v++) {
        uint64_t row = row_bytes(reverse, v);

        if (v % GR_ROWS == 0)
            ret->group[v / GR_ROWS] = size;
        size += row + head_bytes(reverse->start[v + 1] - reverse->start[v], row);
    }
    ret->size = size;
    DF_TRY(df_array(size, 1, &ret->bytes));
    at = ret->bytes;
    for (uint32_t v = 0; v < reverse->count; v++)
        at = put_row(reverse, v, at);
    return NULL;
}

struct df_err *gr_reverse_make(const struct al_csr *graph, struct gr_reverse *ret)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *source = NULL;
    struct al_csr reverse = {.count = graph->count};

    *ret = (struct gr_reverse){0};
    DF_TRY(al_csr_reverse(graph, &start, &source));
    reverse.start = start;
    reverse.target = source;
    return encode(&reverse, ret);
}

void gr_reverse_deinit(struct gr_reverse *reverse)
{
    free(reverse->bytes);
    free(reverse->group);
    *reverse = (struct gr_reverse){0};
}

static void pass(const uint8_t **at, uint32_t count)
{
    while (count)
        count -= *(*at)++ < 128; /* the last byte of a number */
}

uint32_t gr_next_row_count(const uint8_t **at)
{
    uint32_t count = (uint32_t)gr_get_varint(at);

    if (count < GR_LONG_ROW)
        pass(at, count);
    else {
        uint64_t bytes = gr_get_varint(at);

        *at += bytes;
    }
    return count;
}

struct gr_referrers gr_reverse_row(const struct gr_reverse *reverse, uint32_t node)
{
    struct gr_referrers row = {.at = reverse->bytes + reverse->group[node / GR_ROWS]};

    for (uint32_t v = node - node % GR_ROWS; v < node; v++)
        gr_next_row_count(&row.at);
    row.left = (uint32_t)gr_get_varint(&row.at);
    if (row.left >= GR_LONG_ROW)
        gr_get_varint(&row.at);
    row.last = node;
    return row;
}

struct df_err *gr_reverse_csr(const struct gr_reverse *reverse, uint32_t **ret_start,
                              uint32_t **ret_source)
{
    DF_CLEANUP_FREE uint32_t *start = NULL;
    DF_CLEANUP_FREE uint32_t *source = NULL;
    const uint8_t *at;

    DF_TRY(df_array((size_t)reverse->count + 1, sizeof(*start), &start));
    at = reverse->bytes;
    for (uint32_t v = 0; v < reverse->count; v++)
        start[v + 1] = start[v] + gr_next_row_count(&at);
    DF_TRY(df_array(start[reverse->count], sizeof(*source), &source));
    at = reverse->bytes;
    for (uint32_t v = 0; v < reverse->count; v++) {
        struct gr_referrers row = {.last = v};

        row.left = (uint32_t)gr_get_varint(&at);
        if (row.left >= GR_LONG_ROW)
            gr_get_varint(&at);
        row.at = at;
        for (uint32_t e = start[v]; gr_next_referrer(&row, &source[e]);)
            e++;
        at = row.at;
    }
    *ret_start = DF_TAKE(start);
    *ret_source = DF_TAKE(source);
    return NULL;
}
