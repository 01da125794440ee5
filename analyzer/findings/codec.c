/* SPDX-License-Identifier: MIT
 * codec.c: the four things that a description of a struct does: write, read, fingerprint, and count
 * the bytes that an element takes at least, so that a count can be checked before its array is
 * made.
 */
#include "analyzer/findings/codec.h"

#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"

#define FORMAT 1 /* of the bytes: part of the fingerprint */
#define KIND_BYTES 4
#define FINGERPRINT_BYTES 8
#define LEB_BYTES 10 /* of 64 bits, at most */

enum task { WRITE, READ, FINGERPRINT, MEASURE };

struct bytes {
    uint8_t *items;
    size_t count, capacity;
};

struct fi_codec {
    enum task task;
    struct bytes body, texts; /* written */
    struct df_map text_of;    /* hash of a text: its number */
    const char **text;        /* texts that were written, or read */
    size_t text_count, text_capacity;
    const uint8_t *at, *end; /* read */
    struct fi_pool *pool;
    const char *refused; /* the field that made no sense; NULL: all is well */
    uint64_t fingerprint;
    size_t least; /* measured */
};

bool fi_codec_reads(const struct fi_codec *codec)
{
    return codec->task == READ;
}

void fi_codec_refuse(struct fi_codec *codec, const char *field)
{
    if (!codec->refused)
        codec->refused = field;
    codec->at = codec->end;
}

/* ---- numbers ---- */

static uint64_t fnv(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void mix(struct fi_codec *codec, const char *what, const char *name)
{
    codec->fingerprint = fnv(codec->fingerprint, what, strlen(what) + 1);
    codec->fingerprint = fnv(codec->fingerprint, name, strlen(name) + 1);
}

static void put(struct bytes *bytes, const void *from, size_t size)
{
    size_t wanted = bytes->count + size;

    if (wanted > bytes->capacity) {
        bytes->capacity = wanted < 4096 ? 4096 : 2 * wanted;
        bytes->items = df_xrealloc(bytes->items, bytes->capacity, 1);
    }
    memcpy(bytes->items + bytes->count, from, size);
    bytes->count = wanted;
}

static void put_number(struct bytes *bytes, uint64_t value)
{
    uint8_t leb[LEB_BYTES];
    size_t used = 0;

    for (; value > 127; value >>= 7)
        leb[used++] = (uint8_t)(value | 128);
    leb[used++] = (uint8_t)value;
    put(bytes, leb, used);
}

static uint64_t get_number(struct fi_codec *codec, uint64_t most, const char *name)
{
    uint64_t value = 0;

    for (unsigned shift = 0; codec->at < codec->end; shift += 7) {
        uint8_t byte = *codec->at++;

        if (shift == 63 && byte > 1) /* the tenth byte has the last bit */
            break;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128 && value <= most)
            return value;
        if (byte < 128)
            break;
    }
    fi_codec_refuse(codec, name);
    return 0;
}

/* All fields end here: `type` tells those from each other that look alike as bytes. */
static uint64_t number(struct fi_codec *codec, uint64_t value, uint64_t most, const char *type,
                       const char *name)
{
    switch (codec->task) {
    case WRITE:
        put_number(&codec->body, value);
        return value;
    case READ:
        return get_number(codec, most, name);
    case FINGERPRINT:
        mix(codec, type, name);
        return 0;
    case MEASURE:
        codec->least++;
        return 0;
    }
    return 0;
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

/* Values that are written may be constant: only a reader stores. */
#define CODE_NUMBER(value, most, type, back)                          \
    do {                                                              \
        uint64_t got_ = number(codec, (value), (most), (type), name); \
        if (codec->task == READ)                                      \
            *field = (back);                                          \
    } while (0)

void fi_code_bool(struct fi_codec *codec, bool *field, const char *name)
{
    CODE_NUMBER(*field, 1, "bool", got_ != 0);
}

void fi_code_u8(struct fi_codec *codec, uint8_t *field, const char *name)
{
    CODE_NUMBER(*field, UINT8_MAX, "u8", (uint8_t)got_);
}

void fi_code_u32(struct fi_codec *codec, uint32_t *field, const char *name)
{
    CODE_NUMBER(*field, UINT32_MAX, "u32", (uint32_t)got_);
}

void fi_code_u64(struct fi_codec *codec, uint64_t *field, const char *name)
{
    CODE_NUMBER(*field, UINT64_MAX, "u64", got_);
}

void fi_code_i32(struct fi_codec *codec, int32_t *field, const char *name)
{
    CODE_NUMBER(zigzag(*field), UINT32_MAX, "i32", (int32_t)unzigzag(got_));
}

void fi_code_i64(struct fi_codec *codec, int64_t *field, const char *name)
{
    CODE_NUMBER(zigzag(*field), UINT64_MAX, "i64", unzigzag(got_));
}

uint32_t fi_code_choice(struct fi_codec *codec, uint32_t value, uint32_t last, const char *name)
{
    return (uint32_t)number(codec, value, last, "enum", name);
}

/* ---- texts ---- */

/* The number of a text, from 1: equal texts have one. */
static uint64_t text_number(struct fi_codec *codec, const char *text)
{
    size_t size = strlen(text) + 1;
    uint64_t key = fnv(UINT64_C(0xcbf29ce484222325), text, size);
    uint32_t known;

    for (;; key++) {
        bool added = false;

        key += !key;
        known = df_map_add(&codec->text_of, key, (uint32_t)codec->text_count, &added);
        if (added)
            break;
        if (!strcmp(codec->text[known], text))
            return (uint64_t)known + 1;
    }
    codec->text =
        df_grow(codec->text, codec->text_count, &codec->text_capacity, sizeof(*codec->text));
    codec->text[codec->text_count++] = text;
    put(&codec->texts, text, size);
    return codec->text_count;
}

static void code_text(struct fi_codec *codec, const char **field, bool needed, const char *name)
{
    uint64_t written = codec->task == WRITE && *field ? text_number(codec, *field) : 0;
    uint64_t got = number(codec, written, codec->text_count, needed ? "name" : "text", name);

    if (needed && !got && codec->task <= READ)
        fi_codec_refuse(codec, name);
    if (codec->task == READ)
        *field = got ? codec->text[got - 1] : needed ? "" : NULL;
}

void fi_code_text(struct fi_codec *codec, const char **field, const char *name)
{
    code_text(codec, field, false, name);
}

void fi_code_name(struct fi_codec *codec, const char **field, const char *name)
{
    code_text(codec, field, true, name);
}

/* ---- arrays ---- */

/* Bytes that an element takes at least: one for each field. */
static size_t least_of(fi_coder coder)
{
    _Alignas(max_align_t) uint8_t nothing[FI_CODEC_ELEMENT] = {0};
    struct fi_codec codec = {.task = MEASURE};

    coder(&codec, nothing);
    return codec.least;
}

static void *read_array(struct fi_codec *codec, uint32_t count, size_t element, fi_coder coder,
                        const char *name)
{
    if (!count)
        return NULL;
    if (count > (size_t)(codec->end - codec->at) / least_of(coder)) {
        fi_codec_refuse(codec, name);
        return NULL;
    }
    uint8_t *items = fi_pool_array(codec->pool, count, element);
    for (uint32_t i = 0; i < count && !codec->refused; i++)
        coder(codec, items + i * element);
    return items;
}

static void fingerprint_array(struct fi_codec *codec, fi_coder coder, const char *name)
{
    _Alignas(max_align_t) uint8_t nothing[FI_CODEC_ELEMENT] = {0};

    mix(codec, "[", name);
    coder(codec, nothing);
    mix(codec, "]", name);
}

void *fi_code_array(struct fi_codec *codec, void *items, uint32_t *count, size_t element,
                    bool counted, fi_coder coder, const char *name)
{
    if (counted)
        fi_code_u32(codec, count, name);
    switch (codec->task) {
    case WRITE:
        for (uint32_t i = 0; i < *count; i++)
            coder(codec, (uint8_t *)items + i * element);
        return items;
    case READ:
        items = codec->refused ? NULL : read_array(codec, *count, element, coder, name);
        if (codec->refused)
            *count = 0;
        return items;
    case FINGERPRINT:
        fingerprint_array(codec, coder, name);
        return NULL;
    case MEASURE:
        return NULL;
    }
    return NULL;
}

void fi_code_u64_item(struct fi_codec *codec, void *element)
{
    fi_code_u64(codec, element, "item");
}

void fi_code_text_item(struct fi_codec *codec, void *element)
{
    fi_code_text(codec, element, "item");
}

void fi_code_name_item(struct fi_codec *codec, void *element)
{
    fi_code_name(codec, element, "item");
}

/* ---- the whole ---- */

static uint64_t fingerprint_of(fi_coder coder, void *any)
{
    struct fi_codec codec = {.task = FINGERPRINT, .fingerprint = UINT64_C(0xcbf29ce484222325)};

    codec.fingerprint += FORMAT;
    coder(&codec, any);
    return codec.fingerprint;
}

static void put_fingerprint(struct bytes *bytes, uint64_t fingerprint)
{
    for (int i = 0; i < FINGERPRINT_BYTES; i++)
        put(bytes, &(uint8_t){(uint8_t)(fingerprint >> 8 * i)}, 1);
}

static void assemble(struct fi_codec *codec, const char *kind, uint64_t fingerprint,
                     struct bytes *ret)
{
    put(ret, kind, KIND_BYTES);
    put_fingerprint(ret, fingerprint);
    put_number(ret, codec->text_count);
    put_number(ret, codec->texts.count);
    if (codec->texts.count)
        put(ret, codec->texts.items, codec->texts.count);
    if (codec->body.count)
        put(ret, codec->body.items, codec->body.count);
}

struct df_err *fi_encode(const char *kind, fi_coder coder, const void *value, void **ret,
                         size_t *ret_size)
{
    struct fi_codec codec = {.task = WRITE};
    struct bytes made = {0};
    void *constant = (void *)(uintptr_t)value; /* only a reader stores */

    df_map_init(&codec.text_of);
    coder(&codec, constant);
    assemble(&codec, kind, fingerprint_of(coder, constant), &made);
    df_map_deinit(&codec.text_of);
    free(codec.body.items);
    free(codec.texts.items);
    free(codec.text);
    if (codec.refused) {
        free(made.items);
        return df_err_new(DF_ERR_INPUT, "the answers cannot be saved: `%s` has no value",
                          codec.refused);
    }
    *ret = made.items;
    *ret_size = made.count;
    return NULL;
}

/* Texts are copied in one piece, and found by their ends. */
static void read_texts(struct fi_codec *codec)
{
    uint64_t count = get_number(codec, UINT32_MAX, "texts");
    uint64_t size = get_number(codec, SIZE_MAX, "texts");

    if (size > (size_t)(codec->end - codec->at) || count > size ||
        (size && codec->at[size - 1] != '\0')) {
        fi_codec_refuse(codec, "texts");
        return;
    }
    char *copy = memcpy(fi_pool_array(codec->pool, size, 1), codec->at, size), *end = copy + size;
    codec->at += size;
    codec->text = fi_pool_array(codec->pool, count, sizeof(*codec->text));
    for (; copy < end && codec->text_count < count; copy += strlen(copy) + 1)
        codec->text[codec->text_count++] = copy;
    if (copy != end || codec->text_count != count)
        fi_codec_refuse(codec, "texts");
}

static struct df_err *check_head(struct fi_codec *codec, const char *kind, uint64_t fingerprint)
{
    struct bytes head = {0};
    bool whole, same;

    put(&head, kind, KIND_BYTES);
    put_fingerprint(&head, fingerprint);
    whole = (size_t)(codec->end - codec->at) >= head.count;
    same = whole && !memcmp(codec->at, head.items, head.count);
    free(head.items);
    codec->at += whole ? KIND_BYTES + FINGERPRINT_BYTES : 0;
    if (!whole)
        return df_err_new(DF_ERR_INPUT,
                          "this snapshot is damaged: its saved answers end too early");
    if (!same)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "the answers in this snapshot were saved by another version of necropy");
    return NULL;
}

struct df_err *fi_decode(const char *kind, fi_coder coder, const void *bytes, size_t size,
                         struct fi_pool *pool, size_t value_size, void *value)
{
    struct fi_codec codec = {.task = READ, .at = bytes, .pool = pool};

    codec.end = size ? codec.at + size : codec.at;
    DF_TRY(check_head(&codec, kind, fingerprint_of(coder, value)));
    read_texts(&codec);
    if (!codec.refused)
        coder(&codec, value);
    if (!codec.refused && codec.at != codec.end)
        codec.refused = "the end";
    if (!codec.refused)
        return NULL;
    memset(value, 0, value_size); /* half a value is none */
    return df_err_new(DF_ERR_INPUT,
                      "this snapshot is damaged: its saved answers make no sense at "
                      "`%s`",
                      codec.refused);
}
