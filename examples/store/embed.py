#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns a file into a C array of its bytes with a NUL behind them: embed.py FILE NAME OUTPUT."""
import sys

source, name, output = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read() + b"\0"
with open(output, "w", encoding="ascii") as out:
    out.write(f"const char {name}[] = {{\n")
    for i in range(0, len(data), 16):
        signed = (b if b < 128 else b - 256 for b in data[i : i + 16])
        out.write("\t" + ", ".join(map(str, signed)) + ",\n")
    out.write("};\n")
    out.write(f"const unsigned long {name}_size = sizeof {name} - 1;\n")
