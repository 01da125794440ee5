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

struct py_trace_file { /* the name of a file that frames are of */
    uint64_t address;  /* of a str object, or of its text */
    uint32_t number;   /* in the order of being met */
    uint32_t *points;  /* the code points of the name: what UTF-8 cannot say is told apart too */
    uint32_t length;
    char *text;
};
/* Fills points, length and text; returns how many names could not be read: they are empty, their
 * text says so (tracemalloc_files.c). */
uint64_t py_read_trace_files(struct py_reader *reader, struct py_trace_file *files, size_t count);

#endif
