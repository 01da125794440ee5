/* SPDX-License-Identifier: MIT
 * atexit.c: who registers at every request what is to be done at the end of the process?
 *
 * atexit keeps its callbacks up to 3.9 in the state of its module; then in a table of C, whose
 * entries are roots of their own ("<interpreter>.atexit.callbacks[17].func"); from 3.14 on in a
 * list, which is a suspect like any other (frameworks.c).
 */
#include "analyzer/findings/rules/accuse.h"

#include <string.h>

#define LEAST 100
#define SHARE 66 /* 1.5 % of the heap */

static const char table[] = "atexit.callbacks[";

static bool is_entry(const struct gr_root *root)
{
    const char *at = root ? strstr(root->path, table) : NULL;
    return at && at - root->path < 40; /* behind the interpreter's name, not in some key */
}

/* What a callback is about: the object that a method is bound to. */
static uint32_t subject(const struct fi_analysis *analysis, uint32_t callback)
{
    const struct gr_graph *graph = analysis->graph;
    if (strcmp(fi_type_name(analysis, callback), "method") != 0)
        return callback;
    for (uint32_t e = graph->start[callback]; e < graph->start[callback + 1]; e++)
        if (strcmp(fi_type_name(analysis, graph->target[e]), "function") != 0)
            return graph->target[e];
    return callback;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule, uint32_t first,
                   uint64_t count, uint64_t retained)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t about = subject(analysis, first);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->holder = fi_holder_make(context, first);
    finding->holder.path = "<interpreter>.atexit.callbacks";
    finding->holder.text = "the callbacks that were registered with atexit";
    finding->holder.retained_bytes = finding->holder.semantic_bytes = retained;
    finding->type = fi_pool_text(context->pool, fi_type_name(analysis, about));
    finding->count = count;
    finding->shallow_bytes = gr_size(analysis->graph, about) * count;
    finding->retained_bytes = retained;
    finding->severity = fi_gravity(context, retained, count);
    finding->title = fi_pool_format(
        context->pool,
        "%s callbacks registered with atexit (%s, %s of the heap) wait for the end "
        "of the process, such as of `%s`",
        fi_number_phrase(count).text, fi_bytes_phrase(retained).text,
        fi_percent_phrase(retained, context->verdict->heap_bytes).text, finding->type);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "each keeps about %s alive",
                               fi_bytes_phrase(retained / count).text));
    finding->advice = "Register one callback for the process, not one for each object; call "
                      "atexit.unregister() when an object is done, or use weakref.finalize.";
    finding->signature =
        fi_pool_format(context->pool, "%s:%s:%s", rule->name, finding->holder.path, finding->type);
}

struct registered {
    uint64_t count, retained;
    uint32_t first; /* a method, if there is one */
};

static void add(const struct fi_analysis *analysis, struct registered *all, uint32_t node,
                bool callback)
{
    all->retained += fi_retained(analysis, node);
    if (!callback)
        return;
    all->count++;
    if (all->first == AL_NONE || !strcmp(fi_type_name(analysis, node), "method"))
        all->first = node;
}

/* What the module's own m_traverse visits (Modules/atexitmodule.c, 3.8 and 3.9): function,
 * arguments and keywords of each callback. */
static void add_state(const struct fi_analysis *analysis, struct registered *all)
{
    static const char *const callables[] = {
        "method",           "function", "functools.partial", "builtin_function_or_method",
        "weakref.finalize", NULL};
    const struct gr_graph *graph = analysis->graph;
    uint64_t address = py_module(analysis->objects, "atexit");
    uint32_t module = address ? gr_node(graph, address) : AL_NONE;
    if (module == AL_NONE)
        return;
    for (uint32_t e = graph->start[module]; e < graph->start[module + 1]; e++) {
        uint32_t node = graph->target[e];
        if (fi_idom(analysis, node) == module && strcmp(fi_type_name(analysis, node), "dict") != 0)
            add(analysis, all, node, fi_is_a(analysis, node, callables));
    }
}

struct df_err *fi_ask_atexit(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    struct registered all = {.first = AL_NONE};
    add_state(analysis, &all);
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        uint32_t node = graph->root_nodes[i];
        const struct gr_root *root = gr_root_of(graph, node);
        if (!is_entry(root) || fi_idom(analysis, node) != AL_ROOT)
            continue;
        add(analysis, &all, node, strstr(root->path, "].func") != NULL);
    }
    if (all.count >= LEAST && all.retained >= analysis->total_bytes / SHARE)
        accuse(context, rule, all.first, all.count, all.retained);
    return NULL;
}
