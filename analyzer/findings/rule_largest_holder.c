/* SPDX-License-Identifier: MIT
 * rule_largest_holder.c: what holds a large part of the heap?
 *
 * Every accumulation point (holders.c) with a tenth of the heap or more, unless it is a mere
 * namespace, or garbage, which other rules tell.
 */
#include "analyzer/findings/rules.h"

#include <ctype.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define SHARE 10 /* a tenth of the heap */
#define MAX_FINDINGS 5

struct suspect {
    uint32_t node;
    struct fi_holding held;
    const char *held_name;
    bool itself; /* its own bytes are most of it */
};

static const char *title(struct fi_context *context, const struct suspect *suspect,
                         const struct fi_holder *holder)
{
    struct fi_phrase bytes = fi_bytes_phrase(holder->retained_bytes);
    struct fi_phrase share =
        fi_percent_phrase(holder->retained_bytes, context->verdict->heap_bytes);
    const struct py_type *type =
        py_type_at(context->analysis->objects, context->analysis->graph->type[suspect->node]);
    const char *phrase = fi_type_phrase(context->pool, type);
    if (suspect->itself)
        return fi_pool_format(context->pool, "`%s` is %s of %s, %s of the heap", holder->path,
                              phrase, bytes.text, share.text);
    if (suspect->held.type == PY_NO_TYPE || suspect->held.count < 2)
        return fi_pool_format(context->pool, "%s (%s of the heap) are held by `%s`, %s", bytes.text,
                              share.text, holder->path, phrase);
    return fi_pool_format(context->pool, "%s `%s` (%s, %s of the heap) are held by `%s`, %s",
                          fi_number_phrase(suspect->held.count).text, suspect->held_name,
                          bytes.text, share.text, holder->path, phrase);
}

/* The path without what differs from dump to dump: keys, indexes, thread names and numbers. */
static const char *signature(struct fi_context *context, const struct suspect *suspect,
                             const char *path)
{
    DF_CLEANUP_FREE char *plain = df_xcalloc(strlen(path) + 1, 1);
    size_t used = 0;
    unsigned depth = 0;
    char quote = 0;
    for (const char *at = path; *at; at++) {
        if (quote) {
            quote = *at == quote ? 0 : quote;
        } else if (depth && (*at == '\'' || *at == '"')) {
            quote = *at;
        } else if (*at == '[') {
            if (!depth++)
                plain[used++] = *at;
        } else if (*at == ']' && depth) {
            if (!--depth)
                plain[used++] = *at;
        } else if (!depth && !(isdigit((unsigned char)*at) && used && plain[used - 1] == '-')) {
            plain[used++] = *at;
        }
    }
    return fi_pool_format(context->pool, "largest-holder:%s:%s", plain,
                          suspect->held_name ? suspect->held_name : "");
}

static bool held_through(const struct fi_analysis *analysis, uint32_t node, const char *type)
{
    uint32_t above = analysis->idom[node];
    return !strcmp(fi_type_name(analysis, node), type) ||
           (above < analysis->graph->count && !strcmp(fi_type_name(analysis, above), type));
}

static const char *advice(const struct fi_analysis *analysis, const struct suspect *suspect)
{
    const struct py_type *type =
        py_type_at(analysis->objects, analysis->graph->type[suspect->node]);
    if (held_through(analysis, suspect->node, "functools._lru_cache_wrapper"))
        return "Give the cache a bound: functools.lru_cache(maxsize=...), or clear it with "
               "cache_clear() when its entries have served.";
    if (suspect->itself)
        return "Free it when it has served, or keep it in pieces; look at who made it so large.";
    if (type->flags & PY_TPFLAGS_DICT)
        return "Give it a bound and evict (by age or by number), or hold the values weakly "
               "(weakref.WeakValueDictionary), if others own them.";
    if (type->flags & PY_TPFLAGS_LIST || !strcmp(type->name, "set"))
        return "What is added must be removed again: look for the call that should undo the one "
               "that adds, or hold the elements weakly (weakref.WeakSet).";
    if (!strcmp(type->name, "collections.deque"))
        return "Give it a bound (maxlen=...), or make who fills it wait for who empties it.";
    return "Look at what it refers to (necropy refs, necropy show), and let go of what has served.";
}

static void add_evidence(struct fi_context *context, struct fi_finding *finding,
                         const struct suspect *suspect)
{
    const struct fi_holder *holder = &finding->holder;
    fi_evidence(context, finding,
                fi_pool_format(context->pool,
                               "it is the only way to %s object%s: %s would be free without it",
                               fi_number_phrase(holder->retained_objects).text,
                               holder->retained_objects == 1 ? "" : "s",
                               fi_bytes_phrase(holder->retained_bytes).text));
    if (suspect->held.type != PY_NO_TYPE && suspect->held.count > 1)
        fi_evidence(
            context, finding,
            fi_pool_format(context->pool, "%s `%s` retain %s, about %s each",
                           fi_number_phrase(suspect->held.count).text, suspect->held_name,
                           fi_bytes_phrase(suspect->held.retained).text,
                           fi_bytes_phrase(suspect->held.retained / suspect->held.count).text));
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "at 0x%llx: %s", (unsigned long long)holder->address,
                               holder->text));
}

static struct df_err *report(struct fi_context *context, const struct fi_rule *rule, uint32_t node)
{
    const struct fi_analysis *analysis = context->analysis;
    struct suspect suspect = {.node = node};
    DF_TRY(fi_held(analysis, node, &suspect.held));
    suspect.itself = analysis->graph->size[node] >= analysis->retained[node] / 10 * 9;
    if (suspect.held.type != PY_NO_TYPE)
        suspect.held_name =
            fi_pool_text(context->pool, py_type_at(analysis->objects, suspect.held.type)->name);

    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = fi_severity_of(context, analysis->retained[node]);
    finding->holder = fi_holder_make(context, node);
    finding->title = title(context, &suspect, &finding->holder);
    finding->type = suspect.itself ? finding->holder.type : suspect.held_name;
    finding->count = suspect.itself ? 1 : suspect.held.count;
    finding->shallow_bytes = suspect.itself ? analysis->graph->size[node] : suspect.held.shallow;
    finding->retained_bytes = analysis->retained[node];
    finding->advice = advice(analysis, &suspect);
    finding->signature = signature(context, &suspect, finding->holder.path);
    add_evidence(context, finding, &suspect);
    return NULL;
}

struct df_err *fi_ask_largest_holder(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t *nodes, count, told = 0;
    DF_TRY(fi_accumulation_points(analysis, 4 * SHARE, &nodes, &count));
    struct df_err *err = NULL;
    for (uint32_t i = 0; i < count && told < MAX_FINDINGS && !err; i++) {
        if (analysis->retained[nodes[i]] < analysis->total_bytes / SHARE)
            break;
        if (fi_is_namespace(analysis, nodes[i]) || fi_is_garbage(analysis, nodes[i]) ||
            fi_is_claimed(context, nodes[i]))
            continue;
        err = report(context, rule, nodes[i]);
        told++;
    }
    free(nodes);
    return err;
}
