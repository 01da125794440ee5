/* SPDX-License-Identifier: MIT
 * opens.c: see opens.h.
 */
#include "analyzer/findings/rules/opens.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/findings/hops.h"
#include "dumpfmt/base/mem.h"

#define MAX_NAMES 3
#define NAME_TEXT 80   /* characters */
#define NEAR_LIMIT 900 /* descriptors: a process may have 1024 unless somebody has raised it */

struct facts {
    int64_t low, high; /* descriptors; -1 when none tells */
    uint64_t bytes;
    const char *names[MAX_NAMES];
    uint32_t name_count;
    const char *family;
    bool families; /* several */
};

static void add_name(struct fi_context *context, struct facts *facts, const struct py_open *open)
{
    const struct py_objects *objects = context->analysis->objects;
    uint32_t type = py_object_type(context->analysis->objects, open->name);
    if (type == PY_NO_TYPE || facts->name_count == MAX_NAMES ||
        (py_type_at(objects, type)->flags & PY_TPFLAGS_LONG)) /* a pipe is called by its number */
        return;
    char *text = py_text(context->analysis->objects, open->name, NAME_TEXT);
    facts->names[facts->name_count++] = fi_pool_take(context->pool, text);
}

/* A connection that does not say its name may have a file. */
static void add_file(struct fi_context *context, struct facts *facts, uint64_t connection)
{
    if (facts->name_count == MAX_NAMES)
        return;
    DF_CLEANUP_FREE char *file = py_sqlite_file(context->analysis->objects, connection);
    if (file)
        facts->names[facts->name_count++] =
            *file ? fi_pool_format(context->pool, "'%s'", file) : "a database in memory";
}

static struct facts gather(struct fi_context *context, const struct fi_pile *pile,
                           enum py_open_kind kind)
{
    const struct fi_analysis *analysis = context->analysis;
    struct facts facts = {.low = -1, .high = -1};
    for (uint32_t i = 0; i < pile->count; i++) {
        struct py_open open;
        py_open_read(analysis->objects, gr_address(analysis->graph, pile->members[i]), kind, &open);
        if (open.descriptor >= 0 && (facts.low < 0 || open.descriptor < facts.low))
            facts.low = open.descriptor;
        if (open.descriptor > facts.high)
            facts.high = open.descriptor;
        facts.bytes += open.bytes;
        facts.families |= facts.family && open.family != facts.family;
        facts.family = open.family;
        add_name(context, &facts, &open);
        if (kind == PY_OPEN_CONNECTION && !open.name)
            add_file(context, &facts, gr_address(analysis->graph, pile->members[i]));
    }
    return facts;
}

static void tell_names(struct fi_context *context, struct fi_finding *finding,
                       const struct facts *facts, uint64_t count)
{
    const char *text = "";
    for (uint32_t i = 0; i < facts->name_count; i++)
        text = fi_pool_format(context->pool, "%s%s%s", text, i ? ", " : "", facts->names[i]);
    if (facts->name_count)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s%s",
                                   count > facts->name_count ? "among them " : "", text));
}

static void tell(struct fi_context *context, struct fi_finding *finding,
                 const struct fi_open_words *words, const struct facts *facts)
{
    bool child = words->kind == PY_OPEN_CHILD;
    if (facts->low >= 0)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s %lld to %lld%s%s%s",
                                   child ? "process ids" : "descriptors", (long long)facts->low,
                                   (long long)facts->high, facts->family ? ", " : "",
                                   facts->families ? "several families"
                                   : facts->family ? facts->family
                                                   : "",
                                   !child && facts->high >= NEAR_LIMIT
                                       ? "; a process may have 1 024, unless somebody has raised it"
                                       : ""));
    if (facts->bytes)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s are mapped, beside the heap",
                                   fi_bytes_phrase(facts->bytes).text));
    tell_names(context, finding, facts, finding->count);
}

static enum fi_severity grade(const struct fi_open_words *words, const struct fi_pile *pile,
                              const struct facts *facts)
{
    bool near = words->kind != PY_OPEN_CHILD && facts->high >= NEAR_LIMIT;
    if (pile->count >= words->high || (near && pile->count >= words->medium))
        return FI_HIGH;
    return pile->count >= words->medium ? FI_MEDIUM : FI_LOW;
}

static void accuse(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_open_words *words, const struct fi_pile *pile)
{
    struct facts facts = gather(context, pile, words->kind);
    const char *type = fi_type_name(context->analysis, pile->members[0]);
    struct fi_finding *finding = fi_pile_accuse(context, rule, pile, type, type);
    const char *keeper = fi_pile_keeper(context, pile);
    finding->severity =
        fi_at_least(grade(words, pile, &facts), fi_severity_of(context, pile->retained));
    const char *kind =
        words->kind == PY_OPEN_CONNECTION ? fi_pool_format(context->pool, " (`%s`)", type) : "";
    finding->title = fi_pool_format(
        context->pool, "%s %s%s %s%s%s", fi_number_phrase(pile->count).text, words->thing, kind,
        words->state, keeper ? "; they are kept by " : "", keeper ? keeper : "");
    tell(context, finding, words, &facts);
    if (pile->shared && keeper)
        fi_evidence(context, finding, "others hold them too");
    finding->advice = words->advice;
}

struct df_err *fi_ask_opens(struct fi_context *context, const struct fi_rule *rule,
                            const struct fi_open_words *words)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct gr_graph *graph = analysis->graph;
    uint32_t types = py_type_count(analysis->objects), count = 0, total = 0;
    DF_CLEANUP_FREE uint8_t *right = df_xcalloc(types, 1);
    DF_CLEANUP_FREE uint32_t *nodes = NULL;
    for (uint32_t i = 0; i < types; i++)
        right[i] = py_open_kind(analysis->objects, py_type_at(analysis->objects, i)) == words->kind;
    DF_TRY(fi_nodes_of(context, right, &nodes, &total));
    for (uint32_t i = 0; i < total; i++) {
        struct py_open open;
        if (py_open_read(analysis->objects, gr_address(graph, nodes[i]), words->kind, &open) &&
            !(words->cared_for && words->cared_for(context, nodes[i])))
            nodes[count++] = nodes[i];
    }
    struct fi_piles piles;
    DF_TRY(fi_piles_find(context, nodes, count, words->least, &piles));
    for (uint32_t i = 0; i < piles.count; i++)
        accuse(context, rule, words, &piles.items[i]);
    fi_piles_deinit(&piles);
    return NULL;
}
