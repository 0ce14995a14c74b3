"""The base class of all option types: typed, frozen, and closed to unknown keys. And the choice from a menu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema


class Options(BaseModel):
    """A table of a recipe or a study. Unknown keys, wrong types and infinite numbers are errors.

    Values are not converted, except that an integer is accepted where a float is expected.
    Each field has a `description`. The JSON Schema and the reference documentation are generated from the fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Choice:
    """The annotation of a key that chooses a member of a menu; see `choice`."""

    def __init__(self, menu: Mapping[str, Any], without_kind: type[Options] | None) -> None:
        self._menu, self._without_kind = menu, without_kind

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Return pydantic's schema, with the name of a member accepted and written for its table."""
        return core_schema.no_info_wrap_validator_function(
            self._validate,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _written if self._without_kind is None else _written_in_full
            ),
        )

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Return the JSON Schema: a name, or a table with the keys of any member."""
        del schema, handler
        names = {"enum": [*self._menu]}
        keys: dict[str, Any] = {}
        owners: dict[str, list[str]] = {}
        for name, member in self._menu.items():
            for key, each in member.options.model_json_schema()["properties"].items():
                keys.setdefault(key, _plain_schema(each))
                owners.setdefault(key, []).append(name)
        rules = [only_for(key, kinds) for key, kinds in owners.items() if len(kinds) < len(self._menu)]
        return {
            "type": ["string", "object"],
            "properties": {**keys, "kind": {"type": "string", **keys["kind"], **names}},
            "additionalProperties": False,
            "anyOf": [{"type": "string", **names}, {"type": "object"}],
            **({} if self._without_kind is not None else {"required": ["kind"]}),
            # Validators obey `then`, and editors do not suggest what it has.
            **({"if": True, "then": {"allOf": rules}} if rules else {}),
        }

    def _validate(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        table = {"kind": value} if isinstance(value, str) else value
        if table is None or isinstance(table, Options):
            return handler(table)
        if not isinstance(table, Mapping):
            raise PydanticCustomError("member_type", "Input should be a name or a table")
        kind = table.get("kind")
        if isinstance(kind, str) and kind in self._menu:
            return validated(self._menu[kind].options, table)
        if kind is None and self._without_kind is not None:
            return validated(self._without_kind, table)
        # Without a known member, its other keys cannot be judged.
        return handler({"kind": table["kind"]} if "kind" in table else {})


def choice(menu: Mapping[str, Any], *, without_kind: type[Options] | None = None) -> Any:
    """Return the annotation of a key that chooses a member of a menu: its name, or a table with `kind` and its options.

    A member without changed options is written as its name. A name that is not on the menu is kept, and is checked
    later. The members have the type of their options as `options`. `without_kind`: the options of a table without
    `kind`, where the member follows from other keys. Such a key is always written as a table.
    """
    return _Choice(menu, without_kind)


Model = TypeVar("Model", bound=Options)


def validated(
    model: type[Model], table: Mapping[str, Any], refused: Mapping[str, dict[str, Any]] | None = None
) -> Model:
    """Validate a table whose keys depend on its `kind`. All faults are reported together.

    A key that the model does not have is an error of type "unknown_key", whose context has the `names` of the keys.

    Args:
        model: the options with this kind.
        table: the table.
        refused: keys that only other kinds have, with the context of an error of type "other_kind".

    Raises:
        ValidationError: A key or a value is invalid.
    """
    others = refused or {}
    unknown = [key for key in table if key not in model.model_fields and key not in others]
    faults = [
        *(_error("other_kind", key, table[key], context) for key, context in others.items()),
        *(_error("unknown_key", key, table[key], {"names": [*model.model_fields]}) for key in unknown),
    ]
    try:
        found = model.model_validate({key: each for key, each in table.items() if key in model.model_fields})
    except ValidationError as error:
        faults += [_again(dict(entry)) for entry in error.errors(include_url=False)]
    if faults:
        raise ValidationError.from_exception_data(model.__name__, faults)
    return found


def _error(name: str, key: str, value: object, context: dict[str, Any]) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(name, "not allowed", context), loc=(key,), input=value)


def _again(entry: Mapping[str, Any]) -> InitErrorDetails:
    """Return an error of a validation as one of another validation, with its message."""
    context = {**(entry.get("ctx") or {}), "message": entry["msg"]}
    return InitErrorDetails(
        type=PydanticCustomError(entry["type"], "{message}", context), loc=entry["loc"], input=entry["input"]
    )


def _written(options: Options | None) -> Any:
    if options is None:
        return None
    table = options.model_dump()
    changed = options.model_dump(exclude_defaults=True)
    return table["kind"] if set(changed) == {"kind"} else table


def _written_in_full(options: Options | None) -> Any:
    return None if options is None else options.model_dump()


def only_for(key: str, kinds: Sequence[str]) -> dict[str, Any]:
    """Return the rule of a JSON Schema that a table has a key only if it has one of these kinds."""
    other = {"properties": {"kind": {"not": {"enum": [*kinds]}}}, "required": ["kind"]}
    return {"if": other, "then": {"properties": {key: False}}}


def _plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a key without its title, and without the null that TOML does not have."""
    found = {key: value for key, value in schema.items() if key != "title"}
    kept = [each for each in found.get("anyOf", []) if each != {"type": "null"}]
    if len(kept) == 1:
        found = {**kept[0], **{key: value for key, value in found.items() if key != "anyOf"}}
        found.pop("default", None)
    return found
