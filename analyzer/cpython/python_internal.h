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
void py_read_counts(struct py *py);       /* refcounts.c; after the threads */

/* What must hold of any CPython, as far as the layout in py is right (layout_probe.c). */
enum {
    PY_HOLDS_INTERPRETERS = 1,
    PY_HOLDS_THREADS = 2,
    PY_HOLDS_MODULES = 4,
    PY_HOLDS_SYSDICT = 8,
    PY_HOLDS_BUILTINS = 16,
    PY_HOLDS_GC = 32,
    PY_HOLDS_STATIC_TYPES = 64,
    PY_HOLDS_ALL = 127,
    PY_HOLDS_ENOUGH = 31 /* without these nothing can be said */
};
unsigned py_layout_holds(const struct py *py);
const char *py_holds_name(unsigned bit);
/* Searches for what does not hold, and moves what the table alone has by as much; the result of
 * py_layout_holds afterwards. table: the row of the table as it was. */
unsigned py_layout_probe(struct py *py, const struct py_layout *table);
/* The main interpreter, as the layout has it. */
uint64_t py_probe_interpreter(const struct py *py);

/* The layout and, where no symbol has said it, the runtime: from debug information, else from all
 * other sources (layout_choose.c). */
struct df_err *py_choose_layout(struct py *py, const struct py_options *options);
/* Sets general_lookup where debug information did not (layout_choose.c). After the interpreters. */
void py_find_general_lookup(struct py *py);
const char *py_machine_name(const struct df_core *core); /* "x86_64" */
/* _PyRuntime, by its symbol, its section or its cookie; false when all are missing
 * (runtime_find.c). Sets py->module in any case: what looks most like the interpreter; NULL when
 * there are no modules at all. */
bool py_find_runtime(struct py *py);
/* Searches writable memory for what looks like _PyRuntime under py's layout; 0 when nothing does. */
uint64_t py_search_runtime(struct py *py);

/* What py_snapshot_save has saved; into py, up to the interpreters (snapshot.c). */
struct df_err *py_snapshot_restore(struct py *py);

/* Address of a row of interp.types for a static builtin type, 0 when it has none (statics.c). */
uint64_t py_static_row(const struct py *py, uint64_t interpreter, uint64_t type);

#endif
