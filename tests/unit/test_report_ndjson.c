/* SPDX-License-Identifier: MIT
 * test_report_ndjson.c: the export, from arrays written by hand.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/treemade.h"

#include "analyzer/objects/internal.h"
#include "analyzer/report/report.h"

static struct py_type type_list = {.name = (char *)"list"};
static struct py_type type_evil = {.name = (char *)"x.\"\xff\n\\"};
static struct py_type *types[] = {&type_list, &type_evil};

static void objects_are_lines(void **state)
{
    (void)state;
    struct py_objects objects = {.types = types, .type_count = 2};
    uint64_t address[] = {0x1000, 0x7f0000002000, 0x7f0000003000};
    uint8_t size[] = {88, 56, 48}, type[] = {0, 1, 0}, references[] = {1, 0, 2};
    uint8_t flags[] = {GR_TRACKED, GR_FINALIZED | GR_IMMORTAL, 0},
            source[] = {GR_FROM_GC_LIST, GR_FROM_REFERENT, GR_FROM_STATIC};
    uint32_t start[] = {0, 4, 4, 4}, target[] = {1, 1, 2, 2}, weak_holder[] = {1},
             weak_start[] = {0, 1}, weak_target[] = {0};
    uint8_t kinds[] = {PY_REF_OWNED << 4 | PY_REF_GUESS << 6};
    struct gr_root roots[] = {{0, GR_ROOT_MODULE, (char *)"shop", UINT32_MAX, UINT32_MAX}};
    uint32_t root_index[] = {0}, root_nodes[] = {0};
    struct gr_graph graph = {.count = 3,
                             .addresses = address,
                             .types = {.items = type, .width = 1},
                             .sizes = {.items = size, .width = 1},
                             .references = {.items = references, .width = 1},
                             .flags = flags,
                             .origins = source,
                             .start = start,
                             .target = target,
                             .edge_kinds = kinds,
                             .unusual_count = 2,
                             .edge_count = 4,
                             .weak_holder = weak_holder,
                             .weak_holder_count = 1,
                             .weak_start = weak_start,
                             .weak_target = weak_target,
                             .weak_count = 1,
                             .roots = roots,
                             .root_count = 1,
                             .root_index = root_index,
                             .root_nodes = root_nodes,
                             .root_node_count = 1};
    uint32_t idom[] = {AL_ROOT, 0, AL_NONE};
    uint8_t verdict[] = {AL_ALIVE, AL_GARBAGE, AL_UNCOLLECTABLE};
    struct fi_analysis analysis = {.objects = &objects, .graph = &graph, .verdict = verdict};
    treemade(&analysis, idom);
    static const char expected[] =
        "{\"address\":\"0x1000\",\"type\":\"list\",\"size\":88,\"refcount\":1,\"source\":\"gc-"
        "list\","
        "\"root\":\"module "
        "shop\",\"retained\":144,\"idom\":null,\"garbage\":false,\"tracked\":true,"
        "\"referents\":[\"0x7f0000002000\",\"0x7f0000002000\"],\"owned\":[\"0x7f0000003000\"],"
        "\"guess\":[\"0x7f0000003000\"]}\n"
        "{\"address\":\"0x7f0000002000\",\"type\":\"x.\\\"\xef\xbf\xbd\\u000a\\\\\",\"size\":56,"
        "\"refcount\":null,\"source\":\"referent\",\"retained\":56,\"idom\":\"0x1000\","
        "\"garbage\":true,\"finalized\":true,\"weak\":[\"0x1000\"]}\n"
        "{\"address\":\"0x7f0000003000\",\"type\":\"list\",\"size\":48,\"refcount\":2,"
        "\"source\":\"static\",\"retained\":0,\"idom\":null,\"garbage\":true}\n";
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    assert_ok(rp_ndjson(stream, &analysis, NULL));
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);

    flags[1] |= GR_UNCOUNTED; /* a dict of interned strings: its weak edges are tp_traverse's */
    text = NULL;
    stream = open_memstream(&text, &length);
    assert_ok(rp_ndjson(stream, &analysis, NULL));
    fclose(stream);
    assert_non_null(strstr(text, "\"finalized\":true,\"uncounted\":[\"0x1000\"]}\n"));
    assert_null(strstr(text, "\"weak\""));
    free(text);

    stream = fopen("/dev/full", "w");
    if (!stream)
        skip();
    setvbuf(stream, NULL, _IONBF, 0);
    assert_fails(rp_ndjson(stream, &analysis, NULL), DF_ERR_IO, "written");
    fclose(stream);
    treemade_end(&analysis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(objects_are_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
