"""Holds a bill of materials against CycloneDX's published schema, strictly, and says how much it lists.

    python check_bill.py BILL
"""

import json
import pathlib
import sys

import cyclonedx.schema
import jsonschema
import referencing

folder = pathlib.Path(cyclonedx.schema.__file__).parent / "_res"


def schema(name):
    return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text())


others = [schema(name) for name in ("spdx", "jsf-0.82")]
known = referencing.Registry().with_resources((other["$id"], referencing.Resource.from_contents(other)) for other in others)
bill = json.loads(pathlib.Path(sys.argv[1]).read_text())
wrong = list(jsonschema.Draft7Validator(schema(f"bom-{bill['specVersion']}"), registry=known).iter_errors(bill))
for error in wrong:
    print(f"{error.json_path}: {error.message}", file=sys.stderr)
references = [bill["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in bill["components"])]
if len(set(references)) != len(references) or {entry["ref"] for entry in bill["dependencies"]} != set(references):
    sys.exit("what is listed and what is said to depend on what differ")
print(f"{len(bill['components'])} components")
sys.exit(bool(wrong))
