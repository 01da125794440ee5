/* SPDX-License-Identifier: MIT
 * main.c: parse, run, exit. Only this folder prints to the terminal and ends the process.
 */
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

int main(int argc, char **argv)
{
    struct cli_options options;
    int status;
    df_set_oom_handler(out_of_memory);
    signal(SIGPIPE, SIG_IGN); /* a pipe that closed is a failed write, not our death */
    if (!cli_parse(argc, argv, &options, &status))
        return fflush(stdout) ? CLI_INPUT : status;
    return options.command->run(&options);
}
