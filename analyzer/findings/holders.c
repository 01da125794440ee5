/* SPDX-License-Identifier: MIT
 * holders.c: where memory accumulates.
 *
 * From a subtree of the dominator tree, walk down while one child holds most of it (the idea and
 * the ratio of Eclipse MAT, FindLeaksQuery.java, big_drop_ratio 0.7): where no child does, memory
 * accumulates: usually a container with many children. The walk starts at the virtual root's
 * children, biggest first; big siblings that it passes start walks of their own. So no listed node
 * dominates another, and together they cover nearly all that has a single holder.
 *
 * Three departures from MAT: a namespace (module, class) is listed only when nothing big is in it,
 * else its big children are; the dict of an instance gives way to the instance; in a chain (linked
 * list), where every node holds nearly all of the one before, the accumulation point is its head;
 * so is the root of a tree that leans to one side, whose branches are no better answer.
 */
#include "analyzer/findings/parts.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define BIG_DROP 0.7
#define MAX_DEPTH 1000
#define CHAIN_LENGTH 32    /* nodes of one class on a way down that make it a chain */
#define BUSH 16            /* nodes of one class below the end of a way down that make it a tree, */
#define BUSH_LEVEL 4       /* and so many for each that hangs directly below that end */
#define BUSH_DENSITY 3     /* on the way one in so many is of that class */
#define NAMESPACE_SHARE 10 /* a child with a tenth of its namespace is worth more than it */
#define FLOOR_SHARE 1000   /* a thousandth of the heap is not worth listing */
#define MAX_HOLDERS 1000

struct list {
    uint32_t *items;
    size_t count, capacity;
};

struct search {
    const struct fi_analysis *analysis;
    struct list queue; /* a heap, biggest retained size first */
    struct list found;
    struct list chain; /* of the current walk, from its start down */
    struct list below; /* scratch of is_bushy */
    uint64_t floor;
};

static bool before(const struct fi_analysis *analysis, uint32_t a, uint32_t b)
{
    if (fi_retained(analysis, a) != fi_retained(analysis, b))
        return fi_retained(analysis, a) > fi_retained(analysis, b);
    return a < b;
}

static void push(struct search *search, uint32_t node)
{
    DF_PUSH(&search->queue, node);
    uint32_t *heap = search->queue.items;
    size_t at = search->queue.count - 1;
    for (; at && before(search->analysis, node, heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = node;
}

static uint32_t pop(struct search *search)
{
    uint32_t *heap = search->queue.items;
    uint32_t top = heap[0], last = heap[--search->queue.count];
    size_t at = 0, count = search->queue.count;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && before(search->analysis, heap[child + 1], heap[child]))
            child++;
        if (!before(search->analysis, heap[child], last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

static void push_children(struct search *search, uint32_t row, uint64_t floor, uint32_t except)
{
    const struct fi_analysis *analysis = search->analysis;
    struct fi_children children = fi_children(analysis, row);
    for (uint32_t child; fi_next_child(&children, &child);)
        if (child != except && fi_retained(analysis, child) >= floor)
            push(search, child);
}

static void walk_down(struct search *search, uint32_t node)
{
    const struct fi_analysis *analysis = search->analysis;
    search->chain.count = 0;
    DF_PUSH(&search->chain, node);
    while (search->chain.count < MAX_DEPTH) {
        uint32_t child = fi_biggest_child(analysis, node);
        if (child == AL_NONE)
            return;
        if ((double)fi_retained(analysis, child) < BIG_DROP * (double)fi_retained(analysis, node))
            return;
        node = child;
        DF_PUSH(&search->chain, node);
    }
}

static bool may_be_instance_dict(const struct fi_analysis *analysis, uint32_t owner, uint32_t type)
{
    return !strcmp(py_type_at(analysis->objects, type)->name, "dict") &&
           py_type_at(analysis->objects, gr_type(analysis->graph, owner))->python_class;
}

/* The position in the chain of the head of a linked structure, or the chain's end. */
static size_t head_of_chain(const struct search *search)
{
    const struct fi_analysis *analysis = search->analysis;
    size_t end = search->chain.count - 1;
    if (end < CHAIN_LENGTH)
        return end;
    uint32_t types = py_type_count(analysis->objects);
    uint32_t *count = df_xcalloc(types, sizeof(*count)), *first = df_xcalloc(types, sizeof(*first));
    size_t best = end, best_count = CHAIN_LENGTH - 1;
    for (size_t i = 0; i <= end; i++) {
        uint32_t type = gr_type(analysis->graph, search->chain.items[i]);
        if (i && may_be_instance_dict(analysis, search->chain.items[i - 1], type))
            continue; /* the instances are the chain */
        if (!count[type]++)
            first[type] = (uint32_t)i;
        if (count[type] > best_count) {
            best_count = count[type];
            best = first[type];
        }
    }
    free(count);
    free(first);
    return best;
}

/* Deep below the node are far more of a type than directly below it: no container of them. */
static bool is_bushy(struct search *search, uint32_t node, uint32_t type)
{
    const struct fi_analysis *analysis = search->analysis;
    uint64_t found = 0, wanted = BUSH;
    struct fi_children children = fi_children(analysis, node);
    for (uint32_t child; fi_next_child(&children, &child);)
        wanted += BUSH_LEVEL;
    search->below.count = 0;
    DF_PUSH(&search->below, node);
    while (search->below.count && found < wanted) {
        uint32_t at = search->below.items[--search->below.count];
        children = fi_children(analysis, at);
        for (uint32_t child; fi_next_child(&children, &child);) {
            found += gr_type(analysis->graph, child) == type;
            DF_PUSH(&search->below, child);
        }
    }
    return found >= wanted;
}

/* The position of a tree's root in the chain that leads into its heaviest branch, or `end`. */
static size_t root_of_tree(struct search *search, size_t end)
{
    const struct fi_analysis *analysis = search->analysis;
    const struct gr_graph *graph = analysis->graph;
    const uint32_t *chain = search->chain.items;
    size_t last = end, first, count = 0;
    while (last && !py_type_at(analysis->objects, gr_type(graph, chain[last]))->python_class)
        last--;
    uint32_t type = gr_type(graph, chain[last]);
    const struct py_type *class = py_type_at(analysis->objects, type);
    if (!class->python_class || class->flags & PY_TPFLAGS_TYPE)
        return end;
    for (first = 0; gr_type(graph, chain[first]) != type;)
        first++;
    for (size_t i = first; i <= end; i++)
        count += gr_type(graph, chain[i]) == type;
    return count >= 2 && count * BUSH_DENSITY >= end - first + 1 &&
                   is_bushy(search, chain[end], type)
               ? first
               : end;
}

static bool is_instance_dict(const struct fi_analysis *analysis, uint32_t owner, uint32_t dict)
{
    const struct gr_graph *graph = analysis->graph;
    return !strcmp(py_type_at(analysis->objects, gr_type(graph, dict))->name, "dict") &&
           py_type_at(analysis->objects, gr_type(graph, owner))->python_class &&
           fi_is_dict_of(analysis, owner, dict);
}

/* True when the namespace was replaced by its big children. */
static bool open_namespace(struct search *search, uint32_t node)
{
    const struct fi_analysis *analysis = search->analysis;
    uint32_t biggest = fi_is_namespace(analysis, node) ? fi_biggest_child(analysis, node) : AL_NONE;
    if (biggest == AL_NONE)
        return false;
    uint64_t floor = fi_retained(analysis, node) / NAMESPACE_SHARE;
    if (floor < search->floor)
        floor = search->floor;
    if (fi_retained(analysis, biggest) < floor)
        return false;
    push_children(search, node, floor, AL_NONE);
    return true;
}

static void visit(struct search *search, uint32_t start)
{
    const struct fi_analysis *analysis = search->analysis;
    walk_down(search, start);
    size_t end = head_of_chain(search);
    if (end == search->chain.count - 1)
        end = root_of_tree(search, end);
    const uint32_t *chain = search->chain.items;
    if (end && is_instance_dict(analysis, chain[end - 1], chain[end]))
        end--;
    for (size_t i = 0; i < end; i++)
        push_children(search, chain[i], search->floor, chain[i + 1]);
    if (!open_namespace(search, chain[end]))
        DF_PUSH(&search->found, chain[end]);
}

static void sort_found(struct search *search)
{
    uint32_t *items = search->found.items;
    for (size_t i = 1; i < search->found.count; i++) { /* nearly sorted, at most MAX_HOLDERS */
        uint32_t node = items[i];
        size_t at = i;
        for (; at && before(search->analysis, node, items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = node;
    }
}

struct df_err *fi_accumulation_points(const struct fi_analysis *analysis, uint32_t limit,
                                      uint32_t **ret, uint32_t *ret_count)
{
    struct search search = {.analysis = analysis, .floor = analysis->total_bytes / FLOOR_SHARE};
    if (!search.floor)
        search.floor = 1;
    if (!limit || limit > MAX_HOLDERS)
        limit = MAX_HOLDERS;
    push_children(&search, analysis->graph->count, search.floor, AL_NONE);
    /* what is found may be smaller than what still waits: stop only when the next one in the queue
     * cannot be among the first `limit` any more */
    while (search.queue.count) {
        if (search.found.count >= limit) {
            sort_found(&search);
            search.found.count = limit;
            if (!before(analysis, search.queue.items[0], search.found.items[limit - 1]))
                break;
        }
        visit(&search, pop(&search));
    }
    sort_found(&search);
    *ret_count = (uint32_t)(search.found.count < limit ? search.found.count : limit);
    *ret = search.found.items ? search.found.items : df_xcalloc(1, sizeof(uint32_t));
    free(search.queue.items);
    free(search.chain.items);
    free(search.below.items);
    return NULL;
}

struct fi_holder fi_holder_make(struct fi_context *context, uint32_t node)
{
    const struct fi_analysis *analysis = context->analysis;
    return (struct fi_holder){
        .address = gr_address(analysis->graph, node),
        .type = fi_pool_text(context->pool, fi_type_name(analysis, node)),
        .path = fi_pool_take(context->pool, fi_path(context->analysis, node, false, 0)),
        .text = fi_describe(context, node),
        .shallow_bytes = gr_size(analysis->graph, node),
        .retained_bytes = fi_retained(analysis, node),
        .retained_objects = fi_retained_count(analysis, node),
    };
}

struct df_err *fi_fill_holders(struct fi_context *context)
{
    struct fi_verdict *verdict = context->verdict;
    uint32_t *nodes, count;
    DF_TRY(fi_accumulation_points(context->analysis, context->limit, &nodes, &count));
    verdict->dominators = fi_pool_array(context->pool, count, sizeof(struct fi_holder));
    for (uint32_t i = 0; i < count; i++)
        verdict->dominators[verdict->dominator_count++] = fi_holder_make(context, nodes[i]);
    free(nodes);
    return NULL;
}
