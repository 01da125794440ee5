/* SPDX-License-Identifier: MIT
 * cmd_picture.c: `backrefs` and `refs`: a part of the graph for the eyes.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzer/cli/commands.h"
#include "analyzer/cli/graphviz.h"
#include "analyzer/cli/output.h"
#include "analyzer/cli/select.h"
#include "dumpfmt/base/mem.h"

enum form { DOT, JSON, DRAWN, UNKNOWN };

static enum form form_of(const struct cli_options *options, const char **ret_format)
{
    static const struct {
        const char *suffix;
        enum form form;
    } forms[] = {{"dot", DOT}, {"gv", DOT}, {"json", JSON}, {"svg", DRAWN}, {"png", DRAWN}};
    if (!options->output || !strcmp(options->output, "-"))
        return options->json ? JSON : DOT;
    const char *suffix = strrchr(options->output, '.');
    for (size_t i = 0; suffix && i < sizeof(forms) / sizeof(forms[0]); i++)
        if (!strcasecmp(suffix + 1, forms[i].suffix)) {
            *ret_format = forms[i].suffix;
            return forms[i].form;
        }
    return UNKNOWN;
}

static struct df_err *write_dot(FILE *stream, void *context)
{
    return rp_picture_dot(stream, context);
}

static struct df_err *write_json(FILE *stream, void *context)
{
    return rp_picture_json(stream, context);
}

static struct df_err *draw(const struct fi_picture *picture, const char *format, const char *path)
{
    char *dot = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&dot, &length);
    if (!stream)
        return df_err_nomem();
    struct df_err *err = rp_picture_dot(stream, picture);
    if (fclose(stream) && !err)
        err = df_err_nomem();
    if (!err)
        err = cli_graphviz(format, dot, length, path);
    free(dot);
    return err;
}

static struct df_err *select_targets(const struct cli_options *options,
                                     const struct fi_analysis *analysis, uint64_t address,
                                     uint32_t **ret, uint32_t *ret_count)
{
    if (options->type)
        return cli_select_type(analysis, options->type, ret, ret_count);
    uint32_t node;
    DF_TRY(cli_select_address(analysis, address, &node));
    *ret = df_xcalloc(1, sizeof(uint32_t));
    **ret = node;
    *ret_count = 1;
    return NULL;
}

static struct df_err *picture(const struct cli_options *options, struct cli_session *session,
                              uint64_t address)
{
    struct fi_picture_options wanted = {.backwards = !strcmp(options->command->name, "backrefs"),
                                        .max_depth = options->max_depth,
                                        .max_nodes = options->max_nodes};
    struct fi_picture *made;
    uint32_t *nodes, count;
    const char *format = NULL;
    DF_TRY(select_targets(options, session->analysis, address, &nodes, &count));
    df_progress(&session->progress.progress, "drawing", 0, 0);
    struct df_err *err = fi_picture_make(session->analysis, nodes, count, &wanted, &made);
    free(nodes);
    if (err)
        return err;
    cli_progress_clear(&session->progress);
    enum form form = form_of(options, &format);
    if (form == DRAWN)
        err = draw(made, format, options->output);
    else
        err = cli_write(options->output ? options->output : options->json_path,
                        form == JSON ? write_json : write_dot, made);
    fi_picture_free(made);
    return err;
}

int cli_picture(const struct cli_options *options)
{
    uint64_t address = 0;
    const char *format;
    struct cli_session session;
    if (!options->type == !options->address)
        return cli_complain(CLI_USAGE,
                            "`%s` needs either --type or --address; see `necropy %s "
                            "--help`",
                            options->command->name, options->command->name);
    if (options->address && !cli_address(options->address, &address))
        return cli_complain(CLI_USAGE, "`%s` is no address; give one like 0x7f00deadbeef",
                            options->address);
    if (form_of(options, &format) == UNKNOWN)
        return cli_complain(CLI_USAGE, "`%s` does not end in .dot, .svg, .png or .json",
                            options->output);
    struct df_err *err = cli_open(options, &session);
    if (err)
        return cli_fail(err);
    err = picture(options, &session, address);
    int status = err ? cli_fail(err) : cli_finish(options, &session);
    cli_close(&session);
    return status;
}
