//! `firstbyte watch`: files that grow while it runs, lines, JSON, and the screen of a real terminal.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use crate::support::{BINARY, firstbyte, run, signal, stderr, stdout, wait_until};

fn call(id: u64, wall: u64) -> String {
    format!(
        "[weights][{id:016x}] client.send url=http://h/pause t={id}.000000 op=pause target=h:80\n\
         [weights][{id:016x}] client.done wall_ms={wall}.0 rpc_ms=10.0 queue_ms={}.0 pool_ms={}.0 \
         wait_ms=10.0 op=pause target=h:80\n",
        wall - 10,
        wall - 10
    )
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A running watch whose lines are read as they come, and whose notices go to a file.
struct Watch {
    child: Ended,
    lines: Receiver<String>,
    notices: PathBuf,
}

impl Watch {
    fn start(path: &Path) -> Self {
        let notices = path.with_extension("notices");
        let mut command = firstbyte(&["watch", path.to_str().unwrap(), "--interval", "0.05"]);
        command.stdout(Stdio::piped()).stderr(File::create(&notices).unwrap());
        let mut child = command.spawn().unwrap();
        let (tell, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        Self { child: Ended(child), lines, notices }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("a line")
    }

    /// Waits until the last notice is this.
    fn says(&self, what: &str) {
        wait_until(what, || {
            let notices = fs::read_to_string(&self.notices).unwrap();
            notices.lines().last().is_some_and(|last| last.contains(what))
        });
    }
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_call_is_a_line_through_growth_rotation_and_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut watch = Watch::start(&path);
    watch.says("a.log: is not there; it is waited for");
    append(&path, &call(1, 30));
    assert_eq!(
        watch.line(),
        "0000000000000001 op=pause target=h:80 wall_ms=30.0 rpc_ms=10.0 queue_ms=20.0 \
         largest=pool largest_ms=20.0 done"
    );
    // In two pieces, the first without its line feed.
    let text = call(2, 40);
    append(&path, &text[..text.len() - 30]);
    append(&path, &text[text.len() - 30..]);
    assert!(watch.line().starts_with("0000000000000002 "));
    fs::rename(&path, folder.path().join("a.log.1")).unwrap();
    append(&path, &call(3, 50));
    assert!(watch.line().starts_with("0000000000000003 "));
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    watch.says("was cut");
    append(&path, &call(4, 60));
    assert!(watch.line().starts_with("0000000000000004 "));
    fs::remove_file(&path).unwrap();
    watch.says("is gone");
    // An end whose interval has not passed is told as well.
    append(&path, &call(5, 70));
    watch.says("was rotated");
    assert!(signal("TERM", watch.child.0.id()));
    assert!(watch.line().starts_with("0000000000000005 "));
    assert_eq!(watch.child.0.wait().unwrap().code(), Some(130));
    assert!(watch.lines.recv().is_err(), "a line too many");
}

#[test]
fn json_is_one_object_a_call_and_what_is_unknown_is_null() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, &call(1, 30));
    append(&path, "[weights][00000000000000aa] client.fail wall_ms=9.0 error=timeout phase=wait\n");
    let args = ["watch", path.to_str().unwrap(), "--json", "--for", "0.2", "--interval", "60"];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0]["wall"], &told[0]["ok"]), (&30.0.into(), &true.into()));
    assert_eq!(told[0]["parts"], serde_json::json!({"pool": 20.0, "rpc": 10.0}));
    assert_eq!((&told[1]["rpc"], &told[1]["ok"]), (&serde_json::Value::Null, &false.into()));
}

#[test]
fn hostile_text_and_a_reader_that_left_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, "[weights][00000000000000aa] client.done wall_ms=9.0 op=a%1b[2J%0ab\n");
    let output = run(&["watch", path.to_str().unwrap(), "--for", "0.1"]);
    let out = stdout(&output);
    assert!(out.contains("wall_ms=9.0") && !out.contains('\x1b'), "{out}");
    assert_eq!(out.lines().count(), 1);
    // `head -1` ends before watch does, which ends with the next call.
    append(&path, &call(1, 30));
    let shell = format!("{BINARY} watch {} --interval 0.05 | head -1", path.display());
    let mut child = Command::new("sh").args(["-c", &shell]).stdout(Stdio::null()).spawn().unwrap();
    let mut number = 2;
    wait_until("watch to end", || {
        append(&path, &call(number, 30));
        number += 1;
        child.try_wait().unwrap().is_some()
    });
}

#[test]
fn what_does_not_grow_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("packed.log");
    fs::write(&packed, b"\x1f\x8b\x08\x00\x00").unwrap();
    for (log, why) in [
        ("-", "standard input"),
        ("x.log.gz", "packed"),
        (packed.to_str().unwrap(), "packed"),
        ("/", "directory"),
        ("/dev/null", "no file"),
    ] {
        let output = run(&["watch", log]);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    assert_eq!(run(&["watch", "x.log", "--model", "tiny"]).status.code(), Some(2));
}

#[test]
fn utf_16_is_decoded_from_its_begin_and_from_near_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let units = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    // More than what is read of a file that is there, and of an odd length.
    let long = "x".repeat(3 << 20);
    fs::write(&path, units(&format!("\u{feff}{long}\n{}", call(1, 30)))).unwrap();
    let watch = Watch::start(&path);
    assert!(watch.line().starts_with("0000000000000001 op=pause"));
    let text = units(&call(2, 40));
    let write = |bytes: &[u8]| {
        OpenOptions::new().append(true).open(&path).unwrap().write_all(bytes).unwrap();
    };
    // In two pieces, within a unit.
    write(&text[..101]);
    write(&text[101..]);
    assert!(watch.line().starts_with("0000000000000002 op=pause"));
    fs::rename(&path, folder.path().join("a.log.1")).unwrap();
    fs::write(&path, units(&format!("\u{feff}{}", call(3, 50)))).unwrap();
    assert!(watch.line().starts_with("0000000000000003 op=pause"));
    fs::rename(&path, folder.path().join("a.log.2")).unwrap();
    append(&path, &call(4, 60));
    assert!(watch.line().starts_with("0000000000000004 op=pause"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_whose_name_is_not_utf_8_is_followed() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"a\xff.log");
    append(&folder.path().join(name), &call(1, 30));
    for log in [name, "*.log".as_ref()] {
        let mut watch = firstbyte(&["watch", "--for", "0.1"]);
        let output = watch.arg(log).current_dir(&folder).output().unwrap();
        assert!(stdout(&output).starts_with("0000000000000001 "), "{log:?}: {}", stderr(&output));
    }
}

/// Runs it in a terminal of `script`; with `ready` on the screen, types and calls `end`. Returns everything that it
/// wrote there.
#[cfg(target_os = "linux")]
fn in_a_terminal(path: &Path, ready: &str, typed: &str, end: impl FnOnce(&str)) -> String {
    let screen: PathBuf = path.with_extension("screen");
    let shell = format!(
        "trap : INT; stty cols 110 rows 40; stty -a >{0}.before; \
         sh -c 'echo pid=$$; exec {BINARY} watch {0} --interval 0.1'; echo code=$?; stty -a >{0}.after",
        path.display()
    );
    // Of the run before.
    _ = fs::remove_file(&screen);
    let mut script = Command::new("script");
    script
        .args(["-qfec", &shell, screen.to_str().unwrap()])
        .envs([("NO_COLOR", "1"), ("SHELL", "/bin/sh")]);
    script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut script = Ended(script.spawn().unwrap());
    let written = || fs::read_to_string(&screen).unwrap_or_default();
    wait_until("the screen", || written().contains(ready));
    script.0.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    end(&written());
    wait_until("its end", || script.0.try_wait().unwrap().is_some());
    let stty = |when: &str| fs::read_to_string(format!("{}.{when}", path.display())).unwrap();
    assert_eq!(stty("before"), stty("after"), "the terminal is not as it was");
    written()
}

#[cfg(target_os = "linux")]
const BARS: &str = "▒▒▒▒▒▒";

/// The number of its process.
#[cfg(target_os = "linux")]
fn pid(screen: &str) -> u32 {
    let mut after = screen.split("pid=").filter_map(|rest| rest.split_whitespace().next());
    after.find_map(|word| word.parse().ok()).unwrap()
}

/// What it wrote after it went to the other screen, and what it wrote after it came back.
#[cfg(target_os = "linux")]
fn parted(screen: &str) -> (&str, &str) {
    let (_, there) = screen.split_once("\x1b[?1049h").expect(screen);
    let (there, after) = there.split_once("\x1b[?1049l").expect(screen);
    assert!(there.contains("\x1b[?25h") && there.contains("\x1b[?7h"), "{there}");
    (there, after)
}

#[test]
#[cfg(target_os = "linux")]
fn the_screen_shows_what_is_going_on_and_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let open =
        "[weights][00000000000000bb] client.send url=http://h/x t=9.5 op=resume target=h:80\n";
    append(&path, &(call(1, 2000) + open));
    for (typed, code) in [("q", "code=0"), ("\u{3}", "code=130")] {
        let screen = in_a_terminal(&path, BARS, typed, |_| {});
        let (there, after) = parted(&screen);
        assert!(after.contains(code), "{after}");
        for what in [
            "3 lines = 3 parsed + 0 skipped",
            "CRITICAL client-pool (1 more): The client",
            "in progress: 1",
            "  00000000000000bb         >0.0 ms  resume on h:80",
            "0000000000000001      2000.0    1990.0      10.0  pause h:80",
            BARS,
        ] {
            assert!(there.contains(what), "{what}: {there}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_screen_is_restored_when_a_signal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, &call(1, 2000));
    for name in ["TERM", "HUP", "QUIT"] {
        let screen = in_a_terminal(&path, BARS, "", |screen| assert!(signal(name, pid(screen))));
        assert!(parted(&screen).1.contains("code=130"), "{name}: {screen}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_screen_is_restored_while_it_is_stopped_and_drawn_anew_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, &call(1, 2000));
    let written = || fs::read_to_string(path.with_extension("screen")).unwrap();
    let screen = in_a_terminal(&path, BARS, "", |shown| {
        let pid = pid(shown);
        assert!(signal("TSTP", pid));
        wait_until("it to stop", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.contains(") T ") && written().ends_with("\x1b[?1049l")
        });
        assert!(signal("CONT", pid));
        wait_until("the screen", || {
            written().split_once("\x1b[?1049l").is_some_and(|(_, after)| after.contains(BARS))
        });
        assert!(signal("TERM", pid));
    });
    let (_, again) = parted(&screen).1.split_once("\x1b[?1049h").unwrap();
    assert!(again.contains("\x1b[?1049l"), "{again}");
}

#[test]
fn who_is_deaf_to_the_end_of_a_terminal_stays_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    let mut command = Command::new("nohup");
    command.args([BINARY, "watch", path.to_str().unwrap(), "--interval", "0.05"]);
    let mut child = Ended(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    append(&path, &call(1, 30));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("0000000000000001 "));
    assert!(signal("HUP", child.0.id()));
    // One that ends tells the first of these, and no other.
    for id in 2..=3 {
        append(&path, &call(id, 30));
        assert!(lines.next().unwrap().unwrap().starts_with(&format!("{id:016x} ")));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_screen_is_restored_when_it_ends_before_the_first_look_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, &(0..20_000).map(|id| call(id, 2000)).collect::<String>());
    for (typed, name) in [("\u{3}", None), ("", Some("TERM"))] {
        let screen = in_a_terminal(&path, "\x1b[?1049h", typed, |screen| {
            assert!(!screen.contains(BARS), "the first look is too short");
            assert!(name.is_none_or(|name| signal(name, pid(screen))));
        });
        assert!(parted(&screen).1.contains("code=130"), "{screen}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_screen_tells_what_became_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, &(call(1, 2000) + "torn"));
    // The terminal adds carriage returns.
    let written = || fs::read_to_string(path.with_extension("screen")).unwrap().replace('\r', "");
    let is_told = |what: &str| wait_until(what, || written().contains(what));
    in_a_terminal(&path, BARS, "", |shown| {
        is_told("a.log: ends without a line feed: ");
        for number in 2..=8 {
            fs::rename(&path, folder.path().join("a.log.1")).unwrap();
            append(&path, &call(number, 30));
            is_told(&format!("{} lines = ", 2 * number + 1));
        }
        // All of them, the last one last, until there are more than five.
        let name = path.display();
        let told = format!(
            "NOTICE: {name}: ends without a line feed: the end of its last line is waited for\x1b[K\n\
             NOTICE: {name}: ended without a line feed: of its last line is taken what is sure\x1b[K\n\
             NOTICE: {name}: was rotated; the new file is read from its begin\x1b[K\n"
        );
        assert!(written().contains(&told), "{}", written());
        is_told(&format!("4 notices before these\x1b[K\nNOTICE: {name}: was rotated"));
        assert!(signal("TERM", pid(shown)));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_screen_tells_what_is_wrong_now_before_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    append(&path, &(call(1, 2000) + &call(3600, 30)));
    let screen = in_a_terminal(&path, BARS, "q", |_| {});
    let told = "no finding in 1 call that ended within the last 10 min\x1b[K\n\
                older, 60 min ago: CRITICAL client-pool: The client";
    assert!(screen.replace('\r', "").contains(told), "{screen}");
}
