//! Files, patterns and the standard input, decompressed.

use std::{
    cmp::Reverse,
    error::Error,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf, is_separator},
};

use flate2::read::MultiGzDecoder;
use glob::{Pattern, PatternError};
use ruzstd::decoding::StreamingDecoder;

/// Something that lines are read from.
#[derive(Clone, Debug)]
pub struct Input(PathBuf);

/// A file that could not be read.
#[derive(Debug)]
pub struct IngestError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Io(io::Error),
    Pattern(String),
    NothingMatches,
}

impl IngestError {
    /// The file, or the pattern.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of error it is: `InvalidInput` for a pattern that is none, `NotFound` also for one that no file
    /// matches.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match &self.why {
            Why::Io(error) => error.kind(),
            Why::Pattern(_) => io::ErrorKind::InvalidInput,
            Why::NothingMatches => io::ErrorKind::NotFound,
        }
    }
}

impl fmt::Display for IngestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.why {
            Why::Io(error) if error.kind() == io::ErrorKind::IsADirectory => {
                write!(f, "is a directory; name its files, such as '{}/*.log'", self.path.display())
            }
            Why::Io(error) => write!(f, "{error}"),
            Why::Pattern(error) => write!(f, "no valid pattern: {error}"),
            Why::NothingMatches => write!(f, "no file matches this pattern"),
        }
    }
}

impl Error for IngestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.why {
            Why::Io(error) => Some(error),
            Why::Pattern(_) | Why::NothingMatches => None,
        }
    }
}

/// The inputs that paths and patterns name. A file with the very name goes before a pattern.
///
/// # Errors
///
/// [`IngestError`] for a pattern that is none, or that no file matches.
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, IngestError> {
    let mut inputs = Vec::new();
    for path in paths {
        let is_pattern = path.to_str().is_some_and(|path| path.contains(['*', '?', '[']));
        if !is_pattern || path.exists() {
            inputs.push(Input(path.clone()));
            continue;
        }
        let failed = |why| IngestError { path: path.clone(), why };
        let pattern = path.to_str().unwrap_or_default();
        let mut matches =
            matching(pattern).map_err(|error| failed(Why::Pattern(error.msg.to_owned())))?;
        if matches.is_empty() {
            return Err(failed(Why::NothingMatches));
        }
        matches.sort_by_cached_key(|path| by_age(path));
        inputs.extend(matches.into_iter().map(Input));
    }
    Ok(inputs)
}

/// The files that a pattern matches.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let all = glob::glob(pattern)?.filter_map(Result::ok).chain(not_utf8(pattern)?);
    Ok(all.filter(|path| path.is_file()).collect())
}

/// What a pattern matches whose name is not UTF-8: `glob` passes over it. What is no character there counts as one.
fn not_utf8(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let (folder, file) =
        pattern.split_at(pattern.rfind(is_separator).map_or(0, |separator| separator + 1));
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

/// The order in which files of a pattern are read: by name, but `run.log.2.gz`, `run.log.1`, `run.log`, as rotation
/// makes them older.
fn by_age(path: &Path) -> (String, Reverse<u64>) {
    let name = path.to_string_lossy();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let rotated = plain.rsplit_once('.').and_then(|(stem, n)| Some((stem, n.parse().ok()?)));
    match rotated {
        Some((stem, number)) => (stem.to_owned(), Reverse(number)),
        None => (plain.to_owned(), Reverse(0)),
    }
}

impl Input {
    /// The path, or `-` for the standard input.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path as one shows it: of a name that is not UTF-8 it is not the path.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.display().to_string()
    }

    /// The stream of its bytes, decompressed if its name says that it is compressed.
    pub(super) fn open(&self) -> Result<Box<dyn Read>, IngestError> {
        if self.0 == Path::new("-") {
            return Ok(Box::new(io::stdin().lock()));
        }
        let file = File::open(&self.0).map_err(|error| self.failed(error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(self.failed(io::ErrorKind::IsADirectory.into()));
        }
        let extension = self.0.extension().and_then(|extension| extension.to_str());
        Ok(match extension {
            Some("gz") => Box::new(MultiGzDecoder::new(BufReader::new(file))),
            Some("zst") => Box::new(self.zstd(file)?),
            _ => Box::new(file),
        })
    }

    fn zstd(&self, file: File) -> Result<impl Read + use<>, IngestError> {
        let decoder = StreamingDecoder::new(BufReader::new(file));
        decoder.map_err(|error| self.failed(io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    pub(super) fn failed(&self, error: io::Error) -> IngestError {
        IngestError { path: self.0.clone(), why: Why::Io(error) }
    }
}
