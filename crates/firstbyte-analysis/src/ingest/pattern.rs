//! The files that a pattern names.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf, is_separator},
};

use glob::{Pattern, PatternError};

/// The files that a pattern matches; and what could be one of them or have some, and cannot be looked at, so that whoever
/// reads it says why.
pub(super) fn matching(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let mut hidden = Vec::new();
    let found = glob::glob(pattern)?
        .filter_map(|found| found.map_err(|error| hidden.push(error.path().to_owned())).ok());
    let mut all: Vec<PathBuf> = found.chain(not_utf8(pattern)?).collect();
    all.retain(|path| path.metadata().map_or(true, |metadata| metadata.is_file()));
    all.append(&mut hidden);
    all.extend(unseen(pattern)?);
    Ok(all)
}

/// Files that may be there and cannot be looked at, by a name without a wildcard: of their folders `glob` tells no error.
fn unseen(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let (folder, name) = split(pattern);
    if name.contains(['*', '?', '[']) {
        return Ok(Vec::new());
    }
    let paths = glob::glob(folder)?.flatten().map(|folder| folder.join(name));
    let is_there = |kind| !matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    let unseen = paths.filter(|path| path.metadata().is_err_and(|error| is_there(error.kind())));
    Ok(unseen.collect())
}

/// The pattern of the folders, and that of the names in them.
fn split(pattern: &str) -> (&str, &str) {
    pattern.split_at(pattern.rfind(is_separator).map_or(0, |separator| separator + 1))
}

/// What a pattern matches whose name is not UTF-8: `glob` passes over it. What is no character there counts as one.
fn not_utf8(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let (folder, file) = split(pattern);
    let mut found = match folder.strip_suffix("**/") {
        // That is also no folder at all.
        Some(above) => not_utf8(&format!("{above}{file}"))?,
        None => Vec::new(),
    };
    let name = Pattern::new(file)?;
    let folders = match (folder, file) {
        // Folders alone.
        (_, "**") => Vec::new(),
        // As for `glob`, the name of a file in this folder has no folder in front.
        ("", _) => vec![PathBuf::new()],
        _ => glob::glob(folder)?.filter_map(Result::ok).collect(),
    };
    for folder in folders {
        let names = names_not_utf8(&folder).filter(|own| name.matches(&own.to_string_lossy()));
        found.extend(names.map(|own| folder.join(own)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The names in a folder that are not UTF-8; none, if it cannot be read.
fn names_not_utf8(folder: &Path) -> impl Iterator<Item = OsString> {
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.map(|entry| entry.file_name()).filter(|name| name.to_str().is_none())
}
