/* SPDX-License-Identifier: MIT
 * sweep_marks.c: who leads to memory that belongs to no object by any rule: a word that is exactly
 * the address of such a block. Words of objects first, then of C data, then of native stacks; then
 * of the blocks that were reached, until nothing new is. What no such word leads to may be held by
 * one that points into it (memory that was aligned by hand, ends of buffers): a second round.
 *
 * Objects of a type none of whose first instances leads anywhere are passed over: most types own no
 * memory but their objects'.
 */
#include <elf.h>
#include <string.h>

#include "analyzer/graph/picks.h"
#include "analyzer/graph/sweep_internal.h"
#include "dumpfmt/base/mem.h"

#define HEADER 16
#define SAMPLE 512      /* objects of a type that are asked in any case */
#define MAX_BASIC 65536 /* bytes of an object that are looked at */
#define TLS_BELOW 8192  /* bytes of thread-local storage around the thread pointer */
#define TLS_ABOVE 4096

struct marks {
    struct gr_sweeping *sweeping;
    const struct gr_graph *graph;
    struct {
        uint32_t *items; /* open blocks whose words are to be read */
        size_t count, capacity;
    } pending;
    uint64_t hits;
    bool inside; /* the second round: every 16 bytes of an open block have a bit */
};

static bool take_waiting(struct gr_sweeping *sweeping, uint64_t address)
{
    const struct gr_area *area = gr_area_at(sweeping, address);
    if (!area || (address & 15))
        return false;
    uint64_t bit = area->bit + (address - area->start) / 16, mask = UINT64_C(1) << (bit % 64);
    if (!(sweeping->waits[bit / 64] & mask))
        return false;
    sweeping->waits[bit / 64] &= ~mask;
    return true;
}

/* The open block that begins at address: there is one. */
static uint32_t find_open(const struct gr_sweeping *sweeping, uint64_t address)
{
    size_t low = 0, high = sweeping->open.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sweeping->open.items[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

static void mark(struct marks *marks, uint32_t index, enum gr_memory kind)
{
    marks->sweeping->open.items[index].is = (uint8_t)kind;
    DF_PUSH(&marks->pending, index);
    marks->hits++;
}

/* A word that may point into an open block. */
static void lead_inside(struct marks *marks, uint64_t word, enum gr_memory kind)
{
    struct gr_sweeping *sweeping = marks->sweeping;
    const struct gr_area *area = gr_area_at(sweeping, word);
    uint64_t bit = area ? area->bit + (word - area->start) / 16 : 0;
    if (!area || !(sweeping->waits[bit / 64] >> (bit % 64) & 1))
        return;
    uint32_t index = find_open(sweeping, word + 1); /* the first one behind it */
    const struct gr_open *open = index ? &sweeping->open.items[index - 1] : NULL;
    if (open && open->is == GR_MEMORY_KINDS && word - open->address < open->size)
        mark(marks, index - 1, kind);
}

static void lead(struct marks *marks, uint64_t word, enum gr_memory kind)
{
    struct gr_sweeping *sweeping = marks->sweeping;
    if (word - sweeping->low >= sweeping->high - sweeping->low)
        return;
    if (marks->inside) {
        lead_inside(marks, word, kind);
        return;
    }
    bool taken = take_waiting(sweeping, word);
    for (int i = 0; i < GR_MAX_HOOKS && sweeping->hooked && !taken; i++) {
        word -= GR_HOOK_SIZE;
        taken = take_waiting(sweeping, word);
    }
    if (!taken)
        return;
    mark(marks, find_open(sweeping, word), kind);
}

/* All aligned words of [start, end), as far as they are there. */
static void read_words(struct marks *marks, uint64_t start, uint64_t end, enum gr_memory kind)
{
    const struct df_aspace *space = marks->sweeping->discovery->reader.space;
    start = (start + 7) & ~UINT64_C(7);
    while (start < end) {
        uint64_t more = df_contiguous(space, start), word;
        if (more > end - start)
            more = end - start;
        if (more < 8)
            return;
        const uint8_t *bytes = df_ptr(space, start, more);
        if (!bytes)
            return;
        for (uint64_t at = 0; at + 8 <= more; at += 8) {
            memcpy(&word, bytes + at, 8);
            lead(marks, word, kind);
        }
        start += more & ~UINT64_C(7);
    }
}

static void follow(struct marks *marks, enum gr_memory kind)
{
    while (marks->pending.count) {
        const struct gr_open *open =
            &marks->sweeping->open.items[marks->pending.items[--marks->pending.count]];
        read_words(marks, open->address, open->address + open->size, kind);
    }
}

struct asked { /* of a type */
    uint32_t objects, hits;
    uint32_t size; /* bytes of an object that are looked at */
};

/* By type; in *ret_wanted, which types have anything to look at. */
static struct asked *make_asked(const struct py_objects *objects, uint8_t **ret_wanted)
{
    uint32_t count = py_type_count(objects);
    struct asked *asked = df_xcalloc((size_t)count + 1, sizeof(*asked));
    uint8_t *wanted = df_xcalloc((size_t)count + 1, 1);
    for (uint32_t t = 0; t < count; t++) {
        int64_t size = py_type_at(objects, t)->basic_size;
        asked[t].size = size < HEADER ? HEADER : size < MAX_BASIC ? (uint32_t)size : MAX_BASIC;
        wanted[t] = size > HEADER;
    }
    *ret_wanted = wanted;
    return asked;
}

static void ask(struct marks *marks, const struct gr_pick *pick, struct asked *asked,
                uint8_t *wanted)
{
    uint64_t before = marks->hits;
    read_words(marks, pick->address + HEADER, pick->address + asked->size, GR_MEMORY_OF_OBJECTS);
    asked->objects++;
    asked->hits += marks->hits != before;
    *wanted = asked->objects < SAMPLE || asked->hits;
    follow(marks, GR_MEMORY_OF_OBJECTS);
}

static void from_objects(struct marks *marks)
{
    const struct gr_graph *graph = marks->graph;
    DF_CLEANUP_FREE uint8_t *wanted = NULL;
    DF_CLEANUP_FREE struct asked *asked = make_asked(marks->sweeping->discovery->objects, &wanted);
    struct gr_picks picks;
    gr_picks_begin(&picks, graph, wanted, 0, graph->count);
    while (gr_picks_next(&picks))
        for (uint32_t i = 0; i < picks.count; i++) {
            uint32_t type = picks.items[i].type;
            if (wanted[type]) /* still */
                ask(marks, &picks.items[i], &asked[type], &wanted[type]);
        }
}

static void from_data(struct marks *marks)
{
    const struct df_modules *modules = marks->sweeping->discovery->py->dump->modules;
    for (uint32_t i = 0; i < modules->count; i++)
        for (uint32_t l = 0; l < modules->items[i].load_count; l++) {
            const struct df_load *load = &modules->items[i].loads[l];
            if (load->flags & PF_W)
                read_words(marks, load->start, load->end, GR_MEMORY_OF_DATA);
        }
    follow(marks, GR_MEMORY_OF_DATA);
}

static struct df_err *from_threads(struct marks *marks)
{
    const struct df_core *core = marks->sweeping->discovery->py->dump->core;
    DF_CLEANUP_FREE uint64_t *lowest = NULL; /* stack pointer in each segment */
    DF_TRY(df_array(core->segment_count, sizeof(*lowest), &lowest));
    for (uint32_t i = 0; i < core->lwp_count; i++) {
        const struct df_segment *segment = df_core_segment(core, core->lwps[i].sp);
        uint64_t *low = segment ? &lowest[segment - core->segments] : NULL;
        if (low && (!*low || core->lwps[i].sp < *low))
            *low = core->lwps[i].sp;
    }
    for (uint32_t i = 0; i < core->segment_count; i++)
        if (lowest[i])
            read_words(marks, lowest[i], core->segments[i].address + core->segments[i].file_size,
                       GR_MEMORY_OF_STACKS);
    for (uint32_t i = 0; i < core->lwp_count; i++) {
        const struct df_lwp *lwp = &core->lwps[i];
        if (lwp->tls > TLS_BELOW)
            read_words(marks, lwp->tls - TLS_BELOW, lwp->tls + TLS_ABOVE, GR_MEMORY_OF_STACKS);
        for (uint32_t r = 0; r < lwp->register_count && r < DF_MAX_REGISTERS; r++)
            lead(marks, lwp->registers[r], GR_MEMORY_OF_STACKS);
    }
    /* Frames of Python code are references like a stack's. */
    for (size_t i = 0; i < marks->sweeping->areas.count; i++) {
        const struct gr_area *area = &marks->sweeping->areas.items[i];
        if (area->kind == GR_AREA_FRAMES)
            read_words(marks, area->start, area->end, GR_MEMORY_OF_STACKS);
    }
    follow(marks, GR_MEMORY_OF_STACKS);
    return NULL;
}

static struct df_err *from_all(struct marks *marks)
{
    from_objects(marks);
    from_data(marks);
    return from_threads(marks);
}

/* Every 16 bytes of what is open still get a bit; what is not open any more is read again. */
static void look_inside(struct marks *marks)
{
    struct gr_sweeping *sweeping = marks->sweeping;
    marks->inside = true;
    for (size_t i = 0; i < sweeping->open.count; i++) {
        const struct gr_open *open = &sweeping->open.items[i];
        const struct gr_area *area = gr_area_at(sweeping, open->address);
        if (open->is != GR_MEMORY_KINDS || !area)
            continue;
        uint64_t bit = area->bit + (open->address - area->start) / 16;
        for (uint64_t n = 0; n < (open->size + 15) / 16; n++, bit++)
            sweeping->waits[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
    for (size_t i = 0; i < sweeping->open.count; i++) {
        const struct gr_open open = sweeping->open.items[i];
        enum gr_memory kind = (enum gr_memory)open.is;
        if (kind == GR_MEMORY_OF_OBJECTS || kind == GR_MEMORY_OF_DATA ||
            kind == GR_MEMORY_OF_STACKS) {
            read_words(marks, open.address, open.address + open.size, kind);
            follow(marks, kind);
        }
    }
}

struct df_err *gr_marks_follow(struct gr_sweeping *sweeping, const struct gr_graph *graph)
{
    struct marks marks = {.sweeping = sweeping, .graph = graph};
    if (!sweeping->open.count)
        return NULL;
    struct df_err *err = from_all(&marks);
    if (!err) {
        look_inside(&marks);
        err = from_all(&marks);
    }
    free(marks.pending.items);
    return err;
}
