//! A file that is there whole or not at all.

mod beside;
mod refused;

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use self::beside::Beside;
use crate::{bars::plain, exit::Error};

/// Runs `write` on a buffered writer of this path; `-` is the standard output. `None` if its reader went away, who has
/// seen enough, as `head` does.
///
/// A file is written without a name, or under another one, and takes its place once it is whole. What is no file, such
/// as a pipe, is written to as it is.
///
/// # Errors
///
/// For `inputs`, for what looks like a log, for what must not or cannot be written; with the path.
pub(super) fn write<R>(
    path: &Path,
    inputs: &[String],
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<R>,
) -> Result<Option<R>, Error> {
    let name = name(path);
    if path != Path::new("-")
        && let Some(why) = refused::why(path, inputs)
    {
        return Err(Error::new(format!("{name} {why}")));
    }
    match written(path, write) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        result => result
            .map(Some)
            .map_err(|error| Error::new(format!("{name}: cannot be written: {error}"))),
    }
}

/// What a path is called in messages.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard output".to_owned() } else { path.display().to_string() }
}

fn written<R>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<R>,
) -> io::Result<R> {
    if path == Path::new("-") {
        return if io::stdout().is_terminal() {
            shown(write)
        } else {
            buffered(io::stdout(), write)
        };
    }
    let path = target(path)?;
    if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        return buffered(File::options().write(true).open(path)?, write);
    }
    let mut file = Beside::new(&path)?;
    let result = buffered(file.as_file_mut(), write)?;
    file.take_place_of(&path)?;
    Ok(result)
}

/// On a terminal, where text of a log could be taken for commands, as somebody may look at it.
fn shown<R>(write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<R>) -> io::Result<R> {
    let mut text = Vec::new();
    let result = write(&mut text)?;
    buffered(io::stdout(), |out| {
        String::from_utf8_lossy(&text).lines().try_for_each(|line| writeln!(out, "{}", plain(line)))
    })?;
    Ok(result)
}

/// Where links lead, so that not the link is replaced.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        result => result,
    }
}

fn buffered<R>(
    out: impl Write + Send,
    write: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<R>,
) -> io::Result<R> {
    let mut out = BufWriter::new(out);
    let result = write(&mut out)?;
    out.flush()?;
    Ok(result)
}
