//! Files that grow, are rotated, are cut, or are not there yet.

use std::{
    error::Error,
    fmt,
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::split::Split;
use crate::ingest::{Decoder, begins_packed};

/// Of a file that is there at the start, so much of its end is read.
const LAST: u64 = 4 << 20;
/// At most so much of a file is read before the others have their turn.
const TURN: u64 = 16 << 20;

/// Files that are read as they grow, as `tail -F` does: by their names, whatever file has it at the time.
#[derive(Debug)]
pub struct Follow {
    files: Vec<Followed>,
}

/// A file that cannot be followed.
#[derive(Debug)]
pub struct FollowError {
    path: PathBuf,
    why: &'static str,
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl Error for FollowError {}

#[derive(Debug)]
struct Followed {
    path: PathBuf,
    open: Option<Open>,
    /// What was said of it last, so that it is said once.
    said: Option<String>,
    is_first_look: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    position: u64,
    split: Split,
    /// Of a file whose first bytes say that it is UTF-16.
    decoder: Option<Decoder>,
    /// It has been said that its last line has no end.
    is_torn: bool,
}

/// What stays the same when a file is renamed.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

fn identity(metadata: &Metadata) -> Identity {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (metadata.dev(), metadata.ino())
    }
    #[cfg(not(unix))]
    metadata.created().ok()
}

impl Follow {
    /// Follows these files; one that is not there is waited for.
    ///
    /// # Errors
    ///
    /// [`FollowError`] for what does not grow line by line: the standard input, packed files, directories, pipes.
    pub fn new(paths: Vec<PathBuf>) -> Result<Self, FollowError> {
        let mut files = Vec::new();
        for path in paths {
            if let Some(why) = refusal(&path) {
                return Err(FollowError { path, why });
            }
            files.push(Followed { path, open: None, said: None, is_first_look: true });
        }
        Ok(Self { files })
    }

    /// Their names, in the order of the numbers that go with lines.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.path.display().to_string()).collect()
    }

    /// Reads what is new: calls `take` with the number of a file and a line of it, or `None` for one that is too
    /// long; of one that a rotation or a cut leaves without a line feed, what is sure of it. Returns a sentence for each
    /// change: a file that came, went, was rotated, or was cut, or ends in the middle of a line. Names stand in them as
    /// they are.
    pub fn poll(&mut self, mut take: impl FnMut(usize, Option<&[u8]>)) -> Vec<String> {
        let mut said = Vec::new();
        for (number, file) in self.files.iter_mut().enumerate() {
            let name = file.path.display().to_string();
            file.poll(&mut |line| take(number, line), &mut |sentence| {
                said.push(format!("{name}: {sentence}"));
            });
        }
        said
    }
}

fn refusal(path: &Path) -> Option<&'static str> {
    if path == Path::new("-") {
        return Some("the standard input cannot be followed; write it to a file, and name that");
    }
    match path.metadata() {
        // One that a pattern could not look into is waited for, as a file that cannot be read is.
        Ok(metadata) if metadata.is_dir() && path.read_dir().is_ok() => {
            return Some("is a directory; name its files");
        }
        Ok(metadata) if metadata.is_dir() => return None,
        Ok(metadata) if !metadata.is_file() => return Some("is no file that can be read again"),
        _ => {}
    }
    let is_called_so =
        path.extension().is_some_and(|extension| extension == "gz" || extension == "zst");
    let is_packed = || File::open(path).and_then(|mut file| start(&mut file));
    (is_called_so || is_packed().is_ok_and(|start| begins_packed(&start)))
        .then_some("a packed file does not grow; 'firstbyte stats' and the others read it")
}

/// The first four bytes of a file, if it has so many.
fn start(file: &mut File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.take(4).read_to_end(&mut start)?;
    Ok(start)
}

type Take<'a> = &'a mut dyn FnMut(Option<&[u8]>);
type Say<'a> = &'a mut dyn FnMut(&str);

impl Followed {
    fn poll(&mut self, take: Take<'_>, say: Say<'_>) {
        if self.open.is_none() {
            self.look(say);
        }
        let Some(open) = &mut self.open else { return };
        let position = open.position;
        match open.read(take) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                self.open = None;
                return self.say(format!("cannot be read: {error}"), say);
            }
        }
        match self.path.metadata() {
            Ok(now) if identity(&now) != open.identity => {
                // What was written between the last look and the rotation.
                if let Ok(false) = open.read(take) {
                    return;
                }
                open.finish(take, say);
                self.open = None;
                self.reopen(take, say);
            }
            Ok(now) if now.len() < open.position => {
                open.finish(take, say);
                open.position = 0;
                self.said = None;
                say("was cut; it is read from its begin, and what was not read before is lost");
            }
            Ok(_) => {
                open.say_if_torn(position, say);
                self.said = None;
            }
            // Whoever has it open may still write to it.
            Err(error) => self.say(gone(&error, "is gone; it is waited for"), say),
        }
    }

    /// Opens what has the name now.
    fn look(&mut self, say: Say<'_>) {
        let is_first = std::mem::take(&mut self.is_first_look);
        match Open::new(&self.path, is_first) {
            Ok((open, left_out)) => {
                if self.said.take().is_some() {
                    say("is there now");
                }
                if left_out > 0 {
                    say(&format!("is read from its byte {left_out} on"));
                }
                self.open = Some(open);
            }
            Err(error) => self.say(gone(&error, "is not there; it is waited for"), say),
        }
    }

    /// Opens what has the name now instead of the file that had it.
    fn reopen(&mut self, take: Take<'_>, say: Say<'_>) {
        match Open::new(&self.path, false) {
            Ok((mut open, _)) => {
                self.said = None;
                say("was rotated; the new file is read from its begin");
                // What fails now is told at the next look.
                _ = open.read(take);
                self.open = Some(open);
            }
            Err(error) => self.say(gone(&error, "is gone; it is waited for"), say),
        }
    }

    fn say(&mut self, sentence: String, say: Say<'_>) {
        if self.said.as_ref() != Some(&sentence) {
            say(&sentence);
            self.said = Some(sentence);
        }
    }
}

fn gone(error: &io::Error, not_found: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => not_found.to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

impl Open {
    /// A file from its begin, or from near its end, and how many bytes are left out.
    fn new(path: &Path, from_near_its_end: bool) -> io::Result<(Self, u64)> {
        // Before it is opened: to open a pipe waits for a writer.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        // A unit of UTF-16 has two bytes.
        let position =
            if from_near_its_end { metadata.len().saturating_sub(LAST) / 2 * 2 } else { 0 };
        let split = if position > 0 { Split::within_a_line() } else { Split::default() };
        let decoder = Decoder::of(&start(&mut file)?);
        let identity = identity(&metadata);
        Ok((Self { file, identity, position, split, decoder, is_torn: false }, position))
    }

    /// Says once that the end of a line is waited for, which had not come at the look before either.
    fn say_if_torn(&mut self, position: u64, say: Say<'_>) {
        if self.split.is_within_a_line() && self.position == position && !self.is_torn {
            say("ends without a line feed: the end of its last line is waited for");
            self.is_torn = true;
        }
    }

    /// No more will come of what was read.
    fn finish(&mut self, take: Take<'_>, say: Say<'_>) {
        if self.split.is_within_a_line() {
            say("ended without a line feed: of its last line is taken what is sure");
        }
        self.split.finish(take);
        self.is_torn = false;
    }

    /// Reads on; whether its end is reached.
    fn read(&mut self, take: Take<'_>) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut buffer = [0; 1 << 16];
        let end = self.position + TURN;
        while self.position < end {
            let read = match self.file.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let piece = &buffer[..read];
            if self.position == 0 {
                self.decoder = Decoder::of(piece);
            }
            self.position += read as u64;
            match &mut self.decoder {
                Some(decoder) => self.split.push(decoder.decode(piece).as_bytes(), &mut *take),
                None => self.split.push(piece, &mut *take),
            }
        }
        Ok(false)
    }
}
