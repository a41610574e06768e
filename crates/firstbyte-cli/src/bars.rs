//! Bars on one axis of time, for a terminal.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal},
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

pub(crate) const CLIENT: &str = "36";
pub(crate) const SERVER: &str = "33";
pub(crate) const UNKNOWN: &str = "90";

/// A row of a waterfall.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    /// Whether it is a part of the row before.
    pub(crate) inner: bool,
    pub(crate) start: Micros,
    pub(crate) length: Micros,
    pub(crate) colour: &'static str,
}

impl Style {
    /// That of the standard output.
    pub(crate) fn of_stdout() -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into());
        Self { colour, width }
    }
}

/// Writes the rows on an axis from 0 to `wall`.
pub(crate) fn write(bars: &[Bar], wall: Micros, style: &Style, out: &mut String) -> fmt::Result {
    let cells = style.width.saturating_sub(LABEL + 1).clamp(FEWEST_CELLS, MOST_CELLS);
    let wall = wall.0.max(1) as f64;
    let cell = |at: Micros| ((at.0 as f64 / wall * cells as f64).round() as usize).min(cells);
    for bar in bars {
        let (from, to) = (cell(bar.start), cell(bar.start + bar.length));
        let drawn = if to > from { "█".repeat(to - from) } else { "▏".to_owned() };
        let indent = if bar.inner { "  " } else { "" };
        let name = format!("{indent}{}", bar.name);
        write!(out, "{name:<14}{:>10} ms ", bar.length)?;
        // A short last phase still shows inside the axis.
        let pad = " ".repeat(from.min(cells - 1));
        match style.colour {
            true => writeln!(out, "{pad}\x1b[{}m{drawn}\x1b[0m", bar.colour)?,
            false => writeln!(out, "{pad}{drawn}")?,
        }
    }
    Ok(())
}

/// Text of a log as one can show it: nothing that a terminal could take for a command.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_narrow_bars() {
        let bar = Bar {
            name: "wait",
            inner: false,
            start: Micros(100),
            length: Micros(900),
            colour: CLIENT,
        };
        let mut out = String::new();
        write(&[bar], Micros(1000), &Style { colour: false, width: 20 }, &mut out).unwrap();
        assert!(out.trim_end().chars().count() <= LABEL + FEWEST_CELLS, "{out}");
    }

    #[test]
    fn text_cannot_command_the_terminal() {
        assert_eq!(plain("a\x1b[2J\u{9b}b"), "a\u{fffd}[2J\u{fffd}b");
    }
}
