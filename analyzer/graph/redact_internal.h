/* SPDX-License-Identifier: MIT
 * redact_internal.h: what redact.c keeps by, and redact_names.c and redact_native.c find out.
 */
#ifndef GR_REDACT_INTERNAL_H
#define GR_REDACT_INTERNAL_H

#include "analyzer/graph/redact.h"

struct gr_extents { /* sorted by address and disjoint once settled */
    struct gr_extent {
        uint64_t start, end;
    } * items;
    size_t count, capacity;
};

struct gr_fields { /* offsets in an object that are kept */
    struct gr_extent items[64];
    uint32_t count;
};

enum gr_body {
    GR_BODY_PLAIN,
    GR_BODY_TEXT,
    GR_BODY_BYTES,
    GR_BODY_INT,
    GR_BODY_FLOAT,
    GR_BODY_COMPLEX,
    GR_BODY_TYPE
};

struct gr_kept_type {
    uint8_t body;                   /* enum gr_body */
    const struct gr_fields *fields; /* NULL: none */
};

struct gr_redaction {
    const struct py *py;
    struct py_objects *objects;
    const struct gr_graph *graph;
    struct gr_kept_type *types; /* by number */
    struct gr_fields *fields;   /* of structures */
    uint64_t *names;            /* bits of nodes whose body is the program's */
    struct gr_extents whole;    /* kept as they are */
    struct gr_extents numbers;  /* whose small numbers are kept, both halves of a word */
    struct gr_extents data;     /* whose small words are kept: of ELF files */
    struct gr_extents program;  /* read-only segments */
};

void gr_extent_add(struct gr_extents *spans, uint64_t start, uint64_t size);
/* redact_names.c */
void gr_redact_find_names(struct gr_redaction *redaction);
/* redact_native.c */
struct df_err *gr_redact_find_native(struct gr_redaction *redaction);

#endif
