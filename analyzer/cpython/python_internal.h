/* SPDX-License-Identifier: MIT
 * python_internal.h: the steps of py_open, each in its file.
 */
#ifndef PY_PYTHON_INTERNAL_H
#define PY_PYTHON_INTERNAL_H

#include "analyzer/cpython/python.h"

struct df_err *py_read_interpreters(struct py *py);                                  /* runtime.c */
void py_read_gc(const struct py *py, struct py_interpreter *interpreter, bool main); /* gc.c */
void py_read_threads(struct py *py);                                                 /* threads.c */
/* What all threads together may cost, whatever a damaged dump says. */
struct py_frame_budget {
    uint64_t frames, line_bytes;
};
void py_read_frames(const struct py *py, struct py_thread *thread,
                    struct py_frame_budget *budget); /* frames.c */
/* Bytes of a code object's line table, 0 when it has none (code.c). */
uint64_t py_line_table_size(const struct py *py, uint64_t code);
void py_read_static_types(struct py *py); /* statics.c */

/* Address of a row of interp.types for a static builtin type, 0 when it has none (statics.c). */
uint64_t py_static_row(const struct py *py, uint64_t interpreter, uint64_t type);

#endif
