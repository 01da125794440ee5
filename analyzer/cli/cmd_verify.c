/* SPDX-License-Identifier: MIT
 * cmd_verify.c: `verify`: our walkers against the process's own tp_traverse code.
 */
#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"
#include "analyzer/findings/phrase.h"

#define VERIFY_ROWS 25

struct job {
    const struct cli_options *options;
    struct fi_verify *verify;
};

static struct df_err *write_verify(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, VERIFY_ROWS);
    return job->options->json ? rp_verify_json(stream, job->verify, job->options->limit)
                              : rp_verify_text(stream, job->verify, &style);
}

static int finish(const struct cli_options *options, const struct fi_verify *verify)
{
    if (fi_verify_good(verify))
        return CLI_DONE;
    if (verify->note)
        return cli_complain(CLI_PARTIAL, "%s: not verified: %s", options->core, verify->note);
    return cli_complain(CLI_PARTIAL, "%s: %s objects disagree, the code of %s could not be run",
                        options->core, fi_number_phrase(verify->all.disagree).text,
                        fi_number_phrase(verify->all.failed).text);
}

int cli_verify(const struct cli_options *options)
{
    struct cli_session session;
    struct job job = {.options = options};
    struct df_err *err = cli_open_graph(options, &session);
    if (err)
        return cli_fail(err);
    err = fi_verify_make(session.py, session.objects, session.graph,
                         options->all ? 0 : FI_VERIFY_SAMPLES, &session.progress.progress,
                         &job.verify);
    cli_progress_clear(&session.progress);
    if (!err)
        err = cli_write(options->json_path, write_verify, &job);
    int status = err ? cli_fail(err) : finish(options, job.verify);
    fi_verify_free(job.verify);
    cli_close(&session);
    return status;
}
