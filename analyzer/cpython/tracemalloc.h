/* SPDX-License-Identifier: MIT
 * tracemalloc.h: what tracemalloc had written down: for each block of memory that Python allocated
 * while it was on, the size and the lines that asked for it.
 *
 *   traces: block ──▶ size, traceback ──▶ frames: file, line; the most recent call first
 *   domains: number ──▶ traces of memory that is not Python's (NumPy's data, for example)
 *
 * Tracebacks are shared: tracemalloc keeps each once. Source: Modules/_tracemalloc.c (up to 3.11),
 * Python/tracemalloc.c (3.12+).
 */
#ifndef PY_TRACEMALLOC_H
#define PY_TRACEMALLOC_H

#include "analyzer/cpython/python.h"

enum py_tracing {
    PY_TRACING_OFF,
    PY_TRACING_ON,
    PY_TRACING_UNKNOWN, /* its state is in variables of which there are no symbols */
    PY_TRACING_LOST,    /* it was on, but its tables are not found or cannot be read */
};

struct py_trace {
    uint64_t address, size; /* of the block, as who allocated it got it and asked for */
    uint32_t domain;        /* 0: Python's own */
    uint32_t stack;
};

struct py_trace_frame {
    uint32_t file, line; /* file: number; line 0: unknown */
};

struct py_trace_stack {
    uint32_t first, count; /* frames; the most recent call first; at least one */
    uint32_t total;        /* frames that there were; 0: not known (3.8) */
};

struct py_tracemalloc {
    enum py_tracing state;             /* all that follows is for PY_TRACING_ON */
    uint32_t max_frames;               /* kept of a traceback; 0: not known */
    uint64_t traced_bytes, peak_bytes; /* get_traced_memory(); peak 0: not known */
    uint64_t own_bytes; /* what its tables of traces and its tracebacks take, of C's memory */
    struct py_trace *traces;           /* by domain, then by address */
    size_t trace_count, own_count;     /* own_count: those of domain 0, which come first */
    struct py_trace_stack *stacks;
    uint32_t stack_count;
    struct py_trace_frame *frames;
    uint32_t frame_count;
    char **files; /* UTF-8; numbered as Python sorts them */
    uint32_t file_count;
    uint64_t damaged; /* traces, chains, names that could not be read */
};

/* Reads it all, or says why not (state). An error only when memory is short. */
struct df_err *py_tracemalloc_open(const struct py *py, struct py_tracemalloc **ret);
void py_tracemalloc_close(struct py_tracemalloc *traced); /* NULL is allowed */

/* The trace of Python's block that begins at address, or that has address in it; NULL: none. */
const struct py_trace *py_trace_at(const struct py_tracemalloc *traced, uint64_t address);
const struct py_trace *py_trace_around(const struct py_tracemalloc *traced, uint64_t address);

#endif
