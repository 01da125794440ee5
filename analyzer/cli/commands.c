/* SPDX-License-Identifier: MIT
 * commands.c: the table of commands.
 */
#include "analyzer/cli/commands.h"

#include <stddef.h>
#include <string.h>

#define PICTURE_HELP                                                                     \
    "FILE ends in .dot, .svg, .png or .json; without -o, DOT goes to standard output.\n" \
    "SVG and PNG are drawn by Graphviz (the program `dot`)."

const struct cli_command cli_commands[] = {
    {"report", "CORE", cli_report, "Jlv", "the whole verdict: what holds the memory, what is dead",
     "The text goes to standard output, the JSON report beside it to FILE; `--json -` prints JSON\n"
     "instead of text."},
    {"findings", "CORE", cli_section, "jl", "what is wrong, with evidence and advice", NULL},
    {"types", "CORE", cli_section, "jl", "objects by type: count, shallow and retained size", NULL},
    {"retained", "CORE", cli_section, "jl", "who holds the memory: dominators, and types", NULL},
    {"cycles", "CORE", cli_section, "jl", "reference cycles by shape, alive and dead", NULL},
    {"garbage", "CORE", cli_section, "jl", "what gc.collect() would have freed", NULL},
    {"threads", "CORE", cli_section, "jl", "Python threads, frames and their locals", NULL},
    {"tasks", "CORE", cli_section, "jl", "asyncio tasks: state, stack, what they wait for", NULL},
    {"memory", "CORE", cli_section, "jl", "where the core's bytes went, and what was read", NULL},
    {"allocations", "CORE", cli_allocations, "gtjl",
     "which lines allocated what, where tracemalloc was on",
     "The list is that of tracemalloc.take_snapshot().statistics(GROUP): each size, count and "
     "place\n"
     "in it. With --type only the memory of such objects is counted."},
    {"show", "CORE (ADDRESS | --type T)", cli_show, "jltF",
     "one object: text, size, fields, who refers to it; or the largest of a type",
     "ADDRESS is what id() gives: decimal, or hexadecimal with 0x."},
    {"path", "CORE (ADDRESS | --type T)", cli_path, "jlt", "the ways from roots to an object",
     NULL},
    {"diff", "OLD NEW [NEWER...]", cli_diff, "jl", "what grew between dumps of one service",
     "The dumps may be of different processes of the same service, oldest first. With more than "
     "two,\n"
     "what grew in each step comes first: three dumps tell a leak from a cache that filled."},
    {"backrefs", "CORE (--type T | --address A)", cli_picture, "taodnj",
     "a picture of what holds the objects", PICTURE_HELP},
    {"refs", "CORE (--type T | --address A)", cli_picture, "taodnj",
     "a picture of what the objects hold", PICTURE_HELP},
    {"snapshot", "CORE -o FILE.necro", cli_snapshot, "oRM",
     "the core as a small file that every command takes instead",
     "It needs neither the core nor any file of its machine. With --redact it keeps no value of "
     "the\n"
     "process (texts, numbers, keys), only types, sizes, references and names of code."},
    {"export", "CORE --format ndjson", cli_export, "fo", "the graph for other tools",
     "ndjson: one object a line, with its references by kind."},
    {"verify", "CORE", cli_verify, "Ajl",
     "how exact this is: the process's own tp_traverse code, run, against our walkers",
     "Some objects of each type are compared, with --all every one. Exit status 4: some disagree, "
     "or\n"
     "could not be run."},
    {"layout", "CORE", cli_layout, "j", "where CPython keeps what: each field, value and source",
     NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct cli_command *cli_find_command(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name; command++)
        if (!strcmp(command->name, name))
            return command;
    return NULL;
}
