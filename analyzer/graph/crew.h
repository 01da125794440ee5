/* SPDX-License-Identifier: MIT
 * crew.h: the threads that walk what was discovered. Private to this folder.
 */
#ifndef GR_CREW_H
#define GR_CREW_H

#include "analyzer/graph/discover.h"

struct gr_crew *gr_crew_create(struct gr_discovery *discovery);
void gr_crew_destroy(struct gr_crew *crew); /* NULL is allowed */
/* Walks until no object is left that was not, or there are too many. */
void gr_crew_walk(struct gr_crew *crew);

#endif
