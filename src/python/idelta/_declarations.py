"""idelta's C headers, read into ctypes.

The headers that come with the package are the one description of the C interface: structs, their INIT macros,
enumerations, callbacks and functions are made of their text, so a new field or function needs no change here. Only what
these headers use is understood; a test compares every struct with what a C compiler makes of it.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any, ClassVar

from .errors import InvalidArgument, LibraryNotFound, WrongType

_BASIC: dict[str, Any] = {
    "void": None,
    "char": ctypes.c_char,
    "int": ctypes.c_int,
    "int8_t": ctypes.c_int8,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "uint8_t": ctypes.c_uint8,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
}

_INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
_DEFINE = re.compile(r"^#define (IDELTA_\w+) +(.+)$", re.M)
_ENUMERATION = re.compile(r"typedef enum (\w+) \{(.*?)\} \w+$")
_STRUCT = re.compile(r"typedef struct (\w+) \{(.*)\} (\w+)$")
_CALLBACK = re.compile(r"(?:typedef )?(.+?) ?\(\*(\w+)\)\((.*)\)$")
_FUNCTION = re.compile(r"IDELTA_API (.+?[ *])(\w+)\((.*)\)$")
_DECLARATOR = re.compile(r"(?P<stars>[* ]*)(?P<name>\w+)(?:\[(?P<count>\d+)\])?$")
_NUMBERS = re.compile(r"(float|double|u?int\d+_t)\* (\w+)$")
_TOKEN = re.compile(r"sizeof\(\w+\)|[{}]|[^\s{},]+")


class Struct(ctypes.Structure):
    """A struct that begins with struct_size; `initial` is what its INIT macro gives, with some fields set."""

    INIT: ClassVar[tuple[Any, ...]] = ()
    POINTEES: ClassVar[dict[str, Any]] = {}  # of the fields that point to numbers: their ctypes

    @classmethod
    def initial(cls, **fields: Any) -> Any:
        made = cls(*cls.INIT)
        for name, value in fields.items():
            made.put(name, value)
        return made

    def put(self, name: str, value: Any) -> None:
        """Sets a field; ctypes alone would cut an integer that is too large for it in silence."""
        try:
            setattr(self, name, value)
        except TypeError:
            what = "an integer" if isinstance(getattr(self, name), int) else "a number"
            raise WrongType(f"{name} is {value!r}; give {what}") from None
        held = getattr(self, name)
        if isinstance(held, int) and held != value:
            kind = dict(self._fields_)[name]
            values = 2 ** (8 * ctypes.sizeof(kind))
            least = 0 if kind(-1).value > 0 else -values // 2
            raise InvalidArgument(f"{name} is {value}; give an integer from {least} to {least + values - 1}")


def _without_comments(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", " ", text, flags=re.S)
    return text.replace("\\\n", " ")


def _statements(text: str) -> list[str]:
    """What ends in a semicolon outside of braces, each on one line; preprocessor lines are left out."""
    text = " ".join(line for line in text.split("\n") if not line.startswith("#"))
    pieces = re.findall(r"(?:[^;{}]|\{[^{}]*\})+;", text)
    return [" ".join(piece[:-1].split()) for piece in pieces]


def _split(text: str) -> list[str]:
    """The parts between commas that are not inside parentheses."""
    return [part.strip() for part in re.findall(r"(?:[^,()]|\([^()]*\))+", text)]


class Declarations:
    """Everything that has been read from headers so far, by its name in C."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, dict[str, tuple[Any, ...]]] = {}  # functions by header
        self._types: dict[str, Any] = dict(_BASIC)
        self.constants: dict[str, Any] = {}
        self.structs: dict[str, type[Struct]] = {}
        self.callbacks: dict[str, Any] = {}  # also of members: "struct.member"

    def read(self, header: str) -> dict[str, tuple[Any, ...]]:
        """Reads a header and what it includes, once; returns their functions: name to types of result and arguments."""
        if header in self._read:
            return self._read[header]
        functions = self._read[header] = {}
        text = _without_comments((self._folder / header).read_text(encoding="utf-8"))
        for included in _INCLUDE.findall(text):
            functions.update(self.read(included))
        for statement in _statements(text):
            self._declare(statement, functions)
        for name, value in _DEFINE.findall(text):
            self._define(name, value)
        return functions

    @property
    def headers(self) -> list[str]:
        """What was read."""
        return sorted(self._read)

    def _declare(self, statement: str, functions: dict[str, tuple[Any, ...]]) -> None:
        if found := _ENUMERATION.match(statement):
            self._types[found[1]] = ctypes.c_int
            for item in _split(found[2]):
                name, value = item.split("=")
                self.constants[name.strip()] = int(value)
        elif found := _STRUCT.match(statement):
            self._declare_struct(found[3], [part.strip() for part in found[2].split(";") if part.strip()])
        elif found := _FUNCTION.match(statement):
            functions[found[2]] = (self._type(found[1]), *self._arguments(found[3]))
        elif found := _CALLBACK.match(statement):
            self._types[found[2]] = ctypes.c_void_p
            self.callbacks[found[2]] = self._callback(found)

    def _declare_struct(self, name: str, members: list[str]) -> None:
        fields = [field for member in members for field in self._fields(member)]
        pointees = {found[2]: _BASIC[found[1]] for member in members if (found := _NUMBERS.match(member))}
        base = Struct if fields[0][0] == "struct_size" else ctypes.Structure
        self._types[name] = self.structs[name] = type(name, (base,), {"_fields_": fields, "POINTEES": pointees})
        for member in members:
            if found := _CALLBACK.match(member):
                self.callbacks[f"{name}.{found[2]}"] = self._callback(found)

    def _callback(self, found: re.Match[str]) -> Any:
        return ctypes.CFUNCTYPE(self._type(found[1]), *self._arguments(found[3]))

    def _define(self, name: str, value: str) -> None:
        tokens = _TOKEN.findall(value)
        if tokens[0] != "{":
            self.constants[name] = self._value(value.strip("() "))
            return
        struct = self.structs[tokens[1][len("sizeof(") : -1]]
        struct.INIT = self._values(iter(tokens[1:]))

    def _values(self, tokens: Any) -> tuple[Any, ...]:
        """What stands between braces, up to the closing one; braces inside become tuples."""
        values: list[Any] = []
        for token in tokens:
            if token == "}":
                break
            values.append(self._values(tokens) if token == "{" else self._value(token))
        return tuple(values)

    def _value(self, token: str) -> Any:
        if token == "NULL":
            return None
        if token.startswith("sizeof("):
            return ctypes.sizeof(self.structs[token[len("sizeof(") : -1]])
        if token in self.constants:
            return self.constants[token]
        try:
            return int(token)
        except ValueError:
            pass
        try:
            return float(token.rstrip("f"))
        except ValueError:
            return token  # of macros that are no values

    def _fields(self, declaration: str) -> list[tuple[str, Any]]:
        """The members of a declaration such as "int64_t height, width" or "float* state[2]"."""
        if "(*" in declaration:
            return [(declaration.split("(*")[1].split(")")[0], ctypes.c_void_p)]
        words, first = re.match(r"((?:const )?\w+)(.*)", declaration).groups()  # type: ignore[union-attr]
        fields = []
        for declarator in _split(first.replace("const", "")):
            found = _DECLARATOR.match(declarator)
            assert found, f"not understood: {declaration}"
            kind = self._type(words + found["stars"])
            fields.append((found["name"], kind * int(found["count"]) if found["count"] else kind))
        return fields

    def _arguments(self, text: str) -> list[Any]:
        if text == "void":
            return []
        kinds = []
        for argument in _split(text):
            if "(*" in argument or argument.endswith("]"):
                kinds.append(ctypes.c_void_p)
            else:
                kinds.append(self._type(argument.rsplit("*", 1)[0] + "*" if "*" in argument else argument.split()[0]))
        return kinds

    def _type(self, text: str) -> Any:
        """The ctypes of a type's text. A text is bytes; other pointers are addresses."""
        base, stars = text.replace("const", "").replace("*", "").strip(), text.count("*")
        if stars == 0:
            return self._types[base]
        return ctypes.c_char_p if stars == 1 and base == "char" else ctypes.c_void_p


class Functions:
    """The functions of a library as attributes, without the idelta_ of their names, bound when they are first used."""

    def __init__(self, library: ctypes.CDLL, signatures: dict[str, tuple[Any, ...]]) -> None:
        self._library = library
        self._signatures = signatures

    def __getattr__(self, name: str) -> Any:
        signature = self._signatures.get(f"idelta_{name}")
        if signature is None:
            raise AttributeError(f"the headers have no idelta_{name}")
        function = getattr(self._library, f"idelta_{name}", None)
        if function is None:
            raise LibraryNotFound(
                f"{self._library._name} has no idelta_{name}, which the headers of this package have: it is of another "
                "build; install both from one build, or set IDELTA_LIBRARY to a library that fits"
            )
        function.restype, *function.argtypes = signature
        setattr(self, name, function)
        return function
