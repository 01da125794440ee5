/* SPDX-License-Identifier: MIT
 * finalizer_cycles.c: which dead cycles have finalizers?
 *
 * Such objects are not finalized when they become unreachable but when the collector comes, if it
 * comes (PEP 442; before, and for a legacy tp_del, never): files, locks and connections that a
 * __del__ should have closed stay open.
 */
#include "analyzer/findings/rules/rules.h"

static const char *names(struct fi_context *context, const struct fi_cycle_group *group)
{
    const char *text = "";
    for (uint32_t i = 0; i < group->finalizer_count; i++)
        text = fi_pool_format(context->pool, "%s%s`%s`", text, i ? ", " : "", group->finalizers[i]);
    return text;
}

static void report(struct fi_context *context, const struct fi_rule *rule,
                   const struct fi_cycle_group *group)
{
    const struct fi_verdict *verdict = context->verdict;
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->severity = FI_MEDIUM;
    finding->type = group->finalizers[0];
    finding->count = group->count;
    finding->shallow_bytes = finding->retained_bytes = group->bytes;
    finding->title = fi_pool_format(
        context->pool, "%s dead cycle%s (%s) wait%s with a finalizer that has not run, of %s",
        fi_number_phrase(group->count).text, group->count == 1 ? "" : "s",
        fi_bytes_phrase(group->bytes).text, group->count == 1 ? "s" : "", names(context, group));
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "each is a cycle of %s", group->signature));
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "%s objects with a pending finalizer in all",
                               fi_number_phrase(verdict->garbage.with_finalizer).text));
    if (group->example_count)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "one of them is at 0x%llx",
                                   (unsigned long long)group->example[0]));
    if (!verdict->python.gc_enabled)
        fi_evidence(context, finding, "the collector is off: nobody will finalize them");
    finding->advice = "Close what it owns by a with statement or weakref.finalize instead of "
                      "__del__, and break the cycle (weakref for the way back).";
    finding->signature = fi_pool_format(context->pool, "finalizer-cycles:%s", group->signature);
}

struct df_err *fi_ask_finalizer_cycles(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_cycles *cycles = &context->verdict->cycles;
    if (!context->verdict->garbage.with_finalizer && !context->verdict->garbage.uncollectable)
        return NULL;
    enum { MAX_FINDINGS = 3 };
    uint32_t told = 0;
    for (uint32_t i = 0; i < cycles->group_count && told < MAX_FINDINGS; i++) {
        if (!cycles->groups[i].garbage)
            break;
        if (!cycles->groups[i].finalizer_count)
            continue;
        report(context, rule, &cycles->groups[i]);
        told++;
    }
    return NULL;
}
