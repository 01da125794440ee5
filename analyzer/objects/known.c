/* SPDX-License-Identifier: MIT
 * known.c: the table of types that are walked by hand, by name, and the walker of plain fields.
 *
 * A type that is not here is walked by its own tp_traverse (emulated.c). What each row visits is
 * its tp_traverse in CPython's source (the file is named); what it owns besides is from its
 * structure.
 */
#include "analyzer/objects/internal.h"

#define V(tag, name, text)                            \
    {                                                 \
        PY_F_##tag##_##name, text, PY_REF_REFERENT, 0 \
    }
#define O(tag, name, text)                         \
    {                                              \
        PY_F_##tag##_##name, text, PY_REF_OWNED, 0 \
    }
#define W(tag, name, text)                        \
    {                                             \
        PY_F_##tag##_##name, text, PY_REF_WEAK, 0 \
    }

/* Objects/funcobject.c */
static const struct py_known_row function_row = {
    false,
    14,
    {V(function, func_code, "__code__"), V(function, func_globals, "__globals__"),
     V(function, func_builtins, "__builtins__"), V(function, func_module, "__module__"),
     V(function, func_defaults, "__defaults__"), V(function, func_kwdefaults, "__kwdefaults__"),
     V(function, func_doc, "__doc__"), V(function, func_name, "__name__"),
     V(function, func_dict, "__dict__"), V(function, func_closure, "__closure__"),
     V(function, func_annotations, "__annotations__"), V(function, func_annotate, "__annotate__"),
     V(function, func_typeparams, "__type_params__"), V(function, func_qualname, "__qualname__")}};
/* Objects/cellobject.c */
static const struct py_known_row cell_row = {false, 1, {V(cell, ob_ref, "cell_contents")}};
/* Objects/methodobject.c: PyCFunction_GET_CLASS is there for METH_METHOD only (walk_builtin). */
static const struct py_known_row builtin_row = {
    false, 2, {V(cfunction, m_self, "__self__"), V(cfunction, m_module, "__module__")}};
/* Objects/classobject.c */
static const struct py_known_row method_row = {
    false, 2, {V(method, im_func, "__func__"), V(method, im_self, "__self__")}};
static const struct py_known_row instancemethod_row = {
    false, 1, {V(instancemethod, func, "__func__")}};
/* Objects/descrobject.c: names are owned, not visited */
static const struct py_known_row descriptor_row = {false,
                                                   3,
                                                   {V(descr, d_type, "__objclass__"),
                                                    O(descr, d_name, "__name__"),
                                                    O(descr, d_qualname, "__qualname__")}};
static const struct py_known_row property_row = {
    false,
    5,
    {V(property, prop_get, "fget"), V(property, prop_set, "fset"), V(property, prop_del, "fdel"),
     V(property, prop_doc, "__doc__"), V(property, prop_name, "__name__")}};
static const struct py_known_row mappingproxy_row = {
    false, 1, {V(mappingproxy, mapping, "mapping")}};
/* Python/traceback.c */
static const struct py_known_row traceback_row = {
    false, 2, {V(traceback, tb_next, "tb_next"), V(traceback, tb_frame, "tb_frame")}};
/* Objects/exceptions.c, BaseException_traverse; subtypes with fields of their own are emulated */
static const struct py_known_row exception_row = {
    false,
    6,
    {V(exception, dict, "__dict__"), V(exception, args, "args"), V(exception, notes, "__notes__"),
     V(exception, traceback, "__traceback__"), V(exception, cause, "__cause__"),
     V(exception, context, "__context__")}};
/* Objects/weakrefobject.c, gc_traverse */
static const struct py_known_row weakref_row = {
    false, 2, {W(weakref, wr_object, "()"), V(weakref, wr_callback, "__callback__")}};
/* Modules/_functoolsmodule.c */
static const struct py_known_row partial_row = {true,
                                                4,
                                                {V(partial, fn, "func"), V(partial, args, "args"),
                                                 V(partial, kw, "keywords"),
                                                 V(partial, dict, "__dict__")}};
/* Python/context.c */
static const struct py_known_row context_row = {
    false, 2, {V(context, ctx_prev, "ctx_prev"), V(context, ctx_vars, "ctx_vars")}};

/* Not the collector's business: all is owned. */
static const struct py_known_row range_row = {false,
                                              4,
                                              {O(range, start, "start"), O(range, stop, "stop"),
                                               O(range, step, "step"), O(range, length, "length")}};
/* Objects/bytearrayobject.c, 3.15+ */
static const struct py_known_row bytearray_row = {
    false, 1, {O(bytearray, ob_bytes_object, "ob_bytes_object")}};
static const struct py_known_row timezone_row = {
    false, 2, {O(timezone, offset, "offset"), O(timezone, name, "name")}};
/* Modules/_functoolsmodule.c: what a link of the cache refers to, its wrapper visits. */
static const struct py_known_row lru_link_row = {.count = 0};

static const struct py_known known[] = {
    {"tuple", py_walk_tuple, NULL, PY_F_tuple_ob_item},
    {"list", py_walk_list, NULL, PY_F_list_ob_item},
    {"dict", py_walk_dict, NULL, PY_F_dict_ma_keys},
    {"set", py_walk_set, NULL, PY_F_setentry_key},
    {"frozenset", py_walk_set, NULL, PY_F_setentry_key},
    {"type", py_walk_type, NULL, PY_F_type_tp_dict},
    {"module", py_walk_module, NULL, PY_F_moduledef_m_traverse},
    {"frame", py_walk_frame, NULL, PY_F_frameobject_f_back},
    {"generator", py_walk_generator, NULL, PY_F_gen_gi_name},
    {"coroutine", py_walk_generator, "coroutine", PY_F_gen_gi_name},
    {"async_generator", py_walk_generator, "async_generator", PY_F_asyncgen_ag_finalizer},
    {"function", py_walk_row, &function_row, PY_F_function_func_code},
    {"cell", py_walk_row, &cell_row, PY_F_cell_ob_ref},
    {"builtin_function_or_method", py_walk_row, &builtin_row, PY_F_cfunction_m_self},
    {"method", py_walk_row, &method_row, PY_F_method_im_func},
    {"instancemethod", py_walk_row, &instancemethod_row, PY_F_instancemethod_func},
    {"method_descriptor", py_walk_row, &descriptor_row, PY_F_descr_d_type},
    {"classmethod_descriptor", py_walk_row, &descriptor_row, PY_F_descr_d_type},
    {"getset_descriptor", py_walk_row, &descriptor_row, PY_F_descr_d_type},
    {"member_descriptor", py_walk_row, &descriptor_row, PY_F_descr_d_type},
    {"wrapper_descriptor", py_walk_row, &descriptor_row, PY_F_descr_d_type},
    {"property", py_walk_row, &property_row, PY_F_property_prop_get},
    {"mappingproxy", py_walk_row, &mappingproxy_row, PY_F_mappingproxy_mapping},
    {"traceback", py_walk_row, &traceback_row, PY_F_traceback_tb_next},
    {"BaseException", py_walk_row, &exception_row, PY_F_exception_args},
    {"weakref", py_walk_row, &weakref_row, PY_F_weakref_wr_callback},
    {"weakref.ReferenceType", py_walk_row, &weakref_row, PY_F_weakref_wr_callback},
    {"weakref.ProxyType", py_walk_row, &weakref_row, PY_F_weakref_wr_callback},
    {"weakref.CallableProxyType", py_walk_row, &weakref_row, PY_F_weakref_wr_callback},
    {"weakproxy", py_walk_row, &weakref_row, PY_F_weakref_wr_callback},
    {"weakcallableproxy", py_walk_row, &weakref_row, PY_F_weakref_wr_callback},
    {"collections.deque", py_walk_deque, NULL, PY_F_dequeblock_data},
    {"collections.defaultdict", py_walk_defaultdict, NULL, PY_F_defaultdict_default_factory},
    {"collections.OrderedDict", py_walk_odict, NULL, PY_F_odictnode_key},
    {"functools._lru_cache_wrapper", py_walk_lru, NULL, PY_F_lrulink_next},
    {"functools.partial", py_walk_row, &partial_row, PY_F_partial_fn},
    {"_contextvars.Context", py_walk_row, &context_row, PY_F_context_ctx_vars},
    {"code", py_walk_code, NULL, PY_F_code_co_consts}, /* collected in free-threaded builds only */
};

static const struct py_known owners[] = {
    {"code", py_walk_code, NULL, PY_F_code_co_consts},
    {"range", py_walk_row, &range_row, PY_F_range_start},
    {"bytearray", py_walk_row, &bytearray_row, PY_F_bytearray_ob_bytes_object},
    {"datetime.timezone", py_walk_row, &timezone_row, PY_F_timezone_offset},
    {"datetime.datetime", py_walk_timezone_owner, NULL, PY_F_datetime_tzinfo},
    {"datetime.time", py_walk_timezone_owner, NULL, PY_F_time_tzinfo},
    {"functools._lru_list_elem", py_walk_row, &lru_link_row, PY_F_lrulink_key},
    {"numpy.ndarray", py_walk_ndarray, NULL, PY_F_object_ob_type},
    {"numpy.dtype", py_walk_dtype, NULL, PY_F_object_ob_type},
    {"numpy.void", py_walk_void_scalar, NULL, PY_F_object_ob_type},
};

/* A row serves a build that has its structures; without them the type is emulated. */
static const struct py_known *find(const struct py_layout *layout, const struct py_known *table,
                                   size_t count, const struct py_type *type)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, type->name) == 0)
            return layout->offset[table[i].needs] != PY_ABSENT ? &table[i] : NULL;
    return NULL;
}

const struct py_known *py_known_type(const struct py_layout *layout, const struct py_type *type)
{
    return find(layout, known, sizeof(known) / sizeof(*known), type);
}

const struct py_known *py_known_owner(const struct py_layout *layout, const struct py_type *type)
{
    return find(layout, owners, sizeof(owners) / sizeof(*owners), type);
}

const struct py_known *py_known_row_of(const struct py_type *type)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (known[i].walk == type->walk && known[i].data == type->data)
            return &known[i];
    return NULL;
}

/* PyCFunction_GET_CLASS (Include/cpython/methodobject.h): PyCMethodObject.mm_class when ml_flags
 * has METH_METHOD. */
#define METH_METHOD 0x0200
static void push_builtin_class(struct py_objects *objects, uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    uint64_t definition = PY_PTR(reader, object, cfunction, m_ml);
    if (PY_HAS(reader->layout, cmethod, mm_class) && definition &&
        (PY_GET(reader, definition, methoddef, ml_flags) & METH_METHOD))
        py_push_field(refs, PY_PTR(reader, object, cmethod, mm_class), PY_REF_REFERENT,
                      "__objclass__");
}

enum py_status py_walk_row(struct py_objects *objects, const struct py_type *type, uint64_t object,
                           struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_known_row *row = type->data;
    bool heap = type->flags & PY_TPFLAGS_HEAPTYPE;
    if (row->visits_type && heap)
        py_push(refs, py_type_of(reader, object), PY_REF_REFERENT, PY_LABEL_TYPE, 0);
    if (row == &builtin_row)
        push_builtin_class(objects, object, refs);
    for (uint8_t i = 0; i < row->count; i++) {
        const struct py_known_field *field = &row->fields[i];
        uint32_t offset = reader->layout->offset[field->field];
        if (offset != PY_ABSENT)
            py_push_field(refs, py_word(reader, object + offset), (enum py_ref_kind)field->kind,
                          field->label);
    }
    return py_reader_status(objects);
}

/* The tzinfo member exists only where hastzinfo says so: the structure is cut otherwise
 * (Modules/_datetimemodule.c). */
enum py_status py_walk_timezone_owner(struct py_objects *objects, const struct py_type *type,
                                      uint64_t object, struct py_refs *refs)
{
    struct py_reader *reader = &objects->reader;
    const struct py_type *base = type;
    while (base->base_index != PY_NO_TYPE && strcmp(base->name, "datetime.time") != 0 &&
           strcmp(base->name, "datetime.datetime") != 0)
        base = objects->types[base->base_index];
    bool time = strcmp(base->name, "datetime.time") == 0;
    if (time ? PY_GET(reader, object, time, hastzinfo)
             : PY_GET(reader, object, datetime, hastzinfo))
        py_push_field(refs,
                      time ? PY_PTR(reader, object, time, tzinfo)
                           : PY_PTR(reader, object, datetime, tzinfo),
                      PY_REF_OWNED, "tzinfo");
    return py_reader_status(objects);
}
