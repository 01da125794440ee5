/* SPDX-License-Identifier: MIT
 * debuginfod.h: files by build-id from debuginfod servers, through elfutils' libdebuginfod.
 *
 * Only when $DEBUGINFOD_URLS names servers, the tool was built for it, and the library is there.
 * What was fetched stays in the library's own cache ($DEBUGINFOD_CACHE_PATH, or ~/.cache).
 */
#ifndef DF_DEBUGINFOD_H
#define DF_DEBUGINFOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum df_debuginfod_kind { DF_DEBUGINFOD_EXECUTABLE, DF_DEBUGINFOD_DEBUG };

/* The path of the fetched file, malloc'ed; NULL when no server has it. Not verified. */
char *df_debuginfod_find(const uint8_t *build_id, size_t size, enum df_debuginfod_kind kind);
/* Whether there was something to ask of servers, and no library to ask with. */
bool df_debuginfod_missed(void);

#endif
