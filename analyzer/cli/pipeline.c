/* SPDX-License-Identifier: MIT
 * pipeline.c: bytes become an address space, the address space becomes an interpreter, the
 * interpreter becomes a graph, the graph becomes answers.
 */
#include "analyzer/cli/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/cli/output.h"
#include "analyzer/findings/kept.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/debuginfod.h"
#include "dumpfmt/dump.h"

/* Where layouts are kept; NULL when nowhere. Malloc'ed. */
static char *cache_directory(const struct cli_options *options)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (options->no_cache)
        return NULL;
    if (cache && cache[0] == '/') /* the XDG specification: relative paths are to be ignored */
        return df_xasprintf("%s/necropy", cache);
    if (home && home[0] == '/')
        return df_xasprintf("%s/.cache/necropy", home);
    return NULL;
}

/* Layers below cannot fail for a byte that is damaged: they go on without it, and the snapshot
 * remembers. So it is asked wherever something is about to be said. One dump is open at a time. */
static struct df_necro *open_snapshot;

bool cli_is_snapshot(void)
{
    return open_snapshot != NULL;
}

struct df_err *cli_damage(void)
{
    const char *damage = open_snapshot ? df_necro_damage(open_snapshot) : NULL;
    return damage ? df_err_new(DF_ERR_INPUT, "%s", damage) : NULL;
}

/* Damage in the large sections is found amidst of reading them, where nothing can fail. What is
 * said comes from what was read before, nothing of the snapshot is in the hands of malloc or of
 * standard error, so that this may be said even there. */
static void give_up(void)
{
    df_outputs_remove();
    _exit(cli_fail(cli_damage()));
}

/* The reason behind an error, where there is one. */
static struct df_err *explain(struct df_err *err)
{
    struct df_err *damage = cli_damage();
    if (!damage)
        return err;
    df_err_free(err);
    return damage;
}

static struct df_err *find_python(const struct cli_options *options, const char *cache,
                                  struct cli_session *session)
{
    const struct df_progress *progress = &session->progress.progress;
    struct df_container_options container = {.size_limit = options->max_size, .progress = progress};
    struct df_search search = {.sysroot = options->sysroot,
                               .executable = options->executable,
                               .debug_directories = options->debug_directories,
                               .debug_directory_count = options->debug_directory_count,
                               .container = &container};
    struct py_options python = {.cache_directory = cache, .no_debug_info = options->no_debug_info};

    df_progress(progress, "opening the core", 0, 0);
    DF_TRY(df_dump_open(options->core, &search, &session->dump));
    open_snapshot = session->dump->necro;
    df_progress(progress, "finding Python", 0, 0);
    struct df_err *err = py_open(session->dump, &python, &session->py);
    if (df_debuginfod_missed()) {
        cli_progress_clear(&session->progress);
        cli_complain(0,
                     "DEBUGINFOD_URLS names servers, but libdebuginfod is not there to ask them");
    }
    return err;
}

enum depth { TO_PYTHON, TO_GRAPH, TO_ANALYSIS, TO_FINDINGS };

uint32_t cli_jobs(const struct cli_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return options->jobs ? options->jobs : processors > 0 ? (uint32_t)processors : 1;
}

/* What a snapshot has of both. */
static struct df_err *load(struct cli_session *session, enum depth depth)
{
    struct py_objects_source source;
    struct df_necro *necro = session->dump->necro;

    df_necro_check_late(necro, give_up);
    DF_TRY(gr_graph_load(necro, session->objects, &session->graph));
    if (!session->graph)
        return NULL;
    source = gr_objects_source(session->graph);
    py_objects_set_source(session->objects, &source);
    if (depth == TO_GRAPH)
        return NULL;
    return fi_analysis_load(necro, session->py, session->objects, session->graph,
                            &session->analysis);
}

static struct df_err *analyse(const struct cli_options *options, struct cli_session *session,
                              enum depth depth)
{
    const struct df_progress *progress = &session->progress.progress;
    struct py_objects_options objects = {0};
    DF_TRY(py_objects_open(session->py, &objects, &session->objects));
    if (session->dump->necro)
        DF_TRY(load(session, depth));
    if (session->graph)
        return NULL;
    DF_TRY(gr_build(session->objects, session->py, progress, cli_jobs(options), &session->graph));
    if (depth == TO_GRAPH)
        return gr_find_referrers(session->graph, cli_jobs(options));
    return fi_analyse(session->py, session->objects, session->graph, depth == TO_FINDINGS, progress,
                      cli_jobs(options), &session->analysis);
}

static struct df_err *open_session(const struct cli_options *options, enum depth depth,
                                   struct cli_session *session)
{
    *session = (struct cli_session){0};
    cli_progress_init(&session->progress, options->quiet);
    DF_CLEANUP_FREE char *cache = cache_directory(options);
    struct df_err *err = find_python(options, cache, session);
    if (!err && depth != TO_PYTHON)
        err = analyse(options, session, depth);
    err = explain(err);
    if (err)
        cli_close(session);
    return err;
}

struct df_err *cli_open_python(const struct cli_options *options, struct cli_session *ret)
{
    return open_session(options, TO_PYTHON, ret);
}

struct df_err *cli_open_graph(const struct cli_options *options, struct cli_session *ret)
{
    return open_session(options, TO_GRAPH, ret);
}

struct df_err *cli_open(const struct cli_options *options, struct cli_session *ret)
{
    return open_session(options, TO_ANALYSIS, ret);
}

struct df_err *cli_open_judged(const struct cli_options *options, struct cli_session *ret)
{
    return open_session(options, TO_FINDINGS, ret);
}

void cli_close(struct cli_session *session)
{
    cli_progress_clear(&session->progress);
    fi_analysis_destroy(session->analysis);
    gr_graph_destroy(session->graph);
    py_objects_close(session->objects);
    py_close(session->py);
    df_dump_close(session->dump);
    *session = (struct cli_session){0};
    open_snapshot = NULL;
}
