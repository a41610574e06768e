"""Reads an export of spans by OpenTelemetry's own protobuf, whose JSON differs from OTLP/JSON in ids."""

from __future__ import annotations

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData


def base64_ids(value: object) -> object:
    """Ids as protobuf's JSON has bytes."""
    if isinstance(value, list):
        return [base64_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {
        key: base64.b64encode(bytes.fromhex(item)).decode() if key in ids else base64_ids(item)
        for key, item in value.items()
    }


def main(path: str) -> None:
    spans: list[Span] = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            data = TracesData()
            # Unknown fields are an error.
            json_format.ParseDict(base64_ids(json.loads(line)), data)
            spans.extend(
                span
                for resource in data.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
    assert spans
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans), "ids are unique"
    for span in spans:
        assert (len(span.trace_id), len(span.span_id)) == (16, 8), span
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
        if span.parent_span_id:
            assert by_id[span.parent_span_id].trace_id == span.trace_id, span
    for kind in (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER):
        assert sum(span.kind == kind for span in spans) == 18, kind
    print(f"otlp: {len(spans)} spans are those of OpenTelemetry")


main(sys.argv[1])
