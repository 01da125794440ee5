/* SPDX-License-Identifier: MIT
 * looks.c: see looks.h.
 */
#include "analyzer/findings/rules/looks.h"

#include <stdlib.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/base/threads.h"

struct fi_looks {
    struct fi_look look;
    struct df_beside beside;
    bool ended;
    struct fi_duplicates *duplicates;
    struct fi_instance_dicts *dicts;
    struct df_err *duplicates_err, *dicts_err;
};

static void look_beside(void *context)
{
    struct fi_looks *looks = context;
    looks->duplicates_err = fi_look_for_duplicates(&looks->look, &looks->duplicates);
}

struct fi_looks *fi_looks_begin(const struct fi_context *context)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_looks *looks = df_xcalloc(1, sizeof(*looks));
    uint32_t types = py_type_count(analysis->objects);
    looks->look = (struct fi_look){.analysis = analysis,
                                   .types = df_xcalloc(types, sizeof(*looks->look.types)),
                                   .named = context->named,
                                   .census = context->census,
                                   .type_count = types,
                                   .reader = py_reader(analysis->py)};
    for (uint32_t i = 0; i < types; i++)
        looks->look.types[i] = py_type_at(analysis->objects, i);
    df_beside_begin(&looks->beside, analysis->jobs, look_beside, looks);
    return looks;
}

/* Who has to wait makes itself useful: the shorter look is left for that. */
static void wait(struct fi_looks *looks)
{
    if (looks->ended)
        return;
    looks->dicts_err = fi_look_at_instance_dicts(&looks->look, &looks->dicts);
    df_beside_end(&looks->beside);
    looks->ended = true;
}

struct df_err *fi_looked_for_duplicates(struct fi_looks *looks, struct fi_duplicates **ret)
{
    wait(looks);
    *ret = looks->duplicates;
    return DF_TAKE(looks->duplicates_err);
}

struct df_err *fi_looked_at_instance_dicts(struct fi_looks *looks, struct fi_instance_dicts **ret)
{
    wait(looks);
    *ret = looks->dicts;
    return DF_TAKE(looks->dicts_err);
}

void fi_looks_end(struct fi_looks *looks)
{
    if (!looks)
        return;
    if (!looks->ended)
        df_beside_end(&looks->beside);
    df_err_free(looks->duplicates_err);
    df_err_free(looks->dicts_err);
    fi_duplicates_free(looks->duplicates);
    fi_instance_dicts_free(looks->dicts);
    free(looks->look.types);
    free(looks);
}
