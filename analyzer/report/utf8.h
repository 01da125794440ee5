/* SPDX-License-Identifier: MIT
 * utf8.h: bytes of a dead process as text that is safe to write: valid UTF-8, no control
 * characters.
 *
 * Type names, keys and texts come from the core and may hold anything, terminal escapes included.
 */
#ifndef RP_UTF8_H
#define RP_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes one code point of a NUL-terminated text; invalid bytes give U+FFFD one by one. Returns
 * how many bytes were used (0 at the end). Overlong forms, surrogates and values above U+10FFFF are
 * invalid. */
size_t rp_utf8_next(const char *text, uint32_t *ret);
/* Writes a code point into at most 4 bytes; returns how many. */
size_t rp_utf8_put(uint32_t code_point, char *buffer);

/* What a terminal might obey: C0, C1, DEL, line separators, and what turns the direction of writing. */
int rp_utf8_is_control(uint32_t code_point);
/* A copy that is valid UTF-8; `printable` also replaces control characters by U+FFFD. NULL gives "". Malloc'ed. */
char *rp_utf8_clean(const char *text, int printable);
/* Columns of a terminal that a clean text takes: one per code point, none for combining marks, two
 * for wide ones. */
size_t rp_utf8_width(const char *text);
size_t rp_utf8_columns(uint32_t code_point);

#endif
