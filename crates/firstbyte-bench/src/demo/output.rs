//! The files of a run, which never replace anyone else's.

use std::{
    fs, io,
    io::{BufRead, BufReader},
    path::Path,
};

use firstbyte_core::{Parsed, json, text};

/// Makes the folder and removes the logs of an earlier run from it.
///
/// A file of one of the names is removed only if its first line is one of firstbyte's own, or if
/// it is empty.
pub(super) fn prepare(out: &Path, names: &[&str]) -> io::Result<()> {
    fs::create_dir_all(out)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot make {}: {e}", out.display())))?;
    let paths: Vec<_> = names.iter().map(|name| out.join(name)).collect();
    for path in &paths {
        if !is_ours(path)? {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!(
                    "{} exists and was not written by firstbyte: choose another --out, or move it",
                    path.display()
                ),
            ));
        }
    }
    for path in &paths {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(path: &Path) -> io::Result<bool> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
    };
    let mut line = Vec::new();
    BufReader::new(io::Read::take(file, 4096)).read_until(b'\n', &mut line)?;
    let starts_a_log = |parsed: Parsed<'_>| {
        parsed.tag == "firstbyte" && parsed.name == Some("process.start".into())
    };
    Ok(line.is_empty()
        || text::parse(&line).is_ok_and(starts_a_log)
        || json::parse(&line).is_ok_and(starts_a_log))
}

#[cfg(test)]
mod tests {
    use firstbyte_core::Recorder;

    use super::*;

    #[test]
    fn an_earlier_run_is_replaced_and_what_is_someone_elses_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        let recorder =
            Recorder::builder().text_file(path("a.log")).json_file(path("b.jsonl")).build();
        recorder.unwrap().shutdown(std::time::Duration::from_secs(1));
        fs::write(path("empty.log"), "").unwrap();

        fs::write(path("c.log"), "precious\n").unwrap();
        let names = ["a.log", "b.jsonl", "empty.log", "new.log"];
        let refused = prepare(dir.path(), &[&names[..], &["c.log"]].concat()).unwrap_err();
        assert!(refused.to_string().contains("c.log"), "{refused}");
        assert!(path("a.log").exists(), "nothing is removed if anything is refused");

        prepare(dir.path(), &names).unwrap();
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["c.log"]);
    }

    #[test]
    fn the_folder_is_made() {
        let dir = tempfile::tempdir().unwrap();
        prepare(&dir.path().join("a/b"), &["x.log"]).unwrap();
        assert!(dir.path().join("a/b").is_dir());
    }
}
