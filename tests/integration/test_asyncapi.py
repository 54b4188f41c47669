"""schemas/asyncapi.json is what the code says, and valid."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.publishing.asyncapi import document

FILE = Path(__file__).parents[2] / "schemas" / "asyncapi.json"
VALIDATE = """
import fs from "node:fs";
import { Parser } from "@asyncapi/parser";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const diagnostics = await parser.validate(fs.readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify(diagnostics.filter((each) => each.severity === 0).map((each) => each.message)));
"""


def test_the_file_is_generated_from_the_code() -> None:
    assert json.loads(FILE.read_text()) == document(), (
        "run: python -m pipeline.publishing.asyncapi > schemas/asyncapi.json"
    )


def test_the_official_parser_finds_no_error(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    packages = ["@asyncapi/parser@3.6.6", "@asyncapi/avro-schema-parser@3.1.0"]
    done = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", *packages], cwd=tmp_path, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"npm can't install the parser: {done.stderr.strip()[-200:]}")
    (tmp_path / "validate.mjs").write_text(VALIDATE)
    done = subprocess.run(["node", "validate.mjs", FILE], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
