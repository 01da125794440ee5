/* SPDX-License-Identifier: MIT
 * referrers.c: see referrers.h.
 */
#include "analyzer/graph/referrers.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

#define PARTS 8
#define FETCH_AHEAD 16
#define BLOCK 1024       /* nodes, of which is known to which parts they refer */
#define MOST_SLICES 1024 /* of nodes, of which each part has some */

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

static int by_node(const void *left, const void *right)
{
    const struct gr_wide *a = left, *b = right;

    return a->node < b->node ? -1 : a->node > b->node;
}

/* One more of a node that has UINT8_MAX at least. `places`: of such nodes in the list, by node + 1.
 */
static void count_wide(struct gr_wide_list *wide, struct df_map *places, uint32_t node)
{
    bool added;
    uint32_t at = df_map_add(places, (uint64_t)node + 1, (uint32_t)wide->count, &added);

    if (added)
        DF_PUSH(wide, (struct gr_wide){.node = node, .value = UINT8_MAX - 1});
    wide->items[at].value++;
}

struct df_err *gr_reverse_count(const struct al_csr *graph, struct gr_reverse *ret)
{
    uint32_t edges = graph->start[graph->count];
    struct gr_wide_list wide = {0};
    struct df_map places;
    uint8_t *narrow;

    *ret = (struct gr_reverse){.count = graph->count};
    DF_TRY(df_array_taken(graph->count, 1, &narrow));
    ret->counts = (struct gr_column){.items = narrow, .width = 1};
    df_map_init(&places);
    for (uint32_t e = 0; e < edges; e++) {
        uint32_t target = graph->target[e];

        if (edges - e > FETCH_AHEAD)
            __builtin_prefetch(&narrow[graph->target[e + FETCH_AHEAD]], 1);
        if (narrow[target] < UINT8_MAX)
            narrow[target]++;
        if (narrow[target] == UINT8_MAX)
            count_wide(&wide, &places, target);
    }
    df_map_deinit(&places);
    if (wide.count)
        qsort(wide.items, wide.count, sizeof(*wide.items), by_node);
    gr_column_join(&ret->counts, &wide);
    return NULL;
}

struct part { /* some nodes, their rows */
    uint32_t first, end;
    uint32_t *start, *source; /* rows as numbers */
    uint8_t *bytes;           /* and as what is kept */
    uint64_t size;
    struct df_err *err;
};

struct filling {
    const struct al_csr *graph;
    struct gr_reverse *reverse;
    unsigned slice;                   /* bits of a node's number that are its place in a slice */
    uint8_t part_of[MOST_SLICES + 1]; /* slices */
    uint8_t *touched;                 /* per block of nodes: bits of parts */
    struct part parts[PARTS];
    uint32_t next; /* the part that the first thread of a round has */
};

static void touch_block(void *context, uint32_t block)
{
    struct filling *filling = context;
    const struct al_csr *graph = filling->graph;
    uint64_t first = (uint64_t)block * BLOCK;
    uint64_t end = first + BLOCK < graph->count ? first + BLOCK : graph->count;
    uint8_t touched = 0;

    for (uint32_t e = graph->start[first]; e < graph->start[end]; e++)
        touched |= (uint8_t)(1 << filling->part_of[graph->target[e] >> filling->slice]);
    filling->touched[block] = touched;
}

static void find_in_block(const struct al_csr *graph, uint32_t first, uint32_t end,
                          struct part *part)
{
    uint32_t nodes = part->end - part->first, *at = part->start + 1;

    for (uint32_t v = first; v < end; v++) {
        for (uint32_t e = graph->start[v]; e < graph->start[v + 1]; e++) {
            uint32_t i = graph->target[e] - part->first;

            if (i < nodes)
                part->source[at[i]++] = v;
        }
    }
}

/* A counting sort: start[i + 1] is where i's row begins, then, as it fills, where it ends. Sources
 * are taken in ascending order, so rows ascend. */
static void find_sources(const struct filling *filling, struct part *part)
{
    uint32_t number = (uint32_t)(part - filling->parts), count = filling->graph->count;

    for (uint32_t block = 0; (uint64_t)block * BLOCK < count; block++) {
        uint32_t first = block * BLOCK;

        if (filling->touched[block] >> number & 1)
            find_in_block(filling->graph, first, count - first > BLOCK ? first + BLOCK : count,
                          part);
    }
}

/* Bytes of the differences of a row. */
static uint64_t row_bytes(const struct part *part, uint32_t i)
{
    uint32_t first = part->start[i], end = part->start[i + 1];
    uint64_t bytes = 0;

    if (first < end)
        bytes = bytes_of(signed_difference(part->source[first], part->first + i));
    for (uint32_t e = first + 1; e < end; e++)
        bytes += bytes_of(part->source[e] - part->source[e - 1]);
    return bytes;
}

static uint8_t *put_row(const struct part *part, uint32_t i, uint8_t *at)
{
    uint32_t first = part->start[i], end = part->start[i + 1];

    if (end - first >= GR_LONG_ROW)
        at = put(at, row_bytes(part, i));
    if (first < end)
        at = put(at, signed_difference(part->source[first], part->first + i));
    for (uint32_t e = first + 1; e < end; e++)
        at = put(at, part->source[e] - part->source[e - 1]);
    return at;
}

/* Groups begin at places within the part, so far. */
static struct df_err *encode(struct filling *filling, struct part *part)
{
    uint64_t *group = filling->reverse->group;
    uint8_t *at;

    for (uint32_t i = 0; i < part->end - part->first; i++) {
        uint64_t row = row_bytes(part, i);

        if (i % GR_ROWS == 0)
            group[(part->first + i) / GR_ROWS] = part->size;
        part->size += row;
        if (part->start[i + 1] - part->start[i] >= GR_LONG_ROW)
            part->size += bytes_of(row);
    }
    DF_TRY(df_array(part->size, 1, &part->bytes));
    at = part->bytes;
    for (uint32_t i = 0; i < part->end - part->first; i++)
        at = put_row(part, i, at);
    return NULL;
}

static struct df_err *fill_part(struct filling *filling, struct part *part)
{
    uint32_t nodes = part->end - part->first, sum = 0;

    /* start[0] stays 0; start[i + 1] is where i's row begins, until it is filled. */
    DF_TRY(df_array((size_t)nodes + 1, sizeof(*part->start), &part->start));
    for (uint32_t i = 0; i < nodes; i++) {
        part->start[i + 1] = sum;
        sum += (uint32_t)gr_column_get(&filling->reverse->counts, part->first + i);
    }
    DF_TRY(df_array(sum, sizeof(*part->source), &part->source));
    find_sources(filling, part);
    return encode(filling, part);
}

static void fill_one(void *context, uint32_t i)
{
    struct filling *filling = context;
    struct part *part = &filling->parts[filling->next + i];

    part->err = fill_part(filling, part);
    free(DF_TAKE(part->source));
    free(DF_TAKE(part->start));
}

/* Puts the rows of a part behind those of all before it. */
static struct df_err *take_part(struct filling *filling, struct part *part)
{
    struct gr_reverse *reverse = filling->reverse;
    struct df_err *err = DF_TAKE(part->err);

    if (!err) {
        reverse->bytes = df_xrealloc(reverse->bytes, reverse->size + part->size + 1, 1);
        memcpy(reverse->bytes + reverse->size, part->bytes, part->size);
        for (uint32_t v = part->first; v < part->end; v += GR_ROWS)
            reverse->group[v / GR_ROWS] += reverse->size;
        reverse->size += part->size;
    }
    free(DF_TAKE(part->bytes));
    return err;
}

/* Parts of about as many nodes and edges each, in whole slices, which begin with a group. */
static void cut(struct filling *filling)
{
    const struct al_csr *graph = filling->graph;
    uint64_t share = ((uint64_t)graph->count + graph->start[graph->count]) / PARTS + 1, sum = 0;
    uint32_t i = 0;

    while ((1U << filling->slice) < GR_ROWS || graph->count >> filling->slice >= MOST_SLICES)
        filling->slice++;
    for (uint32_t v = 0; v < graph->count; v++) {
        if (!(v & ((1U << filling->slice) - 1))) {
            if (sum >= share * (i + 1) && i + 1 < PARTS) {
                filling->parts[i++].end = v;
                filling->parts[i].first = v;
            }
            filling->part_of[v >> filling->slice] = (uint8_t)i;
        }
        sum += 1 + gr_column_get(&filling->reverse->counts, v);
    }
    for (filling->parts[i].end = graph->count; ++i < PARTS;)
        filling->parts[i].first = filling->parts[i].end = graph->count;
}

static struct df_err *fill_parts(struct filling *filling, uint32_t jobs)
{
    struct df_err *err = NULL;

    for (; filling->next < PARTS; filling->next += jobs) {
        uint32_t left = PARTS - filling->next;

        jobs = jobs < left ? jobs : left;
        df_threads_run(jobs, fill_one, filling);
        for (uint32_t i = 0; i < jobs; i++) {
            struct df_err *more = take_part(filling, &filling->parts[filling->next + i]);

            if (err)
                df_err_free(more);
            else
                err = more;
        }
    }
    return err;
}

struct df_err *gr_reverse_fill(const struct al_csr *graph, uint32_t jobs,
                               struct gr_reverse *reverse)
{
    struct filling filling = {.graph = graph, .reverse = reverse};
    uint32_t blocks = (uint32_t)(((uint64_t)graph->count + BLOCK - 1) / BLOCK);
    DF_CLEANUP_FREE uint8_t *touched = NULL;

    DF_TRY(df_array((size_t)graph->count / GR_ROWS + 1, sizeof(*reverse->group), &reverse->group));
    DF_TRY(df_array((size_t)blocks + 1, 1, &touched));
    reverse->bytes = df_xcalloc(1, 1);
    filling.touched = touched;
    cut(&filling);
    jobs = jobs ? jobs : 1;
    df_threads_share(jobs, blocks, touch_block, &filling);
    return fill_parts(&filling, jobs);
}

void gr_reverse_deinit(struct gr_reverse *reverse)
{
    gr_column_deinit(&reverse->counts);
    free(reverse->bytes);
    free(reverse->group);
    *reverse = (struct gr_reverse){0};
}

/* Passes over a row. */
static void pass(const uint8_t **at, uint32_t count)
{
    if (count >= GR_LONG_ROW) {
        uint64_t bytes = gr_get_varint(at);

        *at += bytes;
        return;
    }
    while (count)
        count -= *(*at)++ < 128; /* the last byte of a number */
}

struct gr_referrers gr_reverse_row(const struct gr_reverse *reverse, uint32_t node)
{
    struct gr_referrers row = {.at = reverse->bytes + reverse->group[node / GR_ROWS]};

    for (uint32_t v = node - node % GR_ROWS; v < node; v++)
        pass(&row.at, (uint32_t)gr_column_get(&reverse->counts, v));
    row.left = (uint32_t)gr_column_get(&reverse->counts, node);
    if (row.left >= GR_LONG_ROW)
        gr_get_varint(&row.at);
    row.last = node;
    return row;
}
