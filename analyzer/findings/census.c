/* SPDX-License-Identifier: MIT
 * census.c: see census.h.
 */
#include "analyzer/findings/census.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/parts.h"
#include "dumpfmt/base/mem.h"

#define LISTED_SHARE 8 /* types are listed until they have an eighth of all objects */
#define SORT_SHARE 64  /* sorting more than a 64th costs more than passing over all */

/* Neighbours are often of one type: two sums by turns, so that none waits for the one before. */
static void count_all(const struct gr_graph *graph, struct fi_type_count *sums, uint32_t types)
{
    struct fi_type_count *turns[2] = {sums, df_xcalloc(types, sizeof(*sums))};

    for (uint32_t node = 0; node < graph->count; node++) {
        struct fi_type_count *sum = &turns[node & 1][gr_type(graph, node)];

        sum->count++;
        sum->shallow += gr_size(graph, node);
    }
    for (uint32_t i = 0; i < types; i++) {
        sums[i].count += turns[1][i].count;
        sums[i].shallow += turns[1][i].shallow;
    }
    free(turns[1]);
}

static int compare_counts(const void *left, const void *right, void *context)
{
    const struct fi_type_count *sums = context;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    if (sums[a].count != sums[b].count)
        return sums[a].count < sums[b].count ? -1 : 1;
    return (a > b) - (a < b);
}

/* Sets start so that types with many objects have no places. Returns how many places there are. */
static uint32_t choose(struct fi_census *census, uint32_t nodes)
{
    uint32_t *rarest = df_xcalloc(census->types, sizeof(*rarest));
    uint64_t places = 0;

    for (uint32_t i = 0; i < census->types; i++)
        rarest[i] = i;
    if (census->types)
        qsort_r(rarest, census->types, sizeof(*rarest), compare_counts, census->sums);
    for (uint32_t i = 0; i < census->types; i++) {
        uint64_t count = census->sums[rarest[i]].count;

        if (places + count > nodes / LISTED_SHARE)
            break;
        places += count;
        census->start[rarest[i] + 1] = (uint32_t)count;
    }
    free(rarest);
    for (uint32_t i = 0; i < census->types; i++)
        census->start[i + 1] += census->start[i];
    return (uint32_t)places;
}

static struct df_err *list(struct fi_census *census, const struct gr_graph *graph)
{
    DF_CLEANUP_FREE uint32_t *place = df_xcalloc(census->types, sizeof(*place));
    uint32_t left = choose(census, graph->count);

    DF_TRY(df_array(left, sizeof(*census->listed), &census->listed));
    memcpy(place, census->start, census->types * sizeof(*place));
    for (uint32_t node = 0; node < graph->count && left; node++) {
        uint32_t type = gr_type(graph, node);

        if (place[type] == census->start[type + 1]) /* also: it has no places at all */
            continue;
        census->listed[place[type]++] = node;
        left--;
    }
    return NULL;
}

struct df_err *fi_census_make(const struct gr_graph *graph, uint32_t type_count,
                              struct fi_census **ret)
{
    struct fi_census *census = df_xcalloc(1, sizeof(*census));
    struct df_err *err;

    census->types = type_count;
    census->sums = df_xcalloc(type_count, sizeof(*census->sums));
    census->start = df_xcalloc((size_t)type_count + 1, sizeof(*census->start));
    count_all(graph, census->sums, type_count);
    err = list(census, graph);
    if (err) {
        fi_census_free(census);
        return err;
    }
    *ret = census;
    return NULL;
}

void fi_census_free(struct fi_census *census)
{
    if (!census)
        return;
    free(census->sums);
    free(census->start);
    free(census->listed);
    free(census);
}

static bool is_listed(const struct fi_census *census, uint32_t type)
{
    return census->start[type + 1] - census->start[type] == census->sums[type].count;
}

/* How many are wanted, and whether picking them from the lists is the way. */
static uint64_t survey(const struct fi_census *census, const uint8_t *wanted, uint32_t nodes,
                       bool *ret_pick)
{
    uint64_t total = 0;
    uint32_t several = 0;
    bool listed = true;

    for (uint32_t i = 0; i < census->types; i++) {
        if (!wanted[i] || !census->sums[i].count)
            continue;
        total += census->sums[i].count;
        listed &= is_listed(census, i);
        several++;
    }
    *ret_pick = listed && (several <= 1 || total <= nodes / SORT_SHARE + SORT_SHARE);
    return total;
}

static int compare_nodes(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static void pick(const struct fi_census *census, const uint8_t *wanted, uint32_t *nodes)
{
    uint32_t count = 0, several = 0;

    for (uint32_t i = 0; i < census->types; i++) {
        uint32_t length = census->start[i + 1] - census->start[i];

        if (!wanted[i] || !length)
            continue;
        memcpy(nodes + count, census->listed + census->start[i], length * sizeof(*nodes));
        count += length;
        several++;
    }
    if (several > 1)
        qsort(nodes, count, sizeof(*nodes), compare_nodes);
}

static uint32_t pass(const struct gr_graph *graph, const uint8_t *wanted, uint32_t *nodes)
{
    uint32_t count = 0;

    for (uint32_t node = 0; node < graph->count; node++)
        if (wanted[gr_type(graph, node)]) {
            if (nodes)
                nodes[count] = node;
            count++;
        }
    return count;
}

struct df_err *fi_nodes_of(const struct fi_context *context, const uint8_t *wanted, uint32_t **ret,
                           uint32_t *ret_count)
{
    const struct gr_graph *graph = context->analysis->graph;
    const struct fi_census *census = context->census;
    bool picked = false;

    *ret_count = census ? (uint32_t)survey(census, wanted, graph->count, &picked)
                        : pass(graph, wanted, NULL);
    DF_TRY(df_array(*ret_count, sizeof(**ret), ret));
    if (picked)
        pick(census, wanted, *ret);
    else if (*ret_count)
        pass(graph, wanted, *ret);
    return NULL;
}
