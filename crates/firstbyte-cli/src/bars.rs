//! Bars on one axis of time, for a terminal.

use std::{
    ffi::OsStr,
    fmt::{self, Write as _},
    io::{self, IsTerminal},
};

use firstbyte_analysis::{
    report::is_unseen,
    waterfall::{Row, Side},
};
use firstbyte_core::Micros;

/// How it may look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colour: bool,
    /// Columns of the terminal.
    pub(crate) width: usize,
}

/// Columns of the name and the milliseconds.
pub(crate) const LABEL: usize = 28;
const FEWEST_CELLS: usize = 8;
const MOST_CELLS: usize = 60;

const CLIENT: &str = "36";
const SERVER: &str = "33";
const RESIDUAL: &str = "90";

impl Style {
    /// That of the standard output.
    pub(crate) fn of_stdout() -> Self {
        let variable = |name| std::env::var_os(name).unwrap_or_default();
        let colour = io::stdout().is_terminal()
            && may_have_colours(&variable("NO_COLOR"), &variable("TERM"));
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into());
        Self { colour, width }
    }
}

/// An empty `NO_COLOR` says nothing (<https://no-color.org>).
fn may_have_colours(no_color: &OsStr, term: &OsStr) -> bool {
    no_color.is_empty() && term != "dumb"
}

/// Writes the rows on an axis from 0 to `wall`.
pub(crate) fn write(rows: &[Row], wall: Micros, style: &Style, out: &mut String) -> fmt::Result {
    let cells = style.width.saturating_sub(LABEL + 1).clamp(FEWEST_CELLS, MOST_CELLS);
    let wall = wall.0.max(1) as f64;
    let cell = |at: Micros| ((at.0 as f64 / wall * cells as f64).round() as usize).min(cells);
    for row in rows {
        let (from, to) = (cell(row.start), cell(row.start + row.length));
        let drawn = if to > from { "█".repeat(to - from) } else { "▏".to_owned() };
        let name = "  ".repeat(row.depth.into()) + row.name;
        write!(out, "{name:<14}{:>10} ms ", row.length)?;
        // A short last phase still shows inside the axis.
        let pad = " ".repeat(from.min(cells - 1));
        match style.colour {
            true => writeln!(out, "{pad}\x1b[{}m{drawn}\x1b[0m", colour(row.side))?,
            false => writeln!(out, "{pad}{drawn}")?,
        }
    }
    Ok(())
}

const fn colour(side: Side) -> &'static str {
    match side {
        Side::Client => CLIENT,
        Side::Server => SERVER,
        _ => RESIDUAL,
    }
}

/// A bar's piece in the colour of its side, where there are colours.
pub(crate) fn painted(piece: &str, side: Side, style: &Style) -> String {
    if style.colour { format!("\x1b[{}m{piece}\x1b[0m", colour(side)) } else { piece.to_owned() }
}

/// Text of a log as one can show it: nothing that a terminal could take for a command.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_narrow_bars() {
        let line = b"[weights][00f067aa0ba902b7] client.done wall_ms=1.0 pool_ms=0.1 wait_ms=0.9\n";
        let log = firstbyte_analysis::Log::from_bytes(line);
        let rows = firstbyte_analysis::waterfall::rows(&log.calls().next().unwrap());
        let mut out = String::new();
        write(&rows[1..], Micros(1000), &Style { colour: false, width: 20 }, &mut out).unwrap();
        assert!(out.trim_end().chars().count() <= LABEL + FEWEST_CELLS, "{out}");
    }

    #[test]
    fn colours_can_be_refused() {
        let colours =
            |no_color: &str, term: &str| may_have_colours(no_color.as_ref(), term.as_ref());
        assert!(colours("", "xterm") && colours("", ""));
        assert!(!colours("1", "xterm") && !colours("", "dumb"));
    }

    #[test]
    fn text_cannot_command_the_terminal() {
        assert_eq!(plain("a\x1b[2J\u{9b}b"), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(plain("a\u{202e}b\u{2028}c"), "a\u{fffd}b\u{fffd}c");
    }
}
