/* SPDX-License-Identifier: MIT
 * runtime_modules.c: which modules were made again and again?
 *
 * What is imported under a new name each time (plugins, generated code, reloads that keep the old
 * one) stays in sys.modules with its functions, classes and constants. Modules are roots, so none
 * of them shows among the holders; those of one name but for its digits are counted together.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/namesakes.h"

#include <string.h>

#define LEAST 50
#define SHARE 25 /* and 4 % of the heap */

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_namesake *first, size_t count, uint64_t retained)
{
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->holder = fi_holder_make(context, first->node);
    finding->holder.path = fi_pool_text(context->pool, "sys.modules");
    finding->holder.text = fi_pool_format(context->pool, "modules named `%s`", first->name);
    finding->holder.retained_bytes = finding->holder.semantic_bytes = retained;
    finding->type = "module";
    finding->count = count;
    finding->shallow_bytes = gr_size(context->analysis->graph, first->node) * count;
    finding->retained_bytes = retained;
    finding->severity = fi_gravity(context, retained, count);
    finding->title = fi_pool_format(
        context->pool, "%s modules named `%s` (%s, %s of the heap) are kept by `sys.modules`",
        fi_number_phrase(count).text, first->name, fi_bytes_phrase(retained).text,
        fi_percent_phrase(retained, context->verdict->heap_bytes).text);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "each keeps about %s alive",
                               fi_bytes_phrase(retained / count).text));
    finding->advice =
        "What is imported stays: run generated code in a dict of your own that is let "
        "go (exec, runpy), or delete its entry of sys.modules when it has served.";
    finding->signature = fi_pool_format(context->pool, "%s:%s", rule->name, first->name);
}

struct df_err *fi_ask_runtime_modules(struct fi_context *context, const struct fi_rule *rule)
{
    const struct gr_graph *graph = context->analysis->graph;
    struct fi_namesakes modules = {0};
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        const struct gr_root *root = gr_root_of(graph, graph->root_nodes[i]);
        if (root && root->kind == GR_ROOT_MODULE && strpbrk(root->path, "0123456789"))
            fi_namesake_add(&modules, root->path, root->node);
    }
    fi_namesakes_judge(context, rule, &modules, LEAST, SHARE, accuse);
    return NULL;
}
