/* SPDX-License-Identifier: MIT
 * growing_container.c: which containers keep many objects that are alike?
 *
 * The plain leak: a list, dict, set or deque in a global, on a class or in an object that lives on,
 * to which something is added and from which nothing is removed. Rules that know more are asked
 * before.
 */
#include "analyzer/findings/rules/accuse.h"

#include <string.h>

#define LEAST 100
#define CROWD 1000 /* held by what is no container: a linked list, an extension's own */

static bool is_container(const struct fi_analysis *analysis, uint32_t node)
{
    static const char *const names[] = {"list",
                                        "dict",
                                        "set",
                                        "frozenset",
                                        "tuple",
                                        "collections.deque",
                                        "weakref.WeakValueDictionary",
                                        NULL};
    return fi_is_a(analysis, node, names);
}

/* Texts, numbers and the containers of the language cannot be referred to weakly. */
static bool may_be_weak(const struct py_type *type)
{
    return type->weaklist_offset || (type->flags & PY_TPFLAGS_MANAGED_WEAKREF);
}

static const char *advice(const struct fi_analysis *analysis, const struct fi_suspect *suspect)
{
    static const char *const dicts[] = {"dict", NULL};
    static const char *const refs[] = {"weakref.ReferenceType", "weakref", NULL};
    static const char *const lists[] = {"list", "set", NULL};
    const struct py_type *type = py_type_at(analysis->objects, suspect->held.type);
    if (!strcmp(type->name, refs[0]) || !strcmp(type->name, refs[1]) ||
        !strcmp(type->name, "weakref.KeyedRef"))
        return "These are weak references: they keep nothing alive but themselves. Look at who "
               "holds what they refer to.";
    if (fi_is_a(analysis, suspect->node, dicts) && !may_be_weak(type))
        return "Give it a bound and evict (by age or by number): functools.lru_cache(maxsize=...) "
               "where it is a cache; or remove each entry when it has served.";
    if (fi_is_a(analysis, suspect->node, dicts))
        return "Give it a bound and evict (by age or by number), or hold the values weakly "
               "(weakref.WeakValueDictionary), if others own them.";
    if (fi_is_a(analysis, suspect->node, lists) && may_be_weak(type))
        return "What is added must be removed again: look for the call that should undo the one "
               "that adds, or hold the elements weakly (weakref.WeakSet).";
    if (fi_is_a(analysis, suspect->node, lists))
        return "What is added must be removed again: look for the call that should undo the one "
               "that adds, or bound it (collections.deque(maxlen=...) keeps the last ones).";
    return "What is added must be removed again: bound it, or let go of what has served.";
}

static bool is_of_weak_references(const struct fi_suspect *suspect)
{
    return suspect->held_name && (strstr(suspect->held_name, "weakref") == suspect->held_name);
}

struct df_err *fi_ask_growing_container(struct fi_context *context, const struct fi_rule *rule)
{
    const struct fi_analysis *analysis = context->analysis;
    for (uint32_t i = 0; i < context->suspect_count; i++) {
        const struct fi_suspect *suspect = &context->suspects[i];
        if (fi_is_explained(context, suspect) || suspect->itself ||
            suspect->held.type == PY_NO_TYPE || suspect->held.count < LEAST ||
            !(is_container(analysis, suspect->node) || suspect->held.count >= CROWD))
            continue;
        /* tables of the standard library; the weak references of its registries */
        if ((suspect->library || is_of_weak_references(suspect)) && fi_is_small(context, suspect))
            continue;
        const char *place = fi_place_phrase(context, suspect);
        struct fi_charge charge = {
            .what = fi_pool_format(context->pool, "%s%s%s", fi_container_phrase(context, suspect),
                                   place ? ", " : "", place ? place : ""),
            .advice = advice(analysis, suspect),
            .bounded = is_of_weak_references(suspect),
        };
        fi_accuse(context, rule, suspect, &charge);
    }
    return NULL;
}
