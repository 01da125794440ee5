/* SPDX-License-Identifier: MIT
 * corebuild.c: lays out: ELF header, program headers (the notes' first), notes, segments' bytes,
 * and, for PN_XNUM, section header 0 at the end. Layouts of notes: linux include/linux/elfcore.h,
 * fs/binfmt_elf.c (fill_files_note, fill_prstatus).
 */
#include "tests/support/corebuild.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *reserve(struct cb_bytes *bytes, size_t size)
{
    if (bytes->capacity - bytes->size < size) {
        bytes->capacity = (bytes->size + size) * 2;
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert(bytes->data);
    }
    void *at = bytes->data + bytes->size;
    memset(at, 0, size);
    bytes->size += size;
    return at;
}

static void append(struct cb_bytes *bytes, const void *data, size_t size)
{
    if (!size)
        return;
    void *at = reserve(bytes, size);
    if (data)
        memcpy(at, data, size);
}

static void align(struct cb_bytes *bytes, size_t alignment)
{
    size_t rest = bytes->size % alignment;
    if (rest)
        reserve(bytes, alignment - rest);
}

static void put(void *bytes, size_t offset, const void *value, size_t size)
{
    memcpy((uint8_t *)bytes + offset, value, size);
}

void cb_init(struct cb_core *core, uint16_t machine)
{
    *core = (struct cb_core){0};
    Elf64_Ehdr *header = &core->header;
    memcpy(header->e_ident, ELFMAG, SELFMAG);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_ident[EI_VERSION] = EV_CURRENT;
    header->e_type = ET_CORE;
    header->e_machine = machine;
    header->e_version = EV_CURRENT;
    header->e_ehsize = sizeof(Elf64_Ehdr);
    header->e_phentsize = sizeof(Elf64_Phdr);
}

void cb_deinit(struct cb_core *core)
{
    free(core->segments);
    free(core->notes.data);
    free(core->image.data);
    *core = (struct cb_core){0};
}

void cb_segment(struct cb_core *core, uint64_t address, const void *bytes, uint64_t file_size,
                uint64_t memory_size, uint32_t flags)
{
    if (core->segment_count == core->segment_capacity) {
        core->segment_capacity = core->segment_capacity * 2 + 16;
        core->segments = realloc(core->segments, core->segment_capacity * sizeof(*core->segments));
        assert(core->segments);
    }
    core->segments[core->segment_count++] = (struct cb_segment){
        .address = address,
        .memory_size = memory_size,
        .file_size = file_size,
        .flags = flags,
        .bytes = bytes,
    };
}

void cb_note(struct cb_core *core, const char *name, uint32_t type, const void *bytes,
             uint32_t size)
{
    Elf64_Nhdr note = {(uint32_t)strlen(name) + 1, size, type};
    append(&core->notes, &note, sizeof(note));
    append(&core->notes, name, note.n_namesz);
    align(&core->notes, 4);
    append(&core->notes, bytes, size);
    align(&core->notes, 4);
}

void cb_prstatus(struct cb_core *core, int32_t tid, int16_t signal, const uint64_t *registers)
{
    size_t count = core->header.e_machine == EM_AARCH64 ? 34 : 27;
    uint8_t note[112 + 34 * 8 + 8] = {0};
    put(note, 12, &signal, sizeof(signal));
    put(note, 32, &tid, sizeof(tid));
    if (registers)
        put(note, 112, registers, count * 8);
    cb_note(core, "CORE", NT_PRSTATUS, note, (uint32_t)(112 + count * 8 + 8));
}

void cb_psinfo(struct cb_core *core, int32_t pid, const char *program, const char *arguments)
{
    uint8_t note[136] = {0};
    put(note, 24, &pid, sizeof(pid));
    strncpy((char *)note + 40, program, 15);
    strncpy((char *)note + 56, arguments, 79);
    cb_note(core, "CORE", NT_PRPSINFO, note, sizeof(note));
}

void cb_auxv(struct cb_core *core, const uint64_t (*pairs)[2], size_t count)
{
    cb_note(core, "CORE", NT_AUXV, pairs, (uint32_t)(count * 16));
}

void cb_siginfo(struct cb_core *core, int32_t signal, int32_t code, uint64_t address)
{
    uint8_t note[128] = {0};
    put(note, 0, &signal, sizeof(signal));
    put(note, 8, &code, sizeof(code));
    put(note, 16, &address, sizeof(address));
    cb_note(core, "CORE", NT_SIGINFO, note, sizeof(note));
}

void cb_files(struct cb_core *core, const struct cb_mapping *rows, size_t count)
{
    struct cb_bytes note = {0};
    uint64_t head[2] = {count, 4096};
    append(&note, head, sizeof(head));
    for (size_t i = 0; i < count; i++) {
        uint64_t row[3] = {rows[i].start, rows[i].end, rows[i].page_offset};
        append(&note, row, sizeof(row));
    }
    for (size_t i = 0; i < count; i++)
        append(&note, rows[i].path, strlen(rows[i].path) + 1);
    cb_note(core, "CORE", NT_FILE, note.data, (uint32_t)note.size);
    free(note.data);
}

/* Segment's program headers and bytes; headers already have their room. */
static void lay_segments(struct cb_core *core, size_t headers, size_t first)
{
    for (size_t i = 0; i < core->segment_count; i++) {
        const struct cb_segment *segment = &core->segments[i];
        align(&core->image, 4096);
        Elf64_Phdr header = {
            .p_type = PT_LOAD,
            .p_flags = segment->flags,
            .p_offset = core->image.size,
            .p_vaddr = segment->address,
            .p_filesz = segment->file_size,
            .p_memsz = segment->memory_size,
            .p_align = 4096,
        };
        append(&core->image, segment->bytes, segment->file_size);
        put(core->image.data, headers + (first + i) * sizeof(header), &header, sizeof(header));
    }
}

void cb_layout(struct cb_core *core)
{
    size_t first = core->notes.size ? 1 : 0;
    size_t count = core->segment_count + first;
    Elf64_Ehdr *header = &core->header;
    core->image.size = 0;
    reserve(&core->image, sizeof(*header));
    header->e_phoff = core->image.size;
    reserve(&core->image, count * sizeof(Elf64_Phdr));
    if (first) {
        Elf64_Phdr note = {.p_type = PT_NOTE,
                           .p_offset = core->image.size,
                           .p_filesz = core->notes.size,
                           .p_align = 4};
        append(&core->image, core->notes.data, core->notes.size);
        put(core->image.data, header->e_phoff, &note, sizeof(note));
    }
    lay_segments(core, header->e_phoff, first);
    header->e_phnum = (uint16_t)count;
    if (count >= PN_XNUM || core->force_xnum) {
        header->e_phnum = PN_XNUM;
        align(&core->image, 8);
        header->e_shoff = core->image.size;
        header->e_shentsize = sizeof(Elf64_Shdr);
        header->e_shnum = 1;
        Elf64_Shdr section = {.sh_size = 1, .sh_info = (uint32_t)count};
        append(&core->image, &section, sizeof(section));
    }
    put(core->image.data, 0, header, sizeof(*header));
    if (core->file_limit && core->file_limit < core->image.size)
        core->image.size = core->file_limit;
}

char *cb_write_bytes(const void *bytes, size_t size)
{
    const char *directory = getenv("TMPDIR");
    char *path = NULL;
    int length = asprintf(&path, "%s/necropy-test-XXXXXX", directory ? directory : "/tmp");
    assert(length > 0);
    int fd = mkstemp(path);
    assert(fd >= 0);
    for (size_t done = 0; done < size;) {
        ssize_t part = write(fd, (const uint8_t *)bytes + done, size - done);
        assert(part > 0);
        done += (size_t)part;
    }
    close(fd);
    return path;
}

char *cb_write(struct cb_core *core)
{
    if (!core->image.size)
        cb_layout(core);
    return cb_write_bytes(core->image.data, core->image.size);
}

void cb_remove(char *path)
{
    unlink(path);
    free(path);
}

#define TEXT_AT 0x1000
#define DATA_AT 0x2000
#define SECTIONS_AT 0x3000

/* Dynamic or static symbols of the library: null, local, function, object. */
static void lay_symbols(uint8_t *image, size_t offset)
{
    Elf64_Sym symbols[4] = {
        {0},
        {1, ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), 0, 2, DATA_AT + 0x20, 4},
        {10, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, 1, TEXT_AT + 0x10, 16},
        {22, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0, 2, DATA_AT + 8, 8},
    };
    put(image, offset, symbols, sizeof(symbols));
}

struct cb_bytes cb_library(uint16_t machine, const uint8_t build_id[20], int parts)
{
    static const char strings[] = "\0cb_local\0cb_function\0cb_object";
    static const char names[] = "\0.text\0.data\0.note.gnu.build-id\0.symtab\0.strtab\0.shstrtab"
                                "\0.debug_info\0.gnu_debuglink";
    struct cb_bytes image = {0};
    uint8_t *bytes = reserve(&image, SECTIONS_AT + 0x400);
    Elf64_Ehdr header = {.e_type = ET_DYN, .e_machine = machine, .e_version = EV_CURRENT};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_ehsize = sizeof(header);
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 4;
    header.e_shoff = SECTIONS_AT;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 9;
    header.e_shstrndx = 6;
    put(bytes, 0, &header, sizeof(header));
    Elf64_Phdr segments[4] = {
        {PT_LOAD, PF_R, 0, 0, 0, 0x800, 0x800, 4096},
        {PT_LOAD, PF_R | PF_X, TEXT_AT, TEXT_AT, TEXT_AT, 0x100, 0x100, 4096},
        {PT_LOAD, PF_R | PF_W, DATA_AT, DATA_AT, DATA_AT, 0x100, 0x200, 4096},
        {PT_NOTE, PF_R, 0x200, 0x200, 0x200, 36, 36, 4},
    };
    put(bytes, sizeof(header), segments, sizeof(segments));
    Elf64_Nhdr note = {4, 20, NT_GNU_BUILD_ID};
    put(bytes, 0x200, &note, sizeof(note));
    put(bytes, 0x20c, "GNU", 4);
    put(bytes, 0x210, build_id, 20);
    memset(bytes + TEXT_AT, 0xcc, 0x100);
    memset(bytes + DATA_AT, 0xdd, 0x100);
    size_t symbols_at = SECTIONS_AT + 0x280, strings_at = SECTIONS_AT + 0x300;
    size_t names_at = SECTIONS_AT + 0x340, link_at = SECTIONS_AT + 0x3a0;
    lay_symbols(bytes, symbols_at);
    put(bytes, strings_at, strings, sizeof(strings));
    put(bytes, names_at, names, sizeof(names));
    put(bytes, link_at, "libx.debug", 11);
    Elf64_Shdr sections[9] = {
        {0},
        {1, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, TEXT_AT, TEXT_AT, 0x100, 0, 0, 16, 0},
        {7, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, DATA_AT, DATA_AT, 0x100, 0, 0, 8, 0},
        {13, SHT_NOTE, SHF_ALLOC, 0x200, 0x200, 36, 0, 0, 4, 0},
        {32, parts & CB_SYMBOLS ? SHT_SYMTAB : SHT_PROGBITS, 0, 0, symbols_at, 96, 5, 2, 8, 24},
        {40, SHT_STRTAB, 0, 0, strings_at, sizeof(strings), 0, 0, 1, 0},
        {48, SHT_STRTAB, 0, 0, names_at, sizeof(names), 0, 0, 1, 0},
        {parts & CB_DEBUG_INFO ? 58 : 0, SHT_PROGBITS, 0, 0, SECTIONS_AT + 0x3c0, 11, 0, 0, 1, 0},
        {parts & CB_DEBUG_LINK ? 70 : 0, SHT_PROGBITS, 0, 0, link_at, 16, 0, 0, 4, 0},
    };
    put(bytes, SECTIONS_AT, sections, sizeof(sections));
    return image;
}
