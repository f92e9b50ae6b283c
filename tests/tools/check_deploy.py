"""Checks the files of deploy/ by the schemas that the engines publish, and prints their command lines.

Each line of the output is a JSON object: the file, the arguments of cloudtrail2sql, and how many processes
the file starts, if it says so.

- Kubernetes: the JSON schemas of the API, strict, as `kubernetes-validate` carries them
- AWS Batch: the service model in `botocore`, of the requests that the files are the input of
- Cloud Run: the discovery document of the API in `google-api-python-client`; unknown keys are errors
- GitLab: the JSON schema of `.gitlab-ci.yml` that `check-jsonschema` carries
- Nomad: the syntax only
"""

import json
import subprocess
import sys
from pathlib import Path

import botocore.loaders
import botocore.model
import botocore.validate
import googleapiclient.discovery_cache
import hcl2
import kubernetes_validate
import yaml

# The oldest version in which all fields of the files are enabled, and the newest that can be checked.
KUBERNETES_VERSIONS = ["1.29.1", "1.37.0"]

DEPLOY = Path(__file__).parents[2] / "deploy"


def found(file, args, count=None):
    print(json.dumps({"file": str(file.relative_to(DEPLOY)), "args": args, "count": count}))


def check_kubernetes():
    for file in sorted(DEPLOY.glob("kubernetes/*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            for version in KUBERNETES_VERSIONS:
                kubernetes_validate.validate(document, version, strict=True)
            spec = document["spec"]
            assert spec.get("parallelism", 1) <= spec.get("completions", 1)
            for container in spec["template"]["spec"]["containers"]:
                found(file, container["args"], spec.get("completions"))


def check_aws_batch():
    description = botocore.loaders.Loader().load_service_model("batch", "service-2")
    model = botocore.model.ServiceModel(description, "batch")

    def read(name, operation):
        file = DEPLOY / "aws-batch" / name
        request = json.loads(file.read_text())
        shape = model.operation_model(operation).input_shape
        # It ignores keys that are not in the model.
        assert_known(request, shape)
        report = botocore.validate.ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()
        return file, request

    file, definition = read("job-definition.json", "RegisterJobDefinition")
    job_file, job = read("import.json", "SubmitJob")
    index_file, index = read("index.json", "SubmitJob")
    assert definition["jobDefinitionName"] == job["jobDefinition"] == index["jobDefinition"]
    parameters = {f"Ref::{name}": value for name, value in definition["parameters"].items()}
    args = [parameters.get(word, word) for word in definition["containerProperties"]["command"]]
    found(file, args, job["arrayProperties"]["size"])
    found(index_file, index["containerOverrides"]["command"])


def assert_known(value, shape, path=""):
    """Checks that each key of a request is a member of its structure, and each word one of its enum."""
    if shape.type_name == "structure":
        for key, member in value.items():
            assert key in shape.members, f"{path}.{key} is not in the service model"
            assert_known(member, shape.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        for n, member in enumerate(value):
            assert_known(member, shape.member, f"{path}[{n}]")
    elif getattr(shape, "enum", []):
        assert value in shape.enum, f"{path} is {value}, not one of {shape.enum}"


def check_cloud_run():
    file = DEPLOY / "cloud-run.yaml"
    job = yaml.safe_load(file.read_text())
    document = googleapiclient.discovery_cache.get_static_doc("run", "v1")
    assert_discovered(job, {"$ref": "Job"}, json.loads(document)["schemas"])
    execution = job["spec"]["template"]["spec"]
    for container in execution["template"]["spec"]["containers"]:
        found(file, container["args"], execution["taskCount"])


def assert_discovered(value, schema, schemas, path=""):
    """Checks a value by a schema of a discovery document, which is not quite a JSON schema."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    # An int64 is a string in JSON; YAML may have the number.
    kind = (str, int) if schema.get("format") == "int64" else kinds[schema["type"]]
    assert isinstance(value, kind), f"{path} is no {schema['type']}"
    if isinstance(value, dict):
        for key, member in value.items():
            known = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            assert known, f"{path}.{key} is not in the schema"
            assert_discovered(member, known, schemas, f"{path}.{key}")
    elif isinstance(value, list):
        for n, member in enumerate(value):
            assert_discovered(member, schema["items"], schemas, f"{path}[{n}]")
    elif "enum" in schema:
        assert value in schema["enum"], f"{path} is {value}"


def check_gitlab():
    file = DEPLOY / "gitlab-ci.yml"
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci"]
    subprocess.run([*check, "--data-transform", "gitlab-ci", file], check=True, stdout=sys.stderr)
    for job in yaml.safe_load(file.read_text()).values():
        for line in job["script"]:
            program, *args = line.split()
            assert program == "cloudtrail2sql", line
            found(file, args, job.get("parallel"))


def check_nomad():
    file = DEPLOY / "nomad.hcl"
    group = hcl2.loads(file.read_text())["job"][0]
    text = json.dumps(group)
    (args,) = values_of(group, "args")
    (count,) = values_of(group, "count")
    assert "DATABASE_URL" in text
    found(file, [word.strip('"') for word in args], count)


def values_of(value, key):
    """Yields the values of a key, however deep it is."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == key:
                yield member
            else:
                yield from values_of(member, key)
    elif isinstance(value, list):
        for member in value:
            yield from values_of(member, key)


check_kubernetes()
check_aws_batch()
check_cloud_run()
check_gitlab()
check_nomad()
