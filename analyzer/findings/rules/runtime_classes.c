/* SPDX-License-Identifier: MIT
 * runtime_classes.c: which classes were made again and again at run time?
 *
 * A namedtuple, dataclass or type() call in a function makes a class each time: with its dict, its
 * methods and its entry among the subclasses of its bases a few kilobytes. Classes of one name (but
 * for its digits) are counted together, whoever holds them.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/places.h"
#include "analyzer/findings/rules/namesakes.h"
#include "dumpfmt/base/mem.h"

#define LEAST 200
#define SHARE 50 /* and a fiftieth of the heap */

static struct df_err *find_classes(const struct fi_context *context, struct fi_namesakes *classes)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects), count;
    DF_CLEANUP_FREE uint8_t *right = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = 0; i < types; i++)
        right[i] = (py_type_at(analysis->objects, i)->flags & PY_TPFLAGS_TYPE) != 0;
    DF_TRY(fi_nodes_of(context, right, &nodes, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = nodes[i];
        if (fi_is_garbage(analysis, node))
            continue;
        uint32_t own = py_type_index(analysis->objects, gr_address(graph, node));
        if (own == PY_NO_TYPE || !(py_type_at(analysis->objects, own)->flags & PY_TPFLAGS_HEAPTYPE))
            continue;
        fi_namesake_add(classes, py_type_at(analysis->objects, own)->name, node);
    }
    return NULL;
}

/* The suspect that holds most of these classes; NULL. */
static const struct fi_suspect *keeper(const struct fi_context *context,
                                       const struct fi_namesake *made, size_t count)
{
    const struct fi_analysis *analysis = context->analysis;
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        size_t held = 0;
        for (size_t k = 0; k < count; k++) {
            uint32_t at = fi_idom(analysis, made[k].node);
            for (int step = 0; step < 4 && at < analysis->graph->count; step++) {
                if (at == context->suspects[i].node) {
                    held++;
                    break;
                }
                at = fi_idom(analysis, at);
            }
        }
        if (held * 2 >= count)
            return &context->suspects[i];
    }
    return NULL;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_namesake *made, size_t count, uint64_t retained)
{
    const struct fi_suspect *suspect = keeper(context, made, count);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->holder = fi_holder_make(context, suspect ? suspect->node : made[0].node);
    if (suspect && suspect->semantic > retained)
        retained = suspect->semantic;
    const struct fi_analysis *analysis = context->analysis;
    uint32_t own = py_type_index(analysis->objects, gr_address(analysis->graph, made[0].node));
    if (own != PY_NO_TYPE)
        finding->type = fi_pool_text(context->pool, py_type_at(analysis->objects, own)->name);
    finding->count = count;
    finding->retained_bytes = finding->holder.semantic_bytes = retained;
    finding->severity = fi_gravity(context, retained, count);
    finding->title = fi_pool_format(
        context->pool, "%s classes named `%s` were made at run time (%s, %s of the heap)%s%s%s",
        fi_number_phrase(count).text, made[0].name, fi_bytes_phrase(retained).text,
        fi_percent_phrase(retained, context->verdict->heap_bytes).text,
        suspect ? "; they are held by `" : "", suspect ? suspect->path : "", suspect ? "`" : "");
    fi_evidence(context, finding,
                fi_pool_format(context->pool,
                               "each keeps about %s: its dict, methods, bases, and a "
                               "place among the subclasses of its bases",
                               fi_bytes_phrase(retained / count).text));
    if (suspect)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "at 0x%llx: %s",
                                   (unsigned long long)finding->holder.address,
                                   finding->holder.text));
    finding->advice =
        "Make the class once, at the top of its module; where it depends on arguments, "
        "keep what was made by these arguments (functools.lru_cache with a bound).";
    finding->signature =
        fi_pool_format(context->pool, "%s:%s:%s", rule->name,
                       suspect ? fi_path_shape(context->pool, suspect->path) : "", made[0].name);
    if (suspect)
        fi_claim(context, suspect->node);
}

struct df_err *fi_ask_runtime_classes(struct fi_context *context, const struct fi_rule *rule)
{
    struct fi_namesakes classes = {0};
    DF_TRY(find_classes(context, &classes));
    fi_namesakes_judge(context, rule, &classes, LEAST, SHARE, accuse);
    return NULL;
}
