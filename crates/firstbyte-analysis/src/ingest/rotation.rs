//! Which of the files of one log is older, by what rotation put behind their names.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The order in which files of a pattern are read: by name, and of files of one name as rotation makes them older.
pub(super) fn by_age(path: &Path) -> (String, Age) {
    let name = path.to_string_lossy();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let behind = dated(plain).or_else(|| numbered(plain));
    behind
        .map(|(stem, age)| (stem.to_owned(), age))
        .or_else(|| timed(plain))
        .unwrap_or_else(|| (plain.to_owned(), Age::Current))
}

/// The files that are one log, by their numbers: of each such log from the oldest on. One folder may have several names.
pub(super) fn logs<'a>(paths: impl Iterator<Item = &'a Path>) -> impl Iterator<Item = Vec<u32>> {
    let mut logs: BTreeMap<_, Vec<(Age, u32)>> = BTreeMap::new();
    for (number, path) in (0..).zip(paths) {
        let (stem, age) = by_age(Path::new(path.file_name().unwrap_or(path.as_os_str())));
        logs.entry((folder(path), stem)).or_default().push((age, number));
    }
    logs.into_values().map(|mut files| {
        files.sort();
        files.into_iter().map(|(_, number)| number).collect()
    })
}

fn folder(path: &Path) -> Option<PathBuf> {
    let named = path.parent()?;
    let folder = if named.as_os_str().is_empty() { Path::new(".") } else { named };
    Some(folder.canonicalize().unwrap_or_else(|_| named.to_owned()))
}

/// What rotation put behind a name, from the oldest on.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    /// `run.log.2`, `run.log.1`: the highest is the oldest.
    Number(Reverse<u64>),
    /// `run.log-20261101`, `run.log.2026-11-01`, with or without a time, `run.2026-11-01_10-00-00_000000.log`: the numbers of
    /// it.
    Date(Vec<u64>),
    /// It is still being written.
    Current,
}

fn numbered(name: &str) -> Option<(&str, Age)> {
    let (stem, number) = name.rsplit_once('.')?;
    // `10.0.0.2` is another host than `10.0.0.1`, and not its older log.
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if stem.rsplit_once('.').is_some_and(|(_, end)| is_number(end)) {
        return None;
    }
    Some((stem, Age::Number(Reverse(number.parse().ok()?))))
}

fn dated(name: &str) -> Option<(&str, Age)> {
    let mut ends = name.match_indices(['-', '.']).map(|(at, _)| (&name[..at], &name[at + 1..]));
    let (stem, date) = ends.find(|(_, end)| is_date(end))?;
    let numbers = date.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    let numbers: Result<Vec<_>, _> = numbers.map(str::parse).collect();
    Some((stem, Age::Date(numbers.ok()?)))
}

/// loguru puts the time in front of the extension, to the microsecond. A date may be there in the name of a log that is rotated
/// itself, and a second in that of each run.
fn timed(name: &str) -> Option<(String, Age)> {
    let (rest, extension) = name.rsplit_once('.')?;
    let (stem, age) = dated(rest)?;
    let is_loguru = matches!(&age, Age::Date(numbers) if numbers.len() >= 7);
    is_loguru.then(|| (format!("{stem}.{extension}"), age))
}

/// Eight digits or more, or `2026-11-01`, and nothing behind them that is no part of a time.
fn is_date(text: &str) -> bool {
    let is_time = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | 'T' | 'Z');
    let begins_like = |pattern: &str| {
        let mut both = pattern.bytes().zip(text.bytes());
        text.len() >= pattern.len()
            && both.all(|(p, b)| if p == b'-' { b == p } else { b.is_ascii_digit() })
    };
    (begins_like("yyyymmdd") || begins_like("yyyy-mm-dd")) && text.chars().all(is_time)
}
