"""botocore's service models → the sample's documents: one per service, a section for each of its operations."""

import gzip
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zipfile import ZipFile

# Widely used services: the AWS CLI's name for each, and botocore's if it differs.
_SERVICES = (
    "acm apigateway athena autoscaling backup batch cloudformation cloudfront cloudtrail cloudwatch codebuild "
    "codecommit codepipeline cognito-idp configservice=config deploy=codedeploy dynamodb ec2 ecr ecs efs eks "
    "elasticache elbv2 emr events glue guardduty iam kinesis kms lambda logs organizations rds route53 s3api=s3 "
    "secretsmanager sns sqs ssm stepfunctions sts"
)
SERVICES: Mapping[str, str] = {
    cli: botocore or cli for cli, _, botocore in (pair.partition("=") for pair in _SERVICES.split())
}
_LEAST_WORDS = 12  # shorter documentation says no more than the name does
_LINE_ENDS = re.compile(r"</(?:p|li|h\d|div|note|important|dt|dd|ul|ol|tr|table)>|<br\s*/?>")
_TAG = re.compile(r"<[^>]+>")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Service:
    """A service with the operations that have a text of their own."""

    name: str  # botocore's folder, and so the document's file name
    title: str
    operations: dict[str, str]  # the operation's name as words (`Copy Image`) → its text


def services(botocore: ZipFile) -> list[Service]:
    """The documents of the sample, from the botocore wheel. If texts are equal, the first is kept."""
    known: set[str] = set()
    documents = []
    for name in SERVICES.values():
        model = _newest_model(botocore, name)
        operations = {}
        for operation in model["operations"].values():
            text = plain_text(operation.get("documentation", ""))
            if len(text.split()) >= _LEAST_WORDS and text not in known:
                known.add(text)
                operations[" ".join(_WORD_STARTS.split(operation["name"]))] = text
        metadata = model["metadata"]
        title = metadata.get("serviceAbbreviation") or metadata["serviceFullName"]
        documents.append(Service(name, title, operations))
    return documents


def markdown(service: Service) -> str:
    """One document: the service's title, and a section for each operation."""
    sections = [f"## {heading}\n\n{text}\n" for heading, text in service.operations.items()]
    return "\n".join([f"# {service.title}\n", *sections])


def plain_text(documentation: str) -> str:
    """HTML of a service model as lines of text, one per block."""
    text = html.unescape(_TAG.sub("", _LINE_ENDS.sub("\n", documentation)))
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _newest_model(botocore: ZipFile, service: str) -> dict[str, Any]:
    pattern = re.compile(rf"botocore/data/{re.escape(service)}/[^/]+/service-2\.json\.gz")
    path = max(name for name in botocore.namelist() if pattern.fullmatch(name))
    model: dict[str, Any] = json.loads(gzip.decompress(botocore.read(path)))
    return model
