/* SPDX-License-Identifier: MIT
 * answers.h: the finished answers in a snapshot: `report` and its sections, `diff` and
 * `allocations` need nothing else of it, no interpreter, no heap, no graph.
 *
 * An answer that is not there, or that another version saved, is made anew by the caller, from the
 * analysis; one that is damaged is an error.
 */
#ifndef CLI_ANSWERS_H
#define CLI_ANSWERS_H

#include "analyzer/cli/options.h"
#include "analyzer/findings/saved.h"
#include "dumpfmt/necro.h"

/* *ret is NULL when the answer must be made anew. */
struct df_err *cli_saved_verdict(const struct cli_options *options,
                                 const struct fi_verdict_options *wanted, struct fi_verdict **ret);
struct df_err *cli_saved_profile(const char *core, struct fi_profile **ret);
struct df_err *cli_saved_traces(const char *core, struct fi_traces **ret);

/* Makes all of them and adds them to a snapshot, as sections "verdict", "profile", "allocations".
 * core: the file that is open; called: what they call it. */
struct df_err *cli_save_answers(struct df_necro_writer *writer, struct fi_analysis *analysis,
                                const char *core, const char *called,
                                const struct df_progress *progress);

#endif
