//! The declaration, and the tables that are plain text.

use super::*;

fn rows(log: &Log, table: Table) -> Vec<serde_json::Value> {
    let mut out = Vec::new();
    jsonl(log, table, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cells(log: &Log, table: Table) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    csv(log, table, &mut out).unwrap();
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(&out[..]);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn every_metric_is_a_column_of_the_same_value() {
    let log = corpus(&["demo/client.log", "demo/server.log"]);
    for metric in Metric::all() {
        let name = format!("{}_us", metric.as_str());
        let column = Table::Calls.columns().iter().find(|column| column.name == name);
        let column = column.unwrap_or_else(|| panic!("there is no column {name}"));
        assert_eq!(column.kind, Kind::Micros);
        for (call, row) in log.calls().zip(Table::Calls.rows(&log)) {
            let value = metric.of(&call).map(|Micros(micros)| Value::Int(micros as i64));
            assert_eq!(column.of(&row), value, "{name}");
        }
    }
}

#[test]
fn names_are_told_once() {
    for table in [Table::Calls, Table::Events] {
        let names: BTreeSet<_> = table.columns().iter().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns().len());
    }
}

#[test]
fn a_row_says_what_its_lines_say() {
    let log = corpus(&["demo/client.log", "demo/server.log"]);
    let rows = rows(&log, Table::Calls);
    assert_eq!(rows.len(), log.calls().count());
    let row = &rows[0];
    assert_eq!(row["trace_id"], "3340fdff4d70c40a");
    assert_eq!((&row["tag"], &row["halves"]), (&"weights".into(), &"both".into()));
    assert_eq!((&row["op"], &row["outcome"]), (&"reload_weights".into(), &"ok".into()));
    assert_eq!((&row["status"], &row["attempt"]), (&200.into(), &1.into()));
    assert_eq!((&row["wall_us"], &row["queue_us"]), (&51_800.into(), &700.into()));
    assert_eq!(row["sent_t_ns"], 29_136_138_534_000_i64);
    // 1795546838.197056 at 29136.135305, and 3.229 ms later.
    assert_eq!(row["sent_unix_ns"], 1_795_546_838_200_285_000_i64);
    assert_eq!(row["until_received_us"], 508);
    assert!(row["dns_us"].is_null() && row["step"].is_null() && row["error"].is_null());
    assert!(row["client_file"].as_str().unwrap().ends_with("demo/client.log"));
}

#[test]
fn a_call_says_what_its_client_has_reservations_about() {
    let line = b"[weights][aa] client.done wall_ms=9.0 status=200 flags=rpc_missing,body_unread\n";
    let rows = rows(&Log::from_bytes(line), Table::Calls);
    assert_eq!(rows[0]["flags"], "rpc_missing,body_unread");
}

#[test]
fn a_failure_that_tells_no_outcome_is_unknown_as_in_a_diagnosis() {
    let line = b"[weights][aa] client.fail wall_ms=9.0 phase=wait error=reset\n";
    let log = Log::from_bytes(line);
    assert_eq!(rows(&log, Table::Calls)[0]["outcome"], "unknown");
    assert_eq!(log.calls().next().unwrap().failure(), "reset in wait, outcome unknown");
}

#[test]
fn the_way_from_a_proxy_is_told() {
    let line = b"[weights][aa] server.recv path=/pause t=5.000000 kernel_ms=0.1 proxy_ms=12.5\n";
    assert_eq!(rows(&Log::from_bytes(line), Table::Calls)[0]["proxy_us"], 12_500);
}

#[test]
fn a_file_of_several_boots_has_no_wall_clock() {
    let lines = |boot: &str| {
        let started = "[firstbyte] process.start pid=1 boot=a host=h version=1 t=1.0 unix=1000.0\n";
        let other = started.replace("boot=a", &format!("boot={boot}"));
        let sent = "[weights][00f067aa0ba902b7] client.send url=http://h/a t=3.0\n";
        rows(&Log::from_bytes(format!("{started}{other}{sent}").as_bytes()), Table::Calls)
    };
    assert_eq!(lines("a")[0]["sent_unix_ns"], 1_002_000_000_000_i64);
    assert!(lines("b")[0]["sent_unix_ns"].is_null());
    assert_eq!(lines("b")[0]["sent_t_ns"], 3_000_000_000_i64);
}

#[test]
fn csv_has_the_same_rows_as_json() {
    let log = corpus(&["demo/client.log", "demo/server.log", "seed/checkpoint.log"]);
    for table in [Table::Calls, Table::Events] {
        let (mut cells, rows) = (cells(&log, table).into_iter(), rows(&log, table));
        let head = cells.next().unwrap();
        assert_eq!(cells.len(), rows.len());
        for (cells, row) in cells.zip(rows) {
            for (name, cell) in head.iter().zip(cells) {
                let value = match &row[name.as_str()] {
                    serde_json::Value::Null => String::new(),
                    serde_json::Value::String(text) => text.clone(),
                    number => number.to_string(),
                };
                assert_eq!(cell, value, "{name}");
            }
        }
    }
}

#[test]
fn events_have_their_own_columns() {
    let log = corpus(&["seed/checkpoint.log"]);
    let rows = rows(&log, Table::Events);
    let names: Vec<_> = rows.iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["ckpt.write", "ckpt.write", "ckpt.wait"]);
    assert_eq!((&rows[0]["step"], &rows[0]["dur_us"]), (&11.into(), &812_400.into()));
    assert_eq!(rows[3]["completions"], 512);
    assert!(rows[3]["t_ns"].is_null() && rows[3]["size"].is_null());
}

#[test]
fn an_event_says_all_that_its_line_says() {
    let log = Log::from_bytes(
        b"[gen] batch.start inflight=7 target_batch=16\n\
          [gen] batch.done completions=15 dur_ms=2000.0 inflight=3 input_tokens=100 output_tokens=400\n\
          [rollout] trunc_pct=0.5 current_step=4 ckpt_step=3 staleness=1 rollout_s=1.5\n\
          [step] step.done step=4 dur_ms=9000.0 wait_ms=4000.0\n\
          [queue] batch.flush size=4 wait_ms=2.0 reason=full depth=9\n\
          [ckpt] write.done step=4 write_ms=80.0 bytes=1000 path=/ckpt/4\n",
    );
    let rows = rows(&log, Table::Events);
    let told = |row: usize, name: &str| rows[row][name].to_string();
    let generated = ["completions", "target_batch", "inflight", "input_tokens", "output_tokens"];
    assert_eq!(generated.map(|name| told(0, name)), ["15", "16", "3", "100", "400"]);
    assert_eq!((told(1, "ckpt_step"), told(1, "rollout_s")), ("3".to_owned(), "1.5".to_owned()));
    assert_eq!(rows[2]["wait_us"], 4_000_000);
    assert_eq!((told(3, "reason"), told(3, "depth")), ("\"full\"".to_owned(), "9".to_owned()));
    assert_eq!(rows[4]["path"], "/ckpt/4");
}

#[test]
fn of_batches_within_each_other_nobody_knows_what_was_wanted() {
    let (start, done) =
        ("[gen] batch.start inflight=7 target_batch=16\n", "[gen] batch.done completions=1\n");
    let log = Log::from_bytes([start, start, done, done, start, done, done].concat().as_bytes());
    let wanted = rows(&log, Table::Events).into_iter().map(|row| row["target_batch"].as_i64());
    assert_eq!(wanted.collect::<Vec<_>>(), [None, None, Some(16), None]);
}

#[test]
fn hostile_text_stays_text() {
    let log = Log::from_bytes(HOSTILE.as_bytes());
    assert_eq!(word(&log, 0, "op"), "=1+1\n\",\0\t\u{9b}");
    let json = rows(&log, Table::Calls);
    let cells = cells(&log, Table::Calls);
    let place = |name: &str| cells[0].iter().position(|head| head == name).unwrap();
    for n in 0..json.len() {
        let op = word(&log, n, "op");
        assert_eq!(json[n]["op"], op.as_str());
        let harmless = if n == 1 { op } else { format!("'{op}") };
        assert_eq!(cells[n + 1][place("op")], harmless);
    }
    assert_eq!(cells[1][place("target")], "'@sum");
    assert_eq!(cells[2][place("target")], "'-x");
    assert_eq!(cells[1][place("trace_id")], "'-1");
    // A negative number is no formula, and a moment that no clock has is unknown.
    assert_eq!(cells[1][place("step")], "-4");
    assert_eq!(cells[3][place("sent_t_ns")], "");
    let mut out = Vec::new();
    jsonl(&log, Table::Calls, &mut out).unwrap();
    assert!(out.iter().all(|byte| *byte == b'\n' || (b' '..=b'~').contains(byte)));
}

#[test]
fn an_empty_log_is_an_empty_table() {
    let log = Log::from_bytes(b"");
    assert_eq!(cells(&log, Table::Calls).len(), 1);
    assert_eq!(rows(&log, Table::Calls), Vec::<serde_json::Value>::new());
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // More than a writer keeps for the end.
    let line = "client.done wall_ms=1.0 rpc_ms=1.0 queue_ms=0.0\n";
    let lines: String = (1..=9999).map(|n| format!("[weights][{n:016x}] {line}")).collect();
    let log = Log::from_bytes(lines.as_bytes());
    for error in [
        csv(&log, Table::Calls, Full),
        jsonl(&log, Table::Calls, Full),
        parquet(&log, Table::Calls, Full),
        perfetto(&log, Full),
        otlp(&corpus(&["demo/client.log"]), Full),
    ] {
        assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}

#[test]
fn events_beyond_those_that_are_kept_are_counted() {
    let log =
        Log::from_bytes("[queue] batch.flush size=1 wait_ms=1.0\n".repeat(1_000_002).as_bytes());
    let expected = BTreeMap::from([(LeftOut::OverLimit, 2)]);
    let exported = csv(&log, Table::Events, std::io::sink()).unwrap();
    assert_eq!((exported.written, exported.left_out), (1_000_000, expected));
    assert_eq!(csv(&log, Table::Calls, std::io::sink()).unwrap(), Exported::default());
    let traced = perfetto(&log, std::io::sink()).unwrap();
    assert_eq!(traced.left_out.get(&LeftOut::OverLimit), Some(&2));
}
