//! Numbers that were expected, compared with the corpus.

use std::fs;

use serde_json::Value;

use crate::{
    read::{corpus, golden},
    support::{firstbyte, stderr, stdout},
};

const EXAMPLE: &str = "../../../examples/baselines.toml";

#[test]
fn the_example_is_compared_with_a_real_run() {
    let args = ["stats", "orchestrator.log", "trainer.log", "--baselines", EXAMPLE];
    golden("updates", "baselines.txt", &args);
    let args = [&args[..], &["--json"]].concat();
    let output = firstbyte(&args).current_dir(corpus().join("updates")).output().unwrap();
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let first = &json["baselines"][0];
    assert_eq!((&first["expected"], &first["n"]), (&3362.0.into(), &12.into()));
    let gap = (first["observed"].as_f64().unwrap() - 3362.0) / 33.62;
    assert!((first["gap_percent"].as_f64().unwrap() - gap).abs() < 1e-9, "{first}");
    assert_eq!(first["source"], "the user's own findings document");
    assert_eq!(first["not_excluded"].as_array().unwrap().len(), 4);
    assert_eq!(json["baselines"][3]["of_step"]["n"], 6);
}

#[test]
fn a_baseline_without_a_source_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(corpus().join("updates").join(EXAMPLE)).unwrap();
    let line = text.lines().position(|line| line == "[[baseline]]").unwrap() + 1;
    let text = text.replacen("source = \"the user's own findings document\"\n", "", 1);
    fs::write(folder.path().join("ours.toml"), text).unwrap();
    let args = ["stats", "x.log", "--baselines", "ours.toml"];
    let output = firstbyte(&args).current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    assert!(error.contains("ours.toml: ") && error.contains(&format!("line {line}")), "{error}");
    assert!(error.contains("missing field `source`"), "{error}");
    let args = ["stats", "x.log", "--baselines", "none.toml"];
    let output = firstbyte(&args).current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("none.toml: No such file"), "{}", stderr(&output));
}
