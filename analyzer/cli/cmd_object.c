/* SPDX-License-Identifier: MIT
 * cmd_object.c: `show` one object, and the `path` to it.
 */
#include <stdlib.h>

#include "analyzer/cli/commands.h"
#include "analyzer/cli/output.h"
#include "analyzer/cli/select.h"

#define SHOW_ROWS 20
#define PATH_ROUTES 5

struct job {
    const struct cli_options *options;
    struct fi_object *object;
    struct fi_instances *instances;
    struct fi_routes *routes;
};

static struct df_err *write_object(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, 0);
    return job->options->json ? rp_object_json(stream, job->object)
                              : rp_object_text(stream, job->object, &style);
}

static struct df_err *write_routes(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, 0);
    return job->options->json ? rp_routes_json(stream, job->routes)
                              : rp_routes_text(stream, job->routes, &style);
}

static struct df_err *write_instances(FILE *stream, void *context)
{
    struct job *job = context;
    struct rp_style style = cli_style(job->options, 0);
    return job->options->json ? rp_instances_json(stream, job->instances)
                              : rp_instances_text(stream, job->instances, &style);
}

static struct fi_object_options show_options(const struct cli_options *options)
{
    return (struct fi_object_options){.limit = options->has_limit ? options->limit : SHOW_ROWS,
                                      .full = options->full};
}

static struct df_err *show_type(const struct cli_options *options, struct cli_session *session)
{
    uint32_t *nodes, count;
    struct fi_object_options how = show_options(options);
    struct job job = {.options = options};
    DF_TRY(cli_select_type(session->analysis, options->type, &nodes, &count));
    struct df_err *err = fi_instances_make(session->analysis, nodes, count, &how, &job.instances);
    free(nodes);
    if (err)
        return err;
    cli_progress_clear(&session->progress);
    err = cli_write(options->json_path, write_instances, &job);
    fi_instances_free(job.instances);
    return err;
}

static struct df_err *show(const struct cli_options *options, struct cli_session *session,
                           uint64_t address)
{
    uint32_t node;
    struct fi_object_options how = show_options(options);
    struct job job = {.options = options};
    if (options->type)
        return show_type(options, session);
    DF_TRY(cli_select_address(session->analysis, address, &node));
    DF_TRY(fi_object_make(session->analysis, node, &how, &job.object));
    cli_progress_clear(&session->progress);
    struct df_err *err = cli_write(options->json_path, write_object, &job);
    fi_object_free(job.object);
    return err;
}

int cli_show(const struct cli_options *options)
{
    uint64_t address = 0;
    struct cli_session session;
    if (!options->argument == !options->type)
        return cli_complain(CLI_USAGE,
                            "`show` needs either the address of an object or --type; see "
                            "`necropy show --help`");
    if (options->argument && !cli_address(options->argument, &address))
        return cli_complain(CLI_USAGE, "`%s` is no address; give one like 0x7f00deadbeef",
                            options->argument);
    struct df_err *err = cli_open(options, &session);
    if (err)
        return cli_fail(err);
    err = show(options, &session, address);
    int status = err ? cli_fail(err) : cli_finish(options, &session);
    cli_close(&session);
    return status;
}

static struct df_err *path(const struct cli_options *options, struct cli_session *session,
                           uint64_t address)
{
    uint32_t *nodes = NULL, one, count = 1;
    uint32_t limit = options->has_limit ? options->limit : PATH_ROUTES;
    struct job job = {.options = options};
    if (options->type)
        DF_TRY(cli_select_type(session->analysis, options->type, &nodes, &count));
    else
        DF_TRY(cli_select_address(session->analysis, address, &one));
    df_progress(&session->progress.progress, "following paths", 0, 0);
    struct df_err *err =
        fi_routes_make(session->analysis, nodes ? nodes : &one, count, limit, &job.routes);
    free(nodes);
    if (err)
        return err;
    cli_progress_clear(&session->progress);
    err = cli_write(options->json_path, write_routes, &job);
    fi_routes_free(job.routes);
    return err;
}

int cli_path(const struct cli_options *options)
{
    uint64_t address = 0;
    struct cli_session session;
    if (!options->argument == !options->type)
        return cli_complain(CLI_USAGE,
                            "`path` needs either an address or --type; see `necropy path "
                            "--help`");
    if (options->argument && !cli_address(options->argument, &address))
        return cli_complain(CLI_USAGE, "`%s` is no address; give one like 0x7f00deadbeef",
                            options->argument);
    struct df_err *err = cli_open(options, &session);
    if (err)
        return cli_fail(err);
    err = path(options, &session, address);
    int status = err ? cli_fail(err) : cli_finish(options, &session);
    cli_close(&session);
    return status;
}
