/* SPDX-License-Identifier: MIT
 * options.h: the command line as a value.
 *
 * Options may stand before or after the command and the core. One table describes them all; each
 * command says by a set of letters which ones it takes, besides the common ones.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_options;

enum cli_status { /* of the process; 1 is for a violated policy */
                  CLI_DONE = 0,
                  CLI_USAGE = 2,
                  CLI_INPUT = 3, /* no core, no CPython in it, cannot be read; or the output cannot
                                    be written */
                  CLI_PARTIAL = 4, /* done, but part of the core could not be read */
};

struct cli_command {
    const char *name, *arguments; /* "CORE ADDRESS" */
    int (*run)(const struct cli_options *options);
    const char *takes; /* letters of the option table */
    const char *help;  /* one line */
    const char *more;  /* further lines for its own help, or NULL */
};

enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER };

#define CLI_MAX_DEBUG_DIRECTORIES 64
#define CLI_MAX_CORES 16

struct cli_options {
    const struct cli_command *command;
    const char *core;                 /* positional */
    const char *argument;             /* second positional: an address; NULL */
    const char *cores[CLI_MAX_CORES]; /* of a command that takes several: all of them, core first */
    uint32_t core_count;

    const char *sysroot, *executable;
    const char *debug_directories[CLI_MAX_DEBUG_DIRECTORIES];
    uint32_t debug_directory_count;
    uint64_t max_size; /* of an unwrapped core; 0: the library's */
    uint32_t jobs;     /* 0: as many as there are processors */
    bool quiet, no_cache;
    bool no_debug_info; /* for tests: as if there were none */
    enum cli_color color;

    bool json;
    const char *json_path; /* NULL or "-": standard output */
    bool has_limit;
    uint32_t limit; /* 0: all */
    const char *type, *address, *output, *format, *group;
    bool all, verify, full;
    bool memory_only;              /* for tests: a snapshot without answers */
    bool redact;                   /* a snapshot without data */
    const char *called;            /* how its answers call the core; NULL: as it is given */
    uint32_t max_depth, max_nodes; /* 0: default */
};

/* Parses. Returns true when there is a command to run; else *ret_status is the exit status, and
 * everything (help, version, one sentence on what is wrong) has been printed. */
bool cli_parse(int argc, char **argv, struct cli_options *ret, int *ret_status);

/* Prints "necropy: sentence" on stderr; returns status. */
int cli_complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An address as people have it: 0x7f..., 7f... or decimal (id() in Python). */
bool cli_address(const char *text, uint64_t *ret);

#endif
