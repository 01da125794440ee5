/* SPDX-License-Identifier: MIT
 * symbols.c: the symbols, sections, relocations and thread-local block of one module.
 *
 * Symbols of .symtab (of the file, else of its debug file) and .dynsym become one array, sorted by
 * address; names stay in the mapped file. The name index is a hash of 64-bit name hashes with a
 * chain through equal ones; locals are inserted first, so that a chain begins with its globals.
 */
#include "dumpfmt/symbols.h"

#include <stdlib.h>
#include <string.h>

#include "dumpfmt/base/map.h"
#include "dumpfmt/base/mem.h"
#include "dumpfmt/elf_file.h"
#include "dumpfmt/module_internal.h"
#include "dumpfmt/snapshot_internal.h"

#define MAXIMUM_SYMBOLS (1u << 25)
#define TLS_TCB_SIZE 16 /* aarch64 */
#define LOOK_BACK 64    /* symbols before an address that may still reach it */

#ifndef R_AARCH64_GLOB_DAT
#define R_AARCH64_GLOB_DAT 1025
#define R_AARCH64_JUMP_SLOT 1026
#endif
#ifndef R_AARCH64_TLS_TPREL
#define R_AARCH64_TLS_TPREL 1030
#endif
#ifndef R_AARCH64_TLS_DTPMOD
#define R_AARCH64_TLS_DTPMOD 1028
#endif
#define MAXIMUM_TLS_MODULES 65536

struct df_name_index {
    struct df_map heads; /* hash of name -> index of symbol */
    uint32_t *next;      /* the next symbol with this hash; DF_MAP_NONE ends */
};

struct table {
    struct df_symbol *items;
    size_t count, capacity;
};

/* FNV-1a; never 0, which the map does not take. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

static enum df_symbol_type type_of(const GElf_Sym *symbol)
{
    switch (GELF_ST_TYPE(symbol->st_info)) {
    case STT_OBJECT:
    case STT_COMMON:
        return DF_SYMBOL_OBJECT;
    case STT_FUNC:
        return DF_SYMBOL_FUNCTION;
    case STT_GNU_IFUNC:
        return DF_SYMBOL_IFUNC;
    case STT_TLS:
        return DF_SYMBOL_TLS;
    default:
        return DF_SYMBOL_OTHER;
    }
}

static bool is_wanted(const GElf_Sym *symbol)
{
    unsigned type = GELF_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && type != STT_SECTION && type != STT_FILE &&
           symbol->st_name != 0;
}

static void read_table(const struct df_module *module, const struct df_elf *elf, Elf_Scn *section,
                       const GElf_Shdr *header, struct table *table)
{
    Elf_Data *data = elf_getdata(section, NULL);
    if (!data || header->sh_entsize != sizeof(Elf64_Sym))
        return;
    size_t count = data->d_size / sizeof(Elf64_Sym);
    for (size_t i = 1; i < count && table->count < MAXIMUM_SYMBOLS; i++) {
        GElf_Sym symbol;
        if (!gelf_getsym(data, (int)i, &symbol) || !is_wanted(&symbol))
            continue;
        const char *name = elf_strptr(elf->elf, header->sh_link, symbol.st_name);
        if (!name || !*name)
            continue;
        enum df_symbol_type type = type_of(&symbol);
        bool moves = type != DF_SYMBOL_TLS && symbol.st_shndx != SHN_ABS;
        DF_PUSH(table, (struct df_symbol){
                           .name = name,
                           .address = symbol.st_value + (moves ? module->bias : 0),
                           .size = symbol.st_size,
                           .type = (uint8_t)type,
                           .global = GELF_ST_BIND(symbol.st_info) != STB_LOCAL,
                       });
    }
}

/* Whether the file has a symbol table of this kind with contents. */
static bool read_tables(const struct df_module *module, const struct df_elf *elf, uint32_t type,
                        struct table *table)
{
    size_t before = table->count;
    Elf_Scn *section = NULL;
    while (elf && (section = elf_nextscn(elf->elf, section))) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == type)
            read_table(module, elf, section, &header, table);
    }
    return table->count > before;
}

static int compare_symbols(const void *a, const void *b)
{
    const struct df_symbol *first = a, *second = b;
    if (first->address != second->address)
        return first->address < second->address ? -1 : 1;
    if (first->global != second->global)
        return first->global ? -1 : 1;
    if (first->size != second->size)
        return first->size > second->size ? -1 : 1;
    int order = strcmp(first->name, second->name);
    return order ? order : (int)first->type - (int)second->type;
}

/* .symtab and .dynsym share most of their symbols. */
static size_t drop_duplicates(struct df_symbol *symbols, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!kept || compare_symbols(&symbols[kept - 1], &symbols[i]) != 0)
            symbols[kept++] = symbols[i];
    return kept;
}

static void insert_names(const struct df_module *module, struct df_name_index *index, bool global)
{
    for (uint32_t i = module->symbol_count; i-- > 0;) {
        if (module->symbols[i].global != global)
            continue;
        bool added;
        uint64_t hash = hash_name(module->symbols[i].name);
        uint32_t head = df_map_add(&index->heads, hash, i, &added);
        index->next[i] = added ? DF_MAP_NONE : head;
        if (!added)
            df_map_set(&index->heads, hash, i);
    }
}

static void index_names(struct df_module *module)
{
    struct df_name_index *index = df_xcalloc(1, sizeof(*index));
    df_map_init(&index->heads);
    df_map_reserve(&index->heads, module->symbol_count);
    index->next = df_xcalloc(module->symbol_count, sizeof(*index->next));
    insert_names(module, index, false);
    insert_names(module, index, true);
    module->name_index = index;
}

static void load_symbols(struct df_module *module)
{
    if (module->symbols_loaded)
        return;
    module->symbols_loaded = true;
    if (module->stored) { /* of a damaged snapshot: none, and the snapshot says so */
        df_err_free(df_symbols_restore(module->stored, &module->symbols, &module->symbol_count));
        if (module->symbol_count)
            index_names(module);
        return;
    }
    struct table table = {0};
    if (!read_tables(module, module->elf, SHT_SYMTAB, &table))
        read_tables(module, module->debug_elf, SHT_SYMTAB, &table);
    read_tables(module, module->elf, SHT_DYNSYM, &table);
    if (!table.count)
        return;
    qsort(table.items, table.count, sizeof(*table.items), compare_symbols);
    module->symbols = table.items;
    module->symbol_count = (uint32_t)drop_duplicates(table.items, table.count);
    index_names(module);
}

void df_symbols_free(struct df_module *module)
{
    if (module->name_index) {
        df_map_deinit(&module->name_index->heads);
        free(module->name_index->next);
        free(module->name_index);
    }
    free(module->symbols);
}

void df_modules_load_symbols(struct df_modules *modules)
{
    for (uint32_t i = 0; i < modules->count; i++)
        load_symbols(&modules->items[i]);
}

const struct df_symbol *df_module_symbol(struct df_module *module, const char *name)
{
    load_symbols(module);
    const struct df_name_index *index = module->name_index;
    if (!index)
        return NULL;
    for (uint32_t i = df_map_get(&index->heads, hash_name(name)); i != DF_MAP_NONE;
         i = index->next[i])
        if (!strcmp(module->symbols[i].name, name))
            return &module->symbols[i];
    return NULL;
}

const struct df_symbol *df_modules_symbol(struct df_modules *modules, const char *name,
                                          struct df_module **ret_module)
{
    /* The main program comes first, as in the dynamic linker's search. */
    struct df_module *module = modules->executable;
    const struct df_symbol *symbol = module ? df_module_symbol(module, name) : NULL;
    for (uint32_t i = 0; !symbol && i < modules->count; i++) {
        module = &modules->items[i];
        symbol = df_module_symbol(module, name);
    }
    if (symbol && ret_module)
        *ret_module = module;
    return symbol;
}

const struct df_symbol *df_module_symbol_at(struct df_module *module, uint64_t address)
{
    load_symbols(module);
    size_t low = 0, high = module->symbol_count;
    while (low < high) { /* the first symbol behind address */
        size_t middle = low + (high - low) / 2;
        if (module->symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct df_symbol *nearest = NULL;
    for (size_t i = low, steps = 0; i-- > 0 && steps < LOOK_BACK; steps++) {
        const struct df_symbol *symbol = &module->symbols[i];
        /* Below the module are offsets (TLS) and absolute values. */
        if (symbol->type == DF_SYMBOL_TLS || symbol->address < module->start)
            continue;
        uint64_t distance = address - symbol->address;
        if (distance < symbol->size) {
            /* Of several at one address the first in order: a global. */
            while (i && module->symbols[i - 1].address == symbol->address &&
                   module->symbols[i - 1].size > distance)
                symbol = &module->symbols[--i];
            return symbol;
        }
        if (!symbol->size && !nearest && address < module->end)
            nearest = symbol;
    }
    return nearest;
}

bool df_module_section(const struct df_module *module, const char *name, uint64_t *ret_address,
                       uint64_t *ret_size)
{
    GElf_Shdr header;
    if (module->stored && !strcmp(name, ".plt")) { /* the only one that is kept */
        *ret_address = module->stored->plt;
        *ret_size = module->stored->plt_size;
        return module->stored->plt_size != 0;
    }
    bool found = module->elf && df_elf_section(module->elf, name, &header);
    if (!found)
        found = module->debug_elf && df_elf_section(module->debug_elf, name, &header);
    if (!found || !(header.sh_flags & SHF_ALLOC))
        return false;
    *ret_address = header.sh_addr + module->bias;
    *ret_size = header.sh_size;
    return true;
}

struct relocations {
    const struct df_module *module;
    void (*visit)(void *context, uint64_t slot, const char *name, bool jump_slot);
    void *context;
};

static void visit_section(const struct relocations *relocations, Elf_Scn *section,
                          const GElf_Shdr *header)
{
    const struct df_elf *elf = relocations->module->elf;
    bool x86 = elf->header.e_machine == EM_X86_64;
    uint32_t jump_slot = x86 ? R_X86_64_JUMP_SLOT : R_AARCH64_JUMP_SLOT;
    uint32_t glob_dat = x86 ? R_X86_64_GLOB_DAT : R_AARCH64_GLOB_DAT;
    Elf_Data *data = elf_getdata(section, NULL);
    Elf_Scn *symbols_section = elf_getscn(elf->elf, header->sh_link);
    GElf_Shdr symbols_header;
    if (!data || header->sh_entsize != sizeof(Elf64_Rela) || !symbols_section ||
        !gelf_getshdr(symbols_section, &symbols_header))
        return;
    Elf_Data *symbols = elf_getdata(symbols_section, NULL);
    if (!symbols || symbols->d_type != ELF_T_SYM)
        return;
    for (size_t i = 0; i < data->d_size / sizeof(Elf64_Rela); i++) {
        GElf_Rela relocation;
        GElf_Sym symbol;
        if (!gelf_getrela(data, (int)i, &relocation))
            return;
        uint32_t type = GELF_R_TYPE(relocation.r_info);
        if ((type != jump_slot && type != glob_dat) ||
            !gelf_getsym(symbols, (int)GELF_R_SYM(relocation.r_info), &symbol))
            continue;
        const char *name = elf_strptr(elf->elf, symbols_header.sh_link, symbol.st_name);
        if (name && *name)
            relocations->visit(relocations->context,
                               relocation.r_offset + relocations->module->bias, name,
                               type == jump_slot);
    }
}

void df_module_relocations(const struct df_module *module,
                           void (*visit)(void *context, uint64_t slot, const char *name,
                                         bool jump_slot),
                           void *context)
{
    struct relocations relocations = {module, visit, context};
    Elf_Scn *section = NULL;
    if (module->stored)
        df_slots_restore(module->stored, visit, context);
    while (module->elf && (section = elf_nextscn(module->elf->elf, section))) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA &&
            (header.sh_flags & SHF_ALLOC))
            visit_section(&relocations, section, &header);
    }
}

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

/* glibc, elf/dl-tls.c, _dl_determine_tlsoffset, for the first block of the list. */
static bool first_block_offset(const struct df_modules *modules, const struct df_elf *elf,
                               int64_t *ret)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const GElf_Phdr *tls = &elf->segments[i];
        if (tls->p_type != PT_TLS)
            continue;
        uint64_t alignment = tls->p_align ? tls->p_align : 1;
        if (tls->p_memsz > UINT32_MAX || alignment > UINT32_MAX)
            return false;
        if (alignment & (alignment - 1))
            return false;
        uint64_t first = -tls->p_vaddr & (alignment - 1); /* from an aligned address to the block */
        if (modules->machine == DF_X86_64) {
            *ret = -(int64_t)(round_up(tls->p_memsz - first, alignment) + first);
            return true;
        }
        uint64_t offset = round_up(TLS_TCB_SIZE, alignment);
        if (offset - TLS_TCB_SIZE < first)
            offset += alignment;
        *ret = (int64_t)(offset - first);
        return true;
    }
    return false;
}

/* What the dynamic linker knows and wrote into words of the module: a variable's offset from the
 * thread pointer (TPOFF64, TLS_TPREL; less the variable's own offset it is the block's), or the
 * module's number in each thread's vector of blocks (DTPMOD64). */
struct tls_words {
    uint32_t offset_type, number_type;
    struct df_tls_place place;
};

static void read_tls_words(const struct df_aspace *space, const struct df_module *module,
                           Elf_Scn *section, const GElf_Shdr *header, struct tls_words *words)
{
    Elf_Data *data = elf_getdata(section, NULL);
    Elf_Scn *symbols_section = elf_getscn(module->elf->elf, header->sh_link);
    Elf_Data *symbols = symbols_section ? elf_getdata(symbols_section, NULL) : NULL;
    if (!data || header->sh_entsize != sizeof(Elf64_Rela) || !symbols ||
        symbols->d_type != ELF_T_SYM)
        return;
    for (size_t i = 0; i < data->d_size / sizeof(Elf64_Rela); i++) {
        GElf_Rela relocation;
        GElf_Sym symbol = {0};
        uint64_t word;
        if (!gelf_getrela(data, (int)i, &relocation))
            return;
        uint32_t type = GELF_R_TYPE(relocation.r_info);
        uint32_t index = (uint32_t)GELF_R_SYM(relocation.r_info);
        if (type != words->offset_type && type != words->number_type)
            continue;
        if (index && (!gelf_getsym(symbols, (int)index, &symbol) || symbol.st_shndx == SHN_UNDEF))
            continue; /* another module's variable */
        if (!df_u64(space, relocation.r_offset + module->bias, &word))
            continue;
        if (type == words->number_type) {
            words->place.number = word;
            words->place.has_number = true;
        } else {
            words->place.offset = (int64_t)(word - symbol.st_value - (uint64_t)relocation.r_addend);
            words->place.has_offset = true;
        }
    }
}

/* dtv[number].pointer.val (glibc, sysdeps/generic/dl-dtv.h); where a thread keeps its dtv:
 * tcbhead_t of each machine (sysdeps/x86_64/nptl/tls.h, sysdeps/aarch64/nptl/tls.h). */
static bool vector_block(const struct df_aspace *space, enum df_machine machine, uint64_t tls,
                         uint64_t number, uint64_t *ret)
{
    uint64_t vector, block;
    if (!number || number > MAXIMUM_TLS_MODULES ||
        !df_u64(space, tls + (machine == DF_X86_64 ? 8 : 0), &vector) ||
        !df_u64(space, vector + number * 16, &block) || !df_aspace_range(space, block))
        return false;
    *ret = block;
    return true;
}

struct df_tls_place df_module_tls_place(const struct df_aspace *space,
                                        const struct df_modules *modules,
                                        const struct df_module *module)
{
    const struct df_elf *elf = module->elf ? module->elf : module->debug_elf;
    bool x86 = modules->machine == DF_X86_64;
    struct tls_words words = {
        .offset_type = x86 ? R_X86_64_TPOFF64 : R_AARCH64_TLS_TPREL,
        .number_type = x86 ? R_X86_64_DTPMOD64 : R_AARCH64_TLS_DTPMOD,
    };
    if (module->stored)
        return module->stored->tls;
    if (elf && module == modules->executable)
        words.place.has_offset = first_block_offset(modules, elf, &words.place.offset);
    Elf_Scn *section = NULL;
    while (!words.place.has_offset && module->elf &&
           (section = elf_nextscn(module->elf->elf, section))) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA &&
            (header.sh_flags & SHF_ALLOC))
            read_tls_words(space, module, section, &header, &words);
    }
    return words.place;
}

bool df_module_tls_block(const struct df_aspace *space, const struct df_modules *modules,
                         const struct df_module *module, uint64_t tls, uint64_t *ret)
{
    if (!tls)
        return false;
    struct df_tls_place place = df_module_tls_place(space, modules, module);
    if (place.has_offset)
        *ret = tls + (uint64_t)place.offset;
    return place.has_offset ||
           (place.has_number && vector_block(space, modules->machine, tls, place.number, ret));
}
