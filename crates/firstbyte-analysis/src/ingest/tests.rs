use std::{fmt::Write as _, fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;
use crate::{
    diagnose::{Rules, diagnose},
    measure::{Correlation, GroupBy, Metric, Stats, Summary, Window},
};

const LINES: &str = "\
INFO:     Started server process [1234]
[weights][00f067aa0ba902b7] client.send url=http://h/pause t=10.000000
[weights][00f067aa0ba902b7] client.done wall_ms=3556.1 rpc_ms=233.2 queue_ms=3322.9

{\"level\": \"info\"}
\u{1b}[32m(APIServer pid=7) INFO [gen] batch.start inflight=1 target_batch=2\u{1b}[0m
[new] thing a=1
{\"v\":1,\"seq\":0,\"pid\":7,\"tag\":\"weights\",\"tid\":\"00f067aa0ba902b8\",\"name\":\"client.done\",\"t_ns\":5,\"unix_ns\":6,\"wall_us\":1500}
";

fn read(path: &Path) -> Log {
    Log::read(&[path.to_owned()], &Options::default()).unwrap()
}

#[test]
fn every_line_is_accounted_for() {
    let log = Log::from_bytes(LINES.as_bytes());
    let tally = log.tally();
    assert_eq!((tally.total(), tally.parsed, tally.unknown), (8, 5, 1));
    assert_eq!(tally.skipped_by(Reason::NoRecord), 2);
    assert_eq!(tally.skipped_by(Reason::BadJson), 1);
    assert_eq!(tally.to_string(), "8 lines = 5 parsed + 3 skipped (no record 2, other JSON 1)");
    assert_eq!(log.calls().count(), 2);
}

#[test]
fn compressed_files_are_read_by_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let gz = folder.path().join("a.log.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&gz).unwrap(), Compression::fast());
    encoder.write_all(LINES.as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert_eq!(read(&gz).tally().total(), 8);

    let zst = folder.path().join("a.log.zst");
    fs::write(&zst, frame(LINES)).unwrap();
    assert_eq!(read(&zst).tally().total(), 8);
}

#[test]
fn what_is_packed_or_utf_16_is_read_whatever_its_name() {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(LINES.as_bytes()).unwrap();
    let wide = |unit: fn(u16) -> [u8; 2]| {
        let units = std::iter::once(0xfeff).chain(LINES.encode_utf16());
        units.flat_map(unit).collect::<Vec<u8>>()
    };
    let mut wide_gz = GzEncoder::new(Vec::new(), Compression::fast());
    wide_gz.write_all(&wide(u16::to_le_bytes)).unwrap();
    for bytes in [
        gz.finish().unwrap(),
        wide_gz.finish().unwrap(),
        frame(LINES),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ] {
        let log = read_packed("a.log", &bytes).unwrap();
        assert_eq!((log.tally().total(), log.tally().parsed), (8, 5), "{:x?}", &bytes[..4]);
    }
    // One that is cut too soon to be known is a line like any other.
    for (bytes, lines) in [(&b"\x1f\x8b\x08"[..], 1), (b"", 0), (b"\n", 1), (b"[a]\n", 1)] {
        assert_eq!(read_packed("a.log", bytes).unwrap().tally().total(), lines, "{bytes:x?}");
    }
}

/// One frame of Zstandard, with a checksum.
fn frame(content: &str) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(content.as_bytes(), level)
}

/// Reads a packed file of these bytes.
fn read_packed(name: &str, bytes: &[u8]) -> Result<Log, IngestError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    Log::read(&[path], &Options::default())
}

#[test]
fn all_frames_of_a_file_are_read_and_some_are_skipped() {
    let skipped = b"\x5a\x2a\x4d\x18\x05\0\0\0these".as_slice();
    let (one, none) = (frame(LINES), frame(""));
    for (frames, lines) in [
        (&[&*one, &one][..], 16),
        (&[skipped, &one, skipped, skipped, &one, skipped], 16),
        (&[&none, &one, &none], 8),
        (&[skipped], 0),
    ] {
        let log = read_packed("a.log.zst", &frames.concat()).unwrap();
        assert_eq!((log.tally().total(), log.broken()), (lines, &[][..]), "{frames:?}");
    }
}

#[test]
fn a_frame_that_is_no_whole_one_ends_the_file() {
    let one = frame(LINES);
    let mut wrong_sum = one.clone();
    *wrong_sum.last_mut().unwrap() ^= 1;
    let mut wrong_block = one.clone();
    // A type of blocks that there is none of.
    wrong_block[6] |= 0b110;
    for (second, lines, why) in [
        (&b"garbage"[..], 8, "behind a frame that is no frame"),
        (b"\0", 8, "is empty or cut"),
        (b"\x5a\x2a\x4d\x18\x05\0\0\0the", 8, "is empty or cut"),
        (b"\x28\xb5\x2f\xfd\0\xff", 8, "which is too much"),
        (&one[..one.len() - 5], 8, "is empty or cut"),
        (&one[..one.len() - 2], 16, "is empty or cut"),
        (&wrong_sum, 16, "not what its checksum says"),
        (&wrong_block, 8, "a block cannot be unpacked"),
    ] {
        let log = read_packed("a.log.zst", &[&one, second].concat()).unwrap();
        let broken = log.broken();
        assert_eq!((log.tally().total(), broken.len()), (lines, 1), "{why}: {broken:?}");
        assert!(broken[0].contains("a.log.zst: ") && broken[0].contains(why), "{broken:?}");
    }
}

#[test]
fn a_frame_that_is_cut_counts_up_to_its_last_whole_block() {
    // The first block of two fills the window, which the decoder keeps until the end of the frame.
    const BLOCK: usize = 128 << 10;
    let packed = frame(&LINES.repeat(BLOCK / LINES.len() + 10));
    let log = read_packed("a.log.zst", &packed[..packed.len() - 10]).unwrap();
    let lines = LINES.repeat(BLOCK / LINES.len() + 1)[..BLOCK].lines().count() as u64;
    assert_eq!((log.tally().total(), log.broken().len()), (lines, 1));
}

#[test]
fn a_packed_file_that_is_empty_or_cut_anywhere_is_no_error() {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(LINES.as_bytes()).unwrap();
    for (name, packed) in [("a.log.gz", gz.finish().unwrap()), ("a.log.zst", frame(LINES))] {
        for end in 0..packed.len() {
            let log = read_packed(name, &packed[..end]).unwrap();
            let why = log.broken().concat();
            assert!(why.contains(name) && why.contains(": is empty or cut"), "{end}: {why}");
        }
    }
}

#[test]
fn a_truncated_file_counts_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole.log.gz"), folder.path().join("cut.log.gz"));
    let mut encoder = GzEncoder::new(fs::File::create(&whole).unwrap(), Compression::none());
    encoder.write_all(LINES.as_bytes()).unwrap();
    encoder.finish().unwrap();
    let bytes = fs::read(&whole).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 200]).unwrap();
    let log = Log::read(&[cut, whole], &Options::default()).unwrap();
    assert!(log.tally().total() > 8, "{}", log.tally());
    assert!(log.broken()[0].contains("cut.log.gz: "), "{:?}", log.broken());
    assert_eq!(log.broken().len(), 1);
}

#[test]
fn a_step_that_two_files_tell_is_one() {
    let lines = "[step] step.done step=1 dur_ms=5.0\n[step] step.done step=1 dur_ms=7.0\n";
    let log = Log::from_bytes(lines.repeat(2).as_bytes());
    assert_eq!((log.timeline().moments().len(), log.tally().skipped_by(Reason::Duplicate)), (2, 2));
}

#[test]
fn a_pattern_names_files_and_a_file_with_that_very_name_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.log", "b.log", "[c].log"] {
        fs::write(folder.path().join(name), LINES).unwrap();
    }
    assert_eq!(read(&folder.path().join("*.log")).sources().len(), 3);
    assert_eq!(read(&folder.path().join("[c].log")).sources().len(), 1);
    assert_eq!(read(&folder.path().join("[ab].log")).sources().len(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_pattern_matches_names_that_are_not_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"a\xff.log");
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::create_dir(folder.path().join(std::ffi::OsStr::from_bytes(b"b\xff.log"))).unwrap();
    for place in [folder.path().to_owned(), folder.path().join("sub")] {
        fs::write(place.join(odd), LINES).unwrap();
        fs::write(place.join("a.log"), LINES).unwrap();
    }
    for (pattern, files) in [
        ("*.log", 2),
        ("a?.log", 1),
        ("s*/*.log", 2),
        ("**/*.log", 4),
        ("**/**/*.log", 4),
        ("*.txt*", 0),
        ("**", 0),
        ("s*/", 0),
    ] {
        let found = inputs(&[folder.path().join(pattern)]).map_or(0, |inputs| {
            assert!(inputs.iter().all(|input| input.open().is_ok()), "{pattern}");
            inputs.len()
        });
        assert_eq!(found, files, "{pattern}");
    }
}

#[test]
#[cfg(unix)]
fn what_a_pattern_matches_and_cannot_be_looked_at_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), LINES).unwrap();
    std::os::unix::fs::symlink("gone", folder.path().join("b.log")).unwrap();
    fs::create_dir(folder.path().join("c.log")).unwrap();
    let log = Log::read(&[folder.path().join("*.log")], &Options::default()).unwrap();
    assert_eq!((log.sources().len(), log.unread().len()), (2, 1));
    assert!(log.unread()[0].contains("b.log: No such file"), "{:?}", log.unread());
    // A name without a wildcard is not looked for in its folder. That one is too long stands for a folder without permission,
    // which there is none for root.
    fs::create_dir(folder.path().join("one")).unwrap();
    let path = folder.path().join("on*").join("x".repeat(300));
    let error = Log::read(&[path], &Options::default()).unwrap_err();
    assert!(error.to_string().contains("name too long"), "{error}");
}

#[test]
fn rotated_files_of_a_pattern_are_read_from_the_oldest_on() {
    let folder = tempfile::tempdir().unwrap();
    let in_order = [
        "a.log",
        "guru.2026-10-31_23-59-59_000001.log",
        "guru.2026-11-01_00-00-00_000000.log.gz",
        "guru.log",
        "job-12.log",
        "job-20261101.log.1",
        "job-20261101.log",
        "run.log.10",
        "run.log.2.gz",
        "run.log.1",
        "run.log.2026-10-30_23-00-00",
        "run.log.2026-10-31",
        "run.log.20261101",
        "run.log-20261102.2.gz",
        "run.log-20261102.10.zst",
        "run.log-20261103T120000",
        "run.log",
    ];
    for name in in_order {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let inputs = inputs(&[folder.path().join("*")]).unwrap();
    let names: Vec<_> =
        inputs.iter().map(|input| input.name().rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(names, in_order);
}

#[test]
fn a_file_is_read_once_by_whatever_paths_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let line = "[gen] batch.done completions=8 dur_ms=1000.0 inflight=0\n";
    fs::write(path("a.log"), line).unwrap();
    fs::write(path("b.log"), line).unwrap();
    let mut paths = vec![path("*.log"), path("a.log"), path("./a.log")];
    // One that is followed may not be there yet.
    let twice = [path("later.log"), path("a.log"), path("later.log"), path("./a.log")];
    assert_eq!(inputs(&twice).unwrap().len(), 2);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.log", path("c")).unwrap();
        fs::hard_link(path("a.log"), path("d")).unwrap();
        paths.extend([path("c"), path("d")]);
    }
    let log = Log::read(&paths, &Options::default()).unwrap();
    assert_eq!((log.sources().len(), log.timeline().moments().len()), (2, 2));
    let field = crate::field::Numeric::from_key("dur_ms").unwrap();
    assert_eq!(crate::field::FieldStats::read(&paths, field).unwrap().lines, 2);
}

#[test]
fn many_calls_of_one_id_take_no_square_of_time() {
    let lines: String = (0..40_000)
        .map(|n| {
            format!(
                "[weights][aaaa] client.send url=http://h/pause t={n}.0 target=a{} attempt={n}\n\
                 [weights][aaaa] server.recv path=/pause t={n}.5\n",
                n % 7
            )
        })
        .collect();
    let log = Log::from_bytes(lines.as_bytes());
    assert_eq!(
        log.calls().filter(|call| call.client.is_some() && call.server.is_some()).count(),
        40_000
    );
}

#[test]
fn many_timers_of_one_exchange_take_no_square_of_time() {
    let timers: String = (0..100_000)
        .map(|n| {
            format!("[weights][aaaa] rpc.start op=a t={n}.5\n[weights][aaaa] rpc.done op=a t={n}.7 rpc_ms=200.0\n")
        })
        .collect();
    let log = Log::from_bytes(timers.as_bytes());
    let call = log.calls().next().unwrap();
    assert_eq!(call.rpc().map(|rpc| rpc.0), Some(100_000 * 200_000));
}

/// Some megabytes: many blocks, and several stretches of calls.
fn large_log() -> Vec<u8> {
    let mut lines = String::new();
    for call in 1..=20_000_u64 {
        let random = call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Some share an id, one in each stretch, and their lines are far apart.
        let id = if call % 50 == 0 { 1 + call / 10_001 } else { random };
        let (queue, rpc, in_flight) = (random >> 45, random >> 50, random >> 57);
        if call % 7 == 0 {
            let noise = "x".repeat(500);
            write!(
                lines,
                "[gen] batch.start inflight={in_flight} target_batch=64\n[a.py:1] {noise}\n"
            )
            .unwrap();
        }
        write!(
            lines,
            "[weights][{id:016x}] client.send url=http://h/pause t={call}.5 op=op{}\n\
             [weights][{id:016x}] server.recv path=/pause t={call}.6 inflight={in_flight}\n\
             [weights][{id:016x}] client.done wall_ms={}.0 rpc_ms={rpc}.0 queue_ms={queue}.0\n",
            call % 5,
            queue + rpc,
        )
        .unwrap();
    }
    lines.into_bytes()
}

#[test]
fn several_threads_find_what_one_does() {
    let lines = large_log();
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(&path, &lines).unwrap();
    let (log, by_one) = (read(path.path()), Log::from_bytes(&lines));
    assert_eq!(log.tally(), by_one.tally());
    let queues = |log: &Log| log.calls().map(|call| (call.id(), call.queue())).collect::<Vec<_>>();
    assert_eq!(queues(&log), queues(&by_one));

    let stats = Stats::of(&log, GroupBy::Nothing, Window::default());
    let expected = Summary::of(log.calls().filter_map(|call| call.queue()).collect());
    let row = stats.groups[0].rows.iter().find(|(metric, ..)| *metric == Metric::Queue).unwrap();
    assert_eq!((stats.groups[0].calls, Some(row.1)), (20_000, expected));
    let pairs: Vec<_> = log
        .calls()
        .map(|call| {
            let in_flight = call.server.unwrap().in_flight().unwrap();
            (f64::from(in_flight), call.queue().unwrap().as_millis_f64())
        })
        .collect();
    assert_eq!(stats.groups[0].queue_and_in_flight, Correlation::of(&pairs));
    assert!(stats.groups[0].queue_and_generation.unwrap().n > 19_000);
    let by_op = Stats::of(&log, GroupBy::Op, Window::default());
    assert_eq!(by_op.groups.iter().map(|group| group.calls).collect::<Vec<_>>(), [4_000; 5]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str| {
        let path = folder.path().join(name);
        Log::read(&[path], &Options::default()).unwrap_err().to_string()
    };
    assert!(error("none.log").contains("none.log: No such file"));
    assert!(error("none-*.log").contains("no file matches"));
    assert!(error("[").contains("no valid pattern"), "{}", error("["));
    assert!(error("").contains("is a directory; name its files"));
    for (name, bytes, why) in [
        ("a.gz", &b"\x1f\x8b\x08nonsense"[..], "is no gzip file, though its name says so"),
        ("a.gz", b"no", "is no gzip file"),
        ("a.zst", b"nonsense", "is no Zstandard file, though its name says so"),
        ("a.zst", b"\x28\xb5\n", "is no Zstandard file"),
        ("a.zst", b"\x28\xb5\x2f\xfd\0\xff", "needs a window of 3932160 MiB"),
        ("a.zst", b"\x28\xb5\x2f\xfd\0\x90", "needs a window of 256 MiB to be unpacked"),
        ("a.zst", b"\x28\xb5\x2f\xfd\x01\0\x07", "was packed with a dictionary"),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
        assert!(error(name).contains(&format!("{name}: {why}")), "{}", error(name));
    }
}

#[test]
fn a_file_that_cannot_be_read_keeps_nobody_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("there.log"), "[step] step.done step=1 dur_ms=1.0\n").unwrap();
    fs::write(path("nonsense.gz"), "nonsense").unwrap();
    fs::write(path("dictionary.zst"), b"\x28\xb5\x2f\xfd\x01\0\x07").unwrap();
    let paths = ["missing.log", "nonsense.gz", "there.log", "dictionary.zst", ""].map(path);
    let names = |unread: &[String]| {
        let name =
            |why: &String| why.split(": ").next().unwrap().rsplit('/').next().unwrap().to_owned();
        unread.iter().map(name).collect::<Vec<_>>()
    };
    let unread = ["missing.log", "nonsense.gz", "dictionary.zst", ""];
    let log = Log::read(&paths, &Options::default()).unwrap();
    assert_eq!((log.tally().parsed, names(log.unread())), (1, unread.map(str::to_owned).to_vec()));
    let told = crate::notices(&log);
    assert!(
        told[0].ends_with(
            "missing.log: No such file or directory (os error 2); nothing of it counts."
        )
    );
    let field = crate::field::Numeric::from_key("dur_ms").unwrap();
    let stats = crate::field::FieldStats::read(&paths, field).unwrap();
    assert_eq!((stats.lines, names(&stats.unread)), (1, unread.map(str::to_owned).to_vec()));
    // Nothing is no answer.
    let none = [path("missing.log"), path("nonsense.gz")];
    assert!(Log::read(&none, &Options::default()).is_err());
}

#[test]
fn no_input_is_an_answer() {
    let log = Log::from_bytes(b"");
    assert_eq!((log.tally().total(), log.calls().count()), (0, 0));
    assert_eq!(log.tally().to_string(), "0 lines = 0 parsed + 0 skipped");
}

#[test]
fn a_torn_number_is_none() {
    for (end, torn, wall) in
        [("", 1, None), (" rpc_ms=3", 1, Some(11_250)), ("\n", 0, Some(11_250))]
    {
        let line = format!("[weights][aa] client.done wall_ms=11.25{end}");
        let log = Log::from_bytes(line.as_bytes());
        let half = log.calls().next().unwrap().client.unwrap();
        assert_eq!((half.wall().map(|wall| wall.0), half.rpc()), (wall, None), "{line}");
        assert_eq!(log.tally().torn, torn);
    }
    let json = "{\"v\":1,\"tag\":\"weights\",\"tid\":\"x\",\"name\":\"client.done\",\"wall_us\":5}";
    let log = Log::from_bytes(json.as_bytes());
    assert!(log.calls().next().unwrap().client.unwrap().wall().is_some());
    // What Ray puts behind a line may be torn, too.
    let record = "(Worker pid=7) [weights][aa] client.done wall_ms=11.25";
    let marked = format!("{record} [repeated 3x across cluster]");
    for length in record.len() + 1..=marked.len() {
        let log = Log::from_bytes(&marked.as_bytes()[..length]);
        let half = log.calls().next().and_then(|call| call.client).expect(&marked[..length]);
        assert!(half.wall().is_some(), "{}", &marked[..length]);
    }
}

#[test]
fn json_lines_may_have_anything_around_them() {
    let json =
        "{\"v\":1,\"tag\":\"weights\",\"tid\":\"ab\",\"name\":\"client.done\",\"wall_us\":1500}";
    for (before, after) in [
        ("2026-11-24T18:35:12.345Z stdout F ", ""),
        ("server-1  | ", ""),
        ("\u{1b}[32m", "\u{1b}[0m"),
        ("\u{feff}", ""),
        ("Nov 24 18:35:12 host vllm[12]: ", ""),
        ("[info] ", ""),
    ] {
        let lines = format!("noise\n{before}{json}{after}\n[gen] noise\n");
        let log = Log::from_bytes(lines.as_bytes());
        assert_eq!((log.calls().count(), log.tally().total()), (1, 3), "{before}");
    }
    let brace = "{app} [weights][ab] client.done wall_ms=1.0\n";
    assert_eq!(Log::from_bytes(brace.as_bytes()).calls().count(), 1);
}

#[test]
fn lines_of_another_version_are_counted() {
    let json =
        "{\"v\":2,\"tag\":\"weights\",\"tid\":\"x\",\"name\":\"client.done\",\"wall_us\":5}\n";
    let log = Log::from_bytes(json.as_bytes());
    assert_eq!((log.calls().count(), log.tally().skipped_by(Reason::OtherVersion)), (0, 1));
    assert!(crate::notices(&log)[0].starts_with("1 JSON lines are of another version"));
}

#[test]
fn binary_lines_are_skipped_and_counted() {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend_from_slice(b"\n\0\0\0\n[weights][\xff] client.done wall_ms=1.0\n");
    let log = Log::from_bytes(&bytes);
    assert_eq!((log.tally().total(), log.tally().skipped()), (4, 4));
}

#[test]
fn traces_beyond_the_limit_are_counted() {
    let lines: String = (0..10)
        .map(|n| format!("[weights][{n:016x}] client.done wall_ms=1.0\n"))
        .chain(["[weights][0000000000000000] server.recv path=/pause t=1.0\n".to_owned()])
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    fs::write(&path, lines).unwrap();
    let log = Log::read(&[path], &Options { max_traces: 4 }).unwrap();
    assert_eq!((log.calls().count(), log.over_limit()), (4, 6));
    assert_eq!(log.tally().skipped_by(Reason::OverLimit), 6);
    assert_eq!(log.tally().total(), 11);
}

proptest! {
    /// The same as the fuzz target, with pieces that mean something.
    #[test]
    fn no_log_loses_a_line_or_makes_anything_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("\n".to_owned()),
                Just("[weights][00f067aa0ba902b7] client.send url=http://h/pause t=1.0".to_owned()),
                Just("[weights][00f067aa0ba902b7] client.done wall_ms=".to_owned()),
                Just("[weights][00f067aa0ba902b7] server.recv path=/pause t=".to_owned()),
                Just("[weights][x] rpc.done op=pause t=2.0 rpc_ms=".to_owned()),
                Just("[weights][x] rpc.start op=pause t=1.0".to_owned()),
                Just("[weights][00f067aa0ba902b7] server.done t=3.0 dur_ms=".to_owned()),
                Just("[weights][00f067aa0ba902b7] client.fail wall_ms=".to_owned()),
                Just("[step] step.done step=1 dur_ms=".to_owned()),
                Just("[firstbyte] process.start pid=1 boot=b host=h version=0 t=1.0 unix=".to_owned()),
                Just("{\"v\":1,\"tag\":\"weights\",\"tid\":\"x\",\"name\":\"client.done\",\"wall_us\":5}".to_owned()),
                Just(" rpc_ms=1.0 queue_ms=2.0 pool_ms=".to_owned()),
                (0_u64..).prop_map(|n| n.to_string()),
                any::<f64>().prop_map(|n| n.to_string()),
                ".{0,8}",
            ],
            0..60,
        )
    ) {
        let lines = pieces.concat();
        let log = Log::from_bytes(lines.as_bytes());
        let ends = lines.matches('\n').count();
        let last = usize::from(!lines.is_empty() && !lines.ends_with('\n'));
        prop_assert_eq!(log.tally().total(), (ends + last) as u64);
        let stats = Stats::of(&log, GroupBy::Op, Window::default());
        prop_assert!(stats.groups.iter().map(|group| group.calls).sum::<u64>() == log.calls().count() as u64);
        let rules = Rules::default();
        _ = diagnose(&log, &rules, rules.thresholds("small").unwrap());
    }
}
