/* SPDX-License-Identifier: MIT
 * main.c: parse, run, exit. Only this folder prints to the terminal and ends the process.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "analyzer/cli/options.h"
#include "dumpfmt/base/mem.h"

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

int main(int argc, char **argv)
{
    struct cli_options options;
    int status;
    occupy_standard_streams();
    df_set_oom_handler(out_of_memory);
    signal(SIGPIPE, SIG_IGN); /* a pipe that closed is a failed write, not our death */
    if (!cli_parse(argc, argv, &options, &status))
        return fflush(stdout) ? CLI_INPUT : status;
    return options.command->run(&options);
}
