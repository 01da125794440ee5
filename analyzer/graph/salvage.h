/* SPDX-License-Identifier: MIT
 * salvage.h: objects of a damaged core that nothing leads to any more. Private to this folder.
 *
 * A core that was cut lacks, first of all, what leads to the rest: the collector's lists break at
 * the first page that is gone, and the allocators' tables with them. What is left is still made of
 * objects. So all writable memory that is there is looked through for words that point to a type
 * which is known, where an object's type would be; round after round, as each finds more types.
 */
#ifndef GR_SALVAGE_H
#define GR_SALVAGE_H

#include "analyzer/graph/discover.h"

/* After the discovery: does nothing when the core is whole and its collector lists are. */
struct df_err *gr_salvage(struct gr_discovery *discovery);

#endif
