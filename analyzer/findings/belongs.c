/* SPDX-License-Identifier: MIT
 * belongs.c: what an object is a part of: what alone keeps it, what would be freed with it, the
 * cycle that it is in. And the objects of a type, largest first.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "analyzer/findings/kept.h"
#include "analyzer/findings/parts.h"
#include "analyzer/findings/show.h"
#include "dumpfmt/base/mem.h"

#define FREED_TYPES 10
#define CYCLE_TYPES 6
#define LARGE_CYCLE 1000 /* objects */
#define INSTANCE_TEXT 200

struct tally { /* one element per type */
    uint64_t *count, *bytes;
    uint32_t types;
};

static struct df_err *tally_init(struct tally *tally, const struct fi_analysis *analysis)
{
    tally->types = py_type_count(analysis->objects);
    tally->bytes = NULL;
    DF_TRY(df_array(tally->types, sizeof(uint64_t), &tally->count));
    struct df_err *err = df_array(tally->types, sizeof(uint64_t), &tally->bytes);

    if (err)
        free(tally->count);
    return err;
}

static void tally_add(struct tally *tally, const struct gr_graph *graph, uint32_t node)
{
    tally->count[gr_type(graph, node)]++;
    tally->bytes[gr_type(graph, node)] += gr_size(graph, node);
}

static void tally_deinit(struct tally *tally)
{
    free(tally->count);
    free(tally->bytes);
}

static int most_bytes(const void *a, const void *b)
{
    const struct fi_type_row *left = a, *right = b;

    if (left->shallow_bytes != right->shallow_bytes)
        return left->shallow_bytes < right->shallow_bytes ? 1 : -1;
    return strcmp(left->type, right->type);
}

/* The types of a tally, most bytes first. */
static uint32_t tally_rows(struct fi_show *show, const struct tally *tally,
                           struct fi_type_row **ret)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < tally->types; i++)
        count += tally->count[i] > 0;
    *ret = fi_pool_array(show->pool, count, sizeof(**ret));
    count = 0;
    for (uint32_t i = 0; i < tally->types; i++)
        if (tally->count[i])
            (*ret)[count++] =
                (struct fi_type_row){.type = py_type_at(show->analysis->objects, i)->name,
                                     .count = tally->count[i],
                                     .shallow_bytes = tally->bytes[i]};
    if (count)
        qsort(*ret, count, sizeof(**ret), most_bytes);
    return count;
}

/* Everything below it in the dominator tree, itself left out. */
static struct df_err *fill_freed(struct fi_show *show)
{
    const struct fi_analysis *a = show->analysis;
    struct tally tally;
    uint32_t *stack, depth = 0;

    if (fi_retained_count(a, show->node) < 2)
        return NULL;
    DF_TRY(df_array(fi_retained_count(a, show->node), sizeof(*stack), &stack));
    struct df_err *err = tally_init(&tally, a);

    if (err) {
        free(stack);
        return err;
    }
    stack[depth++] = show->node;
    while (depth) {
        uint32_t node = stack[--depth], child;
        struct fi_children children;

        if (node != show->node)
            tally_add(&tally, a->graph, node);
        children = fi_children(a, node);
        while (fi_next_child(&children, &child))
            stack[depth++] = child;
    }
    show->object->freed_total = tally_rows(show, &tally, &show->object->freed);
    show->object->freed_count = !show->limit || show->object->freed_total < FREED_TYPES
                                    ? show->object->freed_total
                                    : FREED_TYPES;
    tally_deinit(&tally);
    free(stack);
    return NULL;
}

static void fill_dominator(struct fi_show *show)
{
    const struct fi_analysis *a = show->analysis;
    uint32_t above = fi_idom(a, show->node);

    if (above >= a->graph->count)
        return;
    fi_walk_to(show->analysis, above, show->node, &show->refs);
    const struct py_ref *ref = fi_best_ref(&show->refs, gr_address(a->graph, show->node));
    struct py_ref unknown = {.target = gr_address(a->graph, show->node), .label = PY_LABEL_NONE};

    show->object->dominator = fi_pool_array(show->pool, 1, sizeof(struct fi_link));
    *show->object->dominator =
        fi_show_link(show, above, gr_address(a->graph, above), ref ? ref : &unknown);
    if (!ref)
        show->object->dominator->label = "…"; /* it holds it by more than one way */
}

/* The cycle that a node is in; UINT32_MAX for none. */
static uint32_t cycle_of(const struct fi_analysis *a, uint32_t node)
{
    for (uint32_t i = 0; i < a->cycle_count; i++)
        for (uint32_t j = a->cycle_start[i]; j < a->cycle_start[i + 1]; j++)
            if (a->cycle_member[j] == node)
                return i;
    return UINT32_MAX;
}

static const char *types_text(struct fi_show *show, const struct fi_type_row *rows, uint32_t count)
{
    const char *text = "";

    for (uint32_t i = 0; i < count && i < CYCLE_TYPES; i++)
        text = fi_pool_format(show->pool, "%s%s%s × %s", text, i ? ", " : "",
                              fi_number_phrase(rows[i].count).text, rows[i].type);
    return count > CYCLE_TYPES ? fi_pool_format(show->pool, "%s, …", text) : text;
}

static uint64_t bytes_of_cycle(const struct fi_analysis *a, uint32_t cycle)
{
    uint64_t bytes = 0;

    if (a->cycle_bytes)
        return a->cycle_bytes[cycle];
    for (uint32_t i = a->cycle_start[cycle]; i < a->cycle_start[cycle + 1]; i++)
        bytes += gr_size(a->graph, a->cycle_member[i]);
    return bytes;
}

static struct df_err *fill_cycle_types(struct fi_show *show, uint32_t cycle)
{
    const struct fi_analysis *a = show->analysis;
    struct fi_type_row *rows;
    struct tally tally;

    DF_TRY(tally_init(&tally, a));
    for (uint32_t i = a->cycle_start[cycle]; i < a->cycle_start[cycle + 1]; i++)
        tally_add(&tally, a->graph, a->cycle_member[i]);
    uint32_t count = tally_rows(show, &tally, &rows);

    show->object->cycle_types = types_text(show, rows, count);
    tally_deinit(&tally);
    return NULL;
}

static struct df_err *fill_cycle(struct fi_show *show)
{
    const struct fi_analysis *a = show->analysis;

    if (!gr_in_trunk(&a->trunk, show->node))
        return NULL;
    DF_TRY(fi_need_cycles(show->analysis));
    uint32_t cycle = cycle_of(a, show->node);

    if (cycle == UINT32_MAX)
        return NULL;
    show->object->cycle_objects = a->cycle_start[cycle + 1] - a->cycle_start[cycle];
    show->object->cycle_bytes = bytes_of_cycle(a, cycle);
    /* modules and classes make one huge cycle of the living, whose types say nothing */
    if (show->object->cycle_objects <= LARGE_CYCLE || show->object->garbage)
        return fill_cycle_types(show, cycle);
    return NULL;
}

struct df_err *fi_show_belongs(struct fi_show *show)
{
    fill_dominator(show);
    DF_TRY(fill_freed(show));
    return fill_cycle(show);
}

struct sized {
    uint64_t retained;
    uint32_t node;
};

static int largest_first(const void *a, const void *b)
{
    const struct sized *left = a, *right = b;

    if (left->retained != right->retained)
        return left->retained < right->retained ? 1 : -1;
    return left->node < right->node ? -1 : left->node > right->node;
}

static void sink(struct sized *heap, uint32_t count, uint32_t at)
{
    for (uint32_t below; (below = 2 * at + 1) < count; at = below) {
        if (below + 1 < count && largest_first(&heap[below + 1], &heap[below]) > 0)
            below++;
        if (largest_first(&heap[at], &heap[below]) > 0)
            return;
        struct sized swap = heap[at];

        heap[at] = heap[below];
        heap[below] = swap;
    }
}

/* The `wanted` largest come first, in order: of half a million few are looked at. They are kept as
 * a heap with the least of them on top. */
static void sort_largest(struct sized *sized, uint32_t count, uint32_t wanted)
{
    if (wanted && wanted < count) {
        for (uint32_t i = wanted / 2; i-- > 0;)
            sink(sized, wanted, i);
        for (uint32_t i = wanted; i < count; i++)
            if (largest_first(&sized[i], &sized[0]) < 0) {
                sized[0] = sized[i];
                sink(sized, wanted, 0);
            }
    }
    if (wanted)
        qsort(sized, wanted, sizeof(*sized), largest_first);
}

struct df_err *fi_instances_make(struct fi_analysis *analysis, const uint32_t *nodes,
                                 uint32_t count, const struct fi_object_options *options,
                                 struct fi_instances **ret)
{
    struct fi_show show = {.analysis = analysis, .pool = fi_pool_create(), .full = options->full};
    struct fi_instances *made = fi_pool_array(show.pool, 1, sizeof(*made));
    struct sized *sized;
    struct df_err *err = df_array(count, sizeof(*sized), &sized);

    if (err) {
        fi_pool_destroy(show.pool);
        return err;
    }
    made->pool = show.pool;
    made->total = count;
    made->type = count ? fi_type(analysis, nodes[0])->name : "";
    for (uint32_t i = 0; i < count; i++) {
        sized[i] = (struct sized){fi_retained(analysis, nodes[i]), nodes[i]};
        made->bytes += gr_size(analysis->graph, nodes[i]);
    }
    made->count = options->limit && count > options->limit ? options->limit : count;
    sort_largest(sized, count, (uint32_t)made->count);
    made->items = fi_pool_array(show.pool, made->count, sizeof(*made->items));
    for (uint32_t i = 0; i < made->count; i++) {
        uint64_t address = gr_address(analysis->graph, sized[i].node);

        made->items[i] = (struct fi_instance){.address = address,
                                              .size = gr_size(analysis->graph, sized[i].node),
                                              .retained_bytes = sized[i].retained,
                                              .text = fi_show_text(&show, address, INSTANCE_TEXT)};
    }
    free(sized);
    *ret = made;
    return NULL;
}

void fi_instances_free(struct fi_instances *instances)
{
    if (instances)
        fi_pool_destroy(instances->pool);
}
