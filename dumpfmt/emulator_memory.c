/* SPDX-License-Identifier: MIT
 * emulator_memory.c: the emulator's private copy of the dead process's memory.
 *
 * At creation only a list of runs is made: maximal stretches of whole pages whose bytes are all
 * there, with one protection. When the engine touches a page, the part of its run within one
 * aligned window becomes a chunk: host memory given to the engine as one region. Where the core
 * file's offsets allow it (a kernel's core is page-aligned) a chunk is a private mapping of the
 * file, so nothing is copied; otherwise (gcore packs segments without alignment; bytes from other
 * files) the bytes are copied.
 *
 * Two facts of Unicorn 2.0 shape this. A region costs time quadratic in the number of regions (500:
 * 0.3 s, 1500: 6 s), so windows grow with the size of the dump. And stores cannot be observed
 * cheaply, so writable memory is given to the engine read-only at first: the first store to a chunk
 * faults, marks it dirty and makes it writable. To undo writes, only dirty chunks are filled again.
 */
#ifdef NECROPY_HAVE_UNICORN

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/emulator_internal.h"

#define MAX_WINDOWS 128
#define MIN_WINDOW_MAPPED (UINT64_C(32) << 20)
#define MIN_WINDOW_COPIED (UINT64_C(2) << 20)
#define MAX_CHUNKS \
    1500 /* within one call; between calls emulator_engine.c starts afresh much earlier */
#define LOWEST_SCRATCH UINT64_C(0x10000000)
#define USER_END (UINT64_C(1) << 47)

static uint64_t page_floor(uint64_t address)
{
    return address & ~(EMU_PAGE - 1);
}

static uint64_t page_ceil(uint64_t address)
{
    return page_floor(address + EMU_PAGE - 1);
}

/* Whether every byte of a page is known. After the end of a mapped file the rest of its last page
 * is known to be zero (mmap(2)). */
static bool page_present(const struct df_aspace *space, uint64_t page)
{
    uint64_t at = page, end = page + EMU_PAGE;
    while (at < end) {
        const struct df_range *range = df_aspace_search(space, at);
        if (!range || !range->host)
            break;
        at = range->end;
        if (at < end && range->origin == DF_FROM_FILE) {
            const struct df_range *next = range + 1;
            if (next >= space->ranges + space->count || next->start >= end)
                return true;
        }
    }
    return at >= end;
}

static void add_run(struct df_engine *engine, uint64_t start, uint64_t end, uint8_t flags)
{
    struct df_emu_run *last = engine->run_count ? &engine->runs[engine->run_count - 1] : NULL;
    if (last && start < last->end)
        start = last->end;
    if (start >= end)
        return;
    if (last && last->end == start && last->flags == flags) {
        last->end = end;
        return;
    }
    engine->runs =
        df_grow(engine->runs, engine->run_count, &engine->run_capacity, sizeof(*engine->runs));
    engine->runs[engine->run_count++] =
        (struct df_emu_run){.start = start, .end = end, .flags = flags};
}

/* Whether range's bytes can be had by mapping the core file again. */
static bool mappable(const struct df_engine *engine, const struct df_range *range)
{
    const struct df_file *file = engine->dump->core->file;
    if (range->origin != DF_FROM_CORE || !file || file->fd < 0 || !file->data ||
        range->host < file->data)
        return false;
    uint64_t offset = (uint64_t)(range->host - file->data);
    return offset < file->size && file->size - offset >= range->end - range->start &&
           (offset - range->start) % EMU_PAGE == 0;
}

static void find_runs(struct df_engine *engine)
{
    const struct df_aspace *space = engine->dump->space;
    uint64_t mapped = 0, copied = 0;
    for (size_t i = 0; i < space->count; i++) {
        const struct df_range *range = &space->ranges[i];
        if (!range->host)
            continue;
        *(mappable(engine, range) ? &mapped : &copied) += range->end - range->start;
        uint64_t start = page_floor(range->start), end = page_ceil(range->end);
        if (start != range->start && !page_present(space, start))
            start += EMU_PAGE;
        if (end != range->end && end > start && !page_present(space, end - EMU_PAGE))
            end -= EMU_PAGE;
        add_run(engine, start, end, range->flags & (PF_W | PF_X));
    }
    uint64_t window = mapped > copied ? MIN_WINDOW_MAPPED : MIN_WINDOW_COPIED;
    while (window < (mapped + copied) / MAX_WINDOWS)
        window *= 2;
    engine->window = window;
}

/* Above all that there is, stacks included: some code compares its stack pointer with the lowest
 * that its thread may have. 0 where there is no room. */
static uint64_t above_all(const struct df_engine *engine)
{
    const struct df_aspace *space = engine->dump->space;
    uint64_t limit = engine->dump->core->machine == DF_AARCH64 ? UINT64_C(1) << 48 : USER_END;
    uint64_t top = LOWEST_SCRATCH;
    for (size_t i = 0; i < space->count; i++)
        if (space->ranges[i].start < limit && space->ranges[i].end > top)
            top = page_ceil(space->ranges[i].end);
    return top + 2 * (uint64_t)EMU_SCRATCH_SIZE <= limit ? top + EMU_SCRATCH_SIZE / 2 : 0;
}

static struct df_err *find_scratch(struct df_engine *engine)
{
    const struct df_aspace *space = engine->dump->space;
    engine->scratch = above_all(engine);
    if (engine->scratch)
        return NULL;
    const uint64_t need = 2 * (uint64_t)EMU_SCRATCH_SIZE; /* distance to the neighbours */
    uint64_t start = LOWEST_SCRATCH;
    for (size_t i = 0; i < space->count; i++) {
        const struct df_range *range = &space->ranges[i];
        if (range->start >= start + need)
            break;
        if (range->end > start)
            start = page_ceil(range->end);
    }
    if (start + need > USER_END)
        return df_err_new(DF_ERR_UNSUPPORTED, "the dead process's address space has no room left "
                                              "for the emulator's own memory");
    engine->scratch = start + EMU_SCRATCH_SIZE / 2;
    return NULL;
}

struct df_err *df_emu_memory_init(struct df_engine *engine)
{
    find_runs(engine);
    return find_scratch(engine);
}

/* Index of the first chunk that ends after address. */
static size_t chunk_index(const struct df_engine *engine, uint64_t address)
{
    size_t low = 0, high = engine->chunk_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (engine->chunks[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct df_emu_run *find_run(const struct df_engine *engine, uint64_t address)
{
    size_t low = 0, high = engine->run_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (engine->runs[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == engine->run_count || engine->runs[low].start > address)
        return NULL;
    return &engine->runs[low];
}

/* First range that ends after address. */
static const struct df_range *first_range(const struct df_aspace *space, uint64_t address)
{
    size_t low = 0, high = space->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (space->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return space->ranges + low;
}

static void apply_patch(const struct df_emu_chunk *chunk, const struct df_emu_patch *patch)
{
    if (patch->address >= chunk->start && chunk->end - patch->address >= patch->size)
        memcpy(chunk->host + (patch->address - chunk->start), &patch->value, patch->size);
}

static void apply_patches(const struct df_engine *engine, const struct df_emu_chunk *chunk)
{
    for (size_t i = 0; i < engine->patch_count; i++)
        if (engine->patches[i].address < chunk->end)
            apply_patch(chunk, &engine->patches[i]);
}

/* The bytes of one range within a chunk: maps the whole pages if it can, copies the rest. False when
 * they are damaged (of a snapshot). */
static bool fill_range(struct df_engine *engine, const struct df_emu_chunk *chunk,
                       const struct df_range *range)
{
    uint64_t from = range->start > chunk->start ? range->start : chunk->start;
    uint64_t to = range->end < chunk->end ? range->end : chunk->end;
    const uint8_t *source = df_ptr(engine->dump->space, from, to - from);
    if (!source)
        return false;
    uint64_t pages = page_floor(to) > from ? page_floor(to) - from : 0;
    if (from % EMU_PAGE == 0 && pages && mappable(engine, range)) {
        const struct df_file *file = engine->dump->core->file;
        void *mapped = mmap(chunk->host + (from - chunk->start), pages, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_FIXED, file->fd, (off_t)(source - file->data));
        if (mapped != MAP_FAILED) {
            from += pages;
            source += pages;
        }
    }
    if (to > from)
        memcpy(chunk->host + (from - chunk->start), source, to - from);
    return true;
}

/* Makes a chunk's bytes the dump's. In place: the engine keeps pointers to it. */
static bool fill(struct df_engine *engine, struct df_emu_chunk *chunk)
{
    const struct df_aspace *space = engine->dump->space;
    void *fresh =
        mmap(chunk->host, chunk->end - chunk->start, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (chunk->host ? MAP_FIXED : 0), -1, 0);
    if (fresh == MAP_FAILED)
        return false;
    chunk->host = fresh;
    const struct df_range *end = space->ranges + space->count;
    for (const struct df_range *range = first_range(space, chunk->start);
         range < end && range->start < chunk->end; range++)
        if (range->host && !fill_range(engine, chunk, range))
            return false;
    apply_patches(engine, chunk);
    return true;
}

static uint32_t protection(const struct df_emu_chunk *chunk)
{
    return UC_PROT_READ | (chunk->flags & PF_X ? UC_PROT_EXEC : 0) |
           (chunk->dirty ? UC_PROT_WRITE : 0);
}

/* Fills a chunk and gives it to the engine. NULL when one of the two has no memory for it. */
static struct df_emu_chunk *add_chunk(struct df_engine *engine, struct df_emu_chunk chunk)
{
    if (!fill(engine, &chunk))
        return NULL;
    uint64_t size = chunk.end - chunk.start;
    if (uc_mem_map_ptr(engine->uc, chunk.start, size, protection(&chunk), chunk.host)) {
        munmap(chunk.host, size);
        return NULL;
    }
    size_t at = chunk_index(engine, chunk.start);
    engine->chunks = df_grow(engine->chunks, engine->chunk_count, &engine->chunk_capacity,
                             sizeof(*engine->chunks));
    memmove(engine->chunks + at + 1, engine->chunks + at,
            (engine->chunk_count - at) * sizeof(*engine->chunks));
    engine->chunks[at] = chunk;
    engine->chunk_count++;
    return &engine->chunks[at];
}

struct df_emu_chunk *df_emu_touch(struct df_engine *engine, uint64_t address)
{
    size_t at = chunk_index(engine, address);
    if (at < engine->chunk_count && engine->chunks[at].start <= address)
        return &engine->chunks[at];
    const struct df_emu_run *run = find_run(engine, address);
    if (!run || engine->chunk_count >= MAX_CHUNKS)
        return NULL;
    uint64_t start = address & ~(engine->window - 1), end = start + engine->window;
    struct df_emu_chunk chunk = {.start = start > run->start ? start : run->start,
                                 .end = end < run->end ? end : run->end,
                                 .flags = run->flags};
    /* The store that faults is the host's (engine.c); code must be written by the engine. */
    chunk.dirty = (run->flags & (PF_W | PF_X)) == (PF_W | PF_X);
    return add_chunk(engine, chunk);
}

bool df_emu_dirty(struct df_engine *engine, struct df_emu_chunk *chunk)
{
    if (!(chunk->flags & PF_W))
        return false;
    if (!chunk->dirty) {
        chunk->dirty = true;
        if (uc_mem_protect(engine->uc, chunk->start, chunk->end - chunk->start, protection(chunk)))
            return false;
    }
    return true;
}

uint8_t *df_emu_span(struct df_engine *engine, uint64_t address, bool write, uint64_t *ret)
{
    struct df_emu_chunk *chunk = df_emu_touch(engine, address);
    if (!chunk)
        return NULL;
    /* Code that the host changes behind the engine's back would stay translated as it was. */
    if (write && (chunk->flags & PF_X || !df_emu_dirty(engine, chunk)))
        return NULL;
    *ret = chunk->end - address;
    return chunk->host + (address - chunk->start);
}

void df_emu_patch(struct df_engine *engine, uint64_t address, uint64_t value, uint32_t size)
{
    struct df_emu_patch patch = {.address = address, .value = value, .size = size};
    engine->patches = df_grow(engine->patches, engine->patch_count, &engine->patch_capacity,
                              sizeof(*engine->patches));
    engine->patches[engine->patch_count++] = patch;
    size_t at = chunk_index(engine, address);
    if (at < engine->chunk_count)
        apply_patch(&engine->chunks[at], &patch);
}

struct df_err *df_emu_memory_scratch(struct df_engine *engine)
{
    uint64_t base = engine->scratch;
    const struct df_emu_chunk parts[] = {
        {.start = base + EMU_CODE, .end = base + EMU_CODE + EMU_PAGE, .flags = PF_X},
        {.start = base + EMU_MAILBOX, .end = base + EMU_MAILBOX + EMU_PAGE},
        {.start = base + EMU_STACK, .end = base + EMU_STACK + EMU_STACK_SIZE, .flags = PF_W},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct df_emu_chunk *chunk = add_chunk(engine, parts[i]);
        if (!chunk)
            return df_err_prefix(df_err_nomem(), "cannot set up the emulator");
        if (parts[i].start == base + EMU_CODE)
            engine->machine->write_code(chunk->host, base);
        if (parts[i].start == base + EMU_MAILBOX)
            engine->mailbox = (uint64_t *)(void *)chunk->host;
        if (parts[i].flags & PF_W && !df_emu_dirty(engine, chunk))
            return df_err_prefix(df_err_nomem(), "cannot set up the emulator");
    }
    return NULL;
}

struct df_err *df_emu_memory_remap(struct df_engine *engine)
{
    for (size_t i = 0; i < engine->chunk_count; i++) {
        const struct df_emu_chunk *chunk = &engine->chunks[i];
        if (uc_mem_map_ptr(engine->uc, chunk->start, chunk->end - chunk->start, protection(chunk),
                           chunk->host))
            return df_err_prefix(df_err_nomem(), "cannot set up the emulator");
    }
    return NULL;
}

void df_emu_memory_restore(struct df_engine *engine, bool *ret_code)
{
    *ret_code = false;
    for (size_t i = 0; i < engine->chunk_count; i++) {
        struct df_emu_chunk *chunk = &engine->chunks[i];
        if (!chunk->dirty)
            continue;
        if (!fill(engine, chunk)) {
            engine->renew = true;
            return;
        }
        *ret_code |= (chunk->flags & PF_X) != 0;
        if (chunk->flags & PF_X || chunk->start == engine->scratch + EMU_STACK)
            continue;
        chunk->dirty = false;
        if (uc_mem_protect(engine->uc, chunk->start, chunk->end - chunk->start, protection(chunk)))
            engine->renew = true;
    }
}

void df_emu_memory_drop(struct df_engine *engine)
{
    for (size_t i = 0; i < engine->chunk_count; i++)
        munmap(engine->chunks[i].host, engine->chunks[i].end - engine->chunks[i].start);
    engine->chunk_count = 0;
    engine->mailbox = NULL;
}

void df_emu_memory_deinit(struct df_engine *engine)
{
    df_emu_memory_drop(engine);
    free(engine->chunks);
    free(engine->runs);
    free(engine->patches);
}

#else
typedef int df_emulator_memory_unused;
#endif
