/* SPDX-License-Identifier: MIT
 * unwind_libdw.c: unwinding with libdw: see unwind.h.
 *
 * libdw and libdwarf both define dwarf_tag, dwarf_attr and some thirty more, and what was linked
 * first serves both: libdwarf, which the rest of this folder needs (dumpfmt/CMakeLists.txt keeps
 * the order). Those are functions on DIEs. Unwinding reads none; so must everything here.
 */
#include "dumpfmt/unwind_internal.h"

#ifdef NECROPY_HAVE_LIBDW

#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <string.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/elf_file.h"

#define MAXIMUM_VDSO (UINT64_C(1) << 20)

enum { X86_64_SP = 7, AARCH64_SP = 31 }; /* DWARF's numbers of the stack pointer */

struct image { /* a whole ELF file */
    const void *bytes;
    uint64_t size;
};

struct df_libdw {
    const struct df_dump *dump;
    struct image *images; /* of each module, and of the vdso */
    Dwfl *dwfl;
    Elf64_Ehdr header; /* of no file: tells libdwfl the machine */
    Elf *machine;
    uint64_t vdso, vdso_end;
    uint32_t left; /* of DF_UNWIND_ALL_FRAMES */

    const struct df_lwp *lwp; /* of the walk that is under way */
    struct df_native_frame *frames;
    uint64_t sp[DF_UNWIND_FRAMES];
    uint32_t count;
};

static Elf *elf_of_bytes(const void *bytes, uint64_t size)
{
    return elf_memory((char *)(uintptr_t)bytes, size); /* read only, whatever its type says */
}

/* libdwfl asks for a module's file: the one that df_modules found, from its mapping. */
static int find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                    char **ret_file, Elf **ret_elf)
{
    (void)module, (void)name, (void)base, (void)ret_file;
    const struct image *image = *userdata;
    if (image)
        *ret_elf = elf_of_bytes(image->bytes, image->size);
    return -1;
}

/* .debug_frame in another file is only of use where a module has no .eh_frame: nobody builds so. */
static int find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                          const char *file, const char *link, GElf_Word crc, char **ret_file)
{
    (void)module, (void)userdata, (void)name, (void)base, (void)file, (void)link, (void)crc;
    (void)ret_file;
    return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_elf,
    .find_debuginfo = find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

/* libdwfl takes the start of a module for its first PT_LOAD, rounded down as its alignment says. */
static bool first_byte(const struct df_module *module, uint64_t *ret)
{
    for (uint32_t i = 0; i < module->elf->segment_count; i++) {
        const GElf_Phdr *segment = &module->elf->segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uint64_t alignment = segment->p_align ? segment->p_align : 1;
        *ret = module->bias + (segment->p_vaddr & -alignment);
        return true;
    }
    return false;
}

static void report(struct df_libdw *unwinder, const char *name, uint64_t start, uint64_t end,
                   struct image *image)
{
    void **userdata;
    Dwfl_Module *module = start < end ? dwfl_report_module(unwinder->dwfl, name, start, end) : NULL;
    if (module && dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
        *userdata = image;
}

/* The vdso is in no file, but in memory as its file would be. */
static void report_vdso(struct df_libdw *unwinder, struct image *image)
{
    const struct df_dump *dump = unwinder->dump;
    uint64_t address;
    if (!df_core_auxv(dump->core, AT_SYSINFO_EHDR, &address) ||
        df_module_at(dump->modules, address))
        return;
    image->size = df_contiguous(dump->space, address);
    if (image->size < sizeof(Elf64_Ehdr) || image->size > MAXIMUM_VDSO)
        return;
    image->bytes = df_ptr(dump->space, address, image->size);
    if (!image->bytes)
        return;
    unwinder->vdso = address;
    unwinder->vdso_end = address + image->size;
    report(unwinder, "[vdso]", unwinder->vdso, unwinder->vdso_end, image);
}

static void report_modules(struct df_libdw *unwinder)
{
    const struct df_modules *modules = unwinder->dump->modules;
    unwinder->images = df_xcalloc(modules->count + (size_t)1, sizeof(*unwinder->images));
    dwfl_report_begin(unwinder->dwfl);
    for (uint32_t i = 0; i < modules->count; i++) {
        const struct df_module *module = &modules->items[i];
        uint64_t start;
        if (!module->elf || !module->elf->file || !first_byte(module, &start))
            continue;
        unwinder->images[i] = (struct image){module->elf->data, module->elf->size};
        report(unwinder, module->path, start, module->end, &unwinder->images[i]);
    }
    report_vdso(unwinder, &unwinder->images[modules->count]);
    dwfl_report_end(unwinder->dwfl, NULL, NULL);
}

static pid_t next_thread(Dwfl *dwfl, void *data, void **thread_data)
{
    (void)dwfl;
    if (*thread_data)
        return 0;
    *thread_data = data;
    return 1;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *data, void **thread_data)
{
    (void)dwfl, (void)tid;
    *thread_data = data;
    return true;
}

static bool is_code(const struct df_libdw *unwinder, uint64_t address)
{
    const struct df_range *range = df_aspace_range(unwinder->dump->space, address);
    return range && (range->flags & PF_X);
}

/* aarch64 signs return addresses, in the bits above an address (pac-ret; Debian 13 is built so).
 * libdw 0.188 does not know of it, later ones want a mask: each gets the address itself. */
static uint64_t without_signature(const struct df_libdw *unwinder, uint64_t word)
{
    uint64_t address = word & ((UINT64_C(1) << DF_ADDRESS_BITS) - 1);
    bool is_signed = unwinder->dump->core->machine == DF_AARCH64 && address != word &&
                     is_code(unwinder, address);
    return is_signed ? address : word;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *data)
{
    (void)dwfl;
    const struct df_libdw *unwinder = data;
    uint64_t word;
    if (!df_u64(unwinder->dump->space, address, &word))
        return false;
    *ret = without_signature(unwinder, word);
    return true;
}

/* From the order of user_regs_struct to that of the psABI's DWARF numbers: 16 is the pc. */
static bool set_x86_64(Dwfl_Thread *thread, const struct df_lwp *lwp)
{
    static const uint8_t places[17] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16};
    Dwarf_Word values[17];
    if (lwp->register_count < 20)
        return false;
    for (int i = 0; i < 17; i++)
        values[i] = lwp->registers[places[i]];
    return dwfl_thread_state_registers(thread, 0, 17, values);
}

static bool set_aarch64(const struct df_libdw *unwinder, Dwfl_Thread *thread,
                        const struct df_lwp *lwp)
{
    Dwarf_Word values[32];
    if (lwp->register_count < 33)
        return false;
    for (int i = 0; i < 32; i++)
        values[i] = without_signature(unwinder, lwp->registers[i]);
    if (!dwfl_thread_state_registers(thread, 0, 32, values))
        return false;
    dwfl_thread_state_register_pc(thread, lwp->pc);
    return true;
}

static bool set_initial_registers(Dwfl_Thread *thread, void *data)
{
    const struct df_libdw *unwinder = data;
    return unwinder->dump->core->machine == DF_X86_64
               ? set_x86_64(thread, unwinder->lwp)
               : set_aarch64(unwinder, thread, unwinder->lwp);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = memory_read,
    .set_initial_registers = set_initial_registers,
};

static bool covers(Dwarf_CFI *cfi, uint64_t address)
{
    Dwarf_Frame *frame = NULL;
    bool found = cfi && dwarf_cfi_addrframe(cfi, address, &frame) == 0;
    free(frame);
    return found;
}

/* Without unwind information libdwfl follows frame pointers, which most code uses for other things:
 * what comes of it looks like frames and is not. */
static bool has_unwind_information(const struct df_libdw *unwinder, uint64_t address)
{
    Dwfl_Module *module = dwfl_addrmodule(unwinder->dwfl, address);
    Dwarf_Addr bias = 0;
    Dwarf_CFI *cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
    if (covers(cfi, address - bias))
        return true;
    cfi = module ? dwfl_module_dwarf_cfi(module, &bias) : NULL;
    return covers(cfi, address - bias);
}

static bool was_here(const struct df_libdw *unwinder, uint64_t pc, uint64_t sp)
{
    for (uint32_t i = 0; i < unwinder->count; i++)
        if (unwinder->frames[i].pc == pc && unwinder->sp[i] == sp)
            return true;
    return false;
}

/* `address` is in the instruction that is executed or that called; pc may already be behind it. */
static struct df_native_frame describe(const struct df_libdw *unwinder, uint64_t pc,
                                       uint64_t address)
{
    struct df_native_frame frame = {.pc = pc};
    struct df_module *module = df_module_at(unwinder->dump->modules, address);
    frame.module = module;
    frame.vdso = !module && address >= unwinder->vdso && address < unwinder->vdso_end;
    const struct df_symbol *symbol = module ? df_module_symbol_at(module, address) : NULL;
    if (symbol && symbol->address <= address)
        frame.symbol = symbol;
    uint64_t from = frame.symbol ? frame.symbol->address
                    : module     ? module->start
                    : frame.vdso ? unwinder->vdso
                                 : pc;
    frame.offset = pc - from;
    return frame;
}

static int visit(Dwfl_Frame *state, void *data)
{
    struct df_libdw *unwinder = data;
    bool machine_is_x86 = unwinder->dump->core->machine == DF_X86_64;
    Dwarf_Addr pc;
    Dwarf_Word sp = 0;
    bool activation = false;
    if (!dwfl_frame_pc(state, &pc, &activation))
        return DWARF_CB_ABORT;
    dwfl_frame_reg(state, machine_is_x86 ? X86_64_SP : AARCH64_SP, &sp);
    uint64_t address = activation || !pc ? pc : pc - 1;
    if (unwinder->count && (!is_code(unwinder, address) || was_here(unwinder, pc, sp)))
        return DWARF_CB_ABORT;
    unwinder->sp[unwinder->count] = sp;
    unwinder->frames[unwinder->count++] = describe(unwinder, pc, address);
    if (unwinder->count == DF_UNWIND_FRAMES || unwinder->count >= unwinder->left ||
        !has_unwind_information(unwinder, address))
        return DWARF_CB_ABORT;
    return DWARF_CB_OK;
}

/* A header alone tells libdwfl whose registers these are, also where no module has a file. */
static bool attach(struct df_libdw *unwinder)
{
    bool x86 = unwinder->dump->core->machine == DF_X86_64;
    Elf64_Ehdr *header = &unwinder->header;
    memcpy(header->e_ident, ELFMAG, SELFMAG);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_ident[EI_VERSION] = EV_CURRENT;
    header->e_type = ET_CORE;
    header->e_version = EV_CURRENT;
    header->e_machine = x86 ? EM_X86_64 : EM_AARCH64;
    header->e_ehsize = sizeof(*header);
    elf_version(EV_CURRENT);
    unwinder->machine = elf_of_bytes(header, sizeof(*header));
    return unwinder->machine &&
           dwfl_attach_state(unwinder->dwfl, unwinder->machine, 1, &thread_callbacks, unwinder);
}

struct df_err *df_libdw_create(const struct df_dump *dump, struct df_libdw **ret)
{
    struct df_libdw *unwinder = df_xcalloc(1, sizeof(*unwinder));
    unwinder->dump = dump;
    unwinder->left = DF_UNWIND_ALL_FRAMES;
    unwinder->dwfl = dwfl_begin(&callbacks);
    if (unwinder->dwfl)
        report_modules(unwinder);
    if (!unwinder->dwfl || !attach(unwinder)) {
        const char *why = dwfl_errmsg(-1);
        struct df_err *err = df_err_new(DF_ERR_UNSUPPORTED,
                                        "libdw cannot unwind this machine's "
                                        "threads (%s)",
                                        why ? why : "it does not say why");
        df_libdw_destroy(unwinder);
        return err;
    }
    *ret = unwinder;
    return NULL;
}

void df_libdw_destroy(struct df_libdw *unwinder)
{
    if (!unwinder)
        return;
    if (unwinder->dwfl)
        dwfl_end(unwinder->dwfl);
    if (unwinder->machine)
        elf_end(unwinder->machine);
    free(unwinder->images);
    free(unwinder);
}

uint32_t df_libdw_unwind(struct df_libdw *unwinder, const struct df_lwp *lwp,
                         struct df_native_frame *ret)
{
    if (!unwinder->left)
        return 0;
    unwinder->lwp = lwp;
    unwinder->frames = ret;
    unwinder->count = 0;
    dwfl_getthread_frames(unwinder->dwfl, 1, visit, unwinder); /* an error is an end, too */
    unwinder->left -= unwinder->count;
    return unwinder->count;
}

#else

struct df_err *df_libdw_create(const struct df_dump *dump, struct df_libdw **ret)
{
    (void)dump;
    (void)ret;
    return df_err_new(DF_ERR_UNSUPPORTED, "this necropy was built without libdw");
}

void df_libdw_destroy(struct df_libdw *unwinder)
{
    (void)unwinder;
}

uint32_t df_libdw_unwind(struct df_libdw *unwinder, const struct df_lwp *lwp,
                         struct df_native_frame *ret)
{
    (void)unwinder;
    (void)lwp;
    (void)ret;
    return 0;
}

#endif
