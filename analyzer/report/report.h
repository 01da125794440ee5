/* SPDX-License-Identifier: MIT
 * report.h: writers: from plain values to text, JSON, DOT and NDJSON. Reads no core.
 *
 * Each writes to a stream and reports only allocation or writing errors; atomic files are the
 * caller's (dumpfmt/base/io.h). JSON through Jansson; the report's schema is report.schema.json.
 */
#ifndef RP_REPORT_H
#define RP_REPORT_H

#include <stdio.h>

#include "analyzer/findings/diff.h"
#include "analyzer/findings/allocations.h"
#include "analyzer/findings/verdict.h"
#include "analyzer/findings/verify.h"

enum rp_section {
    RP_REPORT, /* all, a screen or two, the answer first */
    RP_FINDINGS,
    RP_TYPES,
    RP_RETAINED,
    RP_CYCLES,
    RP_GARBAGE,
    RP_THREADS,
    RP_TASKS,
    RP_MEMORY,
};

struct rp_style {
    bool color;
    uint32_t limit; /* rows of a list; 0: all. What is cut is said. */
    uint32_t width; /* columns; 0: 100 */
};

struct df_err *rp_text(FILE *stream, const struct fi_verdict *verdict, enum rp_section section,
                       const struct rp_style *style);
struct df_err *rp_json(FILE *stream, const struct fi_verdict *verdict, enum rp_section section);
struct df_err *rp_object_text(FILE *stream, const struct fi_object *object,
                              const struct rp_style *style);
struct df_err *rp_object_json(FILE *stream, const struct fi_object *object);
struct df_err *rp_instances_text(FILE *stream, const struct fi_instances *instances,
                                 const struct rp_style *style);
struct df_err *rp_instances_json(FILE *stream, const struct fi_instances *instances);
struct df_err *rp_routes_text(FILE *stream, const struct fi_routes *routes,
                              const struct rp_style *style);
struct df_err *rp_routes_json(FILE *stream, const struct fi_routes *routes);
struct df_err *rp_verify_text(FILE *stream, const struct fi_verify *verify,
                              const struct rp_style *style);
/* limit: types at most; 0: all */
struct df_err *rp_verify_json(FILE *stream, const struct fi_verify *verify, uint32_t limit);
/* limit: rows at most; 0: all */
struct df_err *rp_allocations_text(FILE *stream, const struct fi_allocations *allocations,
                                   const struct rp_style *style);
struct df_err *rp_allocations_json(FILE *stream, const struct fi_allocations *allocations,
                                   uint32_t limit);
struct df_err *rp_picture_dot(FILE *stream, const struct fi_picture *picture);
struct df_err *rp_picture_json(FILE *stream, const struct fi_picture *picture);
struct df_err *rp_diff_text(FILE *stream, const struct fi_diff *diff,
                            const struct rp_style *style);
/* limit: rows of each list; 0: all. The schema is diff.schema.json. */
struct df_err *rp_diff_json(FILE *stream, const struct fi_diff *diff, uint32_t limit);
/* The export of design: an object a line. Reads the analysis' arrays only, no core. */
struct df_err *rp_ndjson(FILE *stream, const struct fi_analysis *analysis,
                         const struct df_progress *progress);

/* "1.2 GB", "312 B": powers of 1000, three figures. */
void rp_bytes(uint64_t bytes, char *buffer, size_t size);
/* "30 000" with thin grouping by spaces. */
void rp_number(uint64_t number, char *buffer, size_t size);

#endif
