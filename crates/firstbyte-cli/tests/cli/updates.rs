//! The ledger of updates of the corpus, as it is printed.

use std::fs;

use serde_json::Value;

use crate::{
    read::{corpus, golden},
    support::{firstbyte, run, stderr, stdout},
};

const LOOP: [&str; 3] = ["orchestrator.log", "trainer.log", "server.log"];

fn json(args: &[&str]) -> Value {
    let args = [&["updates", "--json"], args].concat();
    let output = firstbyte(&args).current_dir(corpus().join("updates")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn updates_of_the_corpus_are_known() {
    golden("updates", "loop.txt", &[&["updates"][..], &LOOP].concat());
    golden("updates", "stats.txt", &[&["stats"][..], &LOOP].concat());
    golden("updates", "last.txt", &[&["updates", "--last", "1"][..], &LOOP].concat());
    golden("updates", "fleet.txt", &["updates", "fleet.log"]);
    golden("updates", "slowest.txt", &["updates", "--slowest", "2", "fleet.log"]);
    golden("updates", "hand-made.txt", &["updates", "hand-made.log"]);
    golden("updates", "hosts.txt", &["updates", "host-*.log"]);
}

#[test]
fn json_has_every_link_and_they_add_up() {
    let json = json(&["fleet.log"]);
    let updates = json["updates"].as_array().unwrap();
    assert_eq!(updates.len(), 7);
    for update in updates {
        let path = &update["critical_path"];
        let of = |value: &Value, key: &str| value[key].as_f64().unwrap();
        let links = path["links"].as_array().unwrap();
        let sum: f64 = links.iter().map(|link| of(link, "gap") + of(link, "took")).sum();
        assert!((sum - of(update, "duration")).abs() < 1e-6, "{update}");
        let split = ["rpc", "queue", "gap", "unsplit"].map(|part| of(path, part));
        assert!((split.iter().sum::<f64>() - sum).abs() < 1e-6, "{update}");
        assert_eq!(update["straggler"]["servers"], 4);
    }
    assert_eq!(json["summary"]["ms"]["duration"]["n"], 7);
}

#[test]
fn the_last_and_the_slowest_are_chosen() {
    let numbers = |args: &[&str]| -> Vec<u64> {
        let json = json(args);
        let updates = json["updates"].as_array().unwrap();
        updates.iter().map(|update| update["update"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&["--last", "2", "hand-made.log"]), [2, 3]);
    assert_eq!(numbers(&["--slowest", "2", "hand-made.log"]), [3, 1]);
    let output = run(&["updates", "--last", "2", "--slowest", "2", "x.log"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for n in 0..8 {
        for op in ["pause", "update_weights"] {
            let head = format!("[weights][x{n}] client.send url=http://h/{op} t={n}.000000");
            lines += &format!("{head} op={op} target=a%1b[2J{n}\n");
        }
    }
    fs::write(folder.path().join("x.log"), lines).unwrap();
    for args in [&["updates", "x.log"][..], &["updates", "--last", "1", "x.log"]] {
        let output = firstbyte(args).current_dir(&folder).output().unwrap();
        let out = stdout(&output);
        assert!(out.contains("NOT RESUMED") && out.contains("WARNING: "), "{out}");
        assert!(!out.contains('\x1b'), "{out}");
    }
}

#[test]
fn without_an_update_it_says_so() {
    let output =
        firstbyte(&["updates", "checkpoint.log"]).current_dir(corpus().join("seed")).output();
    assert!(stdout(&output.unwrap()).contains("no update: "));
    let output =
        firstbyte(&["updates", "server.log"]).current_dir(corpus().join("updates")).output();
    let out = stdout(&output.unwrap());
    assert!(
        out.contains("NOTICE: calls that are in no update: 18, which have only a server's half"),
        "{out}"
    );
}
