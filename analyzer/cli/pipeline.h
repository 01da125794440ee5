/* SPDX-License-Identifier: MIT
 * pipeline.h: the whole analysis: a core file in, an analysis out.
 */
#ifndef CLI_PIPELINE_H
#define CLI_PIPELINE_H

#include "analyzer/cli/options.h"
#include "analyzer/cli/progress.h"
#include "analyzer/findings/verdict.h"
#include "analyzer/report/report.h"

struct cli_session {
    struct df_dump *dump;
    struct py *py;
    struct py_objects *objects;
    struct gr_graph *graph;
    struct fi_analysis *analysis;
    struct cli_progress progress;
};

/* Up to the interpreter only: no graph, no analysis. */
struct df_err *cli_open_python(const struct cli_options *options, struct cli_session *ret);
/* Up to the graph: no analysis. */
struct df_err *cli_open_graph(const struct cli_options *options, struct cli_session *ret);
struct df_err *cli_open(const struct cli_options *options, struct cli_session *ret);
/* The same for who makes a verdict with findings: a part of that is begun already. */
struct df_err *cli_open_judged(const struct cli_options *options, struct cli_session *ret);
void cli_close(struct cli_session *session); /* closed, or all zero: nothing */
/* Whether what is open is a snapshot; and what was found damaged in it so far (an error whenever it
 * is asked), NULL when nothing was. */
bool cli_is_snapshot(void);
struct df_err *cli_damage(void);
/* How many threads may work. */
uint32_t cli_jobs(const struct cli_options *options);

#endif
