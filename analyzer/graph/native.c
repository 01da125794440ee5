/* SPDX-License-Identifier: MIT
 * native.c: the words, place by place, and their names.
 *
 * A stack is read from a little below its pointer (the red zone of the x86-64 ABI, where a leaf
 * function has its variables) to the thread's control block, which lies above it in the same
 * mapping, or to the mapping's end.
 */
#include "analyzer/graph/native.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/algo/csr.h"
#include "analyzer/graph/sort.h"
#include "dumpfmt/base/mem.h"

#define RED_ZONE 128
#define GC_HEAD 16
#define CONTROL_BLOCK 4096 /* of a thread, above its thread pointer (struct pthread of glibc) */
#define TLS_BELOW 8192     /* thread-local variables, where the stack is elsewhere */
#define STACK_NAMES 4096   /* words below which a return address is looked for */

struct scan {
    const struct py *py;
    uint64_t low, high;
    gr_native_visitor visit;
    void *context;
};

static void look(const struct scan *scan, uint64_t word, const struct gr_native *at)
{
    if (word - scan->low < scan->high - scan->low)
        scan->visit(scan->context, word, at);
}

/* All aligned words of [start, end), as far as they are there. */
static void read_words(const struct scan *scan, uint64_t start, uint64_t end, struct gr_native at)
{
    const struct df_aspace *space = scan->py->dump->space;

    start = (start + 7) & ~UINT64_C(7);
    while (start < end) {
        uint64_t more = df_contiguous(space, start), word;
        const uint8_t *bytes;

        if (more > end - start)
            more = end - start;
        if (more < 8)
            return;
        bytes = df_ptr(space, start, more);
        if (!bytes)
            return;
        for (uint64_t i = 0; i + 8 <= more; i += 8) {
            memcpy(&word, bytes + i, 8);
            if (word & 7)
                continue;
            at.address = start + i;
            look(scan, word, &at);
        }
        start += more & ~UINT64_C(7);
    }
}

static void scan_data(const struct scan *scan)
{
    const struct df_modules *modules = scan->py->dump->modules;

    for (uint32_t m = 0; m < modules->count; m++)
        for (uint32_t l = 0; l < modules->items[m].load_count; l++) {
            const struct df_load *load = &modules->items[m].loads[l];

            if (load->flags & PF_W)
                read_words(scan, load->start, load->end,
                           (struct gr_native){.place = GR_NATIVE_DATA, .index = m});
        }
}

static void scan_stack(const struct scan *scan, uint32_t l)
{
    const struct df_core *core = scan->py->dump->core;
    const struct df_lwp *lwp = &core->lwps[l];
    const struct df_segment *segment = df_core_segment(core, lwp->sp);
    struct gr_native at = {.place = GR_NATIVE_STACK, .index = l};
    uint64_t start = lwp->sp > RED_ZONE ? lwp->sp - RED_ZONE : 0, end = 0;

    if (segment) {
        end = segment->address + segment->file_size;
        if (lwp->tls > start && lwp->tls < end && end - lwp->tls > CONTROL_BLOCK)
            end = lwp->tls + CONTROL_BLOCK;
        read_words(scan, start, end, at);
    }
    if (lwp->tls > TLS_BELOW && (lwp->tls < start || lwp->tls >= end))
        read_words(scan, lwp->tls - TLS_BELOW, lwp->tls + CONTROL_BLOCK, at);
}

static void scan_threads(const struct scan *scan)
{
    const struct df_core *core = scan->py->dump->core;

    for (uint32_t l = 0; l < core->lwp_count; l++) {
        scan_stack(scan, l);
        for (uint32_t r = 0; r < core->lwps[l].register_count && r < DF_MAX_REGISTERS; r++) {
            struct gr_native at = {.place = GR_NATIVE_REGISTER, .index = l, .address = r};

            if (!(core->lwps[l].registers[r] & 7))
                look(scan, core->lwps[l].registers[r], &at);
        }
    }
}

/* The value stack of a frame beyond what is known to be valid. */
static void scan_frame(const struct scan *scan, uint32_t t, uint32_t f)
{
    const struct py_frame *frame = &scan->py->threads[t].frames[f];
    struct py_reader reader = py_reader(scan->py);
    uint64_t known = frame->slot_count + (uint64_t)frame->stack_count;
    uint64_t stack = (uint32_t)PY_GET(&reader, frame->code, code, co_stacksize);
    struct gr_native at = {.place = GR_NATIVE_FRAME, .index = t, .frame = f};

    if (reader.fault || stack > PY_MAX_LOCALS || frame->stack_count)
        return;
    for (uint64_t i = 0; i < stack; i++) {
        uint64_t word = py_word(&reader, frame->localsplus + (known + i) * 8);

        at.address = frame->localsplus + (known + i) * 8;
        word = word ? py_slot_object(scan->py, word, NULL) : 0;
        if (word && !(word & 7))
            look(scan, word, &at);
    }
}

static void scan_frames(const struct scan *scan)
{
    for (uint32_t t = 0; t < scan->py->thread_count; t++)
        for (uint32_t f = 0; f < scan->py->threads[t].frame_count; f++)
            scan_frame(scan, t, f);
}

static void scan_blocks(const struct scan *scan, const struct gr_sweep *sweep)
{
    for (size_t i = 0; sweep && i < sweep->foreign_count; i++)
        read_words(scan, sweep->foreign[i].start, sweep->foreign[i].end,
                   (struct gr_native){.place = GR_NATIVE_BLOCK, .block = sweep->foreign[i].start});
}

struct known { /* memory that is read elsewhere, or is nobody's business */
    struct {
        struct gr_span *items;
        size_t count, capacity;
    } spans;
};

static int by_start(const void *left, const void *right)
{
    const struct gr_span *a = left, *b = right;

    return a->start < b->start ? -1 : a->start > b->start;
}

static void add_span(struct known *known, uint64_t start, uint64_t end)
{
    if (start < end)
        DF_PUSH(&known->spans, (struct gr_span){start, end});
}

static void find_known(const struct py *py, const struct gr_sweep *sweep, struct known *known)
{
    const struct df_modules *modules = py->dump->modules;
    const struct df_core *core = py->dump->core;

    for (size_t i = 0; i < sweep->span_count; i++)
        add_span(known, sweep->spans[i].start, sweep->spans[i].end);
    for (uint32_t m = 0; m < modules->count; m++)
        add_span(known, modules->items[m].start, modules->items[m].end);
    for (uint32_t l = 0; l < core->lwp_count; l++) {
        const struct df_segment *segment = df_core_segment(core, core->lwps[l].sp);

        if (segment)
            add_span(known, segment->address, segment->address + segment->memory_size);
    }
    if (known->spans.count)
        qsort(known->spans.items, known->spans.count, sizeof(*known->spans.items), by_start);
}

/* Writable memory that is no allocator's, no file's and no thread's stack: stacks of coroutines
 * that are switched in C, and their frames (greenlet). */
static void scan_mappings(const struct scan *scan, const struct gr_sweep *sweep)
{
    const struct df_core *core = scan->py->dump->core;
    struct known known = {0};
    size_t next = 0;

    if (!sweep)
        return;
    find_known(scan->py, sweep, &known);
    for (uint32_t i = 0; i < core->segment_count; i++) {
        const struct df_segment *segment = &core->segments[i];
        uint64_t at = segment->address, end = segment->address + segment->file_size;

        while ((segment->flags & PF_W) && at < end) {
            uint64_t stop = end;

            while (next < known.spans.count && known.spans.items[next].end <= at)
                next++;
            if (next < known.spans.count && known.spans.items[next].start < stop)
                stop = known.spans.items[next].start;
            if (at < stop)
                read_words(scan, at, stop,
                           (struct gr_native){.place = GR_NATIVE_MAPPING, .block = at});
            at = stop < end ? known.spans.items[next].end : end;
        }
    }
    free(known.spans.items);
}

void gr_native_scan(const struct py *py, const struct gr_sweep *sweep, uint64_t low, uint64_t high,
                    gr_native_visitor visit, void *context)
{
    struct scan scan = {.py = py, .low = low, .high = high, .visit = visit, .context = context};

    scan_data(&scan);
    scan_frames(&scan);
    scan_threads(&scan);
    scan_blocks(&scan, sweep);
    scan_mappings(&scan, sweep);
}

struct found {
    const struct gr_graph *graph;
    uint32_t node;
    struct {
        struct gr_native *items;
        size_t count, capacity;
    } words;
};

bool gr_native_in_object(const struct gr_graph *graph, const struct gr_native *word)
{
    uint32_t node = gr_node_containing(graph, word->address);

    /* sys.getsizeof adds the collector's header even for those that have none. */
    return node != AL_NONE &&
           word->address - gr_address(graph, node) + GC_HEAD < gr_size(graph, node);
}

static void keep(void *context, uint64_t target, const struct gr_native *word)
{
    struct found *found = context;
    struct gr_native copy = *word;

    (void)target;
    if (word->place == GR_NATIVE_DATA && gr_native_in_object(found->graph, word))
        return;
    copy.node = found->node;
    DF_PUSH(&found->words, copy);
}

static void keep_loss(void *context, uint64_t object, uint32_t number)
{
    struct found *found = context;

    if (object == gr_address(found->graph, found->node))
        DF_PUSH(&found->words,
                (struct gr_native){.node = found->node, .place = GR_NATIVE_LOST, .index = number});
}

static void keep_any(void *context, uint64_t target, const struct gr_native *word)
{
    struct found *found = context;
    struct gr_native copy = *word;

    copy.node = gr_node(found->graph, target);
    if (copy.node == AL_NONE ||
        (word->place == GR_NATIVE_DATA && gr_native_in_object(found->graph, word)))
        return;
    DF_PUSH(&found->words, copy);
}

static void keep_any_loss(void *context, uint64_t object, uint32_t number)
{
    struct found *found = context;
    uint32_t node = gr_node(found->graph, object);

    if (node != AL_NONE)
        DF_PUSH(&found->words,
                (struct gr_native){.node = node, .place = GR_NATIVE_LOST, .index = number});
}

/* The order of a node's words is that in which they were found. */
static struct df_err *sort_words(struct found *found)
{
    DF_CLEANUP_FREE uint64_t *keys = NULL;
    DF_CLEANUP_FREE uint32_t *order = NULL;
    struct gr_native *sorted = df_xcalloc(found->words.count + 1, sizeof(*sorted));

    DF_TRY(df_array(found->words.count, sizeof(*keys), &keys));
    DF_TRY(df_array(found->words.count, sizeof(*order), &order));
    for (size_t i = 0; i < found->words.count; i++)
        keys[i] = found->words.items[i].node;
    DF_TRY(gr_sort(keys, (uint32_t)found->words.count, order));
    for (size_t i = 0; i < found->words.count; i++)
        sorted[i] = found->words.items[order[i]];
    free(found->words.items);
    found->words.items = sorted;
    return NULL;
}

struct gr_native *gr_native_find_all(const struct py *py, const struct gr_graph *graph,
                                     size_t *ret_count)
{
    struct found found = {.graph = graph};
    struct df_err *err = NULL;

    if (graph->count)
        gr_native_scan(py, graph->sweep, gr_address(graph, 0),
                       gr_address(graph, graph->count - 1) + 1, keep_any, &found);
    py_losses(py, keep_any_loss, &found);
    err = sort_words(&found);
    df_err_free(err); /* without memory for it the rows stay as they are: not found by node */
    *ret_count = found.words.count;
    return found.words.items;
}

/* Those of a node among all, by a snapshot. */
static void find_kept(const struct gr_graph *graph, uint32_t node, struct found *found)
{
    size_t low = 0, high = graph->word_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (graph->words[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < graph->word_count && graph->words[low].node == node; low++)
        DF_PUSH(&found->words, graph->words[low]);
}

struct gr_native *gr_native_find(const struct py *py, const struct gr_graph *graph, uint32_t node,
                                 size_t *ret_count)
{
    struct found found = {.graph = graph, .node = node};
    uint64_t address = gr_address(graph, node);

    if (graph->is_mapped) {
        find_kept(graph, node, &found);
    } else {
        gr_native_scan(py, graph->sweep, address, address + 1, keep, &found);
        py_losses(py, keep_loss, &found);
    }
    *ret_count = found.words.count;
    return found.words.items;
}

bool gr_native_is_global(const struct py *py, const struct gr_native *word)
{
    return word->place == GR_NATIVE_DATA && &py->dump->modules->items[word->index] != py->module;
}

static char *data_name(const struct py *py, const struct gr_native *word)
{
    struct df_module *module = &py->dump->modules->items[word->index];
    const struct df_symbol *symbol = df_module_symbol_at(module, word->address);
    uint64_t offset = symbol ? word->address - symbol->address : word->address - module->start;

    if (!symbol)
        return df_xasprintf("%s+0x%llx", module->name, (unsigned long long)offset);
    if (!offset)
        return df_xasprintf("%s: %s", module->name, symbol->name);
    return df_xasprintf("%s: %s+0x%llx", module->name, symbol->name, (unsigned long long)offset);
}

/* The function whose frame a word of a stack is in, as far as return addresses tell: the first one
 * above the word returns into the caller of the function that the word is of. Frames are not
 * unwound: what a return address was before may still lie there. NULL: not known. */
static const char *stack_function(const struct py *py, uint64_t address)
{
    for (uint64_t at = address + 8; at < address + STACK_NAMES * 8; at += 8) {
        const struct df_symbol *symbol;
        struct df_module *module;
        const struct df_range *range;
        uint64_t word;

        if (!df_u64(py->dump->space, at, &word))
            return NULL;
        range = df_aspace_range(py->dump->space, word);
        if (!range || !(range->flags & PF_X))
            continue;
        module = df_module_at(py->dump->modules, word);
        symbol = module ? df_module_symbol_at(module, word) : NULL;
        if (symbol && symbol->type == DF_SYMBOL_FUNCTION && word > symbol->address)
            return symbol->name;
    }
    return NULL;
}

static char *stack_name(const struct py *py, const struct gr_native *word)
{
    const char *function = stack_function(py, word->address);
    int tid = py->dump->core->lwps[word->index].tid;

    return function ? df_xasprintf("stack of thread %d, called by %s", tid, function)
                    : df_xasprintf("stack of thread %d", tid);
}

static const char *import_name(const struct py *py, const struct gr_native *word)
{
    const struct df_modules *modules = py->dump->modules;

    return word->index < modules->count ? modules->items[word->index].name : "a module of Cython's";
}

char *gr_native_name(const struct py *py, const struct gr_native *word)
{
    switch (word->place) {
    case GR_NATIVE_DATA:
        return data_name(py, word);
    case GR_NATIVE_STACK:
        return stack_name(py, word);
    case GR_NATIVE_REGISTER:
        return df_xasprintf("register %u of thread %d", (unsigned)word->address,
                            py->dump->core->lwps[word->index].tid);
    case GR_NATIVE_FRAME:
        return df_xasprintf("value stack of frame %u", word->frame);
    case GR_NATIVE_LOST:
        return df_xasprintf("lost by CPython itself: %s", py_loss_text(word->index));
    case GR_NATIVE_IMPORT:
        return df_xasprintf("lost once, when %s was imported", import_name(py, word));
    case GR_NATIVE_MAPPING:
        return df_xasprintf("memory mapped at 0x%llx, +0x%llx", (unsigned long long)word->block,
                            (unsigned long long)(word->address - word->block));
    case GR_NATIVE_OBJECT:
        return df_xasprintf("object 0x%llx, at offset %llu", (unsigned long long)word->block,
                            (unsigned long long)(word->address - word->block));
    default:
        return df_xasprintf("heap block 0x%llx+0x%llx", (unsigned long long)word->block,
                            (unsigned long long)(word->address - word->block));
    }
}
