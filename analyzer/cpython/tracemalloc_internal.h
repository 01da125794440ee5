/* SPDX-License-Identifier: MIT
 * tracemalloc_internal.h: what the files that read tracemalloc's tables share.
 */
#ifndef PY_TRACEMALLOC_INTERNAL_H
#define PY_TRACEMALLOC_INTERNAL_H

#include "analyzer/cpython/hashtable.h"
#include "analyzer/cpython/tracemalloc.h"

#define PY_MAX_TRACE_FRAMES 65536 /* of a traceback: UINT16_MAX since 3.9 */

/* Where tracemalloc has its things (tracemalloc_find.c). */
struct py_tracing_place {
    enum py_tracing state;
    uint32_t max_frames;      /* 0: not known */
    uint64_t traces, domains; /* addresses of tables; domains 0: there are none */
    uint64_t traced, peak;    /* bytes; 0: not known */
};
void py_find_tracing(const struct py *py, struct py_tracing_place *ret);

/* A traceback at address: where its frames are, and how many. False when it cannot be one. */
bool py_trace_stack_at(struct py_reader *reader, uint64_t address, uint64_t *ret_frames,
                       uint32_t *ret_count, uint32_t *ret_total);

#endif
