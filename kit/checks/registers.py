"""The views of the registers, beside ``geometry.json``."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from systemrdl import RDLCompileError, RDLCompiler
from systemrdl.messages import MessagePrinter

from .kit import Kit, Missing, Refused, edit

__all__ = ["an_element_of_ipxact", "an_offset", "ip_xact", "systemrdl"]

NAMESPACE = {"i": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}

Found = dict[str, tuple[int, dict[str, tuple[int, int]]]]
"""Registers: address, and of each field its lowest bit and its width."""


def _known(kit: Kit) -> Found:
    registers = json.loads((kit.folder / "geometry.json").read_text())["registers"]
    return {
        name: (r["address"], {f: (x["lsb"], x["width"]) for f, x in r["fields"].items()})
        for name, r in registers.items()
    }


def _same(kit: Kit, found: Found, what: str) -> str:
    """One line; windows, which are arrays, are in every view, but no register of ``geometry.json``."""
    known = _known(kit)
    for name, register in known.items():
        if found.get(name) != register:
            raise Refused(f"register {name}: {found.get(name, 'absent')} in the {what}, must be {register}")
    fields = sum(len(fields) for _, fields in known.values())
    return f"{len(known)} registers, {fields} fields"


class _Quiet(MessagePrinter):
    """Messages that the exception carries are not printed as well."""

    def print_message(self, *_: object) -> None:
        pass


def systemrdl(kit: Kit) -> str:
    """systemrdl-compiler reads the elaborated .rdl; addresses and fields are those of ``geometry.json``."""
    compiler = RDLCompiler(message_printer=_Quiet())
    try:
        compiler.compile_file(str(kit.folder / "registers" / "bridgebnn.rdl"))
        top = compiler.elaborate().top
    except RDLCompileError as error:
        raise Refused(f"systemrdl-compiler: {error}") from None
    found: Found = {}
    for node in top.registers():
        if not node.is_array:
            fields = {f.inst_name: (f.lsb, f.width) for f in node.fields()}
            found[node.inst_name] = (node.absolute_address, fields)
    return _same(kit, found, "SystemRDL")


def ip_xact(kit: Kit) -> str:
    """The IP-XACT file is valid by the schema of IEEE 1685-2014; it holds what ``geometry.json`` does."""
    package = importlib.util.find_spec("pyEDAA")
    places = package.submodule_search_locations if package is not None else None
    schemas = [Path(p) / "IPXACT" / "Schema" / "ieee-1685-2014" / "index.xsd" for p in places or ()]
    schema = next((s for s in schemas if s.is_file()), None)
    if schema is None:
        raise Missing("schema IEEE 1685-2014 not found: pip install 'bridgebnn[kit]'")
    from lxml import etree

    try:
        document = etree.parse(str(kit.folder / "registers" / "bridgebnn.xml"))
    except etree.XMLSyntaxError as error:
        raise Refused(f"lxml: {error}") from None
    rules = etree.XMLSchema(etree.parse(str(schema)))
    if not rules.validate(document):
        first = rules.error_log[0]
        raise Refused(f"schema: line {first.line}: {first.message[:140]}")
    found: Found = {}
    for register in document.iterfind(".//i:register", NAMESPACE):
        fields = {
            _text(f, "name"): (_number(f, "bitOffset"), _number(f, "bitWidth"))
            for f in register.iterfind("i:field", NAMESPACE)
        }
        found[_text(register, "name")] = (_number(register, "addressOffset"), fields)
    return f"valid; {_same(kit, found, 'IP-XACT')}"


def _text(element, name: str) -> str:  # type: ignore[no-untyped-def]
    return str(element.findtext(f"i:{name}", namespaces=NAMESPACE))


def _number(element, name: str) -> int:  # type: ignore[no-untyped-def]
    text = _text(element, name)
    return int(text[2:], 16) if text.startswith("'h") else int(text)


def an_element_of_ipxact(kit: Kit) -> None:
    """A field's width stands where the schema has none."""
    edit(kit.folder / "registers" / "bridgebnn.xml", "bitWidth>32<", "width>32<")
    edit(kit.folder / "registers" / "bridgebnn.xml", "32</ipxact:bitWidth", "32</ipxact:width")


def an_offset(kit: Kit) -> None:
    """Register COMMAND is one word further on."""
    known = json.loads((kit.folder / "geometry.json").read_text())["registers"]["COMMAND"]["address"]
    file = kit.folder / "registers" / "bridgebnn.rdl"
    edit(file, f"}} COMMAND @ {known:#X};".replace("0X", "0x"), "} COMMAND @ 0x1F000;")
