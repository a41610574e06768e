//! The terminal while it is drawn on, and as it was before.

use std::{
    io::{self, IsTerminal, Read, Write},
    panic,
    sync::{Mutex, PoisonError},
};

use tokio::sync::mpsc;

use crate::exit::Error;

/// Another screen, without a cursor, whose lines end at its edge.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How the terminal was; `None` while nothing has to be restored.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

#[cfg(unix)]
type Before = Option<rustix::termios::Termios>;
#[cfg(not(unix))]
type Before = ();

/// A terminal that is restored when this ends: by its end, or by a panic.
#[derive(Debug)]
pub(super) struct Terminal(());

/// Columns and rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Terminal {
    pub(super) fn enter() -> Result<Self, Error> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // So that the message is on the screen that stays.
            leave();
            before(info);
        }));
        let terminal = Self(());
        enter()?;
        Ok(terminal)
    }

    /// Stops this process, as Ctrl-Z does with others, with the terminal as it was. Returns once it goes on.
    ///
    /// Without a shell around it nobody could make it go on, as in a container: then nothing is done.
    pub(super) fn suspend(&self) -> Result<(), Error> {
        #[cfg(unix)]
        {
            use rustix::process::{Signal, getpid, getppid, getsid, kill_process};
            let session = |pid| getsid(pid).ok();
            if getppid().is_some_and(|parent| session(Some(parent)) == session(None)) {
                leave();
                // It cannot fail for this process itself.
                _ = kill_process(getpid(), Signal::STOP);
                enter()?;
            }
        }
        Ok(())
    }

    /// Draws lines over what is there.
    pub(super) fn draw(&self, lines: impl FnOnce(Size) -> Vec<String>) -> Result<(), Error> {
        let size = terminal_size::terminal_size();
        let size = size.map_or(Size { width: 80, height: 24 }, |(width, height)| Size {
            width: width.0.into(),
            height: height.0.into(),
        });
        let lines = lines(size);
        let lines = &lines[..lines.len().min(size.height)];
        write(&format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n")))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        leave();
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Before>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter() -> Result<(), Error> {
    *lock() = Some(quiet_keys());
    write(ENTER)
}

fn leave() {
    let Some(_before) = lock().take() else { return };
    // The terminal may be gone, and then there is nothing to restore.
    _ = write(LEAVE);
    #[cfg(unix)]
    if let Some(before) = _before {
        use rustix::termios::{OptionalActions, tcsetattr};
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

fn write(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(format!("cannot write to the terminal: {error}")))
}

/// Keys come at once and are not shown; Ctrl-C stays a signal.
fn quiet_keys() -> Before {
    #[cfg(unix)]
    {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok()?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &now);
        Some(before)
    }
}

/// Tells when somebody wants to quit by a key; never, if the input is no terminal.
pub(super) fn quit_keys(is_screen: bool) -> mpsc::Receiver<()> {
    let (tell, keys) = mpsc::channel(1);
    if is_screen && io::stdin().is_terminal() {
        // A read from a terminal cannot be given up, so it is on a thread that nobody waits for.
        std::thread::spawn(move || {
            let mut key = [0];
            while io::stdin().read(&mut key).is_ok_and(|read| read > 0) {
                if matches!(key, [b'q' | b'Q']) && tell.blocking_send(()).is_err() {
                    return;
                }
            }
        });
    }
    keys
}
