/* SPDX-License-Identifier: MIT
 * forgetful.c: an extension module that forgets Py_DECREFs, and one that keeps what it should; built
 * by tests/e2e/test_ledger.py.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    PyObject *owner; /* counted, and nobody visits it */
} Thing;

static void thing_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(((Thing *)self)->owner);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef thing_members[] = {
    {"owner", T_OBJECT, offsetof(Thing, owner), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot thing_slots[] = {
    {Py_tp_dealloc, thing_dealloc},
    {Py_tp_members, thing_members},
    {0, NULL},
};

static PyType_Spec thing_spec = {"forgetful.Thing", sizeof(Thing), 0, Py_TPFLAGS_DEFAULT,
                                 thing_slots};

static PyObject *cache;      /* a healthy global: it counts what it holds */
static PyObject **heap_cache; /* the same in memory of malloc */

static PyObject *forget_lists(PyObject *module, PyObject *argument)
{
    long count = PyLong_AsLong(argument);
    (void)module;
    for (long i = 0; i < count; i++) {
        PyObject *list = PyList_New(2);
        PyList_SET_ITEM(list, 0, PyLong_FromLong(1000000 + i));
        PyList_SET_ITEM(list, 1, PyFloat_FromDouble((double)i));
    }
    Py_RETURN_NONE;
}

static PyObject *forget_strings(PyObject *module, PyObject *argument)
{
    long count = PyLong_AsLong(argument);
    (void)module;
    for (long i = 0; i < count; i++)
        PyUnicode_FromFormat("a forgotten string, number %ld", i);
    Py_RETURN_NONE;
}

static PyObject *forget_things(PyObject *module, PyObject *argument)
{
    long count = PyLong_AsLong(argument);
    PyObject *type = PyObject_GetAttrString(module, "Thing");
    for (long i = 0; i < count && type; i++)
        PyObject_CallObject(type, NULL);
    Py_XDECREF(type);
    Py_RETURN_NONE;
}

static PyObject *keep(PyObject *module, PyObject *argument)
{
    (void)module;
    Py_INCREF(argument);
    Py_XDECREF(cache);
    cache = argument;
    Py_RETURN_NONE;
}

static PyObject *keep_in_heap(PyObject *module, PyObject *argument)
{
    (void)module;
    heap_cache = malloc(64 * sizeof(*heap_cache));
    for (int i = 0; i < 64; i++) {
        Py_INCREF(argument);
        heap_cache[i] = argument;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"forget_lists", forget_lists, METH_O, NULL},
    {"forget_strings", forget_strings, METH_O, NULL},
    {"forget_things", forget_things, METH_O, NULL},
    {"keep", keep, METH_O, NULL},
    {"keep_in_heap", keep_in_heap, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "forgetful", NULL, -1, methods,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_forgetful(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module)
        PyModule_AddObject(module, "Thing", PyType_FromSpec(&thing_spec));
    return module;
}
