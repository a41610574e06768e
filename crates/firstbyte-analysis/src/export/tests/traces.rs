//! What Perfetto is given, by the documented rules of its format: its own reader is a download.

use std::fs;

use serde_json::Value as Json;

use super::*;

fn trace(log: &Log) -> (Json, Exported) {
    let mut out = Vec::new();
    let exported = perfetto(log, &mut out).unwrap();
    (serde_json::from_slice(&out).unwrap(), exported)
}

fn events<'a>(trace: &'a Json, ph: &str) -> Vec<&'a Json> {
    let events = trace["traceEvents"].as_array().unwrap();
    events.iter().filter(|event| event["ph"] == ph).collect()
}

fn int(event: &Json, key: &str) -> i64 {
    event[key].as_i64().unwrap_or_else(|| panic!("no {key} in {event}"))
}

/// Slices of a thread are one within the other or one after the other, and a part comes after its whole.
fn assert_nested(trace: &Json) {
    let mut threads: BTreeMap<(i64, i64), Vec<(i64, i64)>> = BTreeMap::new();
    for slice in events(trace, "X") {
        let (start, dur) = (int(slice, "ts"), int(slice, "dur"));
        assert!(start >= 0 && dur >= 0, "{slice}");
        let open = threads.entry((int(slice, "pid"), int(slice, "tid"))).or_default();
        while open.last().is_some_and(|(_, end)| *end <= start) {
            // A part of no length may lie at the very end of its whole.
            if open.last().is_some_and(|(_, end)| *end == start && dur == 0) {
                break;
            }
            open.pop();
        }
        if let Some((whole, end)) = open.last() {
            assert!(*whole <= start && start + dur <= *end, "{slice} in {whole} to {end}");
        }
        open.push((start, start + dur));
    }
    let metadata = events(trace, "M");
    for event in trace["traceEvents"].as_array().unwrap() {
        let is_thread = |m: &&&Json| {
            m["name"] == "thread_name" && m["pid"] == event["pid"] && m["tid"] == event["tid"]
        };
        assert!(event.get("tid").is_none() || metadata.iter().any(|m| is_thread(&m)), "{event}");
    }
}

#[test]
fn a_call_has_its_phases_inside_and_an_arrow_to_its_server() {
    let log = corpus(&["demo/client.log", "demo/server.log"]);
    let (trace, exported) = trace(&log);
    assert_nested(&trace);
    // Both halves of 18 calls; three batches have no moment.
    assert_eq!(exported.written, 36);
    assert_eq!(exported.left_out, BTreeMap::from([(LeftOut::NoMoment, 3)]));
    let slices = events(&trace, "X");
    let of = |id: &str, pid: i64| {
        let found = slices.iter().position(|s| s["args"]["trace_id"] == id && s["pid"] == pid);
        let first = found.unwrap();
        let parts = slices[first + 1..].iter().take_while(|s| s["args"].get("trace_id").is_none());
        let parts: Vec<_> = parts.filter(|s| s["pid"] == pid).copied().collect();
        (slices[first], parts)
    };
    let (call, parts) = of("3340fdff4d70c40a", 1);
    assert_eq!((int(call, "ts"), int(call, "dur")), (0, 51_800));
    let names: Vec<_> = parts.iter().map(|part| part["name"].as_str().unwrap()).collect();
    let expected =
        "setup pool connect send wait network (residual) kernel handler rpc respond receive";
    assert_eq!(names.join(" "), expected);
    // The wait begins after 0.2 ms of connect, and the engine after 0.4 ms in it.
    assert_eq!((int(parts[4], "ts"), int(parts[4], "dur")), (200, 51_500));
    assert_eq!((int(parts[8], "ts"), int(parts[8], "dur")), (600, 51_100));
    let (server, parts) = of("3340fdff4d70c40a", 2);
    // Received 0.508 ms later, 0.2 ms after it was at the kernel.
    assert_eq!((int(server, "ts"), int(server, "dur")), (308, 51_349));
    assert_eq!((parts[2]["name"].as_str(), int(parts[2], "ts")), (Some("rpc"), 516));
    let (starts, ends) = (events(&trace, "s"), events(&trace, "f"));
    assert_eq!((starts.len(), ends.len()), (18, 18));
    assert_eq!((int(starts[0], "ts"), int(ends[0], "ts")), (0, 508));
    for end in ends {
        let start = starts.iter().find(|start| start["id"] == end["id"]).unwrap();
        assert_eq!(start["args"]["trace_id"], end["args"]["trace_id"]);
        assert!(int(start, "ts") <= int(end, "ts"));
    }
    assert_eq!(events(&trace, "C").len(), 18);
}

/// Two logs, with what their processes say of their clocks.
fn two(client: &str, server: &str) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["client.log", "server.log"].map(|name| folder.path().join(name));
    let sent = "[weights][00f067aa0ba902b7] client.send url=http://h/pause t=100.000000\n\
                [weights][00f067aa0ba902b7] client.done wall_ms=50.0 rpc_ms=20.0 queue_ms=30.0\n";
    let received = "[weights][00f067aa0ba902b7] server.recv path=/pause t=7.000000\n\
                    [weights][00f067aa0ba902b7] server.done t=7.030000 dur_ms=30.0 status=200 outcome=ok\n";
    fs::write(&paths[0], format!("{client}{sent}")).unwrap();
    fs::write(&paths[1], format!("{server}{received}")).unwrap();
    Log::read(&paths, &Options::default()).unwrap()
}

fn process(boot: &str, t: f64, unix: f64) -> String {
    format!(
        "[firstbyte] process.start pid=1 boot={boot} host=h version=1 t={t:.6} unix={unix:.6}\n"
    )
}

fn names(trace: &Json) -> Vec<String> {
    let processes = events(trace, "M").into_iter().filter(|m| m["name"] == "process_name");
    let name = |m: &Json| m["args"]["name"].as_str().unwrap().to_owned();
    processes.map(|m| name(m).rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn another_clock_is_said_to_be_one() {
    let (plain, _) = trace(&two("", ""));
    assert_eq!(names(&plain), ["client.log", "server.log (other clock, not aligned)"]);
    assert_eq!(events(&plain, "s").len(), 0, "no arrow between clocks");
    let starts: Vec<_> = events(&plain, "X").iter().map(|slice| int(slice, "ts")).collect();
    assert_eq!(starts, [0, 0]);

    // The server received it 20 ms after it was sent, by both wall clocks.
    let log = two(&process("a", 90.0, 1000.0), &process("b", 1.0, 1004.02));
    let (aligned, _) = trace(&log);
    let expected = ["client.log", "server.log (other clock, aligned by the wall clock)"];
    assert_eq!(names(&aligned), expected);
    let starts: Vec<_> = events(&aligned, "X").iter().map(|slice| int(slice, "ts")).collect();
    assert_eq!(starts, [0, 20_000]);
    assert_eq!(events(&aligned, "s").len(), 0);
    assert_eq!(aligned["otherData"]["origin_unix_ns"], "1010000000000");
    assert_eq!(aligned["otherData"]["files"][1]["clock"], "other clock, aligned by the wall clock");

    // The other way round: the axis begins with the earliest of all.
    let log = two(&process("a", 90.0, 1000.0), &process("b", 1.0, 1003.0));
    let starts: Vec<_> = events(&trace(&log).0, "X").iter().map(|slice| int(slice, "ts")).collect();
    assert_eq!(starts, [0, 1_000_000]);
}

#[test]
fn a_file_of_several_boots_is_left_out_and_counted() {
    let both = format!("{}{}", process("a", 1.0, 1000.0), process("b", 1.0, 1004.0));
    let (trace, exported) = trace(&two("", &both));
    assert_eq!(exported.written, 1);
    assert_eq!(exported.left_out, BTreeMap::from([(LeftOut::SeveralClocks, 1)]));
    assert_eq!(names(&trace)[1], "server.log (several clocks, left out)");
}

#[test]
fn calls_that_overlap_have_a_thread_each_and_free_ones_are_used_again() {
    let lines: String = [(1, 0, 30), (2, 10, 10), (3, 20, 15), (4, 40, 5)]
        .iter()
        .map(|(n, at, wall)| {
            format!(
                "[weights][{n:016x}] client.send url=http://h/a t=1.{at:03}000 target=h:80\n\
                 [weights][{n:016x}] client.done wall_ms={wall}.0 rpc_ms=1.0 queue_ms=1.0 \
                 setup_ms=9.0 wait_ms=99.0 network_ms=98.0 handler_ms=1.0 resume_ms=1.0\n"
            )
        })
        .collect();
    let (trace, _) = trace(&Log::from_bytes(lines.as_bytes()));
    assert_nested(&trace);
    let calls = events(&trace, "X");
    let calls = calls.iter().filter(|slice| slice["args"].get("trace_id").is_some());
    let threads: Vec<_> = calls.map(|slice| int(slice, "tid")).collect();
    // The third begins at 20 ms, but the second's caller went on at 21 ms.
    assert_eq!(threads, [1, 2, 3, 2]);
    let names: Vec<_> = events(&trace, "M")
        .iter()
        .filter(|m| m["name"] == "thread_name")
        .map(|m| m["args"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["to h:80", "to h:80 #2", "to h:80 #3"]);
}

#[test]
fn broken_lines_make_no_broken_trace() {
    let log = Log::from_bytes(
        "[weights][00f067aa0ba902b7] server.recv path=/a t=5.0 kernel_ms=999999999999999.0\n\
         [weights][00f067aa0ba902b7] rpc.start op=a t=1.0\n\
         [weights][00f067aa0ba902b7] rpc.done op=a t=9.0 rpc_ms=1.0\n\
         [weights][00f067aa0ba902b7] server.first_byte t=2.0 ttfb_ms=1.0 status=200\n\
         [weights][00f067aa0ba902b7] server.done t=3.0 dur_ms=1.0 status=200 outcome=ok\n\
         [weights][00f067aa0ba902b8] client.send url=http://h/%00%0A%22 t=6.0 op=%1B%22\n\
         [weights][00f067aa0ba902b9] client.send url=http://h/a t=7.0\n\
         [weights][00f067aa0ba902b9] client.fail wall_ms=999999999999999.0 phase=wait outcome=unknown error=reset\n\
         [weights][00f067aa0ba902ba] server.done t=9.0 dur_ms=1.0 status=200 outcome=ok\n"
            .as_bytes(),
    );
    let (broken, exported) = trace(&log);
    assert_nested(&broken);
    let instants = events(&broken, "i");
    let instants: Vec<_> =
        instants.iter().map(|instant| (instant["name"].as_str(), int(instant, "ts"))).collect();
    // What was before its own arrival is not of that exchange; the other has no end.
    assert_eq!(instants, [(Some("a"), 0), (Some("\u{1b}\""), 1_000_000)]);
    assert_eq!(exported.left_out, BTreeMap::from([(LeftOut::NoMoment, 3)]));
    let failed = events(&broken, "X");
    let failed = failed.iter().find(|slice| slice["args"]["error"] == "reset").unwrap();
    assert_eq!(failed["args"]["failed_phase"], "wait");
    let (empty, exported) = trace(&Log::from_bytes(b""));
    assert_eq!(
        (exported, empty["otherData"]["origin_t_ns"].is_null()),
        (Exported::default(), true)
    );
}
