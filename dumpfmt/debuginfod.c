/* SPDX-License-Identifier: MIT
 * debuginfod.c: see debuginfod.h. The library brings libcurl and thirty more, which take a third of
 * the time that the program needs to start: it is loaded when there is something to ask.
 */
#include "dumpfmt/debuginfod.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic bool missed;

bool df_debuginfod_missed(void)
{
    return missed;
}

#ifdef NECROPY_HAVE_DEBUGINFOD

#include <dlfcn.h>
#include <elfutils/debuginfod.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

static struct {
    __typeof__(debuginfod_begin) *begin;
    __typeof__(debuginfod_end) *end;
    __typeof__(debuginfod_find_executable) *find_executable;
    __typeof__(debuginfod_find_debuginfo) *find_debuginfo;
    bool there;
} library;

static void load_library(void)
{
    void *handle = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return;
    library.begin = dlsym(handle, "debuginfod_begin");
    library.end = dlsym(handle, "debuginfod_end");
    library.find_executable = dlsym(handle, "debuginfod_find_executable");
    library.find_debuginfo = dlsym(handle, "debuginfod_find_debuginfo");
    library.there =
        library.begin && library.end && library.find_executable && library.find_debuginfo;
}

char *df_debuginfod_find(const uint8_t *build_id, size_t size, enum df_debuginfod_kind kind)
{
    const char *servers = getenv(DEBUGINFOD_URLS_ENV_VAR);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!servers || !servers[0] || !size || size > INT_MAX)
        return NULL;
    pthread_once(&once, load_library);
    if (!library.there) {
        missed = true;
        return NULL;
    }
    debuginfod_client *client = library.begin();
    if (!client)
        return NULL;
    char *path = NULL;
    int fd = kind == DF_DEBUGINFOD_EXECUTABLE
                 ? library.find_executable(client, build_id, (int)size, &path)
                 : library.find_debuginfo(client, build_id, (int)size, &path);
    library.end(client);
    if (fd >= 0)
        close(fd);
    else
        path = NULL; /* not touched on failure */
    return path;
}

#else

char *df_debuginfod_find(const uint8_t *build_id, size_t size, enum df_debuginfod_kind kind)
{
    const char *servers = getenv("DEBUGINFOD_URLS");
    (void)build_id;
    (void)kind;
    if (servers && servers[0] && size)
        missed = true;
    return NULL;
}

#endif
