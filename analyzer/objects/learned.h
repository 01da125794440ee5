/* SPDX-License-Identifier: MIT
 * learned.h: types of very many instances that only their own code knows: what that code does is
 * learned from some of them, and done natively for the rest. Private to this folder.
 *
 * What is learned is the code's dependence on the object, from a trace of its reads: fields that it
 * visits, an array that it visits (a pointer and a length), and every other word of the object that
 * it looks at, which is a guard: only objects that have the same there are taken to be alike. Which
 * fields are empty is part of the likeness. One object in 64 (after the first 65 536 one in 1024)
 * is given to its own code all the same; when it disagrees nothing is believed any more and the
 * batch is walked by emulation.
 */
#ifndef PY_LEARNED_H
#define PY_LEARNED_H

#include "analyzer/objects/internal.h"

enum py_likeness {
    PY_UNLIKE, /* to be emulated */
    PY_CHECK,  /* to be emulated, and py_learned_check to be told */
    PY_ALIKE   /* py_learned_push will do */
};

/* Counts the objects of a batch by type, and learns the shapes of types that have many. */
void py_learn(struct py_objects *objects, const struct py_batch_item *items, size_t count);
enum py_likeness py_learned_likeness(struct py_objects *objects, const struct py_type *type,
                                     uint64_t object);
void py_learned_push(struct py_objects *objects, const struct py_type *type, uint64_t object,
                     struct py_refs *refs);
/* The array that a learned shape has, if it has one. */
bool py_learned_array(struct py_objects *objects, const struct py_type *type, uint64_t object,
                      uint64_t *ret_address, uint64_t *ret_size);
/* What its own code visited. False: it is something else than was learned, which is forgotten. */
bool py_learned_check(struct py_objects *objects, const struct py_type *type, uint64_t object,
                      const uint64_t *targets, size_t count);

/* The same for an emulated __sizeof__: false when the object must be asked itself; then tell
 * py_learned_note_size what it said. */
bool py_learned_size(struct py_objects *objects, const struct py_type *type, uint64_t object,
                     uint64_t *ret);
void py_learned_note_size(struct py_objects *objects, const struct py_type *type, uint64_t object,
                          uint64_t size);
/* sizes.c: what the type's C function says. */
bool py_ask_size(struct py_objects *objects, const struct py_type *type, uint64_t object,
                 uint64_t *ret);

void py_learned_free(struct py_learned *learned); /* NULL is allowed */

/* What was learned of a type's references, as rows of a snapshot. */
struct py_learned_row {
    uint32_t type; /* index */
    uint8_t role, size;
    uint16_t zero;
    int32_t offset;
    uint32_t reserved;
    uint64_t value;
};
struct py_learned_rows {
    struct py_learned_row *items;
    size_t count, capacity;
};
void py_learned_save(const struct py_type *type, struct py_learned_rows *rows);
/* False: it makes no sense. */
bool py_learned_restore(struct py_objects *objects, const struct py_learned_row *row);

#endif
