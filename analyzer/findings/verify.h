/* SPDX-License-Identifier: MIT
 * verify.h: how exact the analysis of this very core is: the dead interpreter's own tp_traverse,
 * emulated, against our walkers, object by object. Plain values.
 *
 * Compared as multisets. Objects that the collector does not look at (no tp_traverse, static types,
 * what a tp_is_gc denies) must have no reference of kind PY_REF_REFERENT. Types that are walked by
 * their own code and nothing else agree with themselves: they are counted apart.
 */
#ifndef FI_VERIFY_H
#define FI_VERIFY_H

#include "analyzer/graph/graph.h"
#include "dumpfmt/base/progress.h"

#define FI_VERIFY_SAMPLES 64

struct fi_verify_type {
    const char *type;
    uint64_t objects, checked; /* checked: agree + own_code + disagree + failed */
    uint64_t agree, own_code, disagree, failed;
};

struct fi_verify_difference { /* a reference that one side has and the other has not */
    uint64_t target;
    int64_t offset; /* of a word of the object that holds it; -1: none does */
    bool ours;
    const char *text;
};

struct fi_verify_disagreement {
    uint64_t address, ours, theirs; /* number of references */
    const char *type, *text;
    struct fi_verify_difference *differences; /* the first ones */
    uint32_t difference_count;
    uint64_t difference_total;
};

struct fi_verify_failure {     /* own code that could not be run to its end */
    const char *reason, *type; /* of the example */
    uint64_t count, example;
};

struct fi_verify {
    uint32_t samples;          /* of each type at most; 0: every object */
    struct fi_verify_type all; /* sums; its type is NULL */
    uint32_t type_count;
    struct fi_verify_type *types; /* disagreements first, then failures, then by number */
    struct fi_verify_disagreement *disagreements; /* a few of each type */
    uint32_t disagreement_count;
    struct fi_verify_failure *failures;
    uint32_t failure_count;
    const char *sentence; /* the verdict in one line */
    const char *note;     /* why nothing could be run; NULL */
    void *pool;
};

/* samples: objects of each type at most, spread over the address range; 0: all. */
struct df_err *fi_verify_make(const struct py *py, struct py_objects *objects,
                              const struct gr_graph *graph, uint32_t samples,
                              const struct df_progress *progress, struct fi_verify **ret);
void fi_verify_free(struct fi_verify *verify); /* NULL is allowed */
/* All was run, and agrees. */
bool fi_verify_good(const struct fi_verify *verify);

#endif
