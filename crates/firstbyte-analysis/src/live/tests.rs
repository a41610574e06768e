use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use super::*;
use crate::diagnose::{Finding, Rules};

fn send(id: u64, at: f64) -> String {
    format!("[weights][{id:016x}] client.send url=http://h/pause t={at:.6} op=pause target=h:80")
}

fn done(id: u64, wall: u64) -> String {
    format!("[weights][{id:016x}] client.done wall_ms={wall}.0 rpc_ms=1.0 queue_ms={}.0", wall - 1)
}

/// A step's line of a process of this boot.
fn step(step: u32, boot: &str) -> String {
    format!(
        r#"{{"v":1,"seq":{step},"pid":7,"boot":"{boot}","tag":"step","name":"step.done","t_ns":{step},"unix_ns":{step},"step":{step},"dur_us":5000}}"#
    )
}

fn start(at: u32, boot: &str) -> String {
    format!(
        "[firstbyte] process.start pid=7 boot={boot} host=h version=0 t={at}.000000 unix=9.000000"
    )
}

fn live(most: usize, lines: &[String]) -> Live {
    let mut live = Live::new(vec!["a".to_owned(), "b".to_owned()], most);
    lines.iter().for_each(|line| live.take(0, Some(line.as_bytes())));
    live
}

fn view(live: &Live) -> View {
    let rules = Rules::default();
    live.view(&rules, rules.thresholds("small").unwrap())
}

fn ids(finished: &[Finished]) -> Vec<u64> {
    finished.iter().map(|call| u64::from_str_radix(&call.id, 16).unwrap()).collect()
}

#[test]
fn a_call_is_told_once_with_what_the_server_says_a_little_later() {
    let mut live = live(10, &[send(1, 1.0), done(1, 30), send(2, 2.0)]);
    assert!(live.finished().is_empty());
    let recv = "[weights][0000000000000001] server.recv path=/pause t=1.001000 inflight=3";
    live.take(1, Some(recv.as_bytes()));
    assert_eq!(ids(&live.finished()), [1]);
    assert_eq!(view(&live).servers[0].in_flight, Some(3));
    live.take(0, Some(done(1, 30).as_bytes()));
    assert!(live.finished().is_empty() && live.finished().is_empty());
    assert_eq!(live.recent().count(), 1);
}

#[test]
fn attempts_of_a_trace_are_told_each_when_it_ends() {
    let line = |what: &str, attempt: u32| {
        format!("[weights][0000000000000001] client.{what} attempt={attempt} op=pause target=h:80")
    };
    let mut live = live(10, &[line("send t=1.0", 1), line("send t=1.5", 2)]);
    live.take(0, Some(line("done wall_ms=9.0", 2).as_bytes()));
    live.finished();
    assert_eq!(live.finished()[0].wall.map(|wall| wall.0), Some(9000));
    live.take(0, Some(line("fail wall_ms=700.0 outcome=unknown", 1).as_bytes()));
    live.finished();
    let told = live.finished();
    assert_eq!((told.len(), told[0].is_done), (1, false));
}

#[test]
fn old_traces_are_forgotten_and_no_call_is_lost() {
    let lines: Vec<String> = (0..100).flat_map(|n| [send(n, n as f64), done(n, 10 + n)]).collect();
    let mut live = live(7, &lines);
    let mut told = ids(&live.finished());
    told.extend(ids(&live.finished()));
    assert_eq!(told, (0..100).collect::<Vec<_>>());
    assert_eq!(view(&live).traces, (7, 93));
    assert_eq!((live.log().calls().count(), live.recent().count()), (7, 7));
    assert_eq!(view(&live).tally.parsed, 200);
}

#[test]
fn a_boot_that_is_known_makes_no_line_the_start_of_a_process() {
    for boots in [&["one"][..], &["one", "two", "three"]] {
        let steps: Vec<String> =
            (0..50).map(|n| step(n, boots[n as usize % boots.len()])).collect();
        assert_eq!(live(1000, &steps).log().timeline().moments().len(), 50, "{boots:?}");
    }
}

#[test]
fn who_writes_a_file_is_kept_when_its_lines_are_forgotten() {
    let beside = (0..50).map(|n| format!("[step] step.done step={n} dur_ms=5.0"));
    let lines = |boots: &[&str]| -> Vec<String> {
        let starts = (1..).zip(boots).map(|(at, boot)| start(at, boot));
        starts.chain(beside.clone()).collect()
    };
    // Processes of one boot: what is known is of the last.
    let log = live(1, &lines(&["one", "one", "one"])).log();
    assert_eq!(log.sources()[0].boot.map(|boot| log.name(boot)), Some("one"));
    assert_eq!(log.sources()[0].unix_offset, Some(6_000_000_000));
    assert_eq!(log.timeline().moments().len(), 4);
    assert!(live(1, &lines(&["one", "two"])).log().sources()[0].is_mixed);
    // A JSON line tells another boot, and is forgotten as a start is: when there are two later ones.
    let mut lines = lines(&["one"]);
    lines.insert(1, step(99, "two"));
    assert!(live(1, &lines).log().sources()[0].is_mixed);
}

#[test]
fn memory_is_bounded_by_bytes_too() {
    let mut live = live(1000, &[]);
    let long = "x".repeat(1 << 19);
    for n in 0..200 {
        live.take(0, Some((send(n % 3, n as f64) + " " + &long).as_bytes()));
        live.take(0, Some(format!("[step] done step={n} dur_ms=5.0 {long}").as_bytes()));
    }
    assert!(live.kept.bytes() <= 33 << 20, "{}", live.kept.bytes());
}

#[test]
fn an_id_that_is_used_without_end_begins_anew_and_no_call_is_lost_or_told_twice() {
    let mut live = live(10, &[]);
    let mut told = 0;
    for n in 0..9000 {
        live.take(0, Some(send(5, f64::from(n)).as_bytes()));
        live.take(0, Some(done(5, 10 + n as u64).as_bytes()));
        if n % 700 == 0 {
            told += live.finished().len();
        }
    }
    told += live.finished().len() + live.finished().len();
    assert_eq!((told, view(&live).traces), (9000, (1, 4)));
    assert_eq!(live.kept.lines_of("0000000000000005"), 2000);
}

#[test]
fn what_is_in_progress_is_told_by_the_clock_of_the_log() {
    let waiting = "[weights][0000000000000001] client.waiting elapsed_ms=60000.0 phase=wait \
                   state=in_server_kernel_or_later sent_bytes=512 unacked_bytes=0";
    let mut live = live(10, &[send(1, 1.0), waiting.to_owned(), send(2, 4.0), send(3, 9.5)]);
    live.take(0, Some(b"somebody else"));
    live.take(0, None);
    let told: Vec<_> = view(&live)
        .in_progress
        .into_iter()
        .map(|call| (call.id, call.at_least.map(|time| time.0), call.state))
        .collect();
    assert_eq!(told[0].1, Some(60_000_000));
    assert_eq!(
        told[0].2.as_deref(),
        Some("in_server_kernel_or_later, 512 bytes sent, 0 unacknowledged")
    );
    assert_eq!((&told[1].1, &told[2].1), (&Some(5_500_000), &Some(0)));
    let tally = view(&live).tally;
    assert_eq!((tally.parsed, tally.skipped(), live.lines()), (4, 2, 6));
}

#[test]
fn the_last_minute_is_that_of_the_log() {
    let lines: Vec<String> = (0..100).flat_map(|n| [send(n, n as f64), done(n, 1000)]).collect();
    let mut live = live(1000, &lines);
    live.finished();
    live.finished();
    let view = view(&live);
    // The last one ends at 100 s: those that ended at 40 s and later.
    assert_eq!((view.minute[0].1.n, view.all[0].1.n, view.span_s), (61, 100, Some(99.0)));
    assert_eq!(view.findings[0].rule.id, "unknown-queue");
}

#[test]
fn what_is_wrong_now_is_of_calls_that_ended_within_ten_minutes() {
    let slow = |id| [send(id, id as f64), done(id, 9000)];
    let well = |id| [send(id, 2000.0 + id as f64), done(id, 10)];
    let rules = |findings: &[Finding]| -> Vec<String> {
        findings.iter().map(|finding| finding.rule.id.clone()).collect()
    };
    let mut lines: Vec<String> = (0..30).flat_map(slow).collect();
    let now = view(&live(1000, &lines));
    assert_eq!((now.recent_calls, rules(&now.findings)), (30, vec!["unknown-queue".to_owned()]));
    assert_eq!((now.older.len(), now.older_s), (0, None));
    // Without an end, and without a moment: nobody knows that it is over.
    lines.extend([send(90, 0.5), done(91, 10)]);
    lines.extend((30..60).flat_map(well));
    let now = view(&live(1000, &lines));
    assert_eq!((now.recent_calls, rules(&now.findings)), (32, vec!["no-end".to_owned()]));
    assert_eq!(rules(&now.older)[0], "unknown-queue");
    // From 29 s and 9 s on to 2059 s and 10 ms.
    assert!((now.older_s.unwrap() - 2021.01).abs() < 1e-9, "{:?}", now.older_s);
    lines.extend([send(92, 2060.0), done(92, 9000)]);
    let now = view(&live(1000, &lines));
    assert_eq!(rules(&now.findings)[0], "unknown-queue");
    assert!(!rules(&now.older).contains(&"unknown-queue".to_owned()));
}

#[test]
fn a_call_of_a_server_alone_is_recent_until_it_has_ended() {
    let line = |id: u64, line: &str| format!("[weights][{id:016x}] {line}");
    let recv = |id| line(id, "server.recv path=/pause t=1.000000");
    let last = [send(9, 2000.0), done(9, 10)];
    let recent =
        |lines: Vec<String>| view(&live(1000, &[lines, last.to_vec()].concat())).recent_calls - 1;
    let rpc = |id| line(id, "rpc.done op=pause rpc_ms=1.0 t=1.001000");
    let end = line(1, "server.done outcome=complete status=200 dur_ms=2.0 t=1.002000");
    assert_eq!(recent(vec![recv(1)]), 1);
    assert_eq!(recent(vec![recv(1), rpc(1)]), 1);
    assert_eq!(recent(vec![recv(1), rpc(1), end]), 0);
    // Without a middleware nothing else will come.
    assert_eq!(recent(vec![line(1, "rpc.start op=pause t=1.000000")]), 1);
    assert_eq!(recent(vec![rpc(1)]), 0);
}

#[test]
fn a_file_that_is_copied_again_counts_as_when_finished_logs_are_read() {
    let call = |n: u64| [send(n, n as f64), done(n, 10 + n)];
    let lines: Vec<String> = (0..20).flat_map(|n| [call(n), call(n)].concat()).collect();
    let read = Log::from_bytes((lines.join("\n") + "\n").as_bytes());
    // Also if most of them are forgotten.
    for most in [1000, 3] {
        assert_eq!(view(&live(most, &lines)).tally, *read.tally());
    }
}

const TORN: &str = "ends without a line feed: the end of its last line is waited for";
const FINISHED: &str = "ended without a line feed: of its last line is taken what is sure";
const ROTATED: &str = "was rotated; the new file is read from its begin";

/// What the follower says and reads at each look.
struct Files {
    folder: tempfile::TempDir,
    follow: Follow,
}

impl Files {
    fn new(before: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        let follow = Follow::new(vec![path]).unwrap();
        Self { folder, follow }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.log")
    }

    fn append(&self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// What is read at this look, and what is said of it.
    fn poll(&mut self) -> (Vec<String>, Vec<String>) {
        let mut lines = Vec::new();
        let said = self.follow.poll(|_, line| {
            lines.push(String::from_utf8(line.unwrap_or(b"(too long)").to_vec()).unwrap());
        });
        let words =
            said.iter().map(|sentence| sentence.rsplit("a.log: ").next().unwrap().to_owned());
        (lines, words.collect())
    }

    fn lines(&mut self) -> Vec<String> {
        let (lines, said) = self.poll();
        assert_eq!(said, Vec::<String>::new());
        lines
    }
}

#[test]
fn a_file_grows_and_a_torn_line_waits_for_its_end() {
    let mut files = Files::new(Some("one\ntw"));
    assert_eq!(files.lines(), ["one"]);
    files.append("o\nthree");
    assert_eq!(files.lines(), ["two"]);
    // It is said once that an end does not come.
    assert_eq!(files.poll(), (Vec::new(), vec![TORN.to_owned()]));
    assert_eq!(files.lines(), Vec::<String>::new());
    files.append("\n\nfour\n");
    assert_eq!(files.lines(), ["three", "", "four"]);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let mut files = Files::new(None);
    assert_eq!(files.poll().1, ["is not there; it is waited for"]);
    assert_eq!(files.lines(), Vec::<String>::new());
    files.append("one\n");
    assert_eq!(files.poll(), (vec!["one".to_owned()], vec!["is there now".to_owned()]));
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_begin() {
    let mut files = Files::new(Some("one\n"));
    files.lines();
    fs::rename(files.path(), files.folder.path().join("a.log.1")).unwrap();
    assert_eq!(files.poll().1, ["is gone; it is waited for"]);
    let mut old =
        OpenOptions::new().append(true).open(files.folder.path().join("a.log.1")).unwrap();
    old.write_all(b"two\ntorn").unwrap();
    files.append("three\n");
    let (lines, said) = files.poll();
    assert_eq!(lines, ["two", "torn", "three"]);
    assert_eq!(said, [FINISHED, ROTATED]);
    files.append("four\n");
    assert_eq!(files.lines(), ["four"]);
    // Between two looks: it was never gone.
    fs::rename(files.path(), files.folder.path().join("a.log.1")).unwrap();
    files.append("five\n");
    assert_eq!(files.poll(), (vec!["five".to_owned()], vec![ROTATED.to_owned()]));
}

#[test]
fn a_folder_in_the_place_of_a_file_is_not_read() {
    let mut files = Files::new(Some("one\n"));
    files.lines();
    fs::remove_file(files.path()).unwrap();
    fs::create_dir(files.path()).unwrap();
    assert_eq!(files.poll().1, ["cannot be read: it is no file"]);
    assert_eq!(files.lines(), Vec::<String>::new());
    fs::remove_dir(files.path()).unwrap();
    files.append("two\n");
    assert_eq!(files.poll(), (vec!["two".to_owned()], vec!["is there now".to_owned()]));
}

#[test]
fn the_last_word_of_a_line_without_a_line_feed_is_not_sure() {
    let torn = "[weights][aa] client.done wall_ms=110.0 queue_ms=10";
    let whole = r#"{"v":1,"name":"client.done"}"#;
    for (line, sure) in [(torn, "[weights][aa] client.done wall_ms=110.0"), (whole, whole)] {
        let mut files = Files::new(Some(line));
        assert_eq!(files.lines(), Vec::<String>::new());
        fs::rename(files.path(), files.folder.path().join("a.log.1")).unwrap();
        files.append("next\n");
        assert_eq!(files.poll().0, [sure, "next"]);
        files.append(line);
        files.lines();
        fs::write(files.path(), "").unwrap();
        assert_eq!(files.poll().0, [sure]);
    }
}

#[test]
fn a_file_that_is_cut_is_read_from_its_begin() {
    let mut files = Files::new(Some("one\ntwo\ntor"));
    files.lines();
    fs::write(files.path(), "3\n").unwrap();
    let (lines, said) = files.poll();
    assert_eq!((lines, said[0].as_str()), (vec!["tor".to_owned()], FINISHED));
    assert!(said[1].starts_with("was cut; "), "{said:?}");
    assert_eq!(files.lines(), ["3"]);
}

#[test]
fn a_file_that_vanishes_and_comes_back_goes_on() {
    let mut files = Files::new(Some("one\n"));
    files.lines();
    fs::remove_file(files.path()).unwrap();
    assert_eq!(files.poll().1, ["is gone; it is waited for"]);
    assert_eq!(files.lines(), Vec::<String>::new());
    files.append("two\n");
    assert_eq!(files.poll().0, ["two"]);
}

#[test]
fn of_a_large_file_its_end_is_read_from_a_whole_line_on() {
    let line = "x".repeat(1022) + "\n";
    let mut files = Files::new(Some(&(line.repeat(6 << 10) + "last\n")));
    let (lines, said) = files.poll();
    // 4 MiB less "last" and its line feed are 4,099 lines and a fragment.
    assert_eq!(lines.len(), 4100);
    assert_eq!((lines[0].len(), lines.last().unwrap().as_str()), (1022, "last"));
    assert!(said[0].starts_with("is read from its byte "), "{said:?}");
}

#[test]
fn what_does_not_grow_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (path, why) in [
        (PathBuf::from("-"), "standard input"),
        (PathBuf::from("x.log.gz"), "packed"),
        (PathBuf::from("x.zst"), "packed"),
        (folder.path().to_owned(), "directory"),
    ] {
        let error = Follow::new(vec![path]).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
