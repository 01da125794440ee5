/* SPDX-License-Identifier: MIT
 * accuse.c: what findings about holders have in common.
 */
#include "analyzer/findings/rules/accuse.h"
#include "analyzer/findings/rules/places.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"

/* Shares of the heap. Healthy services (tests/programs/apps) have no container of a thousand alike
 * objects with more than a fiftieth of the heap. */
#define VERY_MANY 5000
#define MANY 1000
#define SOME 100
#define VERY_MANY_HIGH 0.05
#define MANY_HIGH 0.08
#define SOME_HIGH 0.30
#define MEDIUM 0.04
#define MANY_MEDIUM 0.02

enum fi_severity fi_gravity(const struct fi_context *context, uint64_t bytes, uint64_t count)
{
    double share = (double)bytes / (double)(context->verdict->heap_bytes + 1);
    if ((count >= VERY_MANY && share >= VERY_MANY_HIGH) || (count >= MANY && share >= MANY_HIGH) ||
        (count >= SOME && share >= SOME_HIGH))
        return FI_HIGH;
    return share >= (count >= MANY ? MANY_MEDIUM : MEDIUM) ? FI_MEDIUM : FI_LOW;
}

bool fi_is_explained(const struct fi_context *context, const struct fi_suspect *suspect)
{
    return fi_is_claimed(context, suspect->node);
}

const char *fi_container_phrase(struct fi_context *context, const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct py_type *type =
        py_type_at(analysis->objects, gr_type(analysis->graph, suspect->node));
    const char *phrase = fi_type_phrase(context->pool, type);
    if (!suspect->inner)
        return phrase;
    return fi_pool_format(context->pool, "%s with %s container%s in it", phrase,
                          fi_number_phrase(suspect->inner).text, suspect->inner == 1 ? "" : "s");
}

static bool is_plain_container(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const names[] = {
        "list", "tuple", "dict", "set", "frozenset", "collections.deque", "cell", NULL};
    const struct py_type *type = py_type_at(analysis->objects, gr_type(analysis->graph, node));
    return !type->python_class && fi_is_a(analysis, node, names);
}

/* The name of a class object; NULL. */
static const char *class_name(const struct fi_analysis *analysis, uint32_t node)
{
    uint32_t own = py_type_index(analysis->objects, gr_address(analysis->graph, node));
    return own == PY_NO_TYPE ? NULL : py_type_at(analysis->objects, own)->name;
}

static const char *owner_phrase(struct fi_context *context, const struct fi_suspect *suspect,
                                uint32_t owner, bool direct)
{
    const struct fi_analysis *analysis = context->analysis;
    const struct py_type *type = py_type_at(analysis->objects, gr_type(analysis->graph, owner));
    const char *in = direct ? "" : "in ";
    if (type->flags & PY_TPFLAGS_TYPE && class_name(analysis, owner))
        return fi_pool_format(context->pool, "%san attribute of class `%s`", in,
                              class_name(analysis, owner));
    if (suspect->root && suspect->root->kind == GR_ROOT_MODULE &&
        suspect->way[suspect->way_count - 1] == owner)
        return fi_pool_format(context->pool, "%sa global of module `%s`", in, suspect->root->path);
    if (!strcmp(type->name, "function"))
        return "in what a function keeps";
    if (!strncmp(type->name, "hamt", 4))
        return "in a context variable";
    return fi_pool_format(context->pool, "%san attribute of %s, which lives on", in,
                          fi_type_phrase(context->pool, type));
}

const char *fi_place_phrase(struct fi_context *context, const struct fi_suspect *suspect)
{
    const struct fi_analysis *analysis = context->analysis;
    for (uint32_t i = 1; i < suspect->way_count; i++)
        if (!is_plain_container(analysis, suspect->way[i]))
            return owner_phrase(context, suspect, suspect->way[i], i == 1);
    if (suspect->root && suspect->root->kind == GR_ROOT_FRAME)
        return suspect->way_count == 1 ? "a local variable of a function that has not returned"
                                       : "in a local variable of a function that has not returned";
    return NULL;
}

static const char *title(struct fi_context *context, const struct fi_finding *finding,
                         const struct fi_suspect *suspect, const char *what)
{
    struct fi_phrase bytes = fi_bytes_phrase(finding->retained_bytes);
    struct fi_phrase share =
        fi_percent_phrase(finding->retained_bytes, context->verdict->heap_bytes);
    if (!finding->type || finding->count < 2)
        return fi_pool_format(context->pool, "%s (%s of the heap) are held by `%s`, %s", bytes.text,
                              share.text, suspect->path, what);
    return fi_pool_format(context->pool, "%s `%s` (%s, %s of the heap) are held by `%s`, %s",
                          fi_number_phrase(finding->count).text, finding->type, bytes.text,
                          share.text, suspect->path, what);
}

static void tell_others(struct fi_context *context, struct fi_finding *finding,
                        const struct fi_suspect *suspect)
{
    for (uint32_t i = 0; i < suspect->other_count; i++) {
        struct fi_holder other = fi_holder_make(context, suspect->others[i]);
        fi_evidence(context, finding,
                    fi_pool_format(context->pool, "`%s`, %s, knows %s of them too", other.path,
                                   other.text, fi_number_phrase(suspect->others_known[i]).text));
    }
}

static void tell_sizes(struct fi_context *context, struct fi_finding *finding,
                       const struct fi_suspect *suspect)
{
    const struct fi_holder *holder = &finding->holder;
    if (suspect->semantic > suspect->strict + suspect->strict / 10)
        fi_evidence(context, finding,
                    fi_pool_format(context->pool,
                                   "without it alone %s would be free; %s when all that know the "
                                   "same objects let go",
                                   fi_bytes_phrase(suspect->strict).text,
                                   fi_bytes_phrase(suspect->semantic).text));
    else
        fi_evidence(context, finding,
                    fi_pool_format(context->pool,
                                   "it is the only way to %s object%s: %s would be free without it",
                                   fi_number_phrase(holder->retained_objects).text,
                                   holder->retained_objects == 1 ? "" : "s",
                                   fi_bytes_phrase(suspect->strict).text));
    if (suspect->held_name && suspect->held.count > 1)
        fi_evidence(
            context, finding,
            fi_pool_format(context->pool, "%s `%s` retain %s, about %s each",
                           fi_number_phrase(suspect->held.count).text, suspect->held_name,
                           fi_bytes_phrase(suspect->held.retained).text,
                           fi_bytes_phrase(suspect->held.retained / suspect->held.count).text));
}

bool fi_is_small(const struct fi_context *context, const struct fi_suspect *suspect)
{
    return (double)suspect->semantic < MEDIUM * (double)context->verdict->heap_bytes;
}

struct fi_finding *fi_accuse(struct fi_context *context, const struct fi_rule *rule,
                             const struct fi_suspect *suspect, const struct fi_charge *charge)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_finding *finding = fi_finding_add(context, rule);
    finding->type = charge->type ? charge->type : suspect->held_name;
    finding->count = charge->count ? charge->count : suspect->held.count;
    finding->shallow_bytes = suspect->held.shallow;
    finding->retained_bytes = suspect->semantic;
    finding->severity =
        charge->bounded ? FI_LOW : fi_gravity(context, suspect->semantic, finding->count);
    finding->holder = fi_holder_make(context, suspect->node);
    finding->holder.semantic_bytes = suspect->semantic;
    if (!suspect->held.items || suspect->inner || charge->count)
        finding->holder.text = fi_pool_format(context->pool, "%s: %s `%s`", charge->what,
                                              fi_number_phrase(finding->count).text,
                                              finding->type ? finding->type : "object");
    finding->title = title(context, finding, suspect, charge->what);
    finding->advice = charge->advice;
    finding->signature =
        fi_pool_format(context->pool, "%s:%s:%s", rule->name,
                       fi_path_shape(context->pool, suspect->path), finding->type ?: "");
    fi_claim(context, suspect->node);
    for (uint32_t i = 0; i < suspect->other_count; i++)
        fi_claim(context, suspect->others[i]);
    tell_sizes(context, finding, suspect);
    tell_others(context, finding, suspect);
    fi_look(context, finding, suspect);
    fi_evidence(context, finding,
                fi_pool_format(context->pool, "at 0x%llx: %s",
                               (unsigned long long)gr_address(analysis->graph, suspect->node),
                               fi_describe(context, suspect->node)));
    return finding;
}
