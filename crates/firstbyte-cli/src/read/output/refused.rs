//! What must not be written over.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use firstbyte_analysis::Log;

/// So much of the beginning of a file is looked at.
const BEGINNING: u64 = 64 << 10;

/// The first bytes of packed files, which are logs: nothing here writes one.
const PACKED: [&[u8]; 2] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];

/// Why this file must not be written over, as the rest of a sentence; `None` if it may be, or is not there.
pub(super) fn why(path: &Path, inputs: &[String]) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_dir() {
        return Some("is a directory; name a file in it".to_owned());
    }
    // A pipe has no old self, and to open it waits for a reader.
    if !metadata.is_file() {
        return None;
    }
    if inputs.iter().any(|input| is_same(path, Path::new(input))) {
        return Some("is one of the logs that are read; choose another path".to_owned());
    }
    let advice = "choose another path, or remove it first";
    if metadata.permissions().readonly() {
        return Some(format!("is read-only; {advice}"));
    }
    if let Err(error) = File::options().append(true).open(path) {
        return Some(format!("must not be written over: {error}; {advice}"));
    }
    is_log(path).then(|| format!("is a log itself, and is not written over; {advice}"))
}

/// Whether both are one file, by whatever names.
fn is_same(path: &Path, input: &Path) -> bool {
    identity(path).is_ok_and(|path| identity(input).is_ok_and(|input| input == path))
}

/// What all names of a file have in common; `-` is the standard input.
#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::{fd::AsFd as _, unix::fs::MetadataExt as _};
    let metadata = match path == Path::new("-") {
        true => File::from(io::stdin().as_fd().try_clone_to_owned()?).metadata()?,
        false => fs::metadata(path)?,
    };
    Ok((metadata.dev(), metadata.ino()))
}

/// What most names of a file have in common.
#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<std::path::PathBuf> {
    fs::canonicalize(path)
}

/// Whether it begins as a log does: with lines of firstbyte among whatever others, or packed. One that cannot be read
/// is taken for none.
fn is_log(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut start));
    if read.is_err() {
        return false;
    }
    if PACKED.iter().any(|magic| start.starts_with(magic)) {
        return true;
    }
    let log = Log::from_bytes(&start);
    log.tally().parsed > log.tally().unknown
}
