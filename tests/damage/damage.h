/* SPDX-License-Identifier: MIT
 * damage.h: kinds of damage to a core file in memory, the same for the same seed.
 */
#ifndef TESTS_DAMAGE_H
#define TESTS_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

struct damage_target {   /* of an undamaged core */
    const uint8_t *file; /* its bytes */
    size_t size;
    const uint64_t *objects; /* addresses worth hitting */
    size_t object_count;
};

/* A damaged copy: malloc'ed, *ret_size bytes. `what` gets a line that says what was done. */
uint8_t *damage_make(const struct damage_target *target, uint64_t seed, size_t *ret_size,
                     char what[256]);

#endif
