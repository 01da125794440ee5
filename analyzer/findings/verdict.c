/* SPDX-License-Identifier: MIT
 * verdict.c: a verdict, section by section; each section has its file (see parts.h).
 */
#include "analyzer/findings/verdict.h"

#include "analyzer/findings/rules/looks.h"
#include "analyzer/findings/rules/rules.h"
#include "analyzer/findings/verify.h"
#include "dumpfmt/base/mem.h"

static struct df_err *make_census(struct fi_context *context)
{
    const struct fi_analysis *analysis = context->analysis;
    return fi_census_make(analysis->graph, py_type_count(analysis->objects), &context->census);
}

/* They were begun with the analysis, or are now. */
static struct df_err *begin_looks(struct fi_context *context)
{
    context->looks = DF_TAKE(context->analysis->looks);
    if (!context->looks)
        context->looks = fi_looks_begin(context->analysis);
    return fi_looks_census(context->looks, &context->census);
}

static struct df_err *fill(struct fi_context *context, bool findings)
{
    DF_TRY(findings ? begin_looks(context) : make_census(context));
    fi_name_types(context);
    if (findings)
        fi_looks_go_on(context->looks, context->named);
    fi_fill_process(context);
    DF_TRY(fi_fill_types(context));
    fi_fill_coverage(context);
    DF_TRY(fi_fill_memory(context));
    DF_TRY(fi_fill_holders(context));
    DF_TRY(fi_fill_cycles(context));
    DF_TRY(fi_fill_garbage(context));
    fi_fill_threads(context);
    DF_TRY(fi_fill_tasks(context));
    return findings ? fi_fill_findings(context) : NULL;
}

static struct df_err *verify_some(struct fi_context *context, const struct df_progress *progress)
{
    const struct fi_analysis *analysis = context->analysis;
    struct fi_verify *verify;
    DF_TRY(fi_verify_make(analysis->py, analysis->objects, analysis->graph, FI_VERIFY_SAMPLES,
                          progress, &verify));
    context->verdict->coverage.verified = fi_pool_text(context->pool, verify->sentence);
    fi_verify_free(verify);
    return NULL;
}

struct df_err *fi_verdict_make(struct fi_analysis *analysis,
                               const struct fi_verdict_options *options, struct fi_verdict **ret)
{
    struct fi_pool *pool = fi_pool_create();
    struct fi_verdict *verdict = fi_pool_array(pool, 1, sizeof(*verdict));
    verdict->pool = pool;
    verdict->heap_bytes = analysis->total_bytes;
    verdict->gap = fi_pool_take(pool, fi_coverage_gap(analysis));
    struct fi_context context = {.analysis = analysis,
                                 .verdict = verdict,
                                 .pool = pool,
                                 .limit = options->limit,
                                 .core_path = options->command_line_core};
    struct df_err *err = fill(&context, !options->no_findings);
    if (!context.looks) /* else theirs */
        fi_census_free(context.census);
    context.census = NULL;
    fi_looks_end(context.looks);
    if (!err && options->native_frames)
        fi_fill_native_frames(&context, options->native_frames);
    if (!err && options->verify)
        err = verify_some(&context, options->progress);
    if (err) {
        fi_verdict_free(verdict);
        return err;
    }
    *ret = verdict;
    return NULL;
}

void fi_verdict_free(struct fi_verdict *verdict)
{
    if (verdict)
        fi_pool_destroy(verdict->pool);
}
