/* SPDX-License-Identifier: MIT
 * cmd_diff.c: `diff`: what grew between dumps of one service.
 *
 * The dumps are opened one after the other: of each only its profile stays.
 */
#include <stdlib.h>

#include "analyzer/cli/answers.h"
#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"

#define DIFF_ROWS 15

struct job {
    const struct cli_options *options;
    const struct fi_diff *diff;
};

static struct df_err *write_diff(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, DIFF_ROWS);
    return job->options->json
               ? rp_diff_json(stream, job->diff, job->options->has_limit ? job->options->limit : 0)
               : rp_diff_text(stream, job->diff, &style);
}

static struct df_err *make_profile(const struct cli_options *options, struct fi_profile **ret)
{
    struct cli_session session;
    DF_TRY(cli_open(options, &session));
    struct df_err *err =
        fi_profile_make(session.analysis, options->core, &session.progress.progress, ret);
    if (!err && (err = cli_damage())) {
        fi_profile_free(*ret);
        *ret = NULL;
    }
    cli_close(&session);
    return err;
}

/* The profile of one core; its exit status says whether all of it could be read. */
static int profile(const struct cli_options *options, const char *core, struct fi_profile **ret)
{
    struct cli_options one = *options;
    one.core = core;
    struct df_err *err = cli_saved_profile(core, ret);
    if (!err && !*ret)
        err = make_profile(&one, ret);
    return err ? cli_fail(err) : cli_finish_with(&one, (*ret)->gap);
}

static struct df_err *compare(const struct cli_options *options,
                              const struct fi_profile *const *profiles)
{
    struct fi_diff *diff;
    DF_TRY(fi_diff_make(profiles, options->core_count, &diff));
    struct job job = {.options = options, .diff = diff};
    struct df_err *err = cli_write(options->json_path, write_diff, &job);
    fi_diff_free(diff);
    return err;
}

int cli_diff(const struct cli_options *options)
{
    struct fi_profile *profiles[CLI_MAX_CORES] = {0};
    int status = CLI_DONE;
    bool readable = true;
    for (uint32_t i = 0; i < options->core_count && readable; i++) {
        int one = profile(options, options->cores[i], &profiles[i]);
        status = one != CLI_DONE ? one : status;
        readable = profiles[i] != NULL;
    }
    struct df_err *err =
        readable ? compare(options, (const struct fi_profile *const *)profiles) : NULL;
    if (err)
        status = cli_fail(err);
    for (uint32_t i = 0; i < options->core_count; i++)
        fi_profile_free(profiles[i]);
    return status;
}
