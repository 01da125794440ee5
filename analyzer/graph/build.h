/* SPDX-License-Identifier: MIT
 * build.h: makes the graph from a dead process: discovers every object, numbers it, stores every
 * reference, finds the roots.
 *
 * Objects come from the collector's lists (all generations and the permanent one), from static
 * types, from the roots, and from the references of all of these, transitively. Roots: modules in
 * sys.modules, frames of threads, state of runtime, interpreters and threads, static types. Then,
 * for what none of them reaches: objects whose reference count exceeds the references found
 * (surplus), heads of garbage, and the rest, so that every object hangs under some root.
 */
#ifndef GR_BUILD_H
#define GR_BUILD_H

#include "analyzer/graph/graph.h"
#include "dumpfmt/base/progress.h"

/* `objects` is used and keeps its types and ledger. `jobs`: threads that may work at once; the
 * graph is the same for any number. Referrers are counted, and not found yet (graph.h). */
struct df_err *gr_build(struct py_objects *objects, struct py *py,
                        const struct df_progress *progress, uint32_t jobs, struct gr_graph **ret);

#endif
