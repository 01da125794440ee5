/* SPDX-License-Identifier: MIT
 * codec.h: plain values (structs of numbers, texts and arrays) to bytes and back; private to this
 * folder.
 *
 * A struct is described once, by a function that names its fields; the same function writes them,
 * reads them, and makes the fingerprint that tells other descriptions from these. So reader and
 * writer cannot drift apart, and bytes of another version are refused before they are read.
 *
 *   bytes: kind (4), fingerprint (8), texts: count, size, each with its NUL; then the value
 *
 * Numbers are LEB128, signed ones in zigzag; a text is its number among the texts, 0 for NULL.
 * What is read is hostile: each number is checked against its type, each count against the bytes
 * that are left, before anything is allocated. The first failure sticks; then all is zero.
 */
#ifndef FI_CODEC_H
#define FI_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/findings/pool.h"
#include "dumpfmt/base/err.h"

#define FI_CODEC_ELEMENT 512 /* bytes of an array's element, at most */

struct fi_codec;

/* Describes a struct: calls FI_CODE and its like for each field. */
typedef void (*fi_coder)(struct fi_codec *codec, void *element);

/* kind: four letters that say what the bytes are. Malloc'ed bytes. */
struct df_err *fi_encode(const char *kind, fi_coder coder, const void *value, void **ret,
                         size_t *ret_size);
/* Fills `value`, which is zeroed; all that it points to is the pool's. Errors: the bytes are not
 * what was written (DF_ERR_INPUT), they were written by another version (DF_ERR_UNSUPPORTED). */
struct df_err *fi_decode(const char *kind, fi_coder coder, const void *bytes, size_t size,
                         struct fi_pool *pool, size_t value_size, void *value);

/* What is read makes no sense, for descriptions that know more than a type does. */
bool fi_codec_reads(const struct fi_codec *codec);
void fi_codec_refuse(struct fi_codec *codec, const char *field);

void fi_code_bool(struct fi_codec *codec, bool *field, const char *name);
void fi_code_u8(struct fi_codec *codec, uint8_t *field, const char *name);
void fi_code_u32(struct fi_codec *codec, uint32_t *field, const char *name);
void fi_code_u64(struct fi_codec *codec, uint64_t *field, const char *name);
void fi_code_i32(struct fi_codec *codec, int32_t *field, const char *name);
void fi_code_i64(struct fi_codec *codec, int64_t *field, const char *name);
void fi_code_text(struct fi_codec *codec, const char **field, const char *name);
void fi_code_name(struct fi_codec *codec, const char **field, const char *name);
/* counted: its count comes before it; else count is that of an array before it. */
void *fi_code_array(struct fi_codec *codec, void *items, uint32_t *count, size_t element,
                    bool counted, fi_coder coder, const char *name);
/* An enum, whose last value is `last`. */
uint32_t fi_code_choice(struct fi_codec *codec, uint32_t value, uint32_t last, const char *name);

/* A number, a truth, or a text that may be NULL. */
#define FI_CODE(codec, field) \
    _Generic(&(field),                 \
        bool *: fi_code_bool,          \
        uint8_t *: fi_code_u8,         \
        uint32_t *: fi_code_u32,       \
        uint64_t *: fi_code_u64,       \
        int32_t *: fi_code_i32,        \
        int64_t *: fi_code_i64,        \
        const char **: fi_code_text)(codec, &(field), #field)
/* A text that is never NULL. */
#define FI_CODE_NAME(codec, field) fi_code_name(codec, &(field), #field)
#define FI_CODE_ENUM(codec, field, last)                                                       \
    do {                                                                                       \
        uint32_t choice_ = fi_code_choice(codec, (uint32_t)(field), (uint32_t)(last), #field); \
        if (fi_codec_reads(codec))                                                             \
            (field) = (__typeof__(field))choice_;                                              \
    } while (0)
#define FI_CODE_ARRAY_(codec, items, count, counted, coder)                                       \
    do {                                                                                          \
        _Static_assert(sizeof(*(items)) <= FI_CODEC_ELEMENT, "raise FI_CODEC_ELEMENT");           \
        void *items_ = fi_code_array(codec, (void *)(items), &(count), sizeof(*(items)), counted, \
                                     coder, #items);                                              \
        if (fi_codec_reads(codec))                                                                \
            (items) = items_;                                                                     \
    } while (0)
/* An array and its count. */
#define FI_CODE_ARRAY(codec, items, count, coder) FI_CODE_ARRAY_(codec, items, count, true, coder)
/* An array that shares the count of one before it. */
#define FI_CODE_COLUMN(codec, items, count, coder) FI_CODE_ARRAY_(codec, items, count, false, coder)

void fi_code_type_row(struct fi_codec *codec, void *element); /* saved_verdict.c */

/* Elements that are no structs. */
void fi_code_u64_item(struct fi_codec *codec, void *element);
void fi_code_text_item(struct fi_codec *codec, void *element);
void fi_code_name_item(struct fi_codec *codec, void *element);

#endif
