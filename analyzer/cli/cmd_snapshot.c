/* SPDX-License-Identifier: MIT
 * cmd_snapshot.c: `snapshot`: everything that a command may want to know, in one file that needs
 * neither the core nor any file of its machine.
 */
#include "analyzer/cli/answers.h"
#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"
#include "analyzer/findings/kept.h"
#include "dumpfmt/snapshot.h"

static struct df_err *write_sections(const struct cli_options *options,
                                     const struct cli_session *session,
                                     struct df_necro_writer *writer)
{
    struct df_memory_filter filter = {.wants = df_snapshot_wants,
                                      .progress = &session->progress.progress};
    struct df_snapshot_options wanted = {.filter = &filter, .objects = session->graph->count};
    DF_TRY(df_snapshot_save(session->dump, &wanted, writer));
    DF_TRY(py_snapshot_save(session->py, writer));
    DF_TRY(py_objects_save(session->objects, writer));
    if (options->memory_only)
        return NULL;
    DF_TRY(gr_graph_save(session->graph, session->objects, session->py, writer));
    DF_TRY(fi_analysis_save(session->analysis, writer));
    return cli_save_answers(writer, session->analysis, options->core, &session->progress.progress);
}

static struct df_err *write_snapshot(const struct cli_options *options,
                                     const struct cli_session *session)
{
    struct df_necro_writer *writer;
    DF_TRY(df_necro_create(options->output, cli_jobs(options), &writer));
    struct df_err *err = write_sections(options, session, writer);
    if (!err)
        err = cli_damage();
    if (err)
        df_necro_abandon(writer);
    else
        err = df_necro_commit(writer);
    return err;
}

int cli_snapshot(const struct cli_options *options)
{
    struct cli_session session;
    if (!options->output)
        return cli_complain(CLI_USAGE, "`snapshot` needs a file to write: -o FILE.necro");
    struct df_err *err = cli_open(options, &session);
    if (err)
        return cli_fail(err);
    err = write_snapshot(options, &session);
    cli_progress_clear(&session.progress);
    int status = err ? cli_fail(err) : cli_finish(options, &session);
    cli_close(&session);
    return status;
}
