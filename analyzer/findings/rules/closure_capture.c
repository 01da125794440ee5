/* SPDX-License-Identifier: MIT
 * closure_capture.c: which functions keep alive what they captured?
 *
 * Either many functions (callbacks, lambdas) that each capture something, kept in one container;
 * or one function, a variable of whose closure holds much.
 */
#include "analyzer/findings/rules/accuse.h"

#include <string.h>

#include "dumpfmt/base/mem.h"

#define LEAST 100
#define MOSTLY 0.5 /* of the suspect's weight hangs on functions */

struct captured {
    uint64_t functions, retained;
    uint32_t type; /* of the heaviest object in a cell of the first functions */
};

/* The type of the heaviest object in the cells of a function. */
static uint32_t captured_type(const struct fi_analysis *analysis, uint32_t function)
{
    const struct gr_graph *graph = analysis->graph;
    uint32_t best = AL_NONE;
    for (uint32_t e = graph->start[function]; e < graph->start[function + 1]; e++) {
        uint32_t cells = graph->target[e];
        if (fi_idom(analysis, cells) != function || strcmp(fi_type_name(analysis, cells), "tuple"))
            continue;
        for (uint32_t k = graph->start[cells]; k < graph->start[cells + 1]; k++) {
            uint32_t cell = graph->target[k];
            if (strcmp(fi_type_name(analysis, cell), "cell") ||
                graph->start[cell] == graph->start[cell + 1])
                continue;
            uint32_t held = graph->target[graph->start[cell]];
            if (fi_idom(analysis, held) == cell &&
                (best == AL_NONE || fi_retained(analysis, held) > fi_retained(analysis, best)))
                best = held;
        }
    }
    return best == AL_NONE ? PY_NO_TYPE : gr_type(graph, best);
}

/* Functions below a container: its elements, or those of what is in it. */
static void find_functions(const struct fi_analysis *analysis, const uint8_t *is_function,
                           uint32_t node, int depth, struct captured *captured)
{
    const struct gr_graph *graph = analysis->graph;
    for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++) {
        uint32_t item = graph->target[e];
        if (!fi_holds_alone(analysis, node, item))
            continue;
        if (!is_function[gr_type(graph, item)]) {
            if (depth)
                find_functions(analysis, is_function, item, depth - 1, captured);
            continue;
        }
        captured->functions++;
        captured->retained += fi_retained(analysis, item);
        if (captured->type == PY_NO_TYPE)
            captured->type = captured_type(analysis, item);
    }
}

static void accuse_crowd(struct fi_context *context, const struct fi_rule *rule,
                         const struct fi_suspect *suspect, const struct captured *captured)
{
    const char *type =
        captured->type == PY_NO_TYPE
            ? NULL
            : fi_pool_text(context->pool,
                           py_type_at(context->analysis->objects, captured->type)->name);
    struct fi_charge charge = {
        .what = fi_pool_format(
            context->pool, "%s of functions%s%s%s", fi_container_phrase(context, suspect),
            type ? " that captured each a `" : "", type ? type : "", type ? "`" : ""),
        .advice = "Take the functions out when they have run; let them capture only what they need "
                  "(an id, not the object), or a weak reference to it.",
        .count = captured->functions,
    };
    struct fi_finding *finding = fi_accuse(context, rule, suspect, &charge);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "%s functions keep %s alive, about %s each",
                               fi_number_phrase(captured->functions).text,
                               fi_bytes_phrase(captured->retained).text,
                               fi_bytes_phrase(captured->retained / captured->functions).text));
}

static void accuse_variable(struct fi_context *context, const struct fi_rule *rule,
                            const struct fi_suspect *suspect, const char *name)
{
    struct fi_charge charge = {
        .what = fi_pool_format(context->pool, "%s: the variable `%s` of a function's closure",
                               fi_container_phrase(context, suspect), name),
        .advice = "What a function captures lives as long as the function: empty it when it has "
                  "served, or pass it as an argument.",
    };
    fi_accuse(context, rule, suspect, &charge);
}

struct df_err *fi_ask_closure_capture(struct fi_context *context, const struct fi_rule *rule)
{
    const struct py_objects *objects = context->analysis->objects;
    uint32_t types = py_type_count(objects);
    DF_CLEANUP_FREE uint8_t *is_function = df_xcalloc(types, 1);
    for (uint32_t i = 0; i < types; i++)
        is_function[i] = !strcmp(py_type_at(objects, i)->name, "function");
    DF_CLEANUP_FREE uint8_t *has_any = fi_suspects_with(context, is_function);
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        if (fi_is_explained(context, suspect))
            continue;
        struct captured captured = {.type = PY_NO_TYPE};
        if (has_any[i])
            find_functions(context->analysis, is_function, suspect->node, 2, &captured);
        const char *name = fi_closure_variable(context, suspect);
        if (captured.functions >= LEAST &&
            (double)captured.retained >= MOSTLY * (double)suspect->semantic)
            accuse_crowd(context, rule, suspect, &captured);
        else if (name)
            accuse_variable(context, rule, suspect, name);
    }
    return NULL;
}
