/* SPDX-License-Identifier: MIT
 * garbage_cycles.c: what waits for the collector, and why?
 *
 * Some garbage is normal: the collector runs every few hundred allocations. It is a finding when
 * it is much, or when the collector is off and nobody will come.
 */
#include "analyzer/findings/rules/rules.h"

#include <string.h>

#define SHARE 100 /* a hundredth of the heap */
#define MANY_OBJECTS 10000
#define NOBODY_COMES 10 /* the collector is off, and a tenth of the heap waits for it */
#define CLASS_SHARE 20  /* a class with a twentieth of the objects names them */

static const char *biggest_group(const struct fi_cycles *cycles)
{
    return cycles->group_count && cycles->groups[0].garbage ? cycles->groups[0].signature : NULL;
}

static const char *advice(const struct fi_python *python, const struct fi_garbage *garbage)
{
    if (!python->gc_enabled)
        return "The collector is off: call gc.enable(), or gc.collect() from time to time; or "
               "break the cycles (weakref for the way back).";
    if (python->frozen)
        return "Check what gc.freeze() put out of the collector's sight; break the cycles (weakref "
               "for the way back).";
    return garbage->uncollectable == garbage->objects
               ? "Replace the legacy finalizers (tp_del): the collector cannot free these."
               : "Break the cycles (weakref for the way back), or lower gc.set_threshold().";
}

static void add_evidence(struct fi_context *context, struct fi_finding *finding)
{
    const struct fi_verdict *verdict = context->verdict;
    const struct fi_python *python = &verdict->python;
    const struct fi_garbage *garbage = &verdict->garbage;
    fi_evidence(context, finding,
                fi_pool_format(context->pool,
                               "gc.collect() would return %s; %s objects (%s) would be freed",
                               fi_number_phrase(garbage->objects).text,
                               fi_number_phrase(garbage->freed_objects).text,
                               fi_bytes_phrase(garbage->bytes).text));
    fi_evidence(
        context, finding,
        fi_pool_format(context->pool,
                       "the collector is %s%s; thresholds (%d, %d, %d), counts (%d, %d, %d)",
                       python->gc_enabled ? "enabled" : "disabled",
                       python->gc_collecting ? " and was running" : "", python->thresholds[0],
                       python->thresholds[1], python->thresholds[2], python->counts[0],
                       python->counts[1], python->counts[2]));
    for (uint32_t i = 0; i < verdict->cycles.group_count && i < 3; i++) {
        const struct fi_cycle_group *group = &verdict->cycles.groups[i];
        if (group->garbage)
            fi_evidence(context, finding,
                        fi_pool_format(context->pool, "%s of %s (%s)",
                                       group->count == 1
                                           ? "one cycle"
                                           : fi_pool_format(context->pool, "%s cycles",
                                                            fi_number_phrase(group->count).text),
                                       group->signature, fi_bytes_phrase(group->bytes).text));
    }
}

static bool is_class(const struct fi_context *context, const char *name)
{
    const struct py_objects *objects = context->analysis->objects;
    for (uint32_t i = 0; i < py_type_count(objects); i++)
        if (py_type_at(objects, i)->python_class && !strcmp(py_type_at(objects, i)->name, name))
            return true;
    return false;
}

/* The type that a person knows the garbage by: its first class of Python code, before the dicts and
 * lists that belong to such objects. */
static const char *telling_type(const struct fi_context *context, const struct fi_garbage *garbage)
{
    for (uint32_t i = 0; i < garbage->type_count; i++)
        if (garbage->types[i].count >= garbage->objects / CLASS_SHARE &&
            is_class(context, garbage->types[i].type))
            return garbage->types[i].type;
    return garbage->type_count ? garbage->types[0].type : NULL;
}

static enum fi_severity severity(const struct fi_context *context, uint64_t bytes, bool much)
{
    enum fi_severity by_share = fi_severity_of(context, bytes);
    if (!context->verdict->python.gc_enabled &&
        bytes >= context->verdict->heap_bytes / NOBODY_COMES)
        return FI_HIGH;
    return much && by_share == FI_LOW ? FI_MEDIUM : by_share;
}

struct df_err *fi_ask_garbage_cycles(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_verdict *verdict = context->verdict;
    const struct fi_garbage *garbage = &verdict->garbage;
    bool much = garbage->bytes >= verdict->heap_bytes / SHARE || garbage->objects >= MANY_OBJECTS;
    if (!garbage->objects || !garbage->cycles || (!much && verdict->python.gc_enabled))
        return NULL;
    const char *group = biggest_group(&verdict->cycles);
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = severity(context, garbage->bytes, much);
    finding->type = telling_type(context, garbage);
    finding->count = garbage->objects;
    for (uint32_t i = 0; i < garbage->type_count; i++)
        finding->shallow_bytes += garbage->types[i].shallow_bytes;
    finding->retained_bytes = garbage->bytes;
    finding->title = fi_pool_format(
        context->pool,
        "%s objects (%s, %s of the heap) in %s dead cycle%s wait for the collector%s",
        fi_number_phrase(garbage->objects).text, fi_bytes_phrase(garbage->bytes).text,
        fi_percent_phrase(garbage->bytes, verdict->heap_bytes).text,
        fi_number_phrase(garbage->cycles).text, garbage->cycles == 1 ? "" : "s",
        verdict->python.gc_enabled ? "" : ", which is off");
    finding->advice = advice(&verdict->python, garbage);
    finding->signature = fi_pool_format(context->pool, "garbage-cycles:%s", group ? group : "");
    add_evidence(context, finding);
    return NULL;
}
