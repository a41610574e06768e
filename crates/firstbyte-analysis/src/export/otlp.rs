//! OTLP/JSON, as OpenTelemetry's file exporter writes it and collectors read it: a batch of spans per line.

mod ids;
mod span;
mod spans;

use std::io::{self, Write};

use serde::Serialize;

use self::{
    span::{Attribute, Span, attribute},
    spans::{client_spans, server_spans},
};
use super::{Exported, json};
use crate::correlate::Log;

/// So many spans are in a line, or a few more.
const BATCH: usize = 512;

/// A batch, as one line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Resource {
    attributes: [Attribute; 2],
}

#[derive(Debug, Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: &'a [Span],
}

#[derive(Debug, Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

/// Writes the calls as spans: the client's with its phases as children, the server's as a child of it.
///
/// OpenTelemetry knows the wall clock only: spans of two hosts compare as well as their wall clocks do. What lies
/// between moments that are known is a span; what is only known by its length is an attribute, such as
/// `firstbyte.kernel_us`.
///
/// # Errors
///
/// Those of `out`.
pub fn otlp(log: &Log, mut out: impl Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    let mut batches: Vec<Vec<Span>> = log.sources().iter().map(|_| Vec::new()).collect();
    for call in log.calls() {
        let client = call.client.map(|half| (half.source, client_spans(log, &call, half)));
        // A parent that is not in the export would be missed for ever.
        let sent = client.as_ref().and_then(|(_, spans)| spans.as_ref().ok()?.first());
        let parent = sent.map(|span| span.span_id.clone());
        let server = call.server.map(|half| (half.source, server_spans(log, &call, half, parent)));
        for (source, spans) in client.into_iter().chain(server) {
            let batch = &mut batches[source as usize];
            match spans {
                Ok(spans) => batch.extend(spans),
                Err(why) => *exported.left_out.entry(why).or_default() += 1,
            }
            if batch.len() >= BATCH {
                exported.written += write(log, source, batch, &mut out)?;
            }
        }
    }
    for (source, mut batch) in (0..).zip(batches) {
        exported.written += write(log, source, &mut batch, &mut out)?;
    }
    out.flush()?;
    Ok(exported)
}

/// Writes a line of the spans of one file, and takes them away.
fn write(log: &Log, source: u32, spans: &mut Vec<Span>, mut out: impl Write) -> io::Result<u64> {
    if spans.is_empty() {
        return Ok(0);
    }
    let file = &log.sources()[source as usize].name;
    let scope = Scope { name: "firstbyte", version: env!("CARGO_PKG_VERSION") };
    let resource = Resource { attributes: attributes_of(file) };
    let line = Line {
        resource_spans: [ResourceSpans { resource, scope_spans: [ScopeSpans { scope, spans }] }],
    };
    json::write(&mut out, &line)?;
    out.write_all(b"\n")?;
    Ok(std::mem::take(spans).len() as u64)
}

/// What wrote the spans, as far as a log tells: its file. The service's name is that of the file up to the first dot.
fn attributes_of(path: &str) -> [Attribute; 2] {
    let name = path.rsplit('/').next().unwrap_or(path);
    let service = name.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(name);
    [attribute("service.name", service.into()), attribute("log.file.path", path.into())]
}
