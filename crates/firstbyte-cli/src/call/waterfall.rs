//! One call as bars on one axis of time.

use std::{
    borrow::Cow,
    error::Error as _,
    fmt::{self, Write as _},
};

use firstbyte_analysis::waterfall::rows_of_split;
use firstbyte_client::{AdminResponse, ClientError};
use firstbyte_core::Split;

use crate::bars::{self, Style, plain};

/// Characters of an error's body that are shown.
const MOST_OF_A_BODY: usize = 300;

/// What one has to know before one tries again.
pub(super) const MAY_HAVE_HAPPENED: &str =
    "The server may or may not have done it: find out before you send it again.";

/// The answer or the error, with all that is known about its time.
pub(super) fn render(
    title: &str,
    answer: &Result<AdminResponse, ClientError>,
    style: &Style,
) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    _ = match answer {
        Ok(response) => write_answer(title, response, style, &mut out),
        Err(error) => write_error(error, &mut out),
    };
    out
}

fn write_answer(
    title: &str,
    response: &AdminResponse,
    style: &Style,
    out: &mut String,
) -> fmt::Result {
    let split = &response.split;
    writeln!(out, "{title}: {}, trace {}", response.status, response.trace_id)?;
    let wall = split.wall();
    match (split.rpc, split.queue()) {
        (Some(rpc), Some(queue)) => {
            writeln!(out, "wall {wall} ms = rpc {rpc} + queue {queue}\n")?;
        }
        _ => writeln!(out, "wall {wall} ms, rpc and queue unknown\n")?,
    }
    bars::write(&rows_of_split(split), split.wall(), style, out)?;
    if !response.status.is_success() && !response.body.is_empty() {
        writeln!(out, "\nanswer: {}", excerpt(&response.body))?;
    }
    let reasons = reasons(split, encoding(response));
    if !reasons.is_empty() {
        writeln!(out)?;
    }
    for reason in reasons {
        writeln!(out, "{reason}")?;
    }
    writeln!(out)
}

/// The begin of a body, without anything that a terminal could take for a command.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let cut = if text.chars().count() > MOST_OF_A_BODY { "..." } else { "" };
    let on_one_line = |c: char| if c.is_whitespace() { ' ' } else { c };
    plain(&text.chars().take(MOST_OF_A_BODY).map(on_one_line).collect::<String>()) + cut
}

fn write_error(error: &ClientError, out: &mut String) -> fmt::Result {
    writeln!(out, "{error}")?;
    let mut told = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| (*cause).source()) {
        // An error that only wraps another one has the same text.
        let text = cause.to_string();
        if text != told {
            writeln!(out, "  because: {}", plain(&text))?;
        }
        told = text;
    }
    let advice = if error.is_outcome_unknown() {
        MAY_HAVE_HAPPENED
    } else if error.is_not_sent() {
        "The server can't have seen it: it may be sent again."
    } else {
        return writeln!(out);
    };
    writeln!(out, "{advice}\n")
}

/// How the body is encoded, if it is.
fn encoding(response: &AdminResponse) -> Option<&str> {
    let encoding = response.headers.get("content-encoding")?.to_str().ok()?;
    (!encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
}

/// What is not known, and why.
fn reasons(split: &Split, encoding: Option<&str>) -> Vec<Cow<'static, str>> {
    let flags = split.flags;
    let unattributed = match (split.rpc, split.network) {
        (None, None) => {
            "unattributed: network, server and engine together; nobody said how to tell them apart."
        }
        (None, Some(_)) => {
            "unattributed: the server's own time; it didn't say how much of it was the engine's."
        }
        (Some(_), None) => {
            "unattributed: network and what the server didn't report, such as its kernel."
        }
        (Some(_), Some(_)) => "unattributed: the server's time before and after the engine's.",
    };
    let packed = encoding.map(|encoding| {
        let encoding = plain(encoding);
        format!("rpc is unknown: no server-timing entry rpc, and a body that is not unpacked (content-encoding: {encoding}).")
    });
    let reasons = [
        (
            flags.rpc_missing && packed.is_none(),
            "rpc is unknown: the server sent neither a server-timing entry rpc nor a JSON field rpc_ms.",
        ),
        (flags.rpc_invalid, "rpc is unknown: what the server reported of it is no duration."),
        (
            flags.rpc_exceeds_wall,
            "rpc is unknown: the server reported more of it than the whole call took.",
        ),
        (
            flags.server_exceeds_wait,
            "The server's parts are left out: together they are longer than the wait.",
        ),
        (
            // Where the parts are left out, the reason above says all if rpc is known.
            split.unattributed.is_some() && !(flags.server_exceeds_wait && split.rpc.is_some()),
            unattributed,
        ),
        (split.network.is_some(), "network: what remains of the wait, there and back."),
    ];
    let reasons = reasons.into_iter().filter(|(applies, _)| *applies);
    let packed = packed.filter(|_| flags.rpc_missing).map(Cow::from);
    packed.into_iter().chain(reasons.map(|(_, reason)| reason.into())).collect()
}

#[cfg(test)]
mod tests {
    use firstbyte_core::{Micros, Phase, PhaseTimer, ReportedRpc, Timestamp, header::ServerTiming};

    use super::*;

    fn split(server: ServerTiming) -> Split {
        let at = |ms: u64| Timestamp::from_nanos((ms + 1) * 1_000_000);
        let mut timer = PhaseTimer::start(at(0));
        timer.enter(Phase::Connect, at(0));
        timer.enter(Phase::Wait, at(100));
        timer.enter(Phase::Receive, at(400));
        let rpc = server.rpc.map_or(ReportedRpc::Missing, ReportedRpc::Known);
        Split::new(timer.finish(at(400)), server, rpc)
    }

    fn drawn(split: &Split, width: usize) -> Vec<String> {
        let mut out = String::new();
        bars::write(&rows_of_split(split), split.wall(), &Style { colour: false, width }, &mut out)
            .unwrap();
        out.lines().map(str::to_owned).collect()
    }

    #[test]
    fn phases_follow_each_other_on_one_axis() {
        let ms = |ms: u64| Some(Micros(ms * 1000));
        let lines = drawn(&split(ServerTiming::new(ms(50), ms(50), ms(100), ms(150))), 69);
        // 40 cells for 400 ms.
        let bar = |name: &str| {
            let line = lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
            let axis: Vec<char> = line.chars().skip(bars::LABEL).collect();
            let from = axis.iter().position(|c| *c != ' ').unwrap();
            (from, axis[from..].iter().filter(|c| **c == '█').count())
        };
        assert_eq!(bar("connect"), (0, 10));
        assert_eq!(bar("wait"), (10, 30));
        assert_eq!(bar("network"), (10, 10));
        assert_eq!(bar("kernel"), (20, 5));
        assert_eq!(bar("handler"), (25, 5));
        assert_eq!(bar("rpc"), (30, 10));
        assert_eq!(bar("receive"), (39, 0));
    }

    #[test]
    fn the_body_of_an_error_cannot_command_the_terminal() {
        let hostile = "no\x1b[2Jsuch\r\nroute \u{9b}\u{202e}\u{2028}\u{200b}";
        let shown = "no\u{fffd}[2Jsuch  route \u{fffd}\u{fffd} \u{fffd}";
        assert_eq!(excerpt(hostile.as_bytes()), shown);
        assert_eq!(excerpt(&[b'x'; 400]).len(), 303);
    }

    #[test]
    fn what_is_unknown_is_said_with_its_reason() {
        let reasons = reasons(&split(ServerTiming::default()), None).join("\n");
        assert!(reasons.contains("neither a server-timing entry"), "{reasons}");
        assert!(reasons.contains("unattributed: network, server and engine"), "{reasons}");
        let ms = |ms: u64| Some(Micros(ms * 1000));
        let timed =
            super::reasons(&split(ServerTiming::new(ms(1), None, None, ms(200))), None).join("\n");
        assert!(timed.contains("unattributed: the server's own time"), "{timed}");
    }
}
