//! Documents of the corpus, and what is wrong in them, to the letter.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::support::{firstbyte, run, stderr, stdout};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares with the file; with `UPDATE_GOLDEN=1` in the environment it is written anew.
fn golden(report: &str, code: i32) {
    let folder = root().join("tests/corpus/claims");
    let output = firstbyte(&["claims", report]).current_dir(&folder).output().unwrap();
    let (path, out) = (folder.join(report.replace('.', "-") + ".txt"), stdout(&output));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &out).unwrap();
    }
    assert_eq!(out, fs::read_to_string(&path).unwrap(), "{}", path.display());
    assert_eq!(output.status.code(), Some(code), "{out}{}", stderr(&output));
}

#[test]
fn a_minus_is_the_standard_input() {
    for (text, said) in [
        ("It took 1.0 s of 2.0 s = 90 %\n", "-:1: wrong (share): 90 % should be 50.0 %"),
        (
            "{\"min_ms\": 3.0, \"max_ms\": 1.0}",
            "-:1: wrong (order of statistics): max 1.0 ms is less than min 3.0 ms",
        ),
    ] {
        let mut child = firstbyte(&["claims", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert!(stdout(&output).starts_with(said), "{}", stdout(&output));
    }
}

#[test]
fn what_is_wrong_in_each_example_is_known() {
    for report in
        ["share.md", "volume.md", "ratio.md", "scaling.md", "queue.md", "sample.md", "result.json"]
    {
        golden(report, 4);
    }
    golden("origin.md", 0);
    golden("right.md", 0);
}

#[test]
fn the_documents_of_this_repository_have_nothing_wrong() {
    let mut reports = vec!["README.md", "DESIGN.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        .into_iter()
        .map(|name| root().join(name))
        .collect::<Vec<_>>();
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    reports.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    assert!(reports.len() > 6);
    for report in reports {
        let output = run(&["claims", report.to_str().unwrap()]);
        let out = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{out}{}", stderr(&output));
        assert!(out.contains("; 0 wrong, 0 noted"), "{out}");
    }
}

#[test]
fn json_has_the_same_findings() {
    let folder = root().join("tests/corpus/claims");
    let output = firstbyte(&["claims", "--json", "share.md"]).current_dir(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let report = &json["reports"][0];
    assert_eq!(report["findings"][0]["line"], 3);
    assert_eq!(report["findings"][0]["message"], "99 % should be 84.5 %");
    assert_eq!(report["findings"][0]["formula"], "23.14 s / 27.39 s");
    assert!(report["checked"].as_u64() <= report["numbers"].as_u64());
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let output = run(&["claims", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        stderr(&output)
    };
    assert!(error("a.json", b"{\n\"a\": 1,\n}").contains("a.json: no JSON"));
    assert!(error("a.json", b"{\n\"a\": 1,\n}").contains("line 3"));
    assert!(error("a.json", &[b'['; 100_000]).contains("a.json: no JSON"));
    assert!(error("a.md", b"\xff").contains("a.md: invalid utf-8"));
    let output = run(&["claims", "/no/such.md"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/no/such.md: No such file"), "{}", stderr(&output));
}

#[test]
fn hostile_text_cannot_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\x1b[2J.md");
    fs::write(&path, "\x1b[31m It took 1.0 s of 2.0 s = 90 %\n").unwrap();
    let output = run(&["claims", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4));
    assert!(!stdout(&output).contains('\x1b'), "{}", stdout(&output));
}
