//! The `firstbyte` command of the wheel.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command with these arguments and returns its exit code; `program` starts it once more.
///
/// Ctrl-C is the command's own: whoever calls it has taken Python's handler away.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, program: Vec<OsString>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| firstbyte_cli::run(program, arguments))
}
