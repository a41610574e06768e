//! A file that is there whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::bars::plain;

/// Runs `write` on a buffered writer of this path; `-` is the standard output.
///
/// A file is written under another name beside it, and takes its place once it is whole. What is no file, such as
/// a pipe, is written to as it is. `inputs` are refused.
pub(super) fn write<R>(
    path: &Path,
    inputs: &[String],
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
    if inputs.iter().any(|input| fs::canonicalize(input).is_ok_and(|input| input == path)) {
        return Err(io::Error::other("is one of the logs; name another file"));
    }
    if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return buffered(File::options().write(true).open(path)?, write);
    }
    let mut file = beside(&path)?;
    let result = buffered(file.as_file_mut(), write)?;
    file.persist(path).map_err(|error| error.error)?;
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

/// A file in the same folder, with the permissions of any new file.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".firstbyte-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
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
