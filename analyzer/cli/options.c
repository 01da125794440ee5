/* SPDX-License-Identifier: MIT
 * options.c: one table of options; getopt_long does the reading.
 *
 * `--json` is a flag for the commands of one section, and takes a file for `report`; so the command
 * is looked for first, and only its own options are known to getopt_long.
 */
#include "analyzer/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/cli/commands.h"
#include "analyzer/report/utf8.h"

#define COMMON "SEDXQCNBIhV"

static const struct row {
    char letter;              /* in the sets; also the short form when `brief` */
    const char *name, *value; /* value NULL: a flag; in brackets: may be left out */
    bool brief;
    const char *help;
} rows[] = {
    {'J', "json", "FILE|-", false, "write the JSON report to FILE, or (-) to standard output"},
    {'j', "json", "[FILE|-]", false, "print JSON instead of text"},
    {'l', "limit", "N", false, "at most N rows of each list (0: all)"},
    {'A', "all", NULL, false, "every object, not some of each type"},
    {'v', "verify", NULL, false, "say how exact it is: run the process's own tp_traverse code"},
    {'t', "type", "T", false, "all objects of a type, by its name: shop.models.Row"},
    {'g', "group", "GROUP", false, "by what to add up: lineno, filename or traceback"},
    {'F', "full", NULL, false, "texts in full, however long"},
    {'a', "address", "A", false, "the object at an address"},
    {'R', "redact", NULL, false,
     "keep no data of the process, only its shape and its code's names"},
    {'M', "memory-only", NULL, false, NULL}, /* for tests */
    {'f', "format", "FORMAT", false, "what to write: ndjson"},
    {'o', "output", "FILE", true, "write to FILE instead of standard output"},
    {'d', "max-depth", "N", false, "references away from the objects, at most (8)"},
    {'n', "max-nodes", "N", false, "boxes in the picture, at most (80)"},
    {'S', "sysroot", "DIR", false, "where the files of the dead machine are"},
    {'E', "executable", "FILE", false, "the program that dumped core"},
    {'D', "debug-dir", "DIR", false, "where debug files are; may be given several times"},
    {'X', "max-size", "SIZE", false, "of a compressed core, unpacked: 40G (1T)"},
    {'B', "jobs", "N", false, "threads to work with"},
    {'N', "no-cache", NULL, false, "neither use nor write the cache of layouts"},
    {'C', "color", "WHEN", false, "auto, always or never"},
    {'I', "ignore-debug-info", NULL, false, NULL}, /* for tests */
    {'Q', "quiet", NULL, false, "no progress"},
    {'h', "help", NULL, true, "this"},
    {'V', "version", NULL, false, "name and version"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

int cli_complain(int status, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return status;
    char *clean = rp_utf8_clean(text, true); /* one line, whatever a file is called */
    fprintf(stderr, "necropy: %s\n", clean);
    free(clean);
    free(text);
    return status;
}

bool cli_address(const char *text, uint64_t *ret)
{
    bool prefix = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = prefix ? text + 2 : text;
    size_t length = strlen(digits);
    bool decimal = !prefix && strspn(digits, "0123456789") == length;
    if (!length || strspn(digits, "0123456789abcdefABCDEF") != length)
        return false;
    errno = 0;
    *ret = strtoull(digits, NULL, decimal ? 10 : 16);
    return !errno;
}

static bool parse_count(const char *text, uint32_t *ret)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || end == text || text[0] == '-' || value > UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* "40G": powers of 1024, as dd and truncate have them. */
static bool parse_size(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGTP";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (errno || end == text || text[0] == '-' || !value || (*end && (!unit || end[1])))
        return false;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    *ret = value << shift;
    return *ret >> shift == value;
}

static void print_option(const struct row *row)
{
    char left[64];
    bool optional = row->value && row->value[0] == '[';
    snprintf(left, sizeof(left), "%s%c%s--%s%s%s", row->brief ? "-" : " ",
             row->brief ? row->letter : ' ', row->brief ? ", " : "  ", row->name,
             row->value && !optional ? " " : "", row->value && !optional ? row->value : "");
    printf("  %-28s %s\n", left, row->help);
}

static void print_options(const char *letters, const char *title)
{
    printf("\n%s\n", title);
    for (int i = 0; i < ROWS; i++)
        if (rows[i].help && strchr(letters, rows[i].letter))
            print_option(&rows[i]);
}

static void help(const struct cli_command *command)
{
    if (command) {
        printf("necropy %s %s [options]\n\n%c%s.\n", command->name, command->arguments,
               command->help[0] - 'a' + 'A', command->help + 1);
        if (command->more)
            printf("%s\n", command->more);
        print_options(command->takes, "Options:");
    } else {
        printf("necropy COMMAND CORE [options]\n\n"
               "A post-mortem of a dead CPython process from its core file.\n\nCommands:\n");
        for (command = cli_commands; command->name; command++)
            printf("  %-10s %s\n", command->name, command->help);
    }
    print_options(COMMON, "Common options:");
    printf(
        "\nExit status: 0 done; 1 a policy is violated; 2 usage; 3 the input is no core, holds no\n"
        "CPython, or cannot be read; 4 done, but part of the core could not be read.\n");
}

static const struct row *row_of(const char *name, size_t length)
{
    for (int i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == length && !strncmp(rows[i].name, name, length))
            return &rows[i];
    return NULL;
}

/* The first word that is no option and no option's value. */
static const char *first_word(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || !word[1])
            return word;
        if (word[1] != '-') {
            i += !strcmp(word, "-o");
            continue;
        }
        if (!word[2])
            return i + 1 < argc ? argv[i + 1] : NULL;
        const struct row *row = strchr(word, '=') ? NULL : row_of(word + 2, strlen(word + 2));
        bool takes_next = row && row->value && row->value[0] != '[';
        if (takes_next && row->letter == 'J') /* a flag for most: a command may follow */
            takes_next = i + 1 < argc && !cli_find_command(argv[i + 1]);
        i += takes_next;
    }
    return NULL;
}

/* Fills getopt_long's table with the options that a command takes. */
static void make_table(const struct cli_command *command, struct option *table, char *brief)
{
    size_t count = 0, letters = 0;
    brief[letters++] = ':';
    for (int i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        if (!strchr(COMMON, row->letter) && !(command && strchr(command->takes, row->letter)))
            continue;
        int argument = !row->value            ? no_argument
                       : row->value[0] == '[' ? optional_argument
                                              : required_argument;
        table[count++] = (struct option){row->name, argument, NULL, row->letter};
        if (row->brief) {
            brief[letters++] = row->letter;
            if (row->value)
                brief[letters++] = ':';
        }
    }
    table[count] = (struct option){0};
    brief[letters] = '\0';
}

static bool set_color(struct cli_options *options, const char *when)
{
    static const char *const words[] = {"auto", "always", "never"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(when, words[i])) {
            options->color = (enum cli_color)i;
            return true;
        }
    return false;
}

static bool add_debug_directory(struct cli_options *options, const char *directory)
{
    if (options->debug_directory_count == CLI_MAX_DEBUG_DIRECTORIES)
        return false;
    options->debug_directories[options->debug_directory_count++] = directory;
    return true;
}

/* False: the value is not what the option wants. */
static bool set(struct cli_options *options, int letter, const char *value)
{
    switch (letter) {
    case 'J':
    case 'j':
        options->json = true;
        options->json_path = value;
        return true;
    case 'l':
        return options->has_limit = parse_count(value, &options->limit);
    case 'A':
        return options->all = true;
    case 'F':
        return options->full = true;
    case 'R':
        return options->redact = true;
    case 'M':
        return options->memory_only = true;
    case 'v':
        return options->verify = true;
    case 't':
        options->type = value;
        return true;
    case 'g':
        options->group = value;
        return true;
    case 'a':
        options->address = value;
        return true;
    case 'f':
        options->format = value;
        return true;
    case 'o':
        options->output = value;
        return true;
    case 'd':
        return parse_count(value, &options->max_depth);
    case 'n':
        return parse_count(value, &options->max_nodes);
    case 'S':
        options->sysroot = value;
        return true;
    case 'E':
        options->executable = value;
        return true;
    case 'D':
        return add_debug_directory(options, value);
    case 'B':
        return parse_count(value, &options->jobs);
    case 'X':
        return parse_size(value, &options->max_size);
    case 'N':
        return options->no_cache = true;
    case 'I':
        return options->no_debug_info = true;
    case 'C':
        return set_color(options, value);
    default: /* Q */
        return options->quiet = true;
    }
}

static int complain_option(const struct cli_command *command, char **argv, int got)
{
    const char *word = argv[optind - 1];
    if (got == ':')
        return cli_complain(CLI_USAGE, "`%s` needs a value; see `necropy --help`", word);
    return cli_complain(CLI_USAGE, "`%s` is no option%s%s; see `necropy %s%s--help`", word,
                        command ? " of " : "", command ? command->name : "",
                        command ? command->name : "", command ? " " : "");
}

/* `diff`: as many cores as are given, two at least. */
static int add_core(struct cli_options *options, const char *core)
{
    if (options->core_count == CLI_MAX_CORES)
        return cli_complain(CLI_USAGE, "`%s` takes %d cores at most", options->command->name,
                            CLI_MAX_CORES);
    if (!options->core_count)
        options->core = core;
    options->cores[options->core_count++] = core;
    return CLI_DONE;
}

static int positionals(int argc, char **argv, struct cli_options *options)
{
    const struct cli_command *command = options->command;
    const char **places[] = {&options->core, &options->argument};
    bool second = strstr(command->arguments, "ADDRESS") != NULL;
    bool several = !strncmp(command->arguments, "OLD", 3);
    int used = 0, status;
    for (int i = optind + 1; i < argc; i++) {
        /* `types CORE --json -`: the file of an option whose value may be left out */
        if (options->json && !options->json_path && !strcmp(argv[i], "-")) {
            options->json_path = argv[i];
            continue;
        }
        if (several) {
            status = add_core(options, argv[i]);
            if (status != CLI_DONE)
                return status;
            continue;
        }
        if (used == (second ? 2 : 1))
            return cli_complain(CLI_USAGE, "`%s` is one argument too many; see `necropy %s --help`",
                                argv[i], command->name);
        *places[used++] = argv[i];
    }
    if (!options->core)
        return cli_complain(CLI_USAGE, "`%s` needs a core file; see `necropy %s --help`",
                            command->name, command->name);
    if (several && options->core_count < 2)
        return cli_complain(CLI_USAGE,
                            "`%s` needs two core files at least; see `necropy %s --help`",
                            command->name, command->name);
    return CLI_DONE;
}

bool cli_parse(int argc, char **argv, struct cli_options *ret, int *ret_status)
{
    struct option table[ROWS + 1];
    char brief[2 * ROWS + 2];
    const char *word = first_word(argc, argv);
    struct cli_options options = {.command = word ? cli_find_command(word) : NULL};
    make_table(options.command, table, brief);
    opterr = 0;
    *ret_status = CLI_DONE;
    for (int got, index; (got = getopt_long(argc, argv, brief, table, &index)) != -1;) {
        if (got == 'h') {
            help(options.command);
            return false;
        }
        if (got == 'V') {
            printf("necropy %s\n", NECROPY_VERSION);
            return false;
        }
        if (got == '?' || got == ':') {
            *ret_status =
                word && !options.command
                    ? cli_complain(CLI_USAGE, "`%s` is no command; see `necropy --help`", word)
                    : complain_option(options.command, argv, got);
            return false;
        }
        if (!set(&options, got, optarg)) {
            *ret_status =
                cli_complain(CLI_USAGE, "`%s` is not what `%s` takes; see `necropy --help`", optarg,
                             argv[optind - 1 - (optarg == argv[optind - 1])]);
            return false;
        }
    }
    if (!options.command)
        *ret_status =
            word ? cli_complain(CLI_USAGE, "`%s` is no command; see `necropy --help`", word)
                 : cli_complain(CLI_USAGE, "give a command and a core file; see `necropy --help`");
    else
        *ret_status = positionals(argc, argv, &options);
    *ret = options;
    return *ret_status == CLI_DONE;
}
