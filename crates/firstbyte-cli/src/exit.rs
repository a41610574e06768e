//! How the program ends.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use firstbyte_core::Recorder;

use crate::bars::plain;

/// The exit codes, with what is said of being interrupted.
macro_rules! codes {
    ($interrupted:literal) => {
        concat!(
            "Exit codes:
  0    ok
  1    it failed: no answer, a bad answer, no such call, a file that cannot be read or written; of several logs the others
       are read, and what they say is printed
  2    wrong usage
  3    demo: a verdict did not name the phase at fault
  4    the answer is no: worse (compare), a criterion not met (check), a wrong claim (claims)
  5    it cannot be told: a criterion is open (check), nothing can be compared (compare)
",
            $interrupted
        )
    };
}

/// The exit codes, as the `--help` of commands shows them that a signal ends.
pub(crate) const HELP: &str = codes!("  130  interrupted by Ctrl-C, as a shell shows it");

/// Those of commands that print what they have when they are told to stop.
pub(crate) const HELP_PRINTED: &str =
    codes!("  130  interrupted by Ctrl-C or SIGTERM; what was measured until then is printed");

/// Those of a command that runs until it is told to stop.
pub(crate) const HELP_ENDLESS: &str =
    codes!("\nCtrl-C and SIGTERM end it as they should: 0, not 130.");

/// A way to end that is not an error of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    Failed,
    NotNamed,
    No,
    CannotTell,
    Interrupted,
}

/// Why it cannot go on; the message says what to do.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    usage: bool,
}

impl Error {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), usage: false }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), usage: true }
    }
}

/// Prints an error, and turns every end into its code.
pub(crate) fn report(result: Result<Exit, Error>) -> u8 {
    match result {
        Ok(Exit::Ok) => 0,
        Ok(Exit::Failed) => 1,
        Ok(Exit::NotNamed) => 3,
        Ok(Exit::No) => 4,
        Ok(Exit::CannotTell) => 5,
        Ok(Exit::Interrupted) => 130,
        Err(error) => {
            // There is no one left to tell if this fails.
            _ = writeln!(io::stderr(), "firstbyte: {}", plain_lines(&error.message));
            if error.usage { 2 } else { 1 }
        }
    }
}

/// A message as one can show it: names and texts of others can stand in it, and what it quotes can have several lines.
fn plain_lines(message: &str) -> String {
    message.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Shuts a recorder down. Events that it could not write are an error, unless there is another one.
pub(crate) fn close(recorder: &Recorder, result: Result<Exit, Error>) -> Result<Exit, Error> {
    let lost = recorder.shutdown(Duration::from_secs(1)).dropped();
    match result {
        Ok(_) if lost > 0 => Err(Error::new(format!(
            "events that were not written to the log: {lost}; is its disk full, or its pipe unread?"
        ))),
        result => result,
    }
}

/// Who reads the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Reads,
    /// It has seen enough, as `head` does: there is nobody left to work for.
    Gone,
}

/// Writes a result to the standard output. That its reader is gone is no error.
pub(crate) fn print(text: impl fmt::Display) -> Result<(), Error> {
    print_one_of_many(text).map(drop)
}

/// Writes one of many results, and tells whether anybody waits for the next one.
pub(crate) fn print_one_of_many(text: impl fmt::Display) -> Result<Reader, Error> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Reads),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(e) => Err(Error::new(format!("cannot write the result: {e}"))),
    }
}

/// Asks without writing anything; where it cannot be asked, somebody reads.
pub(crate) fn reader() -> Reader {
    #[cfg(unix)]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let out = io::stdout();
        let mut asked = [PollFd::new(&out, PollFlags::empty())];
        let answered = poll(&mut asked, Some(&Timespec::default()));
        let gone = PollFlags::ERR | PollFlags::HUP;
        if answered.is_ok() && asked[0].revents().intersects(gone) {
            return Reader::Gone;
        }
    }
    Reader::Reads
}
