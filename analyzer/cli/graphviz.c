/* SPDX-License-Identifier: MIT
 * graphviz.c: a child process that draws.
 *
 * It writes straight into our temporary file, so nothing has to be read back and no two pipes can
 * wait for each other.
 */
#include "analyzer/cli/graphviz.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dumpfmt/base/io.h"

extern char **environ;

static struct df_err *missing(int reason)
{
    if (reason == ENOENT || reason == EACCES)
        return df_err_new(DF_ERR_MISSING,
                          "drawing needs Graphviz, whose program `dot` was not found: install it "
                          "(package graphviz), or give a file name that ends in .dot");
    return df_err_new(DF_ERR_IO, "Graphviz' `dot` cannot be run: %s", strerror(reason));
}

static int spawn(const char *format, int from, int to, pid_t *ret)
{
    char option[16];
    snprintf(option, sizeof(option), "-T%s", format);
    char program[] = "dot";
    char *arguments[] = {program, option, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE); /* which we ignore */
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawnp(ret, "dot", &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

/* What cannot be written shows in the child's status: it stopped reading. */
static void feed(int to, const char *dot, size_t length)
{
    while (length) {
        ssize_t written = write(to, dot, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        dot += written;
        length -= (size_t)written;
    }
}

static struct df_err *wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return df_err_new(DF_ERR_IO, "Graphviz' `dot` was lost: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return missing(ENOENT);
    if (WIFEXITED(status) && WEXITSTATUS(status))
        return df_err_new(DF_ERR_IO,
                          "Graphviz' `dot` failed with status %d; fewer --max-nodes may "
                          "help",
                          WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        return df_err_new(DF_ERR_IO, "Graphviz' `dot` died of signal %d", WTERMSIG(status));
    return NULL;
}

static struct df_err *draw(const char *format, const char *dot, size_t length, int to)
{
    int ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC))
        return df_err_new(DF_ERR_IO, "no pipe to Graphviz: %s", strerror(errno));
    int failed = spawn(format, ends[0], to, &child);
    close(ends[0]);
    if (!failed)
        feed(ends[1], dot, length);
    close(ends[1]);
    return failed ? missing(failed) : wait_for(child);
}

struct df_err *cli_graphviz(const char *format, const char *dot, size_t length, const char *path)
{
    struct df_output *output;
    DF_TRY(df_output_open(path, &output));
    struct df_err *err = draw(format, dot, length, fileno(output->stream));
    if (!err)
        return df_output_commit(output);
    df_output_abandon(output);
    return err;
}
