/* SPDX-License-Identifier: MIT
 * unknown.c: extension types that no table knows, for unknown_types.py: one of plain fields, one
 * with an array, one of which the fields move (a union told by a flag), one with a __sizeof__ of its
 * own. Built by the tests, without debug information.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct thing {
    PyObject_HEAD
    PyObject *first, *second, *third;
    PyObject **items;
    Py_ssize_t count;
    long flag; /* 1: only the second is visited */
};

static int traverse_fixed(PyObject *self, visitproc visit, void *arg)
{
    struct thing *thing = (struct thing *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(thing->first);
    Py_VISIT(thing->second);
    Py_VISIT(thing->third);
    return 0;
}

static int traverse_array(PyObject *self, visitproc visit, void *arg)
{
    struct thing *thing = (struct thing *)self;
    for (Py_ssize_t i = 0; i < thing->count; i++)
        Py_VISIT(thing->items[i]);
    return traverse_fixed(self, visit, arg);
}

static int traverse_moving(PyObject *self, visitproc visit, void *arg)
{
    struct thing *thing = (struct thing *)self;
    if (thing->flag) {
        Py_VISIT(Py_TYPE(self));
        Py_VISIT(thing->second);
        return 0;
    }
    return traverse_fixed(self, visit, arg);
}

static void dealloc(PyObject *self)
{
    struct thing *thing = (struct thing *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(thing->first);
    Py_XDECREF(thing->second);
    Py_XDECREF(thing->third);
    for (Py_ssize_t i = 0; i < thing->count; i++)
        Py_XDECREF(thing->items[i]);
    PyMem_Free(thing->items);
    type->tp_free(self);
    Py_DECREF(type);
}

/* (first, second, third, flag, *items) */
static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    Py_ssize_t count = PyTuple_GET_SIZE(args) - 4;
    if (count < 0)
        return PyErr_Format(PyExc_TypeError, "first, second, third, flag, *items");
    struct thing *thing = (struct thing *)type->tp_alloc(type, 0);
    if (!thing)
        return NULL;
    PyObject **fields[] = {&thing->first, &thing->second, &thing->third};
    for (int i = 0; i < 3; i++) {
        PyObject *value = PyTuple_GET_ITEM(args, i);
        if (value != Py_None) {
            Py_INCREF(value);
            *fields[i] = value;
        }
    }
    thing->flag = PyObject_IsTrue(PyTuple_GET_ITEM(args, 3));
    thing->items = count ? PyMem_Calloc((size_t)count, sizeof(PyObject *)) : NULL;
    for (Py_ssize_t i = 0; thing->items && i < count; i++) {
        thing->items[i] = PyTuple_GET_ITEM(args, i + 4);
        Py_INCREF(thing->items[i]);
        thing->count++;
    }
    return (PyObject *)thing;
}

static PyObject *size_of(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromSsize_t(Py_TYPE(self)->tp_basicsize +
                              ((struct thing *)self)->count * (Py_ssize_t)sizeof(PyObject *));
}

static PyMethodDef methods[] = {{"__sizeof__", size_of, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static int add(PyObject *module, const char *name, traverseproc traverse, int sized)
{
    PyType_Slot slots[] = {{Py_tp_new, (void *)make},
                           {Py_tp_dealloc, (void *)dealloc},
                           {Py_tp_traverse, (void *)traverse},
                           {sized ? Py_tp_methods : 0, sized ? methods : NULL},
                           {0, NULL}};
    PyType_Spec spec = {name, sizeof(struct thing), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                        slots};
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, strchr(name, '.') + 1, type) : -1;
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "unknown", NULL, -1, NULL,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_unknown(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (!module || add(module, "unknown.Fixed", traverse_fixed, 0) < 0 ||
        add(module, "unknown.Array", traverse_array, 0) < 0 ||
        add(module, "unknown.Sized", traverse_array, 1) < 0 ||
        add(module, "unknown.Moving", traverse_moving, 0) < 0)
        return NULL;
    return module;
}
