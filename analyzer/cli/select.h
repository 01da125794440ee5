/* SPDX-License-Identifier: MIT
 * select.h: which objects a command is about: an address, or all of a type.
 */
#ifndef CLI_SELECT_H
#define CLI_SELECT_H

#include "analyzer/findings/analysis.h"

/* The object at (or around) an address. */
struct df_err *cli_select_address(const struct fi_analysis *analysis, uint64_t address,
                                  uint32_t *ret);
/* All objects of the types of that name; a name without its module will do when only one type has
 * it. Malloc'ed; at least one. */
struct df_err *cli_select_type(const struct fi_analysis *analysis, const char *name, uint32_t **ret,
                               uint32_t *ret_count);
/* Which of some names a type's is; a name may be there more than once. The same rules. */
struct df_err *cli_select_name(const char *const *names, uint32_t count, const char *name,
                               const char **ret);

#endif
