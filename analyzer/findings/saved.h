/* SPDX-License-Identifier: MIT
 * saved.h: answers that were dear to make, as bytes for a snapshot, and back in milliseconds.
 *
 * Bytes in, bytes out: which sections of which file they are is the caller's. What is loaded stands
 * for itself: no core, no graph, no analysis is needed any more, and the bytes may go. A report of
 * it is the same, byte for byte, as one that is made from the core.
 *
 * Bytes are hostile. What was not written so is refused: "this snapshot is damaged: ..."
 * (DF_ERR_INPUT); what another version wrote, whose structs are others, is refused as such
 * (DF_ERR_UNSUPPORTED): make the answer anew then.
 */
#ifndef FI_SAVED_H
#define FI_SAVED_H

#include "analyzer/findings/profile.h"
#include "analyzer/findings/traces.h"
#include "analyzer/findings/verdict.h"

/* What a verdict must be made with so that, saved, it answers every question: all rows that there
 * ever are, native frames, findings. No list of a verdict is longer than without a limit. */
struct fi_verdict_options fi_saved_options(const char *command_line_core,
                                           const struct df_progress *progress);

/* Malloc'ed bytes, the same for the same verdict. */
struct df_err *fi_verdict_save(const struct fi_verdict *verdict, void **ret, size_t *ret_size);
/* The verdict that fi_verdict_make would have made with these options, except that the core's path
 * is as it was saved. A snapshot has no code to run: DF_ERR_USAGE with options->verify. */
struct df_err *fi_verdict_load(const void *bytes, size_t size,
                               const struct fi_verdict_options *options, struct fi_verdict **ret);

struct df_err *fi_profile_save(const struct fi_profile *profile, void **ret, size_t *ret_size);
struct df_err *fi_profile_load(const void *bytes, size_t size, struct fi_profile **ret);

struct df_err *fi_traces_save(const struct fi_traces *traces, void **ret, size_t *ret_size);
struct df_err *fi_traces_load(const void *bytes, size_t size, struct fi_traces **ret);

#endif
