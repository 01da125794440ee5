/* SPDX-License-Identifier: MIT
 * cmd_allocations.c: `allocations`: which lines allocated what, as far as tracemalloc had written
 * it down. Without --type the interpreter alone is needed, no graph.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cli/answers.h"
#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"
#include "analyzer/cli/select.h"
#include "dumpfmt/base/mem.h"

struct job {
    const struct cli_options *options;
    struct fi_allocations *allocations;
    const char *gap; /* what of the objects could not be read; the session's where there is one */
};

static struct df_err *write_allocations(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, 0);
    return job->options->json ? rp_allocations_json(stream, job->allocations, style.limit)
                              : rp_allocations_text(stream, job->allocations, &style);
}

static bool parse_group(const char *word, enum fi_allocation_group *ret)
{
    for (enum fi_allocation_group group = FI_BY_LINE; group <= FI_BY_TRACEBACK; group++)
        if (!strcmp(word, fi_allocation_group_name(group))) {
            *ret = group;
            return true;
        }
    return false;
}

static struct df_err *make(struct cli_session *session, struct fi_allocations_options *wanted,
                           struct job *job)
{
    uint32_t *nodes = NULL;
    if (wanted->type)
        DF_TRY(cli_select_type(session->analysis, wanted->type, &nodes, &wanted->node_count));
    wanted->nodes = nodes;
    df_progress(&session->progress.progress, "reading traces", 0, 0);
    struct df_err *err =
        fi_allocations_make(session->py, session->analysis, wanted, &job->allocations);
    cli_progress_clear(&session->progress);
    free(nodes);
    return err;
}

static struct df_err *choose_type(const struct fi_traces *traces, const char *name,
                                  const struct fi_trace_type **ret)
{
    DF_CLEANUP_FREE const char **names = df_xcalloc(traces->type_count, sizeof(*names));
    const char *full;
    uint32_t at = 0;
    for (uint32_t i = 0; i < traces->type_count; i++)
        names[i] = traces->types[i].type;
    DF_TRY(cli_select_name(names, traces->type_count, name, &full));
    while (names[at] != full)
        at++;
    *ret = &traces->types[at];
    return NULL;
}

/* From what a snapshot has added up. */
static struct df_err *make_of(const struct fi_traces *traces, enum fi_allocation_group group,
                              struct job *job)
{
    const char *name = job->options->type;
    const struct fi_trace_type *type = NULL;
    if (name)
        DF_TRY(choose_type(traces, name, &type));
    DF_TRY(fi_allocations_of(traces, group, type, &job->allocations));
    job->allocations->type = name; /* as it was asked for */
    job->gap = name ? traces->gap : NULL;
    return NULL;
}

static struct df_err *find_allocations(struct cli_session *session,
                                       struct fi_allocations_options *wanted,
                                       struct fi_traces **traces, struct job *job)
{
    const struct cli_options *options = job->options;
    DF_TRY(cli_saved_traces(options->core, traces));
    if (*traces)
        return make_of(*traces, wanted->group, job);
    DF_TRY(options->type ? cli_open(options, session) : cli_open_python(options, session));
    if (session->py->redacted)
        return df_err_new(DF_ERR_INPUT,
                          "%s is redacted: what tracemalloc wrote down is not in it; ask the core, "
                          "or a snapshot taken without --redact",
                          options->core);
    return make(session, wanted, job);
}

static int status_of(const struct job *job, const struct cli_session *session)
{
    int status = session->analysis ? cli_finish(job->options, session)
                                   : cli_finish_with(job->options, job->gap);
    if (status == CLI_DONE && job->allocations->damaged)
        status = cli_complain(CLI_PARTIAL,
                              "%s: %" PRIu64 " entries of tracemalloc's tables could not be read",
                              job->options->core, job->allocations->damaged);
    return status;
}

int cli_allocations(const struct cli_options *options)
{
    struct cli_session session = {0};
    struct fi_traces *traces = NULL;
    struct job job = {.options = options};
    struct fi_allocations_options wanted = {.type = options->type};
    if (options->group && !parse_group(options->group, &wanted.group))
        return cli_complain(CLI_USAGE, "`--group` takes lineno, filename or traceback");
    struct df_err *err = find_allocations(&session, &wanted, &traces, &job);
    if (!err)
        err = cli_write(options->json_path, write_allocations, &job);
    int status = err ? cli_fail(err) : status_of(&job, &session);
    fi_allocations_free(job.allocations);
    fi_traces_free(traces);
    cli_close(&session);
    return status;
}
