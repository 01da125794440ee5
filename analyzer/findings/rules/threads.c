/* SPDX-License-Identifier: MIT
 * threads.c: what do threads keep: in thread locals, in variables of functions that have not
 * returned, and each a little where there are many of them?
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/places.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

#define HERD 8        /* threads that do the same */
#define HERD_SHARE 25 /* and hold 4 % of the heap */

/* A threading.local keeps a dict for each thread: in its dict of weak references (dummies,
 * localdummies) or in the dict of the thread's state. */
static bool is_thread_local(const struct fi_context *context, const struct fi_suspect *suspect)
{
    static const char *const names[] = {"_thread._local", "_threading_local.local",
                                        "_threading_local._localimpl", NULL};
    for (uint32_t i = 0; i < suspect->way_count; i++)
        if (fi_is_a(context->analysis, suspect->way[i], names))
            return true;
    return false;
}

struct df_err *fi_ask_thread_local(struct fi_context *context, const struct fi_rule *rule)
{
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        if (fi_is_explained(context, suspect) || !is_thread_local(context, suspect))
            continue;
        struct fi_charge charge = {
            .what = fi_pool_format(context->pool, "%s in a thread local (threading.local)",
                                   fi_container_phrase(context, suspect)),
            .advice = "What a thread local holds lives as long as its thread, in a pool as long as "
                      "the process: empty it at the end of each piece of work.",
        };
        fi_accuse(context, rule, suspect, &charge);
    }
    return NULL;
}

/* "<thread "worker-12">" without its number: "<thread "worker-*">". Malloc'ed. */
static char *herd_name(const char *path)
{
    char *name = df_xcalloc(strlen(path) + 2, 1);
    size_t used = 0;
    bool quoted = false, digits = false;
    for (const char *at = path; *at; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (quoted && isdigit((unsigned char)*at)) {
            if (!digits)
                name[used++] = '*';
            digits = true;
            continue;
        }
        digits = false;
        name[used++] = *at;
    }
    return name;
}

struct herd {
    char *name;
    uint32_t threads, first; /* first: the node that retains most of them */
    uint64_t retained, objects;
};

struct herds {
    struct herd *items;
    size_t count, capacity;
};

static int compare_herds(const void *left, const void *right)
{
    const struct herd *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->first > b->first) - (a->first < b->first);
}

/* What only one thread's variable holds, by the name that the variable has in all of them. */
static struct herds find_herds(const struct fi_analysis *analysis)
{
    const struct gr_graph *graph = analysis->graph;
    struct herds herds = {0};
    for (uint32_t i = 0; i < graph->root_node_count; i++) {
        uint32_t node = graph->root_nodes[i];
        const struct gr_root *root = gr_root_of(graph, node);
        if (!root || root->kind != GR_ROOT_FRAME || fi_parent(analysis, node) != AL_ROOT)
            continue;
        DF_PUSH(&herds, (struct herd){.name = herd_name(root->path),
                                      .threads = 1,
                                      .first = node,
                                      .retained = fi_retained(analysis, node),
                                      .objects = fi_retained_count(analysis, node)});
    }
    if (herds.count)
        qsort(herds.items, herds.count, sizeof(struct herd), compare_herds);
    size_t kept = 0;
    for (size_t i = 0; i < herds.count; i++) {
        struct herd *last = kept ? &herds.items[kept - 1] : NULL;
        if (!last || strcmp(last->name, herds.items[i].name) != 0) {
            herds.items[kept++] = herds.items[i];
            continue;
        }
        last->threads++;
        last->retained += herds.items[i].retained;
        last->objects += herds.items[i].objects;
        if (fi_retained(analysis, herds.items[i].first) > fi_retained(analysis, last->first))
            last->first = herds.items[i].first;
        free(herds.items[i].name);
    }
    herds.count = kept;
    return herds;
}

static void accuse_herd(struct fi_context *context, const struct fi_rule *rule,
                        const struct herd *herd)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_finding *finding = fi_finding_add(context, rule);
    struct fi_phrase bytes = fi_bytes_phrase(herd->retained);
    finding->holder = fi_holder_make(context, herd->first);
    finding->holder.path = fi_pool_text(context->pool, herd->name);
    finding->holder.text =
        fi_pool_format(context->pool, "a local variable of %s threads that do the same",
                       fi_number_phrase(herd->threads).text);
    finding->type = finding->holder.type;
    finding->count = herd->threads;
    finding->shallow_bytes = gr_size(analysis->graph, herd->first) * herd->threads;
    finding->retained_bytes = herd->retained;
    finding->holder.retained_bytes = finding->holder.semantic_bytes = herd->retained;
    finding->holder.retained_objects = herd->objects;
    finding->severity = fi_gravity(context, herd->retained, herd->threads >= 50 ? 1000 : 100);
    finding->title = fi_pool_format(
        context->pool, "%s threads that do the same hold %s (%s of the heap) in `%s`, each %s",
        fi_number_phrase(herd->threads).text, bytes.text,
        fi_percent_phrase(herd->retained, context->verdict->heap_bytes).text, finding->holder.path,
        fi_describe(context, herd->first));
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "%s objects are held by nothing else",
                               fi_number_phrase(herd->objects).text));
    finding->advice = "Let the threads end, or have a pool with a bound do their work "
                      "(concurrent.futures.ThreadPoolExecutor(max_workers=...)).";
    finding->signature =
        fi_pool_format(context->pool, "%s:%s:%s", rule->name,
                       fi_path_shape(context->pool, finding->holder.path), finding->type);
    fi_claim(context, herd->first);
}

static void ask_herds(struct fi_context *context, const struct fi_rule *rule)
{
    struct herds herds = find_herds(context->analysis);
    uint64_t floor = context->verdict->heap_bytes / HERD_SHARE;
    for (size_t i = 0; i < herds.count; i++) {
        if (herds.items[i].threads >= HERD && herds.items[i].retained >= floor &&
            !fi_is_claimed(context, herds.items[i].first))
            accuse_herd(context, rule, &herds.items[i]);
        free(herds.items[i].name);
    }
    free(herds.items);
}

/* A variable of a frame itself, or a container that it holds. */
static bool is_local(const struct fi_context *context, const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    if (!suspect->root || suspect->root->kind != GR_ROOT_FRAME)
        return false;
    for (uint32_t i = 1; i < suspect->way_count; i++)
        if (py_type_at(analysis->objects, gr_type(analysis->graph, suspect->way[i]))->python_class)
            return false;
    return true;
}

struct df_err *fi_ask_thread_frame(struct fi_context *context, const struct fi_rule *rule)
{
    ask_herds(context, rule);
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        if (fi_is_explained(context, suspect) || suspect->itself || !is_local(context, suspect))
            continue;
        const char *place = fi_place_phrase(context, suspect);
        struct fi_charge charge = {
            .what = fi_pool_format(context->pool, "%s, %s", fi_container_phrase(context, suspect),
                                   place ? place : "a local variable"),
            .advice = "The function has not returned, so its variables live: empty the container "
                      "while it runs, bound it, or hand its content on.",
        };
        fi_accuse(context, rule, suspect, &charge);
    }
    return NULL;
}
