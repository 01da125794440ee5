/* SPDX-License-Identifier: MIT
 * pool.h: memory for plain values that live and die together: taken in small pieces, freed at once.
 */
#ifndef FI_POOL_H
#define FI_POOL_H

#include <stdarg.h>
#include <stddef.h>

struct fi_pool;

struct fi_pool *fi_pool_create(void);
void fi_pool_destroy(struct fi_pool *pool); /* NULL is allowed */

/* A zeroed array of count elements, aligned for anything; never NULL. */
void *fi_pool_array(struct fi_pool *pool, size_t count, size_t element);
char *fi_pool_text(struct fi_pool *pool, const char *text); /* a copy; NULL stays NULL */
/* A copy; frees the malloc'ed original. NULL stays NULL. */
char *fi_pool_take(struct fi_pool *pool, char *text);
char *fi_pool_format(struct fi_pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
