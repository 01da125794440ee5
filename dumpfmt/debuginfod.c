/* SPDX-License-Identifier: MIT
 * debuginfod.c: see debuginfod.h.
 */
#include "dumpfmt/debuginfod.h"

#include <stdlib.h>

#ifdef NECROPY_HAVE_DEBUGINFOD

#include <elfutils/debuginfod.h>
#include <limits.h>
#include <unistd.h>

char *df_debuginfod_find(const uint8_t *build_id, size_t size, enum df_debuginfod_kind kind)
{
    const char *servers = getenv(DEBUGINFOD_URLS_ENV_VAR);
    if (!servers || !servers[0] || !size || size > INT_MAX)
        return NULL;
    debuginfod_client *client = debuginfod_begin();
    if (!client)
        return NULL;
    char *path = NULL;
    int fd = kind == DF_DEBUGINFOD_EXECUTABLE
                 ? debuginfod_find_executable(client, build_id, (int)size, &path)
                 : debuginfod_find_debuginfo(client, build_id, (int)size, &path);
    debuginfod_end(client);
    if (fd >= 0)
        close(fd);
    else
        path = NULL; /* not touched on failure */
    return path;
}

#else

char *df_debuginfod_find(const uint8_t *build_id, size_t size, enum df_debuginfod_kind kind)
{
    (void)build_id;
    (void)size;
    (void)kind;
    return NULL;
}

#endif
