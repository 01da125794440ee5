/* SPDX-License-Identifier: MIT
 * output.h: what commands share when they are done: exit statuses, and where output goes.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "analyzer/cli/pipeline.h"

/* Complains about an error, frees it, gives the exit status that belongs to it. */
int cli_fail(struct df_err *err);
/* The status of a command that did its work: says in one sentence what could not be read. */
int cli_finish(const struct cli_options *options, const struct cli_session *session);
/* The same where that sentence is known; NULL: all could be read. */
int cli_finish_with(const struct cli_options *options, const char *gap);
/* Colours and width for standard output. */
struct rp_style cli_style(const struct cli_options *options, uint32_t default_limit);

/* Writes through `write` to a file (made beside, then renamed) or, for NULL or "-", to standard
 * output. Of a snapshot that turns out to be damaged while it is written, nothing comes out. */
typedef struct df_err *(*cli_writer)(FILE *stream, void *context);
struct df_err *cli_write(const char *path, cli_writer write, void *context);

#endif
