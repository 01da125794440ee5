/* SPDX-License-Identifier: MIT
 * main.c: parse, run, exit. Only this folder prints to the terminal and ends the process.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "analyzer/cli/options.h"
#include "dumpfmt/base/mem.h"

#define LARGE_BLOCK (1 << 20)

static void out_of_memory(void)
{
    static const char sentence[] = "necropy: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, sentence, sizeof(sentence) - 1);
    (void)ignored;
    _exit(CLI_INPUT);
}

/* A stream that the caller closed must not become the number of a file that we open. What is opened
 * here cannot be written, so output to it fails, as it should. */
static void occupy_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            _exit(CLI_INPUT);
}

/* What is large is given back as soon as it is freed. glibc's malloc moves the limit above which it
 * does so up to 32 MB by itself: phases then keep what others before them used. */
static void give_memory_back(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

int main(int argc, char **argv)
{
    struct cli_options options;
    int status;
    give_memory_back();
    occupy_standard_streams();
    df_set_oom_handler(out_of_memory);
    signal(SIGPIPE, SIG_IGN); /* a pipe that closed is a failed write, not our death */
    if (!cli_parse(argc, argv, &options, &status))
        return fflush(stdout) ? CLI_INPUT : status;
    return options.command->run(&options);
}
