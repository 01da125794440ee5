/* SPDX-License-Identifier: MIT
 * dwarf_die.c: see dwarf_die.h. libdwarf's versions differ only between the two marks below.
 */
#include "dumpfmt/dwarf_die.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dumpfmt/base/mem.h"
#include "dumpfmt/dwarf_parts.h"

#define MAX_UNITS (1u << 22)
#define MAX_OPEN 64 /* .dwo files at a time */

/* --- Shim: Debian 12 has the API of 20210528, later distributions that of 0.7 to 0.11. Only the
 * latter define DW_LIBDWARF_VERSION. What else is used here has the same prototype in both. --- */
#ifdef DW_LIBDWARF_VERSION
static int shim_init(int fd, Dwarf_Debug *ret, Dwarf_Error *err)
{
    return dwarf_init_b(fd, DW_GROUPNUMBER_ANY, NULL, NULL, ret, err);
}
static void shim_finish(Dwarf_Debug debug)
{
    dwarf_finish(debug);
}
static void shim_free_ranges(Dwarf_Debug debug, Dwarf_Ranges *ranges, Dwarf_Signed count)
{
    dwarf_dealloc_ranges(debug, ranges, count);
}
#else
static int shim_init(int fd, Dwarf_Debug *ret, Dwarf_Error *err)
{
    return dwarf_init_b(fd, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL, ret, err);
}
static void shim_finish(Dwarf_Debug debug)
{
    Dwarf_Error err = NULL;
    if (dwarf_finish(debug, &err) == DW_DLV_ERROR)
        dwarf_dealloc_error(NULL, err);
}
static void shim_free_ranges(Dwarf_Debug debug, Dwarf_Ranges *ranges, Dwarf_Signed count)
{
    dwarf_ranges_dealloc(debug, ranges, count);
}
#endif
/* --- End of the shim. --- */

/* Every libdwarf call goes through this: true for success, and errors freed. */
static bool worked(Dwarf_Debug debug, int status, Dwarf_Error *err)
{
    if (status == DW_DLV_ERROR) {
        dwarf_dealloc_error(debug, *err);
        *err = NULL;
    }
    return status == DW_DLV_OK;
}

static struct df_err *attach_error(const char *file, int status, Dwarf_Error *err)
{
    if (status == DW_DLV_NO_ENTRY)
        return df_err_new(DF_ERR_MISSING, "%s has no debug information", file);
    struct df_err *ret = df_err_new(DF_ERR_INPUT, "%s: its debug information cannot be read: %s",
                                    file, dwarf_errmsg(*err));
    dwarf_dealloc_error(NULL, *err);
    return ret;
}

struct header {
    Dwarf_Half type;
    Dwarf_Unsigned target; /* of a type unit, from its header */
    uint64_t signature;
};

static bool next_header(const struct df_dwarf_part *part, bool info, struct header *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Unsigned length, next;
    Dwarf_Half version, address_size, length_size, extension_size;
    Dwarf_Off abbreviations;
    Dwarf_Sig8 signature = {{0}};
    *ret = (struct header){0};
    int status = dwarf_next_cu_header_d(part->debug, info, &length, &version, &abbreviations,
                                        &address_size, &length_size, &extension_size, &signature,
                                        &ret->target, &next, &ret->type, &err);
    memcpy(&ret->signature, signature.signature, sizeof(ret->signature));
    return worked(part->debug, status, &err);
}

bool df_dwarf_next_unit(const struct df_dwarf *dwarf)
{
    struct header ignored;
    return next_header(dwarf->main, true, &ignored);
}

static void add_unit(struct df_dwarf_part *part, struct df_die die, const struct header *header)
{
    Dwarf_Error err = NULL;
    Dwarf_Off start, bytes, place = df_die_offset(die);
    struct df_dwarf_unit unit = {.place = place,
                                 .target = place,
                                 .signature = header->signature,
                                 .type = (uint8_t)header->type,
                                 .partial = df_die_tag(die) == DW_TAG_partial_unit};
    bool damaged = !place || (part->units.count && /* no going back */
                              place <= part->units.items[part->units.count - 1].place);
    if (damaged || !worked(NULL, dwarf_die_CU_offset_range(die.raw, &start, &bytes, &err), &err))
        return;
    if (header->type == DW_UT_type || header->type == DW_UT_split_type) {
        if (header->target >= bytes + 12) /* the length does not count itself */
            return;
        unit.target = place - (place & (DF_PLACE_TYPES - 1)) + start + header->target;
    }
    if (unit.signature)
        df_map_set(&part->signatures, unit.signature, (uint32_t)part->units.count);
    DF_PUSH(&part->units, unit);
}

/* Goes over the headers of all units first. After that libdwarf knows every unit, and looking up
 * DIEs by offset does not disturb its notion of the next one. At damage it ends: what came before
 * still serves. */
static void find_units(struct df_dwarf_part *part)
{
    Dwarf_Error err = NULL;
    for (int info = 1; info >= 0; info--) {
        struct header header;
        for (uint32_t i = 0; i < MAX_UNITS && next_header(part, info, &header); i++) {
            struct df_die die = {.part = part};
            int status = dwarf_siblingof_b(part->debug, NULL, info, &die.raw, &err);
            if (!worked(part->debug, status, &err))
                continue;
            if (!part->units_known)
                add_unit(part, die, &header);
            df_die_free(die);
        }
    }
    part->units_known = true;
}

static void find_ranges(struct df_dwarf *dwarf)
{
    Dwarf_Error err = NULL;
    Dwarf_Arange *ranges;
    Dwarf_Signed count;
    Dwarf_Debug debug = dwarf->main->debug;
    if (!worked(debug, dwarf_get_aranges(debug, &ranges, &count, &err), &err))
        return;
    for (Dwarf_Signed i = 0; i < count; i++) {
        Dwarf_Unsigned segment, segment_size, bytes;
        Dwarf_Addr start;
        Dwarf_Off unit;
        int status = dwarf_get_arange_info_b(ranges[i], &segment, &segment_size, &start, &bytes,
                                             &unit, &err);
        if (worked(debug, status, &err) && bytes)
            DF_PUSH(&dwarf->ranges,
                    (struct df_dwarf_range){.start = start, .bytes = bytes, .unit = unit});
        dwarf_dealloc(debug, ranges[i], DW_DLA_ARANGE);
    }
    dwarf_dealloc(debug, ranges, DW_DLA_LIST);
}

/* ---- parts ---- */

struct df_dwarf_part *df_dwarf_add_part(struct df_dwarf *dwarf, const char *path)
{
    struct df_dwarf_part *part = df_xcalloc(1, sizeof(*part));
    part->owner = dwarf;
    part->base = (Dwarf_Off)dwarf->parts.count << DF_PLACE_PART;
    part->path = df_xstrdup(path);
    part->fd = -1;
    df_map_init(&part->signatures);
    DF_PUSH(&dwarf->parts, part);
    return part;
}

static void close_part(struct df_dwarf_part *part)
{
    if (part->debug)
        shim_finish(part->debug);
    if (part->fd >= 0)
        close(part->fd);
    part->debug = NULL;
    part->fd = -1;
}

/* The split part that was opened first goes; the one in use never is that. */
static void make_room(struct df_dwarf *dwarf)
{
    struct df_dwarf_part *oldest = NULL;
    unsigned count = 0;
    for (size_t i = 0; i < dwarf->parts.count; i++) {
        struct df_dwarf_part *part = dwarf->parts.items[i];
        if (!part->debug || part == dwarf->main || part == dwarf->alt || part == dwarf->package)
            continue;
        count++;
        if (!oldest || part->opened < oldest->opened)
            oldest = part;
    }
    if (count >= MAX_OPEN)
        close_part(oldest);
}

static struct df_err *open_part(struct df_dwarf_part *part)
{
    const char *file = part->path;
    part->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (part->fd < 0)
        return df_err_new(DF_ERR_IO, "%s: %s", file, strerror(errno));
    char magic[4];
    if (pread(part->fd, magic, sizeof(magic), 0) != sizeof(magic) ||
        memcmp(magic, "\177ELF", sizeof(magic)) != 0)
        return df_err_new(DF_ERR_INPUT, "%s is not an ELF file", file);
    Dwarf_Error err = NULL;
    int status = shim_init(part->fd, &part->debug, &err);
    if (status != DW_DLV_OK) {
        part->debug = NULL;
        return attach_error(file, status, &err);
    }
    part->opened = ++part->owner->opened;
    /* Split units are not tied to the main file (dwarf_set_tied_dbg): looking for the signature of
     * a damaged one, libdwarf 20210528 never ends. skeleton_of does what is needed of that. */
    find_units(part);
    if (part->units.count == 0)
        return df_err_new(DF_ERR_MISSING, "%s has no debug information", file);
    return NULL;
}

struct df_err *df_dwarf_open_part(struct df_dwarf_part *part)
{
    if (part->debug)
        return NULL;
    if (part->broken)
        return df_err_new(DF_ERR_INPUT, "%s cannot be read", part->path);
    make_room(part->owner);
    struct df_err *err = open_part(part);
    if (err) {
        close_part(part);
        part->broken = true;
    }
    return err;
}

struct df_dwarf_unit *df_dwarf_signed_unit(const struct df_dwarf_part *part, uint64_t signature)
{
    uint32_t index = signature ? df_map_get(&part->signatures, signature) : DF_MAP_NONE;
    return index == DF_MAP_NONE ? NULL : &part->units.items[index];
}

struct df_err *df_dwarf_attach(struct df_dwarf *dwarf, const char *file)
{
    *dwarf = (struct df_dwarf){0};
    dwarf->main = df_dwarf_add_part(dwarf, file);
    struct df_err *err = df_dwarf_open_part(dwarf->main);
    if (err)
        df_dwarf_detach(dwarf);
    else
        df_dwarf_find_parts(dwarf);
    return err;
}

void df_dwarf_detach(struct df_dwarf *dwarf)
{
    for (size_t i = dwarf->parts.count; i-- > 0;) { /* the main one last: others are tied to it */
        struct df_dwarf_part *part = dwarf->parts.items[i];
        close_part(part);
        df_map_deinit(&part->signatures);
        free(part->units.items);
        free(part->path);
        free(part);
    }
    free(dwarf->parts.items);
    free(dwarf->ranges.items);
    free(dwarf->functions.items);
    df_alt_strings_close(dwarf->alt_strings);
    *dwarf = (struct df_dwarf){0};
}

/* ---- entries ---- */

bool df_die_at(const struct df_dwarf *dwarf, Dwarf_Off offset, struct df_die *ret)
{
    Dwarf_Error err = NULL;
    uint64_t index = offset >> DF_PLACE_PART;
    if (index >= dwarf->parts.count)
        return false;
    struct df_dwarf_part *part = dwarf->parts.items[index];
    struct df_err *failure = df_dwarf_open_part(part);
    if (failure) {
        df_err_free(failure);
        return false;
    }
    *ret = (struct df_die){.part = part};
    int status = dwarf_offdie_b(part->debug, offset & (DF_PLACE_TYPES - 1),
                                !(offset & DF_PLACE_TYPES), &ret->raw, &err);
    bool there = worked(part->debug, status, &err);
    if (!there)
        *ret = DF_NO_DIE;
    return there;
}

bool df_die_child(struct df_die die, struct df_die *ret)
{
    Dwarf_Error err = NULL;
    struct df_die child = {.part = die.part};
    if (!worked(NULL, dwarf_child(die.raw, &child.raw, &err), &err))
        return false;
    *ret = child;
    return true;
}

bool df_die_next(struct df_die *die)
{
    Dwarf_Error err = NULL;
    struct df_die next = {.part = die->part};
    Dwarf_Bool info = dwarf_get_die_infotypes_flag(die->raw);
    int status = dwarf_siblingof_b(die->part->debug, die->raw, info, &next.raw, &err);
    bool there = worked(die->part->debug, status, &err);
    /* A damaged DW_AT_sibling that points back would make a loop. */
    if (there && df_die_offset(next) <= df_die_offset(*die)) {
        df_die_free(next);
        there = false;
    }
    df_die_free(*die);
    *die = there ? next : DF_NO_DIE;
    return there;
}

void df_die_free(struct df_die die)
{
    if (die.raw)
        dwarf_dealloc_die(die.raw);
}

Dwarf_Half df_die_tag(struct df_die die)
{
    Dwarf_Error err = NULL;
    Dwarf_Half tag;
    return worked(NULL, dwarf_tag(die.raw, &tag, &err), &err) ? tag : 0;
}

Dwarf_Off df_die_offset(struct df_die die)
{
    Dwarf_Error err = NULL;
    Dwarf_Off offset;
    if (!worked(NULL, dwarf_dieoffset(die.raw, &offset, &err), &err) || offset >= DF_PLACE_TYPES)
        return 0;
    return die.part->base + offset + (dwarf_get_die_infotypes_flag(die.raw) ? 0 : DF_PLACE_TYPES);
}

bool df_die_size(struct df_die die, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Unsigned size;
    if (!worked(NULL, dwarf_bytesize(die.raw, &size, &err), &err))
        return false;
    *ret = size;
    return true;
}

bool df_die_has(struct df_die die, Dwarf_Half attribute)
{
    Dwarf_Error err = NULL;
    Dwarf_Bool has;
    return worked(NULL, dwarf_hasattr(die.raw, attribute, &has, &err), &err) && has;
}

/* An attribute and its form. To be freed with dwarf_dealloc_attribute. */
static bool get(struct df_die die, Dwarf_Half attribute, Dwarf_Attribute *ret, Dwarf_Half *ret_form)
{
    Dwarf_Error err = NULL;
    if (!worked(NULL, dwarf_attr(die.raw, attribute, ret, &err), &err))
        return false;
    if (worked(NULL, dwarf_whatform(*ret, ret_form, &err), &err))
        return true;
    dwarf_dealloc_attribute(*ret);
    return false;
}

/* libdwarf has strings in another file only where that one has more than strings. */
static const char *alt_text(struct df_die die, Dwarf_Half attribute, bool *ret_elsewhere)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    Dwarf_Off offset;
    *ret_elsewhere = false;
    if (!get(die, attribute, &value, &form))
        return NULL;
    *ret_elsewhere = form == DW_FORM_GNU_strp_alt || form == DW_FORM_strp_sup;
    bool read = *ret_elsewhere && worked(NULL, dwarf_global_formref(value, &offset, &err), &err);
    dwarf_dealloc_attribute(value);
    return read ? df_alt_string(die.part->owner->alt_strings, offset) : NULL;
}

const char *df_die_text(struct df_die die, Dwarf_Half attribute)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    char *text = NULL;
    if (die.part == die.part->owner->main && die.part->owner->has_alt) {
        bool elsewhere;
        const char *found = alt_text(die, attribute, &elsewhere);
        if (elsewhere)
            return found && *found ? found : NULL;
    }
    if (!get(die, attribute, &value, &form))
        return NULL;
    bool read = worked(NULL, dwarf_formstring(value, &text, &err), &err);
    dwarf_dealloc_attribute(value); /* the text is in the section */
    return read && *text ? text : NULL;
}

const char *df_die_name(struct df_die die)
{
    Dwarf_Error err = NULL;
    char *name;
    if (die.part->owner->has_alt)
        return df_die_text(die, DW_AT_name);
    return worked(NULL, dwarf_diename(die.raw, &name, &err), &err) && *name ? name : NULL;
}

bool df_die_constant(struct df_die die, Dwarf_Half attribute, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    if (!get(die, attribute, &value, &form))
        return false;
    Dwarf_Unsigned plain = 0;
    Dwarf_Signed with_sign = 0;
    bool read = false;
    switch (form) {
    case DW_FORM_sdata:
    case DW_FORM_implicit_const:
        read = worked(NULL, dwarf_formsdata(value, &with_sign, &err), &err);
        plain = (Dwarf_Unsigned)with_sign;
        break;
    case DW_FORM_data1:
    case DW_FORM_data2:
    case DW_FORM_data4:
    case DW_FORM_data8:
    case DW_FORM_udata:
        read = worked(NULL, dwarf_formudata(value, &plain, &err), &err);
        break;
    }
    dwarf_dealloc_attribute(value);
    if (read)
        *ret = plain;
    return read;
}

/* An offset in a section of the part becomes a place. */
static bool in_part(const struct df_dwarf_part *part, bool types, Dwarf_Off *offset)
{
    if (*offset >= DF_PLACE_TYPES)
        return false;
    *offset += part->base + (types ? DF_PLACE_TYPES : 0);
    return true;
}

/* The type of a type unit: of this file, or of the main one. */
static bool signed_type(struct df_die die, Dwarf_Attribute value, Dwarf_Off *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Sig8 bytes;
    uint64_t signature;
    if (!worked(NULL, dwarf_formsig8(value, &bytes, &err), &err))
        return false;
    memcpy(&signature, bytes.signature, sizeof(signature));
    const struct df_dwarf_unit *unit = df_dwarf_signed_unit(die.part, signature);
    if (!unit)
        unit = df_dwarf_signed_unit(die.part->owner->main, signature);
    if (!unit || unit->target == unit->place)
        return false;
    *ret = unit->target;
    return true;
}

bool df_die_reference(struct df_die die, Dwarf_Half attribute, Dwarf_Off *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    if (!get(die, attribute, &value, &form))
        return false;
    Dwarf_Off offset = 0;
    bool read = false;
    switch (form) {
    case DW_FORM_ref_sig8:
        read = signed_type(die, value, &offset);
        break;
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_ref_sup4:
    case DW_FORM_ref_sup8:
        read =
            die.part->owner->alt && worked(NULL, dwarf_global_formref(value, &offset, &err), &err);
        if (read)
            read = in_part(die.part->owner->alt, false, &offset);
        break;
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
    case DW_FORM_ref_addr:
        read = worked(NULL, dwarf_global_formref(value, &offset, &err), &err);
        if (read)
            read = in_part(die.part,
                           form != DW_FORM_ref_addr && !dwarf_get_die_infotypes_flag(die.raw),
                           &offset);
        break;
    }
    dwarf_dealloc_attribute(value);
    if (read)
        *ret = offset;
    return read;
}

bool df_die_expression(struct df_die die, Dwarf_Half attribute, const uint8_t **ret,
                       size_t *ret_size)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    if (!get(die, attribute, &value, &form))
        return false;
    bool read = false;
    if (form == DW_FORM_exprloc) {
        Dwarf_Unsigned size;
        Dwarf_Ptr bytes;
        read = worked(NULL, dwarf_formexprloc(value, &size, &bytes, &err), &err);
        if (read) {
            *ret = bytes;
            *ret_size = size;
        }
    } else if (form == DW_FORM_block1 || form == DW_FORM_block2 || form == DW_FORM_block4 ||
               form == DW_FORM_block) { /* before DWARF 4 */
        Dwarf_Block *block;
        read = worked(NULL, dwarf_formblock(value, &block, &err), &err);
        if (read) {
            *ret = block->bl_data;
            *ret_size = block->bl_len;
            dwarf_dealloc(die.part->debug, block, DW_DLA_BLOCK);
        }
    }
    dwarf_dealloc_attribute(value);
    return read;
}

/* The unit's entry in the main part, for a split unit; the addresses are there. */
static bool skeleton_of(struct df_die die, struct df_die *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Off offset;
    const struct df_dwarf_part *part = die.part;
    if (!worked(NULL, dwarf_CU_dieoffset_given_die(die.raw, &offset, &err), &err))
        return false;
    for (size_t i = 0; i < part->units.count; i++) {
        if (part->units.items[i].place != part->base + offset)
            continue;
        const struct df_dwarf_unit *skeleton =
            df_dwarf_signed_unit(part->owner->main, part->units.items[i].signature);
        return skeleton && df_die_at(part->owner, skeleton->place, ret);
    }
    return false;
}

bool df_die_indexed_address(struct df_die die, uint64_t index, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Addr address;
    struct df_die skeleton = DF_NO_DIE;
    if (die.part != die.part->owner->main && skeleton_of(die, &skeleton))
        die = skeleton;
    int status = dwarf_debug_addr_index_to_addr(die.raw, index, &address, &err);
    bool found = worked(NULL, status, &err);
    df_die_free(skeleton);
    if (found)
        *ret = address;
    return found;
}

static bool is_address_index(Dwarf_Half form)
{
    return form == DW_FORM_addrx || form == DW_FORM_addrx1 || form == DW_FORM_addrx2 ||
           form == DW_FORM_addrx3 || form == DW_FORM_addrx4 || form == DW_FORM_GNU_addr_index;
}

bool df_die_address(struct df_die die, Dwarf_Half attribute, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    Dwarf_Addr plain = 0;
    Dwarf_Unsigned index = 0;
    if (!get(die, attribute, &value, &form))
        return false;
    bool read, indexed = is_address_index(form);
    if (indexed)
        read = worked(NULL, dwarf_get_debug_addr_index(value, &index, &err), &err);
    else
        read = worked(NULL, dwarf_formaddr(value, &plain, &err), &err);
    dwarf_dealloc_attribute(value);
    if (read && indexed)
        return df_die_indexed_address(die, index, ret);
    if (read)
        *ret = plain;
    return read;
}

/* The start of the first range in .debug_rnglists (DWARF 5). */
static bool first_of_rnglist(Dwarf_Attribute value, Dwarf_Half form, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Unsigned position = 0, count = 0, where;
    Dwarf_Rnglists_Head head;
    int status = form == DW_FORM_rnglistx ? dwarf_formudata(value, &position, &err)
                                          : dwarf_global_formref(value, &position, &err);
    if (!worked(NULL, status, &err))
        return false;
    status = dwarf_rnglists_get_rle_head(value, form, position, &head, &count, &where, &err);
    if (!worked(NULL, status, &err))
        return false;
    bool found = false;
    for (Dwarf_Unsigned i = 0; i < count && !found; i++) {
        unsigned length, kind;
        Dwarf_Unsigned raw1, raw2, start, end;
        Dwarf_Bool unavailable;
        status = dwarf_get_rnglists_entry_fields_a(head, i, &length, &kind, &raw1, &raw2,
                                                   &unavailable, &start, &end, &err);
        if (!worked(NULL, status, &err) || kind == DW_RLE_end_of_list)
            break;
        if (kind == DW_RLE_base_address || kind == DW_RLE_base_addressx || unavailable)
            continue;
        *ret = start;
        found = true;
    }
    dwarf_dealloc_rnglists_head(head);
    return found;
}

/* The start of the first range in .debug_ranges (before DWARF 5). */
static bool first_of_ranges(struct df_die die, Dwarf_Attribute value, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Debug debug = die.part->debug;
    Dwarf_Off position, unit_offset, real;
    Dwarf_Ranges *ranges;
    Dwarf_Signed count;
    Dwarf_Unsigned bytes;
    struct df_die unit;
    uint64_t base = 0; /* the unit's DW_AT_low_pc, unless the list says otherwise */
    if (worked(NULL, dwarf_CU_dieoffset_given_die(die.raw, &unit_offset, &err), &err) &&
        df_die_at(die.part->owner, die.part->base + unit_offset, &unit)) {
        df_die_address(unit, DW_AT_low_pc, &base);
        df_die_free(unit);
    }
    if (!worked(NULL, dwarf_global_formref(value, &position, &err), &err))
        return false;
    int status = dwarf_get_ranges_b(debug, position, die.raw, &real, &ranges, &count, &bytes, &err);
    if (!worked(debug, status, &err))
        return false;
    bool found = false;
    for (Dwarf_Signed i = 0; i < count && !found; i++) {
        if (ranges[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
            base = ranges[i].dwr_addr2;
        found = ranges[i].dwr_type == DW_RANGES_ENTRY;
        if (found)
            *ret = base + ranges[i].dwr_addr1;
    }
    shim_free_ranges(debug, ranges, count);
    return found;
}

bool df_die_entry(struct df_die die, uint64_t *ret)
{
    if (df_die_address(die, DW_AT_low_pc, ret))
        return true;
    Dwarf_Attribute value;
    Dwarf_Half form, version, offset_size;
    if (!get(die, DW_AT_ranges, &value, &form))
        return false;
    bool found = false;
    if (dwarf_get_version_of_die(die.raw, &version, &offset_size) == DW_DLV_OK)
        found =
            version >= 5 ? first_of_rnglist(value, form, ret) : first_of_ranges(die, value, ret);
    dwarf_dealloc_attribute(value);
    return found;
}

bool df_dwarf_unit_of(struct df_dwarf *dwarf, uint64_t address, Dwarf_Off *ret)
{
    if (!dwarf->ranges_known) {
        dwarf->ranges_known = true;
        find_ranges(dwarf);
    }
    for (size_t i = 0; i < dwarf->ranges.count; i++) {
        const struct df_dwarf_range *range = &dwarf->ranges.items[i];
        if (address >= range->start && address - range->start < range->bytes) {
            *ret = range->unit;
            return true;
        }
    }
    return false;
}
