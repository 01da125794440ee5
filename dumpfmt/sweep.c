/* SPDX-License-Identifier: MIT
 * sweep.c: the sweep. At every start or end the owner may change; it is the lowest index among the
 * intervals open there, the top of a binary heap from which closed ones are removed when they come
 * to the top.
 */
#include "dumpfmt/sweep.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

struct sweep {
    const struct df_interval *intervals;
    uint32_t *heap; /* indexes of intervals, lowest on top */
    size_t heap_count;
    uint32_t *order; /* indexes of intervals, by start */
    uint64_t *cuts;  /* all starts and ends, sorted */
    struct df_piece *pieces;
    size_t piece_count;
};

static int compare_starts(const void *a, const void *b, void *context)
{
    const struct df_interval *intervals = context;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    uint64_t first = intervals[i].start, second = intervals[j].start;
    if (first != second)
        return first < second ? -1 : 1;
    return i < j ? -1 : i > j;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return first < second ? -1 : first > second;
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void push(struct sweep *sweep, uint32_t index)
{
    size_t at = sweep->heap_count++;
    sweep->heap[at] = index;
    for (; at && sweep->heap[(at - 1) / 2] > sweep->heap[at]; at = (at - 1) / 2)
        swap(&sweep->heap[(at - 1) / 2], &sweep->heap[at]);
}

static void pop(struct sweep *sweep)
{
    uint32_t *heap = sweep->heap;
    size_t count = --sweep->heap_count;
    heap[0] = heap[count];
    for (size_t at = 0;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (heap[at] <= heap[child])
            return;
        swap(&heap[at], &heap[child]);
        at = child;
    }
}

static void emit(struct sweep *sweep, uint64_t start, uint64_t end, uint32_t owner)
{
    struct df_piece *last = sweep->piece_count ? &sweep->pieces[sweep->piece_count - 1] : NULL;
    if (last && last->owner == owner && last->end == start)
        last->end = end;
    else
        sweep->pieces[sweep->piece_count++] = (struct df_piece){start, end, owner};
}

static void run(struct sweep *sweep, size_t count)
{
    size_t next = 0;
    for (size_t i = 0; i + 1 < 2 * count; i++) {
        uint64_t here = sweep->cuts[i], until = sweep->cuts[i + 1];
        if (here == until)
            continue;
        while (next < count && sweep->intervals[sweep->order[next]].start <= here)
            push(sweep, sweep->order[next++]);
        while (sweep->heap_count && sweep->intervals[sweep->heap[0]].end <= here)
            pop(sweep);
        if (sweep->heap_count)
            emit(sweep, here, until, sweep->heap[0]);
    }
}

/* Fills order and cuts; returns how many intervals are not empty. */
static size_t prepare(struct sweep *sweep, uint32_t count)
{
    size_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (sweep->intervals[i].start >= sweep->intervals[i].end)
            continue;
        sweep->cuts[2 * kept] = sweep->intervals[i].start;
        sweep->cuts[2 * kept + 1] = sweep->intervals[i].end;
        sweep->order[kept++] = i;
    }
    qsort(sweep->cuts, 2 * kept, sizeof(*sweep->cuts), compare_u64);
    qsort_r(sweep->order, kept, sizeof(*sweep->order), compare_starts,
            (void *)(uintptr_t)sweep->intervals);
    return kept;
}

struct df_err *df_sweep(const struct df_interval *intervals, uint32_t count, struct df_piece **ret,
                        size_t *ret_count)
{
    struct sweep sweep = {.intervals = intervals};
    struct df_err *err = df_array(count, sizeof(*sweep.heap), &sweep.heap);
    if (!err)
        err = df_array(count, sizeof(*sweep.order), &sweep.order);
    if (!err)
        err = df_array(count, 2 * sizeof(*sweep.cuts), &sweep.cuts);
    if (!err)
        err = df_array(count, 2 * sizeof(*sweep.pieces), &sweep.pieces);
    if (!err) {
        run(&sweep, prepare(&sweep, count));
        *ret = DF_TAKE(sweep.pieces);
        *ret_count = sweep.piece_count;
    }
    free(sweep.heap);
    free(sweep.order);
    free(sweep.cuts);
    free(sweep.pieces);
    return err;
}
