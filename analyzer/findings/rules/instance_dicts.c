/* SPDX-License-Identifier: MIT
 * instance_dicts.c: whose instances have each a dict of their own?
 *
 * Instances of a class share the table of their attributes' names (PEP 412); one that gets
 * attributes in an order of its own, too many of them, or whose __dict__ is written to directly
 * loses that and carries a whole table. Before 3.11 each instance has a dict object even so; a
 * class with __slots__ needs neither. Told for classes with very many instances.
 * Source: Objects/dictobject.c (insert_to_emptydict, insertdict, make_dict_from_instance_...).
 */
#include "analyzer/findings/rules/looks.h"
#include "analyzer/findings/rules/places.h"
#include "analyzer/findings/rules/rules.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"

#define SHARE 20 /* a twentieth of the heap could be saved */
#define GRAVE_SHARE 5
#define LEAST_INSTANCES 1000
#define MAX_FINDINGS 2
#define SOME 32   /* holders that are fetched at a time */
#define BEFORE 32 /* bytes in front of an instance, among them the pointer to its dict */

struct tally {                                         /* of a class, by its named number */
    uint64_t dicts, own, bytes, own_bytes, attributes; /* bytes: of dicts; own: sharing nothing */
    uint32_t example;
};

struct fi_instance_dicts {
    const struct fi_look *look;
    struct py_reader reader;
    struct tally *tallies;
    uint8_t *traits; /* per type */
};

enum { DICT = 1, OWNER = 2 }; /* traits: its objects are dicts; may have one for their attributes */

static uint8_t traits_of(const struct py_type *type)
{
    uint64_t unlike = PY_TPFLAGS_TYPE | PY_TPFLAGS_DICT | PY_TPFLAGS_LIST | PY_TPFLAGS_TUPLE |
                      PY_TPFLAGS_BASE_EXC;
    bool has_dict = type->dict_offset || (type->flags & PY_TPFLAGS_MANAGED_DICT);
    return (type->flags & PY_TPFLAGS_DICT ? DICT : 0) |
           (type->python_class && has_dict && !(type->flags & unlike) ? OWNER : 0);
}

static void count_one(struct fi_instance_dicts *search, uint32_t dict, uint32_t owner)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    struct tally *tally = &search->tallies[search->look->named[gr_type(graph, owner)]];
    search->reader.fault = false;
    uint64_t object = gr_address(graph, dict);
    uint64_t used = PY_PTR(&search->reader, object, dict, ma_used);
    bool own = PY_PTR(&search->reader, object, dict, ma_values) == 0;
    if (search->reader.fault || used > PY_MAX_NAME)
        return;
    tally->dicts++;
    tally->bytes += gr_size(graph, dict);
    tally->attributes += used;
    if (own) {
        tally->own++;
        tally->own_bytes += gr_size(graph, dict);
        tally->example = owner;
    } else if (!tally->own) {
        tally->example = owner;
    }
}

struct some { /* dicts whose only holders are on their way to the processor */
    struct {
        uint64_t instance;
        uint32_t dict, owner;
    } items[SOME];
    uint32_t count;
};

/* Those that are the attributes of an instance, and not one of these. */
static void look_at_some(struct fi_instance_dicts *search, struct some *some)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    for (uint32_t i = 0; i < some->count; i++) {
        uint32_t dict = some->items[i].dict, owner = some->items[i].owner;
        const struct py_type *type = search->look->types[gr_type(graph, owner)];
        uint64_t own = py_instance_dict(&search->reader, type, some->items[i].instance);
        if (own && own == gr_address(graph, dict))
            count_one(search, dict, owner);
    }
    some->count = 0;
}

/* A dict that only an instance of a Python class holds may be its attributes. */
static void look_at(struct fi_instance_dicts *search, uint32_t dict, struct some *some)
{
    const struct gr_graph *graph = search->look->analysis->graph;
    uint32_t owner = gr_only_referrer(graph, dict);
    if (owner == AL_NONE || !(search->traits[gr_type(graph, owner)] & OWNER))
        return;
    uint64_t instance = gr_address(graph, owner);
    const uint8_t *bytes = py_ptr(&search->reader, instance - BEFORE, BEFORE);
    if (bytes)
        __builtin_prefetch(bytes);
    some->items[some->count].instance = instance;
    some->items[some->count].dict = dict;
    some->items[some->count++].owner = owner;
    if (some->count == SOME)
        look_at_some(search, some);
}

/* What slots would need instead: a word for each attribute. */
static uint64_t savings(const struct tally *tally)
{
    uint64_t slots = tally->attributes * 8;
    return tally->dicts >= LEAST_INSTANCES && tally->bytes > slots ? tally->bytes - slots : 0;
}

static uint32_t heaviest(const struct fi_instance_dicts *search, uint32_t types)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < types; i++)
        if (savings(&search->tallies[i]) > savings(&search->tallies[best]))
            best = i;
    return best;
}

static void report(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_instance_dicts *search, uint32_t type)
{
    const struct tally *tally = &search->tallies[type];
    uint64_t heap = context->verdict->heap_bytes, saved = savings(tally);
    bool lost = tally->own > tally->dicts / 2;
    struct fi_finding *finding = fi_finding_add(context, rule);
    struct fi_place place = fi_commonest_place(context, &tally->example, 1);
    finding->severity = lost && saved >= heap / GRAVE_SHARE ? FI_MEDIUM : FI_LOW;
    finding->type = fi_pool_text(context->pool, py_type_at(context->analysis->objects, type)->name);
    finding->count = lost ? tally->own : tally->dicts;
    finding->shallow_bytes = tally->bytes;
    finding->retained_bytes = saved;
    finding->holder = fi_place_holder(context, &place);
    finding->title = fi_pool_format(
        context->pool,
        "%s `%s` have each a dict of their own%s: %s (%s of the heap) could be saved",
        fi_number_phrase(finding->count).text, finding->type,
        lost ? ", with a table that they could share" : "", fi_bytes_phrase(saved).text,
        fi_percent_phrase(saved, heap).text);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "%s dicts of %s in all, with %.1f attributes each",
                               fi_number_phrase(tally->dicts).text,
                               fi_bytes_phrase(tally->bytes).text,
                               (double)tally->attributes / (double)tally->dicts));
    if (tally->own)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "%s of them share no names with the others (%s)",
                                   fi_number_phrase(tally->own).text,
                                   fi_bytes_phrase(tally->own_bytes).text));
    finding->advice =
        lost ? "Set all attributes in __init__, always in the same order, no more than 30, and "
               "delete none; do not write to __dict__ or vars(); or give the class __slots__."
             : "Give the class __slots__ (or @dataclass(slots=True)), if nobody adds attributes.";
    finding->signature = fi_pool_format(context->pool, "%s:%s", rule->name, finding->type);
}

struct df_err *fi_look_at_instance_dicts(const struct fi_look *look, struct fi_instance_dicts **ret)
{
    const struct gr_graph *graph = look->analysis->graph;
    struct fi_instance_dicts *search = df_xcalloc(1, sizeof(*search));
    struct some some = {.count = 0};
    *ret = search;
    search->look = look;
    search->reader = look->reader;
    search->tallies = df_xcalloc(look->type_count, sizeof(*search->tallies));
    search->traits = df_xcalloc(look->type_count, sizeof(*search->traits));
    for (uint32_t i = 0; i < look->type_count; i++)
        search->traits[i] = traits_of(look->types[i]);
    for (uint32_t node = 0; node < graph->count; node++) {
        if (!(search->traits[gr_type(graph, node)] & DICT) || fi_is_garbage(look->analysis, node))
            continue;
        look_at(search, node, &some);
    }
    look_at_some(search, &some);
    return NULL;
}

void fi_instance_dicts_free(struct fi_instance_dicts *dicts)
{
    if (!dicts)
        return;
    free(dicts->tallies);
    free(dicts->traits);
    free(dicts);
}

struct df_err *fi_ask_instance_dicts(struct fi_context *context, const struct fi_rule *rule)
{
    struct fi_instance_dicts *search;
    DF_TRY(fi_looked_at_instance_dicts(context->looks, &search));
    uint32_t types = search->look->type_count;
    for (int told = 0; told < MAX_FINDINGS && types; told++) {
        uint32_t type = heaviest(search, types);
        if (!savings(&search->tallies[type]) ||
            savings(&search->tallies[type]) < context->verdict->heap_bytes / SHARE)
            break;
        report(context, rule, search, type);
        search->tallies[type].dicts = 0;
    }
    return NULL;
}
