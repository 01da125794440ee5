/* SPDX-License-Identifier: MIT
 * output.c: statuses and streams.
 */
#include "analyzer/cli/output.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dumpfmt/base/io.h"
#include "dumpfmt/base/mem.h"

int cli_fail(struct df_err *err)
{
    int status = df_err_code(err) == DF_ERR_USAGE ? CLI_USAGE : CLI_INPUT;
    cli_complain(status, "%s", df_err_text(err));
    df_err_free(err);
    return status;
}

int cli_finish(const struct cli_options *options, const struct cli_session *session)
{
    DF_CLEANUP_FREE char *gap = fi_coverage_gap(session->analysis);
    return cli_finish_with(options, gap);
}

int cli_finish_with(const struct cli_options *options, const char *gap)
{
    return gap ? cli_complain(CLI_PARTIAL, "%s: %s", options->core, gap) : CLI_DONE;
}

static bool wants_color(const struct cli_options *options)
{
    if (options->color != CLI_COLOR_AUTO)
        return options->color == CLI_COLOR_ALWAYS;
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(terminal && !strcmp(terminal, "dumb"));
}

struct rp_style cli_style(const struct cli_options *options, uint32_t default_limit)
{
    struct winsize size;
    bool terminal = isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    return (struct rp_style){.color = wants_color(options),
                             .limit = options->has_limit ? options->limit : default_limit,
                             .width = terminal && size.ws_col ? size.ws_col : 0};
}

/* A reader that has seen enough (`| head`) is no failure. */
static bool reader_left(void)
{
    struct pollfd poll_of = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&poll_of, 1, 0) > 0 && (poll_of.revents & POLLERR);
}

static struct df_err *copy(FILE *from, FILE *to)
{
    char piece[1 << 16];
    rewind(from);
    for (size_t size; (size = fread(piece, 1, sizeof(piece), from)) > 0;)
        fwrite(piece, 1, size, to); /* the commit looks for errors */
    return ferror(from) ? df_err_new(DF_ERR_IO, "a temporary file cannot be read") : NULL;
}

/* What standard output has got cannot be taken back: it gets it when all was read. */
static struct df_err *write_checked(FILE *stream, bool standard, cli_writer write, void *context)
{
    FILE *spool = standard ? tmpfile() : NULL;
    struct df_err *err = write(spool ? spool : stream, context);
    if (!err)
        err = cli_damage();
    if (!err && spool)
        err = copy(spool, stream);
    if (spool)
        fclose(spool);
    return err;
}

struct df_err *cli_write(const char *path, cli_writer write, void *context)
{
    struct df_output *output;
    bool standard = !path || !strcmp(path, "-");
    DF_TRY(cli_damage());
    DF_TRY(df_output_open(standard ? "-" : path, &output));
    struct df_err *err = cli_is_snapshot() ? write_checked(output->stream, standard, write, context)
                                           : write(output->stream, context);
    if (err)
        df_output_abandon(output);
    else
        err = df_output_commit(output);
    if (err && standard && reader_left()) {
        df_err_free(err);
        return NULL;
    }
    return err;
}
