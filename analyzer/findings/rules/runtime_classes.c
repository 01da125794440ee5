/* SPDX-License-Identifier: MIT
 * runtime_classes.c: which classes were made again and again at run time?
 *
 * A namedtuple, dataclass or type() call in a function makes a class each time: with its dict, its
 * methods and its entry among the subclasses of its bases a few kilobytes. Classes of one name (but
 * for its digits) are counted together, whoever holds them.
 */
#include "analyzer/findings/rules/accuse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define LEAST 200
#define SHARE 50 /* and a fiftieth of the heap */

struct made {   /* a class */
    char *name; /* without digits */
    const char *full;
    uint32_t node;
};

struct classes {
    struct made *items;
    size_t count, capacity;
};

static char *without_digits(const char *name)
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

static int compare_made(const void *left, const void *right)
{
    const struct made *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->node > b->node) - (a->node < b->node);
}

static struct classes find_classes(const struct fi_analysis *analysis)
{
    const struct gr_graph *graph = analysis->graph;
    struct classes classes = {0};
    for (uint32_t node = 0; node < graph->count; node++) {
        const struct py_type *meta = py_type_at(analysis->objects, graph->type[node]);
        if (!(meta->flags & PY_TPFLAGS_TYPE) || fi_is_garbage(analysis, node))
            continue;
        uint32_t own = py_type_index(analysis->objects, graph->address[node]);
        if (own == PY_NO_TYPE || !(py_type_at(analysis->objects, own)->flags & PY_TPFLAGS_HEAPTYPE))
            continue;
        const char *name = py_type_at(analysis->objects, own)->name;
        DF_PUSH(&classes, (struct made){.name = without_digits(name), .full = name, .node = node});
    }
    if (classes.count)
        qsort(classes.items, classes.count, sizeof(struct made), compare_made);
    return classes;
}

/* The suspect that holds most of these classes; NULL. */
static const struct fi_suspect *keeper(const struct fi_context *context, const struct made *made,
                                       size_t count)
{
    const struct fi_analysis *analysis = context->analysis;
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        size_t held = 0;
        for (size_t k = 0; k < count; k++) {
            uint32_t at = analysis->idom[made[k].node];
            for (int step = 0; step < 4 && at < analysis->graph->count; step++) {
                if (at == context->suspects[i].node) {
                    held++;
                    break;
                }
                at = analysis->idom[at];
            }
        }
        if (held * 2 >= count)
            return &context->suspects[i];
    }
    return NULL;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule, const struct made *made,
                   size_t count, uint64_t retained)
{
    const struct fi_suspect *suspect = keeper(context, made, count);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->holder = fi_holder_make(context, suspect ? suspect->node : made[0].node);
    if (suspect && suspect->semantic > retained)
        retained = suspect->semantic;
    finding->type = fi_pool_text(context->pool, made[0].full);
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
                       suspect ? fi_masked_path(context->pool, suspect->path) : "", made[0].name);
    if (suspect)
        fi_claim(context, suspect->node);
}

struct df_err *fi_ask_runtime_classes(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    struct classes classes = find_classes(analysis);
    size_t first = 0;
    uint64_t retained = 0;
    for (size_t i = 0; i <= classes.count; i++) {
        if (i == classes.count || strcmp(classes.items[i].name, classes.items[first].name) != 0) {
            if (i - first >= LEAST && retained >= analysis->total_bytes / SHARE)
                accuse(context, rule, &classes.items[first], i - first, retained);
            first = i;
            retained = 0;
        }
        if (i < classes.count)
            retained += analysis->retained[classes.items[i].node];
    }
    for (size_t i = 0; i < classes.count; i++)
        free(classes.items[i].name);
    free(classes.items);
    return NULL;
}
