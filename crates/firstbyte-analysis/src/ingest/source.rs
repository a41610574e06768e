//! Files, patterns and the standard input, decompressed.

use std::{
    collections::HashSet,
    error::Error,
    fmt,
    fs::{self, File},
    io::{self, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use super::{
    pattern::matching,
    rotation::by_age,
    utf16::Text,
    zstd::{self, Frames},
};

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
            // Nothing but unpacking expects more than there is.
            Why::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                write!(f, "is empty or cut: the end of what was packed is not there")
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

/// The inputs that paths and patterns name, each once. A file with the very name goes before a pattern.
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
    // Two lines beside the calls may be alike, so that of a file that is read twice they would count twice.
    let mut known = HashSet::new();
    inputs.retain(|input| known.insert(input.identity()));
    Ok(inputs)
}

/// What all names of an input have in common.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    #[cfg(unix)]
    File(u64, u64),
    Path(PathBuf),
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

    fn is_standard_input(&self) -> bool {
        self.0 == Path::new("-")
    }

    /// The file that it is by all of its paths, links of either kind too. What is no file, such as a pipe, or not there is
    /// what it is called.
    fn identity(&self) -> Identity {
        if self.is_standard_input() {
            return Identity::Path(self.0.clone());
        }
        let metadata = self.0.metadata().ok().filter(fs::Metadata::is_file);
        #[cfg(unix)]
        if let Some(metadata) = &metadata {
            use std::os::unix::fs::MetadataExt as _;
            return Identity::File(metadata.dev(), metadata.ino());
        }
        let whole = metadata.and_then(|_| self.0.canonicalize().ok());
        Identity::Path(whole.unwrap_or_else(|| self.0.clone()))
    }

    /// The stream of its bytes: unpacked, if its first ones are those of a packed file, and as UTF-8.
    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, IngestError> {
        let mut stream = self.bytes()?;
        let mut start = Vec::new();
        stream.by_ref().take(4).read_to_end(&mut start).map_err(|error| self.failed(error))?;
        let extension = self.0.extension().and_then(|extension| extension.to_str());
        // What is called so and is empty or cut may still have been one.
        let is_packed = |begins: fn(&[u8]) -> bool, ending: &str| {
            begins(&start) && (start.len() == 4 || extension == Some(ending))
        };
        let (is_gzip, is_zstd) = (is_packed(begins_gzip, "gz"), is_packed(zstd::begins, "zst"));
        match extension {
            Some("gz") if !is_gzip => return Err(self.is_no("gzip")),
            Some("zst") if !is_zstd => return Err(self.is_no("Zstandard")),
            _ => {}
        }
        let whole = Cursor::new(start).chain(stream);
        let unpacked: Box<dyn Read + Send> = if is_gzip {
            Box::new(MultiGzDecoder::new(BufReader::new(whole)))
        } else if is_zstd {
            Box::new(Frames::new(BufReader::new(whole)))
        } else {
            Box::new(whole)
        };
        Ok(Box::new(Text::new(unpacked)))
    }

    fn bytes(&self) -> Result<Box<dyn Read + Send>, IngestError> {
        if self.is_standard_input() {
            return Ok(Box::new(io::stdin()));
        }
        let file = File::open(&self.0).map_err(|error| self.failed(error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(self.failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Box::new(file))
    }

    fn is_no(&self, format: &str) -> IngestError {
        let why = format!("is no {format} file, though its name says so");
        self.failed(io::Error::new(io::ErrorKind::InvalidData, why))
    }

    pub(super) fn failed(&self, error: io::Error) -> IngestError {
        IngestError { path: self.0.clone(), why: Why::Io(error) }
    }
}

/// Whether these are the first four bytes of a packed file.
pub(crate) fn begins_packed(start: &[u8]) -> bool {
    start.len() == 4 && (begins_gzip(start) || zstd::begins(start))
}

/// Whether these up to four bytes can be the first ones of a gzip file: the magic number, the one method, and flags of
/// which three bits have no meaning.
fn begins_gzip(start: &[u8]) -> bool {
    let magic = start.iter().zip([0x1f, 0x8b, 8]).all(|(byte, magic)| *byte == magic);
    magic && start.get(3).is_none_or(|flags| flags & 0b1110_0000 == 0)
}
