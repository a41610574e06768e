//! A file in the folder of another one, until it takes its place.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Where the system has unnamed files, one: nothing is left of it, however the process ends. Elsewhere one with a
/// hidden name, which a signal leaves there.
#[derive(Debug)]
pub(super) struct Beside {
    folder: PathBuf,
    file: Unfinished,
}

#[derive(Debug)]
enum Unfinished {
    #[cfg(target_os = "linux")]
    Unnamed(File),
    Named(NamedTempFile),
}

impl Beside {
    /// A file with the permissions of the one at this path, and its owner where that may be given; with mode 0600 if there
    /// is none.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let mut beside = Self { file: unfinished(&folder)?, folder };
        if let Ok(old) = fs::metadata(path) {
            let file = beside.as_file_mut();
            #[cfg(unix)]
            {
                use std::os::unix::fs::{MetadataExt as _, fchown};
                // Only root may give a file away.
                _ = fchown(&*file, Some(old.uid()), Some(old.gid()));
            }
            file.set_permissions(old.permissions())?;
        }
        Ok(beside)
    }

    pub(super) fn as_file_mut(&mut self) -> &mut File {
        match &mut self.file {
            #[cfg(target_os = "linux")]
            Unfinished::Unnamed(file) => file,
            Unfinished::Named(file) => file.as_file_mut(),
        }
    }

    /// Gives it this name, whatever has had it.
    pub(super) fn take_place_of(self, path: &Path) -> io::Result<()> {
        let named = match self.file {
            // A name that is taken cannot be given, only moved: so it has another one for a moment.
            #[cfg(target_os = "linux")]
            Unfinished::Unnamed(file) => {
                named(&self.folder, |path| link(&file, path))?.into_temp_path()
            }
            Unfinished::Named(file) => file.into_temp_path(),
        };
        named.persist(path).map_err(|error| error.error)
    }
}

fn unfinished(folder: &Path) -> io::Result<Unfinished> {
    #[cfg(target_os = "linux")]
    if let Some(file) = unnamed(folder) {
        return Ok(Unfinished::Unnamed(file));
    }
    hidden(folder).map(Unfinished::Named)
}

/// A file with a name that is shown to nobody who does not ask.
fn hidden(folder: &Path) -> io::Result<NamedTempFile> {
    named(folder, |path| {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    })
}

/// A file without a name; `None` where there is no such thing, or no way to name it afterwards.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(open(folder, flags, Mode::RUSR | Mode::WUSR).ok()?);
    descriptor(&file).exists().then_some(file)
}

/// A path of an open file.
#[cfg(target_os = "linux")]
fn descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Gives a name to an unnamed file.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, descriptor(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// Something that `make` makes under a hidden name that is free.
fn named<R>(
    folder: &Path,
    mut make: impl FnMut(&Path) -> io::Result<R>,
) -> io::Result<NamedTempFile<R>> {
    let mut code = None;
    let make = |path: &Path| make(path).inspect_err(|error| code = error.raw_os_error());
    let made = tempfile::Builder::new().prefix(".firstbyte-").make_in(folder, make);
    // The library's own error tells a name that nobody has given.
    made.map_err(|error| code.map_or(error, io::Error::from_raw_os_error))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn with_a_name_or_without_it_takes_the_place_of_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let named = |folder: &Path| hidden(folder).map(Unfinished::Named);
        for make in [&unfinished as &dyn Fn(&Path) -> _, &named] {
            fs::write(&path, "old").unwrap();
            let file = make(folder.path()).unwrap();
            let mut beside = Beside { folder: folder.path().to_owned(), file };
            beside.as_file_mut().write_all(b"new").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"old");
            beside.take_place_of(&path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }
}
