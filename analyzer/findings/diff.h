/* SPDX-License-Identifier: MIT
 * diff.h: what grew between two or more dumps of one service, as plain values.
 *
 * Made of profiles (profile.h), oldest first; the processes may be different ones. All strings are
 * the diff's own, but for those of fi_diff_dump, which are the profiles'.
 */
#ifndef FI_DIFF_H
#define FI_DIFF_H

#include "analyzer/findings/profile.h"

#define FI_MAX_DUMPS 16

enum fi_growth_kind {                    /* what growth looks like, strongest suspicion first */
                      FI_GROWS_ELEMENTS, /* a container has more elements, or more objects are there
                                          */
                      FI_GROWS_SIZE,     /* no more objects, but they are larger */
                      FI_GROWS_NEW,      /* was not there in the first dump */
                      FI_GROWS_ONCE,     /* grew by one thing: something was made once */
                      FI_GROWS_GARBAGE,  /* waits for the collector */
                      FI_GROWS_CODE,     /* what importing modules brings */
                      FI_GROWS_LIMITED,  /* full: as long as a limit that it has */
                      FI_GROWTH_KINDS
};

struct fi_growth {      /* a place where memory grew */
    const char *path;   /* "shop.audit.LOG[*]" */
    const char *holder; /* "shop.audit.LOG"; NULL: the path's objects themselves are meant */
    const char *holder_type;
    const char *type; /* of what there is more of: most of it */
    bool mixed;       /* of other types too */
    enum fi_growth_kind kind;
    bool monotone;          /* grew in each step */
    uint64_t limit;         /* of kind FI_GROWS_LIMITED */
    const uint64_t *counts; /* per dump: objects at path */
    const uint64_t *bytes;  /* per dump: of the holder and all that hangs below it */
    int64_t grown_objects, grown_bytes;
    const char *sentence; /* "`shop.audit.LOG` grew by 40 000 `Entry` (12.0 MB)" */
};

struct fi_type_growth {
    const char *type;
    const uint64_t *counts, *shallow, *retained; /* per dump */
    int64_t grown_objects, grown_bytes;          /* bytes: shallow */
    bool monotone;
};

struct fi_diff_dump {
    const char *path, *version, *gap;
    int32_t pid;
    uint64_t objects, heap_bytes;
};

struct fi_diff {
    struct fi_diff_dump *dumps; /* in the order given */
    uint32_t dump_count;
    const char **warnings; /* sentences: why the dumps compare badly */
    uint32_t warning_count;
    const char *sentence; /* the answer */
    bool grew;            /* anything to speak of */
    int64_t grown_bytes;  /* of the heap, first to last */
    uint64_t all_growth;  /* bytes: the sum of what grew, whatever shrank */
    struct fi_growth *paths;
    uint32_t path_count;
    struct fi_type_growth *types;
    uint32_t type_count;
    void *pool;
};

/* At least 2 profiles, at most FI_MAX_DUMPS, oldest first; they must outlive the diff. */
struct df_err *fi_diff_make(const struct fi_profile *const *profiles, uint32_t count,
                            struct fi_diff **ret);
void fi_diff_free(struct fi_diff *diff); /* NULL is allowed */
/* "elements", "size", "new", "once", "garbage", "code", "limited". */
const char *fi_growth_kind_name(enum fi_growth_kind kind);

#endif
