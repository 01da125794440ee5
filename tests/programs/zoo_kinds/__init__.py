# SPDX-License-Identifier: MIT
# necropy: the zoo's register of families.
"""A family is a module of functions marked @animal.  Each is called once and what it returns is kept alive."""
FAMILIES = ("containers", "text", "instances", "callables", "suspended", "iterators", "typesystem", "library",
            "native", "threaded", "herd")
CAGES = {}
MISSING = {}
LITTER = []


def animal(function):
    """Make the object now and keep it under the function's name."""
    try:
        CAGES[function.__name__] = function()
    except Exception as error:
        MISSING[function.__module__ + "." + function.__name__] = repr(error)
    return function


def rubbish(function):
    """To be called last, with the collector off: it leaves garbage behind."""
    LITTER.append(function)
    return function


def litter():
    for function in LITTER:
        function()
