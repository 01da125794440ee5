/* SPDX-License-Identifier: MIT
 * profile.h: what of one dump is compared with other dumps: its types, and where its memory hangs.
 *
 * A profile is small and stands for itself: it holds no address and no number of the process, needs
 * neither core nor graph any more, and has in common with the profile of another process of the
 * same program what the two heaps have in common.
 *
 * Where memory hangs is a tree of shapes. The shape of an object is its shortest natural path from
 * the roots (ways.h, the tree for comparing) with indices, keys, addresses and thread numbers left
 * out: all elements of `shop.audit.LOG` that are of one type are one shape, `shop.audit.LOG[*]`.
 * Eclipse MAT's FindLeaksQuery2 compares dominator trees by masked labels in this manner; the tree
 * of paths has each object, where the dominator tree loses those that two modules share.
 */
#ifndef FI_PROFILE_H
#define FI_PROFILE_H

#include "analyzer/findings/verdict.h"

enum fi_hop {
    FI_HOP_ROOT,      /* the label is a root's path */
    FI_HOP_ATTRIBUTE, /* has a name: ".name" */
    FI_HOP_ELEMENT,   /* "[*]": item, value, member */
    FI_HOP_KEY,       /* ".<key>" */
    FI_HOP_OTHERS,    /* shapes too many to be told apart */
};

enum {                         /* what a shape is, flags */
       FI_SHAPE_MODULE = 1,    /* its root is a module */
       FI_SHAPE_GARBAGE = 2,   /* its root is garbage, nothing alive holds it */
       FI_SHAPE_CODE = 4,      /* functions, code, classes: what imports make */
       FI_SHAPE_NAMESPACE = 8, /* a module or a class: holds names, not things */
};

#define FI_MAX_LIMITS 4

struct fi_shape {
    uint32_t above; /* a lower number; AL_NONE for a root */
    uint8_t hop;    /* enum fi_hop */
    uint8_t flags;
    const char *label, *type;
    uint64_t count, own_bytes;         /* objects of this shape, without what hangs below */
    uint64_t rest_objects, rest_bytes; /* below, of no shape of their own: too little of it */
    uint64_t limits[FI_MAX_LIMITS];    /* of a container: what its owner names .maxsize and so, or
                                             it keeps itself; 0: none */
};

struct fi_profile {
    const char *path, *executable, *machine; /* as fi_core */
    const char *version;
    bool free_threaded, debug_build;
    int32_t pid;
    const char *gap; /* one sentence on what could not be read; NULL */
    uint64_t objects, heap_bytes;
    struct fi_type_row *types;
    uint32_t type_count;
    struct fi_shape *shapes;
    uint32_t shape_count;
    void *pool;
};

struct df_err *fi_profile_make(struct fi_analysis *analysis, const char *command_line_core,
                               const struct df_progress *progress, struct fi_profile **ret);
void fi_profile_free(struct fi_profile *profile); /* NULL is allowed */

/* Fills shapes and shape_count; shapes.c. */
struct df_err *fi_profile_shapes(struct fi_analysis *analysis, struct fi_profile *profile);

#endif
