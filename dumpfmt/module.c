/* SPDX-License-Identifier: MIT
 * module.c: mappings become modules, modules get their files, files give the bytes that the core
 * left out.
 *
 * A module is a run of NT_FILE rows of one path. The same file can be mapped twice (dlmopen, or a
 * program that reads its own libraries), so the ELF header in the core's memory says how far one
 * copy reaches. Everything is done on drafts first, because modules are sorted only when all are
 * known; afterwards a table of disjoint ranges leads from addresses to modules.
 *
 * Bytes of the file stand in for pages that the core lacks only where the file's own PT_LOAD is not
 * writable: relocated data (RELRO) is mapped read-only too, but differs from the file.
 */
#include "dumpfmt/module.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/elf_file.h"
#include "dumpfmt/images.h"
#include "dumpfmt/link_map.h"
#include "dumpfmt/module_files.h"
#include "dumpfmt/module_internal.h"
#include "dumpfmt/sweep.h"
#include "dumpfmt/symbols.h"

#define PAGE UINT64_C(4096)
#define MAXIMUM_MODULES 16384
#define MAXIMUM_COPIES 64 /* modules of one path; glibc has 16 namespaces */

struct draft {
    struct df_module module;
    struct df_elf *image;  /* the header in the core's memory; NULL */
    uint64_t base;         /* where file offset 0 is mapped; valid with has_base */
    uint64_t span_end;     /* end of the copy that begins at base, from image; 0 unknown */
    uint64_t first_offset; /* file offset of module.start */
    uint64_t dynamic;      /* of PT_DYNAMIC, as the file has it; 0 unknown */
    uint32_t id;           /* index before sorting */
    bool has_base, is_code, is_data, from_link_map;
};

struct builder {
    const struct df_core *core;
    const struct df_search *search;
    struct df_aspace *space;
    struct df_row *rows;
    size_t row_count;
    struct {
        struct draft *items;
        size_t count, capacity;
    } drafts;
    uint32_t executable; /* index of a draft; DF_NO_MODULE */
};

/* ---- rows to drafts ---- */

static int compare_paths(const void *a, const void *b)
{
    const struct df_row *first = a, *second = b;
    int order = first->path == second->path ? 0 : strcmp(first->path, second->path);
    if (order)
        return order;
    return first->start < second->start ? -1 : first->start > second->start;
}

/* The ELF header at address in the core's memory; *ret_other: something else is there. */
static struct df_elf *read_image(const struct df_core *core, uint64_t address, bool *ret_other)
{
    const struct df_segment *segment = df_core_segment(core, address);
    const uint8_t *bytes = df_core_bytes(core, address, sizeof(Elf64_Ehdr));
    *ret_other = false;
    if (!bytes)
        return NULL;
    uint64_t size = segment->file_size - (address - segment->address);
    struct df_elf *image = df_elf_from_memory(bytes, size, core->machine);
    *ret_other = !image;
    return image;
}

/* The address behind the last PT_LOAD of the copy at base. */
static uint64_t image_end(const struct df_elf *image, uint64_t base)
{
    uint64_t bias, end, last = 0;
    if (!df_elf_bias(image, base, 0, &bias))
        return 0;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const GElf_Phdr *segment = &image->segments[i];
        if (segment->p_type != PT_LOAD ||
            __builtin_add_overflow(bias + segment->p_vaddr, segment->p_memsz, &end))
            continue;
        if (end > last)
            last = end;
    }
    return last;
}

/* Paths from the kernel are; others are made up, perhaps to have one file read a thousand times. */
static bool is_canonical(const char *path)
{
    return path[0] == '/' && !strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../");
}

/* Whether the row begins another copy of the file than the draft's. */
static bool begins_copy(const struct draft *draft, const struct df_row *row)
{
    if (strcmp(draft->module.path, row->path) != 0)
        return true;
    if (draft->span_end)
        return row->start >= draft->span_end;
    return row->file_offset == 0 && draft->has_base && row->start != draft->module.end;
}

static struct draft *new_draft(struct builder *builder, uint64_t start, const char *path,
                               uint64_t offset)
{
    struct draft draft = {.id = (uint32_t)builder->drafts.count, .first_offset = offset};
    draft.module.path = path;
    draft.module.start = start;
    DF_PUSH(&builder->drafts, draft);
    return &builder->drafts.items[builder->drafts.count - 1];
}

static void set_base(struct builder *builder, struct draft *draft, uint64_t base)
{
    draft->has_base = true;
    draft->base = base;
    draft->image = read_image(builder->core, base, &draft->is_data);
    if (draft->image) {
        draft->span_end = image_end(draft->image, base);
        draft->module.build_id = draft->image->build_id;
    }
}

static void add_row(struct builder *builder, struct draft *draft, struct df_row *row)
{
    const struct df_segment *segment = df_core_segment(builder->core, row->start);
    row->module = draft->id;
    draft->module.end = row->end;
    draft->is_code |= segment && (segment->flags & PF_X);
    if (row->file_offset == 0 && !draft->has_base)
        set_base(builder, draft, row->start);
}

static void draft_from_mappings(struct builder *builder)
{
    const struct df_core *core = builder->core;
    builder->rows = df_xcalloc(core->mapping_count, sizeof(*builder->rows));
    for (uint32_t i = 0; i < core->mapping_count; i++) {
        const struct df_mapping *mapping = &core->mappings[i];
        builder->rows[i] = (struct df_row){mapping->start, mapping->end, mapping->file_offset,
                                           mapping->path, DF_NO_MODULE};
    }
    builder->row_count = core->mapping_count;
    qsort(builder->rows, builder->row_count, sizeof(*builder->rows), compare_paths);
    struct draft *draft = NULL;
    uint32_t copies = 0;
    for (size_t i = 0; i < builder->row_count; i++) {
        struct df_row *row = &builder->rows[i];
        if (!draft || begins_copy(draft, row)) {
            copies = draft && !strcmp(draft->module.path, row->path) ? copies + 1 : 0;
            if (builder->drafts.count == MAXIMUM_MODULES)
                return;
            if (copies >= MAXIMUM_COPIES)
                continue;
            draft = new_draft(builder, row->start, row->path, row->file_offset);
        }
        add_row(builder, draft, row);
    }
}

static void draft_from_link_map(struct builder *builder)
{
    struct df_loaded_list list = {0};
    df_link_map(builder->core, builder->search, &list);
    df_find_images(builder->core, &list);
    for (size_t i = 0; i < list.count; i++) {
        struct draft *draft = new_draft(builder, list.items[i].base, list.items[i].path, 0);
        draft->from_link_map = true;
        draft->dynamic = list.items[i].dynamic;
        draft->is_code = true;
        draft->module.end = list.items[i].base + 1;
        set_base(builder, draft, list.items[i].base);
        draft->is_data = false;
        if (list.items[i].program && builder->executable == DF_NO_MODULE)
            builder->executable = (uint32_t)i;
    }
    free(list.items);
}

static uint32_t draft_at(const struct builder *builder, uint64_t address)
{
    for (size_t i = 0; i < builder->row_count; i++)
        if (address >= builder->rows[i].start && address < builder->rows[i].end)
            return builder->rows[i].module;
    return DF_NO_MODULE;
}

static void find_executable(struct builder *builder)
{
    static const uint64_t witnesses[] = {AT_PHDR, AT_ENTRY};
    uint64_t address;
    for (size_t i = 0; i < 2 && builder->executable == DF_NO_MODULE; i++)
        if (df_core_auxv(builder->core, witnesses[i], &address))
            builder->executable = draft_at(builder, address);
}

/* ---- files ---- */

static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *deleted = strstr(name, " (deleted)");
    return df_xstrndup(name, deleted ? (size_t)(deleted - name) : strlen(name));
}

static int compare_loads(const void *a, const void *b)
{
    const struct df_load *first = a, *second = b;
    return first->start < second->start ? -1 : first->start > second->start;
}

static void set_loads(struct df_module *module, const struct df_elf *elf)
{
    module->loads = df_xcalloc(elf->segment_count, sizeof(*module->loads));
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const GElf_Phdr *segment = &elf->segments[i];
        uint64_t start = module->bias + segment->p_vaddr, end;
        if (segment->p_type != PT_LOAD || __builtin_add_overflow(start, segment->p_memsz, &end) ||
            end > UINT64_MAX - PAGE || start >= end)
            continue;
        module->loads[module->load_count++] =
            (struct df_load){start & ~(PAGE - 1), (end + PAGE - 1) & ~(PAGE - 1),
                             segment->p_flags & (PF_R | PF_W | PF_X)};
    }
    qsort(module->loads, module->load_count, sizeof(*module->loads), compare_loads);
}

/* Bias and segments, from the best source that there is. */
static void place(struct draft *draft)
{
    struct df_module *module = &draft->module;
    const struct df_elf *elf = module->elf ? module->elf : draft->image;
    if (!elf)
        elf = module->debug_elf; /* a debug file keeps the addresses, if not the offsets */
    if (!elf)
        return;
    uint64_t start = draft->has_base ? draft->base : module->start;
    uint64_t offset = draft->has_base ? 0 : draft->first_offset;
    if (!df_elf_bias(elf, start, offset, &module->bias))
        module->bias = elf->header.e_type == ET_EXEC ? 0 : start - offset;
    set_loads(module, elf);
    for (uint32_t i = 0; draft->from_link_map && i < module->load_count; i++) {
        if (module->loads[i].start < module->start)
            module->start = module->loads[i].start;
    }
    /* Only .bss right behind the mapped part: a wrong header must not claim the world. */
    for (uint32_t i = 0; i < module->load_count; i++)
        if (module->loads[i].end > module->end &&
            (draft->from_link_map || module->loads[i].start < module->end))
            module->end = module->loads[i].end;
}

/* Adds file bytes for [start, end), mapped from file offset `offset`, where the file's own segment
 * is not writable and the process had not made it so. */
static void overlay(const struct builder *builder, const struct df_module *module, uint64_t start,
                    uint64_t end, uint64_t offset)
{
    const struct df_elf *elf = module->elf;
    const struct df_segment *known = df_core_segment(builder->core, start);
    uint32_t flags = 0;
    if (offset >= elf->size || (known && (known->flags & PF_W)))
        return;
    uint64_t size = end - start;
    if (size > elf->size - offset)
        size = elf->size - offset;
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const GElf_Phdr *segment = &elf->segments[i];
        uint64_t segment_end;
        if (segment->p_type != PT_LOAD ||
            start - offset != module->bias + segment->p_vaddr - segment->p_offset ||
            __builtin_add_overflow(segment->p_offset, segment->p_filesz, &segment_end) ||
            offset >= segment_end || segment->p_offset >= offset + size)
            continue;
        flags |= segment->p_flags;
    }
    if (!flags || (flags & PF_W))
        return;
    df_aspace_add(builder->space, start, size, elf->data + offset, DF_FROM_FILE,
                  flags & (PF_R | PF_W | PF_X));
}

static void overlay_segments(const struct builder *builder, const struct df_module *module)
{
    for (uint32_t i = 0; i < module->elf->segment_count; i++) {
        const GElf_Phdr *segment = &module->elf->segments[i];
        uint64_t end;
        if (segment->p_type != PT_LOAD || segment->p_filesz == 0 ||
            __builtin_add_overflow(segment->p_filesz, PAGE, &end))
            continue;
        uint64_t skew = segment->p_offset & (PAGE - 1);
        uint64_t start = module->bias + segment->p_vaddr - skew;
        uint64_t size = (segment->p_filesz + skew + PAGE - 1) & ~(PAGE - 1);
        if (start <= UINT64_MAX - size)
            overlay(builder, module, start, start + size, segment->p_offset - skew);
    }
}

static void open_files(struct builder *builder, struct draft *draft)
{
    struct df_module *module = &draft->module;
    bool is_executable = draft->id == builder->executable;
    module->name = name_of(module->path);
    if (draft->is_data && !draft->is_code && !is_executable) {
        module->state = DF_MODULE_NOT_ELF;
        return;
    }
    struct df_wanted wanted = {
        .image = draft->image,
        .is_executable = is_executable,
        .has_place = draft->from_link_map || is_canonical(module->path),
        .looks_native = draft->is_code || strstr(module->name, ".so"),
        .dynamic = draft->dynamic,
    };
    if (is_executable)
        df_core_auxv(builder->core, AT_ENTRY, &wanted.entry);
    df_find_file(module, builder->search, builder->core->machine, &wanted);
    if (!module->name[0] && module->file) { /* a core that lost its notes has no path either */
        free((char *)(uintptr_t)module->name);
        module->name = name_of(module->file);
    }
    if (module->state != DF_MODULE_NOT_ELF)
        df_find_debug_file(module, builder->search, builder->core->machine);
    place(draft);
    if (module->elf && draft->from_link_map)
        overlay_segments(builder, module);
}

/* ---- drafts to modules ---- */

static int compare_drafts(const void *a, const void *b)
{
    const struct draft *first = a, *second = b;
    if (first->module.start != second->module.start)
        return first->module.start < second->module.start ? -1 : 1;
    return first->id < second->id ? -1 : first->id > second->id;
}

/* The table from addresses to modules: mappings first, then what the headers say of .bss. */
static struct df_err *make_rows(struct builder *builder, struct df_modules *modules)
{
    size_t capacity = builder->row_count, count = 0;
    for (uint32_t i = 0; i < modules->count; i++)
        capacity += modules->items[i].load_count;
    DF_CLEANUP_FREE struct df_interval *intervals = NULL;
    DF_CLEANUP_FREE uint32_t *owners = NULL;
    DF_CLEANUP_FREE struct df_piece *pieces = NULL;
    size_t piece_count;
    DF_TRY(df_array(capacity, sizeof(*intervals), &intervals));
    DF_TRY(df_array(capacity, sizeof(*owners), &owners));
    for (size_t i = 0; i < builder->row_count; i++) {
        owners[count] = builder->rows[i].module;
        intervals[count++] = (struct df_interval){builder->rows[i].start, builder->rows[i].end};
    }
    for (uint32_t i = 0; i < modules->count; i++) {
        const struct df_module *module = &modules->items[i];
        for (uint32_t j = 0; j < module->load_count; j++) {
            uint64_t end = module->loads[j].end < module->end ? module->loads[j].end : module->end;
            owners[count] = i;
            intervals[count++] = (struct df_interval){module->loads[j].start, end};
        }
    }
    DF_TRY(df_sweep(intervals, (uint32_t)count, &pieces, &piece_count));
    modules->rows = df_xcalloc(piece_count, sizeof(*modules->rows));
    for (size_t i = 0; i < piece_count; i++)
        modules->rows[i] = (struct df_row){
            .start = pieces[i].start, .end = pieces[i].end, .module = owners[pieces[i].owner]};
    modules->row_count = (uint32_t)piece_count;
    return NULL;
}

/* Moves the drafts' modules out, sorted; lets rows point to their new places. */
static struct df_err *finish(struct builder *builder, struct df_modules *modules)
{
    size_t count = builder->drafts.count;
    DF_CLEANUP_FREE uint32_t *places = df_xcalloc(count, sizeof(*places));
    if (count)
        qsort(builder->drafts.items, count, sizeof(*builder->drafts.items), compare_drafts);
    modules->items = df_xcalloc(count, sizeof(*modules->items));
    modules->count = (uint32_t)count;
    modules->machine = builder->core->machine;
    for (uint32_t i = 0; i < count; i++) {
        struct draft *draft = &builder->drafts.items[i];
        places[draft->id] = i;
        modules->items[i] = draft->module;
        df_elf_close(draft->image);
    }
    builder->drafts.count = 0;
    for (size_t i = 0; i < builder->row_count; i++)
        if (builder->rows[i].module != DF_NO_MODULE)
            builder->rows[i].module = places[builder->rows[i].module];
    if (builder->executable != DF_NO_MODULE)
        modules->executable = &modules->items[places[builder->executable]];
    return make_rows(builder, modules);
}

struct df_err *df_modules_open(const struct df_core *core, struct df_aspace *space,
                               const struct df_search *search, struct df_modules **ret)
{
    struct builder builder = {
        .core = core, .search = search, .space = space, .executable = DF_NO_MODULE};
    draft_from_mappings(&builder);
    if (!builder.drafts.count)
        draft_from_link_map(&builder);
    find_executable(&builder);
    for (size_t i = 0; i < builder.drafts.count; i++)
        open_files(&builder, &builder.drafts.items[i]);
    for (size_t i = 0; i < builder.row_count; i++) {
        const struct df_row *row = &builder.rows[i];
        /* Not sorted yet: a draft's id is its index. */
        const struct df_module *module =
            row->module == DF_NO_MODULE ? NULL : &builder.drafts.items[row->module].module;
        if (module && module->elf)
            overlay(&builder, module, row->start, row->end, row->file_offset);
    }
    struct df_modules *modules = df_xcalloc(1, sizeof(*modules));
    struct df_err *err = finish(&builder, modules);
    free(builder.rows);
    free(builder.drafts.items);
    if (err)
        df_modules_close(modules);
    else
        *ret = modules;
    return err;
}

void df_modules_close(struct df_modules *modules)
{
    if (!modules)
        return;
    for (uint32_t i = 0; i < modules->count; i++) {
        struct df_module *module = &modules->items[i];
        df_symbols_free(module);
        df_elf_close(module->elf);
        df_elf_close(module->debug_elf);
        free((char *)(uintptr_t)module->name);
        free(module->file);
        free(module->debug_file);
        free(module->loads);
        free(module->stored);
    }
    free(modules->items);
    free(modules->rows);
    free(modules);
}

struct df_module *df_module_at(const struct df_modules *modules, uint64_t address)
{
    size_t low = 0, high = modules->row_count;
    while (low < high) { /* the first row that ends behind address */
        size_t middle = low + (high - low) / 2;
        if (modules->rows[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == modules->row_count || modules->rows[low].start > address ||
        modules->rows[low].module == DF_NO_MODULE)
        return NULL;
    return &modules->items[modules->rows[low].module];
}
