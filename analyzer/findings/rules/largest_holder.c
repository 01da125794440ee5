/* SPDX-License-Identifier: MIT
 * largest_holder.c: what else holds, or is, a large part of the heap?
 *
 * Suspects that no rule has explained, with a tenth of the heap or more: single large objects
 * ("large-object"), and holders of few or of unlike things ("largest-holder"). That is often what
 * the process is for, so it is never grave.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/places.h"

#include <string.h>

#define SHARE 10 /* a tenth of the heap */
#define MAX_FINDINGS 5

static void tell_itself(struct fi_context *context, const struct fi_rule *rule,
                        const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct py_type *type =
        py_type_at(analysis->objects, gr_type(analysis->graph, suspect->node));
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->holder = fi_holder_make(context, suspect->node);
    finding->holder.semantic_bytes = suspect->semantic;
    finding->type = finding->holder.type;
    finding->count = 1;
    finding->shallow_bytes = suspect->own_bytes;
    finding->retained_bytes = suspect->semantic;
    finding->title = fi_pool_format(
        context->pool, "`%s` is %s of %s, %s of the heap", suspect->path,
        fi_type_phrase(context->pool, type), fi_bytes_phrase(finding->shallow_bytes).text,
        fi_percent_phrase(finding->retained_bytes, context->verdict->heap_bytes).text);
    finding->advice =
        "Free it when it has served, or keep it in pieces; look at who made it so large.";
    finding->signature = fi_pool_format(context->pool, "%s:%s:%s", rule->name,
                                        fi_path_shape(context->pool, suspect->path), finding->type);
    const char *place = fi_place_phrase(context, suspect);
    if (place)
        fi_evidence(context, finding, fi_pool_format(context->pool, "it is %s", place));
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "at 0x%llx: %s",
                               (unsigned long long)finding->holder.address, finding->holder.text));
    fi_claim(context, suspect->node);
    finding->severity = fi_gravity(context, suspect->semantic, 1);
}

static void tell_few(struct fi_context *context, const struct fi_rule *rule,
                     const struct fi_suspect *suspect)
{
    const char *place = fi_place_phrase(context, suspect);
    struct fi_charge charge = {
        .what = fi_pool_format(context->pool, "%s%s%s", fi_container_phrase(context, suspect),
                               place ? ", " : "", place ? place : ""),
        .advice =
            suspect->held.count > 1
                ? "Few, but large: let go of each when it has served; where they are a cache, "
                  "bound it by bytes, not by number."
                : "Look at what it refers to (necropy refs, necropy show), and let go of what "
                  "has served.",
    };
    struct fi_finding *finding = fi_accuse(context, rule, suspect, &charge);
    if (finding->severity == FI_HIGH && finding->count < 1000)
        finding->severity = FI_MEDIUM;
}

static struct df_err *ask(struct fi_context *context, const struct fi_rule *rule, bool itself)
{
    const struct fi_analysis *analysis = context->analysis;
    uint32_t told = 0;
    for (uint32_t i = 0; i < context->suspect_count && told < MAX_FINDINGS; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        if (suspect->semantic < analysis->total_bytes / SHARE)
            break;
        if (fi_is_explained(context, suspect) || suspect->itself != itself)
            continue;
        (itself ? tell_itself : tell_few)(context, rule, suspect);
        told++;
    }
    return NULL;
}

struct df_err *fi_ask_large_object(struct fi_context *context, const struct fi_rule *rule)
{
    return ask(context, rule, true);
}

struct df_err *fi_ask_largest_holder(struct fi_context *context, const struct fi_rule *rule)
{
    return ask(context, rule, false);
}
