/* SPDX-License-Identifier: MIT
 * frame_sample.h: what kept frames keep: the locals that are heavy, by function and name. Private
 * to this folder.
 */
#ifndef FI_FRAME_SAMPLE_H
#define FI_FRAME_SAMPLE_H

#include "analyzer/findings/rules/piles.h"

#define FI_SAMPLE_VARIABLES 64 /* that are told apart */

struct fi_frame_sample {
    struct fi_context *context;
    uint32_t keeper; /* of the frames: what holds that too is not theirs to keep; or AL_NONE */
    struct fi_variable {
        uint64_t code;
        char *name;
        uint64_t bytes, count;
        uint32_t type;
    } variables[FI_SAMPLE_VARIABLES];
    uint32_t count;
    uint64_t code;   /* of the frame that is looked at */
    uint64_t frames; /* for who counts them */
};

void fi_frame_sample_add(struct fi_frame_sample *sample, const struct py_frame *frame);
/* Adds a line of evidence, and frees what the sample has. */
void fi_frame_sample_tell(struct fi_frame_sample *sample, struct fi_finding *finding);

#endif
