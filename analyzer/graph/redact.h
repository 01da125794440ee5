/* SPDX-License-Identifier: MIT
 * redact.h: what of a dead process's memory a snapshot may keep that leaves the company: the shape
 * of the heap and the names of the program, and no data.
 *
 * The rule is a whitelist: a byte that nothing below names is written as 0.
 *  1. Read-only segments of ELF files: the program itself.
 *  2. Aligned words that are addresses of mapped memory, everywhere but in the bodies of str,
 * bytes, int, float and complex objects.
 *  3. Small numbers (below 65536) in the data of ELF files and in the runtime's own structures.
 *  4. Of objects: the header, the number of items, the fields that the layout knows, but for
 * hashes.
 *  5. Bookkeeping of the collector, of Python's allocator and of malloc; headers of dicts' tables.
 *  6. Texts that are names of the program: of types, functions, modules, files of code, variables
 *     and attributes as code, types and modules have them; bytecode and its tables of lines.
 */
#ifndef GR_REDACT_H
#define GR_REDACT_H

#include "analyzer/graph/graph.h"
#include "dumpfmt/necro_memory.h"

struct gr_redaction;
/* All of them must outlive it. */
struct df_err *gr_redaction_make(const struct py *py, struct py_objects *objects,
                                 const struct gr_graph *graph, struct gr_redaction **ret);
void gr_redaction_free(struct gr_redaction *redaction); /* NULL is allowed */
/* For struct df_memory_filter; context: the redaction. */
void gr_redact(void *context, uint64_t address, uint8_t *bytes, uint32_t size);

#endif
