/* SPDX-License-Identifier: MIT
 * dominate.h: immediate dominators of the trunk. Private to this folder.
 */
#ifndef FI_DOMINATE_H
#define FI_DOMINATE_H

#include "analyzer/graph/stem.h"

struct fi_dominators { /* by row of the trunk */
    uint32_t *idom;    /* a row; AL_ROOT, AL_NONE: as al_dominators says */
    uint32_t *order;   /* reached rows, dominators before what they dominate */
    uint32_t reached;
};

/* done is called when the references of the stem are not needed any more. */
struct df_err *fi_dominators_find(const struct gr_stem *stem, void (*done)(void *context),
                                  void *context, struct fi_dominators *ret);
void fi_dominators_deinit(struct fi_dominators *dominators);

#endif
