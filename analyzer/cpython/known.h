/* SPDX-License-Identifier: MIT
 * known.h: the table of known layouts: for builds whose debug information is not at hand.
 *
 * Rows are generated from debug information (tests/layouts/generate) and keyed by exact version,
 * machine and build flags. A version that has no row may be served by the nearest row of its minor
 * version: the layout says so, and the caller must check it against the dump (probe.h).
 */
#ifndef PY_KNOWN_H
#define PY_KNOWN_H

#include "analyzer/cpython/layout.h"

enum py_build { /* flags of a build that change the layout */
                PY_BUILD_RELEASE = 0,
                PY_BUILD_DEBUG = 1,
                PY_BUILD_THREADED = 2,  /* free-threaded */
                PY_BUILD_TRACE_REFS = 4 /* every object on a list */
};

#define PY_BUILDS 8

struct py_known_layout {
    uint32_t version; /* PY_VERSION_HEX */
    uint8_t build;    /* enum py_build, or'ed */
    const char *machine, *text;
};

/* How many rows the table has, and one of them. */
uint32_t py_known_count(void);
void py_known_at(uint32_t i, struct py_known_layout *ret);

/* The row for this version, machine and build, or else the nearest of its minor version; false when
 * there is none. */
bool py_known_find(uint32_t version, const char *machine, unsigned build, struct py_known_layout *ret);
/* Makes the layout that a row describes, with the shapes that `version` has. */
void py_layout_from_known(const struct py_known_layout *row, uint32_t version, struct py_layout *ret);

/* Numbers of a layout that debug information alone tells, besides offsets. */
enum { PY_KNOWN_NUMBERS = 11 };
extern const struct py_known_number {
    const char *name;
    uint16_t offset;
    uint8_t size; /* bytes in the layout; negative numbers: one byte, signed */
    bool is_signed;
} py_known_numbers[PY_KNOWN_NUMBERS];
int64_t py_known_number(const struct py_layout *layout, size_t i);

unsigned py_layout_build(const struct py_layout *layout);
const char *py_build_name(unsigned build); /* "release", "debug", "debug-threaded" */

#endif
