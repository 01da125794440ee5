/* SPDX-License-Identifier: MIT
 * number.c: sorts addresses, numbers objects by them, lays out the edges as rows.
 *
 * The sort is by digits from the lowest (radix), skipping digits that are equal in all keys: heap
 * addresses share most of their high bits. It is stable, so the result depends on nothing but the
 * input.
 */
#include "analyzer/graph/number.h"

#include <string.h>

#include "analyzer/algo/csr.h"
#include "dumpfmt/base/mem.h"

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)

struct keyed {
    uint64_t key;
    uint32_t place;
};

static void sort_digit(const struct keyed *from, struct keyed *to, uint32_t count, unsigned shift)
{
    uint32_t next[DIGITS] = {0};
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        next[from[i].key >> shift & (DIGITS - 1)]++;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t here = next[digit];

        next[digit] = sum;
        sum += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[next[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

struct df_err *gr_sort(const uint64_t *keys, uint32_t count, uint32_t *order)
{
    DF_CLEANUP_FREE struct keyed *left = NULL;
    DF_CLEANUP_FREE struct keyed *right = NULL;
    struct keyed *from, *to;
    uint64_t differ = 0;

    DF_TRY(df_array(count, sizeof(*left), &left));
    DF_TRY(df_array(count, sizeof(*right), &right));
    from = left;
    to = right;
    for (uint32_t i = 0; i < count; i++) {
        from[i] = (struct keyed){.key = keys[i], .place = i};
        differ |= keys[i] ^ keys[0];
    }
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
        if (!(differ >> shift & (DIGITS - 1)))
            continue;
        sort_digit(from, to, count, shift);
        struct keyed *swap = from;

        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < count; i++)
        order[i] = from[i].place;
    return NULL;
}

static struct df_err *allocate_nodes(struct gr_graph *graph, uint32_t count)
{
    graph->count = count;
    DF_TRY(df_array(count, sizeof(*graph->address), &graph->address));
    DF_TRY(df_array(count, sizeof(*graph->type), &graph->type));
    DF_TRY(df_array(count, sizeof(*graph->size), &graph->size));
    DF_TRY(df_array(count, sizeof(*graph->references), &graph->references));
    DF_TRY(df_array(count, sizeof(*graph->flags), &graph->flags));
    DF_TRY(df_array(count, sizeof(*graph->source), &graph->source));
    DF_TRY(df_array(count, sizeof(*graph->root_kind), &graph->root_kind));
    DF_TRY(df_array((size_t)count + 1, sizeof(*graph->start), &graph->start));
    return df_array((size_t)count + 1, sizeof(*graph->weak_start), &graph->weak_start);
}

static void fill_nodes(struct gr_graph *graph, const struct gr_found *found, const uint32_t *order)
{
    uint32_t edges = 0;

    for (uint32_t v = 0; v < graph->count; v++) {
        const struct gr_found *from = &found[order[v]];

        graph->address[v] = from->address;
        graph->type[v] = from->type;
        graph->size[v] = from->size;
        graph->references[v] = from->references;
        graph->flags[v] = from->flags;
        graph->source[v] = from->source;
        graph->objects_by_source[from->source]++;
        graph->start[v] = edges;
        edges += from->count;
    }
    graph->start[graph->count] = edges;
    graph->edge_count = edges;
}

static void fill_edges(struct gr_graph *graph, const struct gr_discovery *discovery,
                       const uint32_t *order, const uint32_t *rank)
{
    for (uint32_t v = 0; v < graph->count; v++) {
        const struct gr_found *from = &discovery->found.items[order[v]];
        uint32_t at = graph->start[v];

        for (uint32_t e = 0; e < from->count; e++)
            graph->target[at + e] = rank[discovery->targets[from->first + e]];
        if (from->count)
            memcpy(graph->kind + at, discovery->kinds + from->first, from->count);
    }
}

/* Weak references between objects that are known; counting sort by source, which keeps the order
 * of each walker. */
static struct df_err *fill_weak(struct gr_graph *graph, struct gr_discovery *discovery,
                                const uint32_t *rank)
{
    uint64_t known = 0;
    uint32_t *start = graph->weak_start;

    for (size_t i = 0; i < discovery->weak.count; i++) {
        struct gr_weak_edge edge = discovery->weak.items[i];
        uint32_t source = rank[edge.source];
        uint32_t target = df_map_get(&discovery->numbers, edge.target);

        if (target == DF_MAP_NONE)
            continue;
        if (known >= UINT32_MAX - 1)
            return df_err_new(DF_ERR_UNSUPPORTED, "the process has more than 4 billion weak "
                                                  "references, more than this program can number");
        discovery->weak.items[known++] =
            (struct gr_weak_edge){.source = source, .target = rank[target]};
        start[source + 1]++;
    }
    graph->weak_count = (uint32_t)known;
    graph->references_by_kind[PY_REF_WEAK] = known;
    for (uint32_t v = 0; v < graph->count; v++)
        start[v + 1] += start[v];
    DF_TRY(df_array(known, sizeof(*graph->weak_target), &graph->weak_target));
    for (uint64_t i = known; i-- > 0;) { /* from behind: start[v + 1] serves as cursor */
        struct gr_weak_edge *edge = &discovery->weak.items[i];

        graph->weak_target[--start[edge->source + 1]] = (uint32_t)edge->target;
    }
    /* Each start[v + 1] now says where row v begins. */
    memmove(start, start + 1, graph->count * sizeof(*start));
    start[graph->count] = graph->weak_count;
    return NULL;
}

static struct df_err *sort_found(const struct gr_discovery *discovery, uint32_t *order,
                                 uint32_t *rank)
{
    DF_CLEANUP_FREE uint64_t *keys = NULL;
    uint32_t count = (uint32_t)discovery->found.count;

    DF_TRY(df_array(count, sizeof(*keys), &keys));
    for (uint32_t i = 0; i < count; i++)
        keys[i] = discovery->found.items[i].address;
    DF_TRY(gr_sort(keys, count, order));
    for (uint32_t i = 0; i < count; i++)
        rank[order[i]] = i;
    return NULL;
}

struct df_err *gr_number(struct gr_discovery *discovery, struct gr_graph *graph)
{
    DF_CLEANUP_FREE uint32_t *order = NULL; /* by address: number of discovery */
    DF_CLEANUP_FREE uint32_t *rank = NULL;  /* by number of discovery: place in address order */
    uint32_t count = (uint32_t)discovery->found.count;
    struct al_csr csr;

    DF_TRY(df_array(count, sizeof(*order), &order));
    DF_TRY(df_array(count, sizeof(*rank), &rank));
    DF_TRY(sort_found(discovery, order, rank));
    DF_TRY(allocate_nodes(graph, count));
    memcpy(graph->references_by_kind, discovery->references_by_kind,
           sizeof(graph->references_by_kind));
    fill_nodes(graph, discovery->found.items, order);
    DF_TRY(df_array(graph->edge_count, sizeof(*graph->target), &graph->target));
    DF_TRY(df_array(graph->edge_count, sizeof(*graph->kind), &graph->kind));
    fill_edges(graph, discovery, order, rank);
    DF_TRY(fill_weak(graph, discovery, rank));
    free(DF_TAKE(discovery->targets));
    free(DF_TAKE(discovery->kinds));
    free(DF_TAKE(discovery->found.items));
    free(DF_TAKE(discovery->weak.items));
    csr = (struct al_csr){.count = count, .start = graph->start, .target = graph->target};
    return al_csr_reverse(&csr, &graph->reverse_start, &graph->reverse_source);
}
