/* SPDX-License-Identifier: MIT
 * runtime_modules.c: which modules were made again and again?
 *
 * What is imported under a new name each time (plugins, generated code, reloads that keep the old
 * one) stays in sys.modules with its functions, classes and constants. Modules are roots, so none
 * of them shows among the holders; those of one name but for its digits are counted together.
 */
#include "analyzer/findings/rules/accuse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define LEAST 50
#define SHARE 25 /* and 4 % of the heap */

struct module {
    char *name; /* digits as one star */
    uint32_t node;
};

struct modules {
    struct module *items;
    size_t count, capacity;
};

static char *starred(const char *name)
{
    char *plain = df_xcalloc(strlen(name) + 1, 1);
    size_t used = 0;
    for (const char *at = name; *at; at++)
        if (!isdigit((unsigned char)*at))
            plain[used++] = *at;
        else if (!used || plain[used - 1] != '*')
            plain[used++] = '*';
    return plain;
}

static int compare_modules(const void *left, const void *right)
{
    const struct module *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->node > b->node) - (a->node < b->node);
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct module *first, size_t count, uint64_t retained)
{
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->holder = fi_holder_make(context, first->node);
    finding->holder.path = fi_pool_text(context->pool, "sys.modules");
    finding->holder.text = fi_pool_format(context->pool, "modules named `%s`", first->name);
    finding->holder.retained_bytes = finding->holder.semantic_bytes = retained;
    finding->type = "module";
    finding->count = count;
    finding->shallow_bytes = context->analysis->graph->size[first->node] * count;
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
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    struct modules modules = {0};
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        const struct gr_root *root = gr_root_of(graph, graph->root_nodes[i]);
        if (root && root->kind == GR_ROOT_MODULE && strpbrk(root->path, "0123456789"))
            DF_PUSH(&modules, (struct module){starred(root->path), root->node});
    }
    if (modules.count)
        qsort(modules.items, modules.count, sizeof(struct module), compare_modules);
    size_t first = 0;
    uint64_t retained = 0;
    for (size_t i = 0; i <= modules.count; i++) {
        if (i == modules.count || strcmp(modules.items[i].name, modules.items[first].name) != 0) {
            if (i - first >= LEAST && retained >= analysis->total_bytes / SHARE)
                accuse(context, rule, &modules.items[first], i - first, retained);
            first = i;
            retained = 0;
        }
        if (i < modules.count)
            retained += analysis->retained[modules.items[i].node];
    }
    for (size_t i = 0; i < modules.count; i++)
        free(modules.items[i].name);
    free(modules.items);
    return NULL;
}
