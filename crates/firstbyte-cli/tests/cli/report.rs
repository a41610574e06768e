//! `firstbyte report`: the files that it writes, and what it says of them.

use std::{fs, path::Path, process::Output};

use crate::{
    read::{corpus, golden},
    support::{firstbyte, stderr, stdout},
};

const DEMO: [&str; 4] = ["report", "client.log", "server.log", "--model=small"];

/// Writes a report of the demo's logs into a folder.
fn report(folder: &Path, file: &str, more: &[&str]) -> Output {
    let path = folder.join(file);
    let args = [&DEMO[..], &["-o", path.to_str().unwrap()], more].concat();
    firstbyte(&args).current_dir(corpus().join("demo")).output().unwrap()
}

#[test]
fn markdown_and_json_of_the_corpus_are_known() {
    golden("demo", "report.md", &[&DEMO[..], &["-o", "-", "--format", "md"]].concat());
    golden("demo", "report.json", &[&DEMO[..], &["-o", "-", "--format", "json"]].concat());
    let updates = ["report", "fleet.log", "hand-made.log", "--model=small", "-o", "-"];
    golden("updates", "report.md", &[&updates[..], &["--format", "md"]].concat());
}

#[test]
fn the_format_is_that_of_the_name() {
    let folder = tempfile::tempdir().unwrap();
    for (file, start) in [
        (
            "r.html",
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=",
        ),
        ("r.md", "# Where did"),
        ("r.json", "{\n"),
    ] {
        let output = report(folder.path(), file, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let written = fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(written.starts_with(start), "{written:.100}");
        let said = stdout(&output);
        assert!(said.contains(&format!("{file}: The connection is made slowly: ")), "{said}");
        assert_eq!(said.lines().count(), 1);
    }
    for file in ["report", "report.txt", "-"] {
        let output = report(folder.path(), file, &[]);
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains(".html, .md or .json"), "{said}");
    }
    assert!(!folder.path().join("report.txt").exists());
}

#[test]
fn a_page_has_every_section_and_the_numbers_of_stats() {
    let folder = tempfile::tempdir().unwrap();
    report(folder.path(), "r.html", &["--title", "A <b>run</b>", "--by", "op"]);
    let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
    for id in [
        "parts",
        "time",
        "updates",
        "findings",
        "slowest",
        "distribution",
        "percentiles",
        "timeline",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    assert!(page.contains("<h1>A &lt;b&gt;run&lt;/b&gt;</h1>"));
    assert_eq!(page.matches("<article id=").count(), 10);
    let stats = fs::read_to_string(corpus().join("demo/stats.txt")).unwrap();
    let wall: Vec<&str> =
        stats.lines().find(|line| line.starts_with("wall")).unwrap().split_whitespace().collect();
    let row = format!(
        "<th scope=\"row\">wall</th><td class=\"n\">{}</td>",
        wall[1..6].join("</td><td class=\"n\">")
    );
    assert!(page.contains(&row), "{row}");
}

#[test]
fn a_report_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("r.md"), "before").unwrap();
    let output = report(folder.path(), "r.md", &["--rules", "/no/such/rules.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(folder.path().join("r.md")).unwrap(), "before");
    report(folder.path(), "r.md", &[]);
    assert!(fs::read_to_string(folder.path().join("r.md")).unwrap().starts_with("# "));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let output = report(folder.path(), "none/r.md", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("none/r.md: cannot be written: No such file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_window_leaves_calls_out() {
    let folder = tempfile::tempdir().unwrap();
    let calls = |more: &[&str]| {
        report(folder.path(), "r.json", more);
        let json = fs::read(folder.path().join("r.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&json).unwrap()["calls"].as_u64().unwrap()
    };
    assert_eq!(calls(&[]), 18);
    let (before, after) = (calls(&["--until", "29140"]), calls(&["--since", "29140"]));
    assert!(before > 0 && after > 0 && before + after == 18, "{before} and {after}");
}
