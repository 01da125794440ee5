/* SPDX-License-Identifier: MIT
 * cmd_snapshot.c: `snapshot`: everything that a command may want to know, in one file that needs
 * neither the core nor any file of its machine.
 *
 * With --redact in two steps, so that no answer can say what may not leave: first the memory
 * without data (analyzer/graph/redact.h), the graph and its analysis; then the answers, made from
 * that file.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/cli/answers.h"
#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"
#include "analyzer/findings/kept.h"
#include "analyzer/graph/redact.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/snapshot.h"

static struct df_err *write_memory(const struct cli_session *session, bool redact,
                                   struct df_necro_writer *writer)
{
    struct df_memory_filter filter = {.wants = df_snapshot_wants,
                                      .progress = &session->progress.progress};
    struct df_snapshot_options wanted = {
        .filter = &filter, .redacted = redact, .objects = session->graph->count};
    struct gr_redaction *redaction = NULL;
    if (redact) {
        df_progress(filter.progress, "redacting", 0, 0);
        DF_TRY(gr_redaction_make(session->py, session->objects, session->graph, &redaction));
        filter.change = gr_redact;
        filter.context = redaction;
    }
    struct df_err *err = df_snapshot_save(session->dump, &wanted, writer);
    gr_redaction_free(redaction);
    return err;
}

static struct df_err *write_sections(const struct cli_options *options,
                                     const struct cli_session *session,
                                     struct df_necro_writer *writer)
{
    bool redact = options->redact && !session->py->redacted;
    DF_TRY(write_memory(session, redact, writer));
    DF_TRY(py_snapshot_save(session->py, writer));
    DF_TRY(py_objects_save(session->objects, writer));
    if (options->memory_only)
        return NULL;
    DF_TRY(gr_graph_save(session->graph, session->objects, session->py, redact, writer));
    DF_TRY(fi_analysis_save(session->analysis, writer));
    if (redact)
        return NULL; /* the second step makes the answers */
    return cli_save_answers(writer, session->analysis, options->core,
                            options->called ? options->called : options->core,
                            &session->progress.progress);
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

static int take_snapshot(const struct cli_options *options)
{
    struct cli_session session;
    struct df_err *err =
        options->memory_only ? cli_open(options, &session) : cli_open_judged(options, &session);
    if (err)
        return cli_fail(err);
    err = write_snapshot(options, &session);
    cli_progress_clear(&session.progress);
    int status = err ? cli_fail(err) : cli_finish(options, &session);
    cli_close(&session);
    return status;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int take_redacted(const struct cli_options *options)
{
    DF_CLEANUP_FREE char *redacted = df_xasprintf("%s.redacted", options->output);
    struct cli_options first = *options, second = *options;
    first.output = redacted;
    second.core = redacted;
    second.redact = false;
    second.called = base_name(options->core);
    int status = take_snapshot(&first);
    if (status == CLI_DONE || status == CLI_PARTIAL) {
        int last = take_snapshot(&second);
        status = last == CLI_DONE ? status : last;
    }
    unlink(redacted);
    return status;
}

int cli_snapshot(const struct cli_options *options)
{
    if (!options->output)
        return cli_complain(CLI_USAGE, "`snapshot` needs a file to write: -o FILE.necro");
    return options->redact && !options->memory_only ? take_redacted(options)
                                                    : take_snapshot(options);
}
