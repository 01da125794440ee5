/* SPDX-License-Identifier: MIT
 * profile.c: what of one dump is compared, taken out of its analysis.
 */
#include "analyzer/findings/profile.h"

#include <stdlib.h>

#include "analyzer/findings/parts.h"
#include "dumpfmt/base/mem.h"

/* The sections of a verdict that a profile needs, made by those who make them for reports. */
static struct df_err *fill(struct fi_analysis *analysis, const char *core_path,
                           struct fi_profile *profile)
{
    struct fi_verdict verdict = {0};
    struct fi_context context = {
        .analysis = analysis, .verdict = &verdict, .pool = profile->pool, .core_path = core_path};

    fi_fill_process(&context);
    fi_name_types(&context);
    DF_TRY(fi_census_make(analysis->graph, py_type_count(analysis->objects), &context.census));
    struct df_err *err = fi_fill_types(&context);
    fi_census_free(DF_TAKE(context.census));
    if (err)
        return err;
    profile->path = verdict.core.path;
    profile->executable = verdict.core.executable;
    profile->machine = verdict.core.machine;
    profile->pid = verdict.core.pid;
    profile->version = verdict.python.version;
    profile->free_threaded = verdict.python.free_threaded;
    profile->debug_build = verdict.python.debug_build;
    profile->types = verdict.types;
    profile->type_count = verdict.type_count;
    return NULL;
}

struct df_err *fi_profile_make(struct fi_analysis *analysis, const char *command_line_core,
                               const struct df_progress *progress, struct fi_profile **ret)
{
    struct fi_pool *pool = fi_pool_create();
    struct fi_profile *profile = fi_pool_array(pool, 1, sizeof(*profile));
    struct df_err *err;

    profile->pool = pool;
    profile->objects = analysis->graph->count;
    profile->heap_bytes = analysis->total_bytes;
    profile->gap = fi_pool_take(pool, fi_coverage_gap(analysis));
    df_progress(progress, "following paths", 0, 0);
    err = fill(analysis, command_line_core, profile);
    if (!err)
        err = fi_profile_shapes(analysis, profile);
    if (err) {
        fi_profile_free(profile);
        return err;
    }
    *ret = profile;
    return NULL;
}

void fi_profile_free(struct fi_profile *profile)
{
    if (profile)
        fi_pool_destroy(profile->pool);
}
