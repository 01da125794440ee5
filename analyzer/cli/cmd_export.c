/* SPDX-License-Identifier: MIT
 * cmd_export.c: `export`: the graph for other tools.
 */
#include <string.h>

#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"

static struct df_err *write_ndjson(FILE *stream, void *context)
{
    struct cli_session *session = context;
    struct df_err *err = rp_ndjson(stream, session->analysis, &session->progress.progress);
    cli_progress_clear(&session->progress);
    return err;
}

static const struct {
    const char *name;
    cli_writer write;
} formats[] = {{"ndjson", write_ndjson}};

static cli_writer writer_of(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (!strcmp(formats[i].name, name))
            return formats[i].write;
    return NULL;
}

int cli_export(const struct cli_options *options)
{
    struct cli_session session;
    if (!options->format)
        return cli_complain(CLI_USAGE, "`export` needs --format; there is: ndjson");
    cli_writer write = writer_of(options->format);
    if (!write)
        return cli_complain(CLI_USAGE, "`%s` is no format of `export`; there is: ndjson",
                            options->format);
    struct df_err *err = cli_open(options, &session);
    if (err)
        return cli_fail(err);
    err = cli_write(options->output, write, &session);
    int status = err ? cli_fail(err) : cli_finish(options, &session);
    cli_close(&session);
    return status;
}
