/* SPDX-License-Identifier: MIT
 * necro.c: reading a file of sections.
 *
 * Header and table are checked completely before anything is given away: afterwards each section is
 * known to lie within the file, aligned, and apart from all others. A section's content is checked
 * at its first use; its state is read without a lock afterwards.
 */
#include "dumpfmt/necro.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/necro_format.h"
#include "dumpfmt/necro_guard.h"

#define LARGE (4 * NECRO_PART) /* sections that are checked late, when that is wanted */

enum state { UNKNOWN, GOOD, BAD };

struct section {
    const struct necro_entry *entry;
    const uint8_t *data;       /* valid when GOOD */
    uint64_t unpacked;         /* bytes of `data`, where it is a mapping of its own; else 0 */
    struct necro_guard *guard; /* of `data`, where it is checked when it is read */
    _Atomic int state;         /* enum state */
};

struct df_necro {
    const struct df_file *file;
    struct section *sections; /* by tag */
    uint32_t count;
    pthread_mutex_t lock; /* of what follows, and of checking */
    struct necro_unpacker *unpacker;
    struct damage *damage;
    void (*give_up)(void); /* NULL: sections are checked whole */
};

/* In memory that children share: the emulator's finds damage where nobody else looks. */
struct damage {
    _Atomic int state; /* 0 none; 1 it is being written; 2 the text is there */
    char text[1024];
};

static const uint8_t nothing[16] __attribute__((aligned(16))); /* what an empty section points to */

/* ---- header and table ---- */

bool df_necro_is(const uint8_t *bytes, size_t size)
{
    return size >= sizeof(NECRO_MAGIC) - 1 && !memcmp(bytes, NECRO_MAGIC, sizeof(NECRO_MAGIC) - 1);
}

#define DAMAGED "%s: this snapshot is damaged: %s; make it again from the core"

static struct df_err *damaged(const struct df_file *file, const char *what)
{
    return df_err_new(DF_ERR_INPUT, DAMAGED, file->path, what);
}

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size && !*at)
        at++, size--;
    return !size;
}

/* Its length is looked at before its checksum: what is cut short says so. */
static struct df_err *check_header(const struct df_file *file, const struct necro_header *header)
{
    uint64_t table;
    if (header->order != NECRO_ORDER)
        return header->order == __builtin_bswap32(NECRO_ORDER)
                   ? df_err_new(DF_ERR_UNSUPPORTED,
                                "%s: this snapshot was written by a machine of another byte order",
                                file->path)
                   : damaged(file, "its header is not as it was written");
    if (header->checksum != necro_checksum(header, offsetof(struct necro_header, checksum)))
        return damaged(file, "its header is not as it was written");
    if (header->format != DF_NECRO_FORMAT)
        return df_err_new(DF_ERR_UNSUPPORTED,
                          "%s: this snapshot has format %u, and this necropy reads format %u: make "
                          "it again from the core, or use the necropy that wrote it",
                          file->path, header->format, DF_NECRO_FORMAT);
    if (header->file_size > file->size)
        return damaged(file, "it ends too early");
    if (header->file_size < file->size)
        return damaged(file, "it has more bytes than were written");
    if (header->header_size != sizeof(*header) ||
        !all_zero(header->reserved, sizeof(header->reserved)) ||
        header->section_count > NECRO_MAX_SECTIONS || header->table_offset < sizeof(*header) ||
        header->table_offset % NECRO_ALIGNMENT ||
        __builtin_add_overflow(header->table_offset,
                               header->section_count * sizeof(struct necro_entry), &table) ||
        table != file->size)
        return damaged(file, "its header does not make sense");
    return NULL;
}

static bool is_tag(const char tag[DF_NECRO_TAG])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t length = strnlen(tag, DF_NECRO_TAG);
    return length && length < DF_NECRO_TAG && strspn(tag, letters) == length &&
           all_zero(tag + length, DF_NECRO_TAG - length);
}

/* How many blocks a packed section of so many bytes has. */
static uint64_t block_count(uint64_t size)
{
    return size / NECRO_BLOCK + (size % NECRO_BLOCK != 0);
}

static bool entry_makes_sense(const struct necro_entry *entry, uint64_t table)
{
    uint64_t size;
    if (!is_tag(entry->tag) || entry->offset % NECRO_ALIGNMENT || entry->offset < NECRO_ALIGNMENT ||
        entry->offset > table || entry->stored > table - entry->offset || !entry->element ||
        entry->reserved || (entry->flags & ~(uint32_t)(DF_NECRO_PACKED | DF_NECRO_PARTS)) ||
        entry->flags == (DF_NECRO_PACKED | DF_NECRO_PARTS) ||
        ((entry->flags & DF_NECRO_PARTS) && entry->checksum) ||
        __builtin_mul_overflow(entry->count, (uint64_t)entry->element, &size) ||
        size > SIZE_MAX / 2)
        return false;
    if (entry->flags & DF_NECRO_PACKED) /* its blocks' sizes, at least */
        return entry->stored / 4 >= block_count(size);
    return entry->stored == (entry->flags & DF_NECRO_PARTS ? size : necro_plain(size));
}

static int by_offset(const void *left, const void *right)
{
    const struct section *a = left, *b = right;
    if (a->entry->offset != b->entry->offset)
        return a->entry->offset < b->entry->offset ? -1 : 1;
    return a->entry->stored < b->entry->stored ? -1 : a->entry->stored > b->entry->stored;
}

static int by_tag(const void *left, const void *right)
{
    const struct section *a = left, *b = right;
    return strncmp(a->entry->tag, b->entry->tag, DF_NECRO_TAG);
}

static struct df_err *check_table(struct df_necro *necro, const struct necro_header *header)
{
    const struct df_file *file = necro->file;
    const uint8_t *table = file->data + header->table_offset;
    if (necro_checksum(table, header->section_count * sizeof(struct necro_entry)) !=
        header->table_checksum)
        return damaged(file, "its table of sections is not as it was written");
    necro->count = header->section_count;
    necro->sections = df_xcalloc((size_t)necro->count + 1, sizeof(*necro->sections));
    for (uint32_t i = 0; i < necro->count; i++) {
        struct section *section = &necro->sections[i];
        section->entry = (const struct necro_entry *)(const void *)table + i;
        if (!entry_makes_sense(section->entry, header->table_offset))
            return damaged(file, "its table of sections does not make sense");
    }
    qsort(necro->sections, necro->count, sizeof(*necro->sections), by_offset);
    for (uint32_t i = 1; i < necro->count; i++) {
        const struct necro_entry *last = necro->sections[i - 1].entry;
        if (last->offset + last->stored > necro->sections[i].entry->offset)
            return damaged(file, "two of its sections overlap");
    }
    qsort(necro->sections, necro->count, sizeof(*necro->sections), by_tag);
    for (uint32_t i = 1; i < necro->count; i++)
        if (!by_tag(&necro->sections[i - 1], &necro->sections[i]))
            return damaged(file, "two of its sections have one name");
    return NULL;
}

struct df_err *df_necro_open(const struct df_file *file, struct df_necro **ret)
{
    struct necro_header header;
    if (!df_necro_is(file->data, file->size))
        return df_err_new(DF_ERR_INPUT, "%s: is no snapshot", file->path);
    if (file->size < sizeof(header))
        return damaged(file, "it ends too early");
    memcpy(&header, file->data, sizeof(header));
    DF_TRY(check_header(file, &header));
    struct df_necro *necro = df_xcalloc(1, sizeof(*necro));
    void *shared = mmap(NULL, sizeof(*necro->damage), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    necro->file = file;
    necro->damage = shared == MAP_FAILED ? NULL : shared;
    pthread_mutex_init(&necro->lock, NULL);
    if (!necro->damage) {
        df_necro_close(necro);
        return df_err_nomem();
    }
    struct df_err *err = check_table(necro, &header);
    if (err)
        df_necro_close(necro);
    else
        *ret = necro;
    return err;
}

void df_necro_close(struct df_necro *necro)
{
    if (!necro)
        return;
    for (uint32_t i = 0; i < necro->count; i++) {
        necro_unguard(necro->sections[i].guard);
        if (necro->sections[i].unpacked)
            munmap((void *)(uintptr_t)necro->sections[i].data, necro->sections[i].unpacked);
    }
    free(necro->sections);
    necro_unpacker_destroy(necro->unpacker);
    pthread_mutex_destroy(&necro->lock);
    if (necro->damage)
        munmap(necro->damage, sizeof(*necro->damage));
    free(necro);
}

void df_necro_check_late(struct df_necro *necro, void (*give_up)(void))
{
    necro->give_up = give_up;
}

/* ---- sections ---- */

static struct section *find(const struct df_necro *necro, const char *tag)
{
    size_t low = 0, high = necro->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(necro->sections[middle].entry->tag, tag, DF_NECRO_TAG);
        if (!order)
            return &necro->sections[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool df_necro_has(const struct df_necro *necro, const char *tag)
{
    return find(necro, tag) != NULL;
}

/* The blocks one behind the other, then their sizes, 4 bytes each. */
static bool unpack_blocks(struct df_necro *necro, const struct necro_entry *entry, uint8_t *ret,
                          uint64_t size)
{
    uint64_t blocks = block_count(size), left = entry->stored - 4 * blocks;
    const uint8_t *stored = necro->file->data + entry->offset, *sizes = stored + left;
    for (uint64_t i = 0; i < blocks; i++) {
        uint32_t stored_size;
        uint64_t start = i * NECRO_BLOCK;
        uint32_t part = size - start < NECRO_BLOCK ? (uint32_t)(size - start) : NECRO_BLOCK;
        memcpy(&stored_size, sizes + 4 * i, sizeof(stored_size));
        if (stored_size > left ||
            !necro_unpack(necro->unpacker, stored, stored_size, ret + start, part))
            return false;
        stored += stored_size;
        left -= stored_size;
    }
    return !left;
}

static bool unpack(struct df_necro *necro, struct section *section)
{
    uint64_t size = section->entry->count * section->entry->element;
    if (!size)
        return !section->entry->stored;
    if (!necro->unpacker)
        necro->unpacker = necro_unpacker_create();
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return false;
    section->data = data;
    section->unpacked = size;
    return unpack_blocks(necro, section->entry, data, size);
}

static void remember(struct df_necro *necro, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* In the handler of a fault. */
static void part_is_damaged(void *context, const char *tag)
{
    struct df_necro *necro = context;
    remember(necro, "its section %s is not as it was written", tag);
    necro->give_up();
}

static bool check_plain(struct df_necro *necro, struct section *section)
{
    const struct necro_entry *entry = section->entry;
    const uint8_t *stored = necro->file->data + entry->offset;
    uint64_t size = entry->count * entry->element, sum, start;
    const uint8_t *sums = stored + necro_sums(size);
    if (necro_checksum(sums, necro_parts(size) * 8) != entry->checksum ||
        !all_zero(stored + size, necro_sums(size) - size))
        return false;
    if (necro->give_up && size >= LARGE)
        section->guard = necro_guard(necro->file, entry, part_is_damaged, necro, &section->data);
    for (uint64_t i = 0; !section->guard && i < necro_parts(size); i++) {
        start = i * NECRO_PART;
        memcpy(&sum, sums + i * sizeof(sum), sizeof(sum));
        if (necro_checksum(stored + start, size - start < NECRO_PART ? size - start : NECRO_PART) !=
            sum)
            return false;
    }
    return true;
}

static bool check(struct df_necro *necro, struct section *section)
{
    const struct necro_entry *entry = section->entry;
    const uint8_t *stored = necro->file->data + entry->offset;
    section->data = entry->stored ? stored : nothing;
    if (entry->flags & DF_NECRO_PARTS)
        return true;
    if (!(entry->flags & DF_NECRO_PACKED))
        return check_plain(necro, section);
    return necro_checksum(stored, entry->stored) == entry->checksum && unpack(necro, section);
}

static bool is_good(struct df_necro *necro, struct section *section)
{
    int state = atomic_load_explicit(&section->state, memory_order_acquire);
    if (state == UNKNOWN) {
        pthread_mutex_lock(&necro->lock);
        state = atomic_load_explicit(&section->state, memory_order_relaxed);
        if (state == UNKNOWN) {
            state = check(necro, section) ? GOOD : BAD;
            atomic_store_explicit(&section->state, state, memory_order_release);
        }
        pthread_mutex_unlock(&necro->lock);
    }
    return state == GOOD;
}

struct df_err *df_necro_section(struct df_necro *necro, const char *tag, size_t element, void *ret,
                                uint64_t *ret_count)
{
    struct section *section = find(necro, tag);
    if (!section)
        return df_err_new(DF_ERR_MISSING, "%s: this snapshot has no section %s", necro->file->path,
                          tag);
    if (section->entry->element != element)
        return df_necro_damaged(necro, "elements of its section %s have %u bytes, not %zu", tag,
                                section->entry->element, element);
    if (!is_good(necro, section))
        return df_necro_damaged(necro, "its section %s is not as it was written", tag);
    *(const void **)ret = section->data;
    *ret_count = section->entry->count;
    return NULL;
}

struct df_err *df_necro_optional(struct df_necro *necro, const char *tag, size_t element, void *ret,
                                 uint64_t *ret_count)
{
    if (df_necro_has(necro, tag))
        return df_necro_section(necro, tag, element, ret, ret_count);
    *(const void **)ret = NULL;
    *ret_count = 0;
    return NULL;
}

/* ---- what was found damaged ---- */

const char *df_necro_damage(const struct df_necro *necro)
{
    struct damage *damage = necro->damage;
    return atomic_load_explicit(&damage->state, memory_order_acquire) == 2 ? damage->text : NULL;
}

/* The first one stays. */
static void remember(struct df_necro *necro, const char *format, ...)
{
    struct damage *damage = necro->damage;
    va_list arguments;
    char what[256];
    int none = 0;
    if (!atomic_compare_exchange_strong(&damage->state, &none, 1))
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    snprintf(damage->text, sizeof(damage->text), DAMAGED, necro->file->path, what);
    atomic_store_explicit(&damage->state, 2, memory_order_release);
}

struct df_err *df_necro_damaged(struct df_necro *necro, const char *format, ...)
{
    va_list arguments;
    char what[256];
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    remember(necro, "%s", what);
    return damaged(necro->file, what);
}

struct df_err *df_necro_senseless(struct df_necro *necro, const char *tag)
{
    return df_necro_damaged(necro, "its section %s does not make sense", tag);
}
