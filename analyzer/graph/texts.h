/* SPDX-License-Identifier: MIT
 * texts.h: many short texts that live and die together (the reasons of a graph's roots).
 */
#ifndef GR_TEXTS_H
#define GR_TEXTS_H

struct gr_texts;

struct gr_texts *gr_texts_create(void);
void gr_texts_destroy(struct gr_texts *texts); /* NULL is allowed */
const char *gr_texts_format(struct gr_texts *texts, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
