# SPDX-License-Identifier: MIT
# necropy: pydantic-core and orjson: validators, serializers, models; Rust.
"""pydantic_core_models.py: schemas, models and errors of pydantic-core, documents through orjson."""
import gc
import os
import sys

import orjson
from pydantic_core import ArgsKwargs, PydanticUndefined, SchemaSerializer, SchemaValidator, Url, ValidationError, core_schema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {}


class Model:
    __slots__ = "__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"


def schema(kind):
    fields = {"name": core_schema.str_schema(min_length=2), "age": core_schema.int_schema(ge=0), "site": core_schema.url_schema(),
              "tags": core_schema.list_schema(core_schema.str_schema()), "scores": core_schema.dict_schema(core_schema.str_schema(),
                                                                                                       core_schema.float_schema()),
              "parent": core_schema.nullable_schema(core_schema.definition_reference_schema("model")),
              "checked": core_schema.no_info_after_validator_function(lambda value: value, core_schema.any_schema()),
              "either": core_schema.union_schema([core_schema.int_schema(), core_schema.str_schema()])}
    inner = core_schema.model_fields_schema({name: core_schema.model_field(core_schema.with_default_schema(one, default=None)
                                                                           if name in ("parent", "checked") else one)
                                             for name, one in fields.items()})
    model = core_schema.model_schema(kind, inner, ref="model")
    return core_schema.definitions_schema(core_schema.definition_reference_schema("model"), [model])


def main():
    made = schema(Model)
    validator, serializer = SchemaValidator(made), SchemaSerializer(made)
    KEPT.update(schema=made, validator=validator, serializer=serializer, models=[], errors=[], texts=[], odd=[])
    for number in range(500):
        value = {"name": "name %d" % number, "age": number, "site": "https://example.org/%d?q=1" % number, "tags": ["a", "b%d" % number],
                 "scores": {"x": number / 3}, "either": number if number % 2 else "text"}
        model = validator.validate_python(dict(value, parent=KEPT["models"][-1] if number % 5 else None))
        KEPT["models"].append(model)
        if number % 5 == 0:
            KEPT["texts"].append((serializer.to_json(model), serializer.to_python(model), orjson.dumps(value)))
        try:
            validator.validate_json(orjson.dumps(dict(value, age=-1, name="")))
        except ValidationError as error:
            KEPT["errors"].append((error, error.errors() if number % 3 == 0 else None))
    KEPT["odd"] = [Url("https://a.example.org/x"), ArgsKwargs((1, [2]), {"three": [3]}), PydanticUndefined, getattr(orjson, "Fragment", bytes)(b"{}"),
                   [SchemaValidator(core_schema.int_schema()) for _ in range(50)], orjson.loads(orjson.dumps([{"k%d" % n: n} for n in range(500)]))]
    iterator = SchemaValidator(core_schema.generator_schema(core_schema.int_schema())).validate_python([1, 2, 3])
    next(iterator)
    KEPT["iterator"] = iterator
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
