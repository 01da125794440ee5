/* SPDX-License-Identifier: MIT
 * allocated.c: from an object to the line that allocated it.
 *
 * tracemalloc knows blocks by the address that their allocator returned: an object's begins with
 * what CPython keeps in front of it (_PyType_PreHeaderSize). A type that keeps freed objects for
 * reuse tells tracemalloc of it (_PyTraceMalloc_NewReference, _PyTraceMalloc_TraceRef), so that the
 * trace names the line that made the present object; 3.11 looks for the block of an object with
 * managed attributes in the wrong place there, but such objects are not kept for reuse.
 */
#include "analyzer/findings/allocations.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/rules/rules.h"
#include "dumpfmt/base/mem.h"

#define MAX_SHOWN_FRAMES 32 /* of one traceback, in `show` */

const struct py_tracemalloc *fi_traced(struct fi_analysis *analysis)
{
    if (!analysis->traced && analysis->py) {
        struct df_err *err = py_tracemalloc_open(analysis->py, &analysis->traced);

        if (err)
            df_err_free(err);
    }
    return analysis->traced && analysis->traced->state == PY_TRACING_ON ? analysis->traced : NULL;
}

const struct py_trace *fi_allocation_of(struct fi_analysis *analysis, uint32_t node)
{
    const struct py_tracemalloc *traced = fi_traced(analysis);
    const struct gr_graph *graph = analysis->graph;
    uint64_t presize;

    if (!traced || !analysis->objects ||
        !py_presize(analysis->objects, gr_address(graph, node), gr_type(graph, node), &presize))
        return NULL;
    return py_trace_at(traced, gr_address(graph, node) - presize);
}

struct tally { /* of one line, or of one traceback */
    uint64_t key;
    uint64_t count;
};

static uint64_t line_key(const struct py_tracemalloc *traced, uint32_t stack)
{
    struct py_trace_frame frame = traced->frames[traced->stacks[stack].first];

    return (uint64_t)frame.file << 32 | frame.line;
}

static int by_key(const void *left, const void *right)
{
    const struct tally *a = left, *b = right;

    return (a->key > b->key) - (a->key < b->key);
}

/* The key that most of the tallies have, the smallest of several; *ret_count: how many. */
static uint64_t most_frequent(struct tally *tallies, size_t count, uint64_t *ret_count)
{
    uint64_t best = 0, most = 0;

    qsort(tallies, count, sizeof(*tallies), by_key);
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t sum = 0;

        for (end = i; end < count && tallies[end].key == tallies[i].key; end++)
            sum += tallies[end].count;
        if (sum > most) {
            most = sum;
            best = tallies[i].key;
        }
    }
    *ret_count = most;
    return best;
}

/* per_stack: how many of the objects each traceback allocated. */
static void choose(const struct py_tracemalloc *traced, const uint64_t *per_stack,
                   struct fi_allocations_top *ret)
{
    DF_CLEANUP_FREE struct tally *tallies = df_xcalloc(traced->stack_count, sizeof(*tallies));
    uint64_t most, line;
    size_t used = 0;

    for (uint32_t i = 0; i < traced->stack_count; i++)
        if (per_stack[i])
            tallies[used++] = (struct tally){line_key(traced, i), per_stack[i]};
    line = most_frequent(tallies, used, &ret->count);
    ret->file = traced->files[line >> 32];
    ret->line = (uint32_t)line;
    most = 0;
    for (uint32_t i = 0; i < traced->stack_count; i++)
        if (per_stack[i] > most && line_key(traced, i) == line) {
            most = per_stack[i];
            ret->stack = i;
        }
}

bool fi_allocations_top(struct fi_analysis *analysis, const uint32_t *nodes, uint32_t count,
                        struct fi_allocations_top *ret)
{
    const struct py_tracemalloc *traced = fi_traced(analysis);
    struct fi_allocations_top top = {.total = count};

    if (!traced || !traced->stack_count)
        return false;
    DF_CLEANUP_FREE uint64_t *per_stack = df_xcalloc(traced->stack_count, sizeof(*per_stack));
    for (uint32_t i = 0; i < count; i++) {
        const struct py_trace *trace = fi_allocation_of(analysis, nodes[i]);

        if (trace) {
            per_stack[trace->stack]++;
            top.traced++;
        }
    }
    if (!top.traced)
        return false;
    choose(traced, per_stack, &top);
    *ret = top;
    return true;
}

struct blocks {
    const struct py_tracemalloc *traced;
    const struct py_trace *own;
    struct fi_pool *pool;
    struct fi_allocated *items;
    uint32_t count;
    size_t capacity;
};

static const char *buffer_name(enum py_buffer_kind kind)
{
    static const char *const names[PY_BUFFER_KINDS] = {
        [PY_BUFFER_ITEMS] = "items", [PY_BUFFER_TABLE] = "table", [PY_BUFFER_VALUES] = "values",
        [PY_BUFFER_TEXT] = "text",   [PY_BUFFER_NODE] = "nodes",
    };

    return kind < PY_BUFFER_KINDS ? names[kind] : "buffer";
}

#define MAX_BLOCKS 8 /* of one object: nodes of a deque are many, and alike */

static void add_block(struct blocks *blocks, const struct py_trace *trace, const char *what)
{
    const struct py_tracemalloc *traced = blocks->traced;
    const struct py_trace_stack *stack = &traced->stacks[trace->stack];
    struct fi_allocated *made = &blocks->items[blocks->count++];

    *made = (struct fi_allocated){.what = what, .size = trace->size, .frame_total = stack->total};
    made->frame_count = stack->count < MAX_SHOWN_FRAMES ? stack->count : MAX_SHOWN_FRAMES;
    if (made->frame_total < stack->count)
        made->frame_total = stack->count == made->frame_count ? 0 : stack->count;
    made->frames = fi_pool_array(blocks->pool, made->frame_count, sizeof(*made->frames));
    for (uint32_t i = 0; i < made->frame_count; i++)
        made->frames[i] = (struct fi_allocation_frame){
            .file =
                fi_pool_text(blocks->pool, traced->files[traced->frames[stack->first + i].file]),
            .line = traced->frames[stack->first + i].line};
}

static void visit_buffer(void *context, uint64_t address, uint64_t size, enum py_buffer_kind kind)
{
    struct blocks *blocks = context;
    const struct py_trace *trace = py_trace_around(blocks->traced, address);

    (void)size;
    if (trace && trace != blocks->own && blocks->count < MAX_BLOCKS)
        add_block(blocks, trace, buffer_name(kind));
}

void fi_allocated_fill(struct fi_analysis *analysis, struct fi_pool *pool, uint32_t node,
                       struct fi_allocated **ret, uint32_t *ret_count)
{
    const struct gr_graph *graph = analysis->graph;
    struct blocks blocks = {.traced = fi_traced(analysis), .pool = pool};

    *ret_count = 0;
    if (!blocks.traced)
        return;
    blocks.items = fi_pool_array(pool, MAX_BLOCKS, sizeof(*blocks.items));
    blocks.own = fi_allocation_of(analysis, node);
    if (blocks.own)
        add_block(&blocks, blocks.own, "object");
    py_buffers(analysis->objects, gr_address(graph, node), gr_type(graph, node), visit_buffer,
               &blocks);
    *ret = blocks.items;
    *ret_count = blocks.count;
}

/* The objects that a finding is about: those of its type that its holder alone keeps alive; all of
 * the type where these are less than half of what it counts. */
struct subject {
    struct fi_context *context;
    uint8_t *wanted; /* per type */
    uint32_t *nodes;
    uint32_t count;
};

static void collect_below(struct subject *subject, uint32_t top)
{
    const struct fi_analysis *a = subject->context->analysis;
    DF_CLEANUP_FREE uint32_t *queue = df_xcalloc(a->graph->count, sizeof(*queue));
    uint32_t used = 0;

    queue[used++] = top;
    for (uint32_t head = 0; head < used; head++) {
        struct fi_children children = fi_children(a, queue[head]);

        for (uint32_t child; fi_next_child(&children, &child);) {
            queue[used++] = child;
            if (subject->wanted[gr_type(a->graph, child)])
                subject->nodes[subject->count++] = child;
        }
    }
}

static void collect_all(struct subject *subject)
{
    const struct gr_graph *graph = subject->context->analysis->graph;

    subject->count = 0;
    for (uint32_t v = 0; v < graph->count; v++)
        if (subject->wanted[gr_type(graph, v)])
            subject->nodes[subject->count++] = v;
}

static void collect(struct subject *subject, const struct fi_finding *finding)
{
    const struct fi_analysis *a = subject->context->analysis;
    uint32_t holder =
        finding->holder.address ? gr_node(a->graph, finding->holder.address) : AL_NONE;

    subject->count = 0;
    for (uint32_t i = 0; i < py_type_count(a->objects); i++)
        subject->wanted[i] = !strcmp(py_type_at(a->objects, i)->name, finding->type);
    if (holder != AL_NONE)
        collect_below(subject, holder);
    if (subject->count < finding->count / 2 || !subject->count)
        collect_all(subject);
}

/* ", called from a.py:3, b.py:7": what stands behind the line, a few calls of it. */
#define MAX_CALLERS 3

static const char *callers(struct fi_context *context, const struct py_tracemalloc *traced,
                           uint32_t stack)
{
    const struct py_trace_stack *found = &traced->stacks[stack];
    const char *text = "";

    for (uint32_t i = 1; i < found->count && i <= MAX_CALLERS; i++) {
        const struct py_trace_frame *frame = &traced->frames[found->first + i];

        text = fi_pool_format(context->pool, "%s%s%s:%" PRIu32, text,
                              i == 1 ? ", called from " : " ← ", traced->files[frame->file],
                              frame->line);
    }
    return text;
}

static const char *sentence(struct fi_context *context, const struct fi_allocations_top *top)
{
    const char *from = callers(context, fi_traced(context->analysis), top->stack), *late = "";

    if (top->traced < top->total)
        late = fi_pool_format(context->pool, "; tracemalloc knows nothing of %s",
                              fi_number_phrase(top->total - top->traced).text);
    if (top->total == 1)
        return fi_pool_format(context->pool, "it was allocated at %s:%" PRIu32 "%s", top->file,
                              top->line, from);
    if (top->count == top->total)
        return fi_pool_format(context->pool, "all %s were allocated at %s:%" PRIu32 "%s",
                              fi_number_phrase(top->total).text, top->file, top->line, from);
    return fi_pool_format(context->pool, "%s were allocated at %s:%" PRIu32 " (%s of %s)%s%s",
                          top->count > top->total / 2 ? "most" : "more than anywhere else",
                          top->file, top->line, fi_number_phrase(top->count).text,
                          fi_number_phrase(top->total).text, from, late);
}

struct df_err *fi_add_allocation_sites(struct fi_context *context)
{
    struct fi_analysis *a = context->analysis;
    struct subject subject = {.context = context};
    struct df_err *err;

    if (!fi_traced(a))
        return NULL;
    subject.wanted = df_xcalloc(py_type_count(a->objects) + 1u, 1);
    err = df_array(a->graph->count, sizeof(*subject.nodes), &subject.nodes);
    for (uint32_t i = 0; i < context->verdict->finding_count && !err; i++) {
        struct fi_finding *finding = &context->verdict->findings[i];
        struct fi_allocations_top top;

        if (!finding->type)
            continue;
        collect(&subject, finding);
        if (fi_allocations_top(a, subject.nodes, subject.count, &top))
            fi_evidence(context, finding, sentence(context, &top));
    }
    free(subject.wanted);
    free(subject.nodes);
    return err;
}
