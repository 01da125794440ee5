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

#define MAX_UNITS (1u << 22)

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

bool df_dwarf_next_unit(const struct df_dwarf *dwarf)
{
    Dwarf_Error err = NULL;
    Dwarf_Unsigned length, typeoffset, next;
    Dwarf_Half version, address_size, length_size, extension_size, type;
    Dwarf_Off abbreviations;
    Dwarf_Sig8 signature;
    int status = dwarf_next_cu_header_d(dwarf->debug, true, &length, &version, &abbreviations,
                                        &address_size, &length_size, &extension_size, &signature,
                                        &typeoffset, &next, &type, &err);
    return worked(dwarf->debug, status, &err);
}

/* Goes over the headers of all units first. After that libdwarf knows every unit, and looking up
 * DIEs by offset does not disturb its notion of the next one. At damage it ends: what came before
 * still serves. */
static void find_units(struct df_dwarf *dwarf)
{
    Dwarf_Error err = NULL;
    while (dwarf->units.count < MAX_UNITS && df_dwarf_next_unit(dwarf)) {
        Dwarf_Die die;
        int status = dwarf_siblingof_b(dwarf->debug, NULL, true, &die, &err);
        if (!worked(dwarf->debug, status, &err))
            continue;
        Dwarf_Off offset = df_die_offset(die);
        df_die_free(die);
        if (offset && (!dwarf->units.count ||
                       offset > dwarf->units.items[dwarf->units.count - 1])) /* no going back */
            DF_PUSH(&dwarf->units, offset);
    }
}

static void find_ranges(struct df_dwarf *dwarf)
{
    Dwarf_Error err = NULL;
    Dwarf_Arange *ranges;
    Dwarf_Signed count;
    if (!worked(dwarf->debug, dwarf_get_aranges(dwarf->debug, &ranges, &count, &err), &err))
        return;
    for (Dwarf_Signed i = 0; i < count; i++) {
        Dwarf_Unsigned segment, segment_size, bytes;
        Dwarf_Addr start;
        Dwarf_Off unit;
        int status = dwarf_get_arange_info_b(ranges[i], &segment, &segment_size, &start, &bytes,
                                             &unit, &err);
        if (worked(dwarf->debug, status, &err) && bytes)
            DF_PUSH(&dwarf->ranges,
                    (struct df_dwarf_range){.start = start, .bytes = bytes, .unit = unit});
        dwarf_dealloc(dwarf->debug, ranges[i], DW_DLA_ARANGE);
    }
    dwarf_dealloc(dwarf->debug, ranges, DW_DLA_LIST);
}

struct df_err *df_dwarf_attach(struct df_dwarf *dwarf, const char *file)
{
    *dwarf = (struct df_dwarf){.fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (dwarf->fd < 0)
        return df_err_new(DF_ERR_IO, "%s: %s", file, strerror(errno));
    char magic[4];
    if (pread(dwarf->fd, magic, sizeof(magic), 0) != sizeof(magic) ||
        memcmp(magic, "\177ELF", sizeof(magic)) != 0) {
        close(dwarf->fd);
        return df_err_new(DF_ERR_INPUT, "%s is not an ELF file", file);
    }
    Dwarf_Error err = NULL;
    int status = shim_init(dwarf->fd, &dwarf->debug, &err);
    if (status != DW_DLV_OK) {
        struct df_err *ret = attach_error(file, status, &err);
        close(dwarf->fd);
        return ret;
    }
    find_units(dwarf);
    if (dwarf->units.count == 0) {
        df_dwarf_detach(dwarf);
        return df_err_new(DF_ERR_MISSING, "%s has no debug information", file);
    }
    return NULL;
}

void df_dwarf_detach(struct df_dwarf *dwarf)
{
    shim_finish(dwarf->debug);
    close(dwarf->fd);
    free(dwarf->units.items);
    free(dwarf->ranges.items);
    free(dwarf->functions.items);
    *dwarf = (struct df_dwarf){.fd = -1};
}

bool df_die_at(const struct df_dwarf *dwarf, Dwarf_Off offset, Dwarf_Die *ret)
{
    Dwarf_Error err = NULL;
    return worked(dwarf->debug, dwarf_offdie_b(dwarf->debug, offset, true, ret, &err), &err);
}

bool df_die_child(Dwarf_Die die, Dwarf_Die *ret)
{
    Dwarf_Error err = NULL;
    return worked(NULL, dwarf_child(die, ret, &err), &err);
}

bool df_die_next(const struct df_dwarf *dwarf, Dwarf_Die *die)
{
    Dwarf_Error err = NULL;
    Dwarf_Die next = NULL;
    int status = dwarf_siblingof_b(dwarf->debug, *die, true, &next, &err);
    bool there = worked(dwarf->debug, status, &err);
    /* A damaged DW_AT_sibling that points back would make a loop. */
    if (there && df_die_offset(next) <= df_die_offset(*die)) {
        df_die_free(next);
        there = false;
    }
    df_die_free(*die);
    *die = there ? next : NULL;
    return there;
}

void df_die_free(Dwarf_Die die)
{
    if (die)
        dwarf_dealloc_die(die);
}

Dwarf_Half df_die_tag(Dwarf_Die die)
{
    Dwarf_Error err = NULL;
    Dwarf_Half tag;
    return worked(NULL, dwarf_tag(die, &tag, &err), &err) ? tag : 0;
}

Dwarf_Off df_die_offset(Dwarf_Die die)
{
    Dwarf_Error err = NULL;
    Dwarf_Off offset;
    return worked(NULL, dwarf_dieoffset(die, &offset, &err), &err) ? offset : 0;
}

const char *df_die_name(Dwarf_Die die)
{
    Dwarf_Error err = NULL;
    char *name;
    return worked(NULL, dwarf_diename(die, &name, &err), &err) && *name ? name : NULL;
}

bool df_die_size(Dwarf_Die die, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Unsigned size;
    if (!worked(NULL, dwarf_bytesize(die, &size, &err), &err))
        return false;
    *ret = size;
    return true;
}

bool df_die_has(Dwarf_Die die, Dwarf_Half attribute)
{
    Dwarf_Error err = NULL;
    Dwarf_Bool has;
    return worked(NULL, dwarf_hasattr(die, attribute, &has, &err), &err) && has;
}

/* An attribute and its form. To be freed with dwarf_dealloc_attribute. */
static bool get(Dwarf_Die die, Dwarf_Half attribute, Dwarf_Attribute *ret, Dwarf_Half *ret_form)
{
    Dwarf_Error err = NULL;
    if (!worked(NULL, dwarf_attr(die, attribute, ret, &err), &err))
        return false;
    if (worked(NULL, dwarf_whatform(*ret, ret_form, &err), &err))
        return true;
    dwarf_dealloc_attribute(*ret);
    return false;
}

bool df_die_constant(Dwarf_Die die, Dwarf_Half attribute, uint64_t *ret)
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

bool df_die_reference(Dwarf_Die die, Dwarf_Half attribute, Dwarf_Off *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    if (!get(die, attribute, &value, &form))
        return false;
    Dwarf_Off offset = 0;
    bool read = false;
    switch (form) {
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata:
    case DW_FORM_ref_addr: /* not ref_sig8 (type units) nor GNU_ref_alt (another file) */
        read = worked(NULL, dwarf_global_formref(value, &offset, &err), &err);
        break;
    }
    dwarf_dealloc_attribute(value);
    if (read)
        *ret = offset;
    return read;
}

bool df_die_address(Dwarf_Die die, Dwarf_Half attribute, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Attribute value;
    Dwarf_Half form;
    Dwarf_Addr address;
    if (!get(die, attribute, &value, &form))
        return false;
    bool read = worked(NULL, dwarf_formaddr(value, &address, &err), &err);
    dwarf_dealloc_attribute(value);
    if (read)
        *ret = address;
    return read;
}

bool df_die_expression(const struct df_dwarf *dwarf, Dwarf_Die die, Dwarf_Half attribute,
                       const uint8_t **ret, size_t *ret_size)
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
        read = worked(dwarf->debug, dwarf_formexprloc(value, &size, &bytes, &err), &err);
        if (read) {
            *ret = bytes;
            *ret_size = size;
        }
    } else if (form == DW_FORM_block1 || form == DW_FORM_block2 || form == DW_FORM_block4 ||
               form == DW_FORM_block) { /* before DWARF 4 */
        Dwarf_Block *block;
        read = worked(dwarf->debug, dwarf_formblock(value, &block, &err), &err);
        if (read) {
            *ret = block->bl_data;
            *ret_size = block->bl_len;
            dwarf_dealloc(dwarf->debug, block, DW_DLA_BLOCK);
        }
    }
    dwarf_dealloc_attribute(value);
    return read;
}

bool df_die_indexed_address(Dwarf_Die die, uint64_t index, uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Addr address;
    if (!worked(NULL, dwarf_debug_addr_index_to_addr(die, index, &address, &err), &err))
        return false;
    *ret = address;
    return true;
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
static bool first_of_ranges(const struct df_dwarf *dwarf, Dwarf_Die die, Dwarf_Attribute value,
                            uint64_t *ret)
{
    Dwarf_Error err = NULL;
    Dwarf_Off position, unit_offset, real;
    Dwarf_Ranges *ranges;
    Dwarf_Signed count;
    Dwarf_Unsigned bytes;
    Dwarf_Die unit;
    uint64_t base = 0; /* the unit's DW_AT_low_pc, unless the list says otherwise */
    if (worked(NULL, dwarf_CU_dieoffset_given_die(die, &unit_offset, &err), &err) &&
        df_die_at(dwarf, unit_offset, &unit)) {
        df_die_address(unit, DW_AT_low_pc, &base);
        df_die_free(unit);
    }
    if (!worked(NULL, dwarf_global_formref(value, &position, &err), &err))
        return false;
    int status =
        dwarf_get_ranges_b(dwarf->debug, position, die, &real, &ranges, &count, &bytes, &err);
    if (!worked(dwarf->debug, status, &err))
        return false;
    bool found = false;
    for (Dwarf_Signed i = 0; i < count && !found; i++) {
        if (ranges[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
            base = ranges[i].dwr_addr2;
        found = ranges[i].dwr_type == DW_RANGES_ENTRY;
        if (found)
            *ret = base + ranges[i].dwr_addr1;
    }
    shim_free_ranges(dwarf->debug, ranges, count);
    return found;
}

bool df_die_entry(const struct df_dwarf *dwarf, Dwarf_Die die, uint64_t *ret)
{
    if (df_die_address(die, DW_AT_low_pc, ret))
        return true;
    Dwarf_Attribute value;
    Dwarf_Half form, version, offset_size;
    if (!get(die, DW_AT_ranges, &value, &form))
        return false;
    bool found = false;
    if (dwarf_get_version_of_die(die, &version, &offset_size) == DW_DLV_OK)
        found = version >= 5 ? first_of_rnglist(value, form, ret)
                             : first_of_ranges(dwarf, die, value, ret);
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
