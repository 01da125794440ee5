/* SPDX-License-Identifier: MIT
 * natives.c: which native words make roots.
 *
 * A word alone proves nothing: the interpreter's own data is full of borrowed pointers, and stacks
 * of what was there before. So a word makes a root only where the ledger says that references are
 * missing (a surplus): an object whose count is explained by the heap is held by the heap. And what
 * a stack holds, some frame, container or argument mostly holds too: such words speak only for
 * objects that nothing else reaches, or they would take everything that is being worked on out of
 * the hands of those that hold it for long.
 */
#include "analyzer/graph/native.h"
#include "analyzer/graph/roots.h"
#include "dumpfmt/base/mem.h"

/* The word of a run that says most: a global, else the first. */
static const struct gr_native *best_word(const struct py *py, const struct gr_native *words,
                                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gr_native_is_global(py, &words[i]))
            return &words[i];
    return words;
}

static struct gr_root make_root(struct gr_texts *texts, struct py_objects *objects,
                                const struct py *py, const struct gr_native *word)
{
    struct gr_root root = {
        .node = word->node, .kind = GR_ROOT_NATIVE, .thread = UINT32_MAX, .frame = UINT32_MAX};
    DF_CLEANUP_FREE char *name = NULL;

    if (word->place == GR_NATIVE_FRAME) {
        root.kind = GR_ROOT_FRAME;
        root.thread = word->index;
        root.frame = word->frame;
        root.path = gr_stack_path(texts, objects, py, word);
        return root;
    }
    name = gr_native_name(py, word);
    root.path = gr_texts_format(texts, "%s", name);
    return root;
}

void gr_roots_of_natives(struct gr_reach *reach, struct gr_root_list *roots, struct gr_texts *texts,
                         struct py_objects *objects, const struct py *py, bool late)
{
    const struct gr_graph *graph = reach->graph;
    size_t count;

    if (!late && !graph->counts.reliable)
        return;
    for (size_t i = 0; i < graph->native_count; i += count) {
        const struct gr_native *words = gr_natives_of(graph, graph->natives[i].node, &count);
        const struct gr_native *word = best_word(py, words, count);

        if (late ? gr_reached(reach, word->node) : !gr_native_is_global(py, word))
            continue;
        DF_PUSH(roots, make_root(texts, objects, py, word));
        gr_reach_from(reach, word->node);
    }
}
