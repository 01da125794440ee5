/* SPDX-License-Identifier: MIT
 * picks.c: see picks.h. A word of places has up to 64 nodes, so that half of the room is enough to
 * go on.
 */
#include "analyzer/graph/picks.h"

void gr_picks_begin(struct gr_picks *picks, const struct gr_graph *graph, const uint8_t *wanted,
                    uint64_t first, uint64_t end)
{
    picks->graph = graph;
    picks->wanted = wanted;
    picks->narrow = graph->types.width == 2 && !graph->types.wide.count ? graph->types.items : NULL;
    picks->end = end < graph->count ? (uint32_t)end : graph->count;
    picks->next = first < picks->end ? (uint32_t)first : picks->end;
    picks->count = 0;
    if (picks->next < picks->end && !graph->addresses)
        gr_places_begin_at(&graph->places, gr_place(&graph->places, gr_address(graph, picks->next)),
                           &picks->place);
}

static bool any_wanted(const struct gr_picks *picks, uint32_t first, uint32_t end)
{
    const uint16_t *types = picks->narrow;
    const uint8_t *wanted = picks->wanted;

    for (uint32_t v = first; types && v < end; v++)
        if (wanted[types[v]])
            return true;
    return !types;
}

/* Those of the cursor's word. Whether one is wanted nobody could foretell: it is written in any
 * case. */
static void pick_word(struct gr_picks *picks)
{
    const uint16_t *narrow = picks->narrow;
    const uint8_t *wanted = picks->wanted;
    uint64_t left = picks->place.left, base = picks->place.base + picks->place.word * 512;
    uint32_t members = (uint32_t)gr_count_bits(left), most = picks->end - picks->next;
    uint32_t v = picks->next, end = v + (members < most ? members : most);
    struct gr_pick *to = &picks->items[picks->count];

    picks->place.left = 0;
    picks->next = end;
    if (!any_wanted(picks, v, end))
        return;
    for (; v < end; left &= left - 1, v++) {
        uint32_t type = narrow ? narrow[v] : gr_type(picks->graph, v);

        *to = (struct gr_pick){base + (uint64_t)__builtin_ctzll(left) * 8, v, type};
        to += wanted[type] != 0;
    }
    picks->count = (uint32_t)(to - picks->items);
}

/* In a graph that has no places. */
static void pick_one(struct gr_picks *picks)
{
    uint32_t v = picks->next++, type = gr_type(picks->graph, v);

    if (picks->wanted[type])
        picks->items[picks->count++] = (struct gr_pick){gr_address(picks->graph, v), v, type};
}

bool gr_picks_next(struct gr_picks *picks)
{
    picks->count = 0;
    while (picks->count <= GR_PICKS - 64 && picks->next < picks->end)
        if (picks->graph->addresses)
            pick_one(picks);
        else if (picks->place.left || gr_places_next_word(&picks->place))
            pick_word(picks);
        else
            break;
    return picks->count;
}
