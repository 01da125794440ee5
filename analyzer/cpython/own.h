/* SPDX-License-Identifier: MIT
 * own.h: where in memory the interpreter's own bookkeeping lies: what must survive for the dump to
 * be read, where nothing else of the process's memory does (analyzer/graph/redact.h).
 */
#ifndef PY_OWN_H
#define PY_OWN_H

#include "analyzer/cpython/python.h"

/* Calls visit with each piece. whole: all of its bytes are bookkeeping; else its addresses and its
 * small numbers are, and nothing is promised about the rest. Pieces may overlap. */
typedef void (*py_own_visitor)(void *context, uint64_t address, uint64_t size, bool whole);
void py_own_memory(const struct py *py, py_own_visitor visit, void *context);
/* The fields that the layout has of a structure ("thread"), but for hashes; what is wider than a
 * word is left out. */
void py_own_fields(const struct py_layout *layout, const char *structure, uint64_t address,
                   py_own_visitor visit, void *context);

#endif
