//! The route table of this process.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use firstbyte_core::{RouteTable, Tag};
use pyo3::prelude::*;

use crate::convert::config_error;

/// Never locked while Python code runs: see `process`.
static TABLE: Mutex<Option<Arc<RouteTable>>> = Mutex::new(None);

/// The built-in routes, and those of the file that `FIRSTBYTE_ROUTES` names.
pub(crate) fn table(py: Python<'_>) -> PyResult<Arc<RouteTable>> {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(table) = &*table {
        return Ok(Arc::clone(table));
    }
    let made = RouteTable::from_env().map(Arc::new);
    if let Ok(made) = &made {
        *table = Some(Arc::clone(made));
    }
    drop(table);
    made.map_err(|error| config_error(py, &format!("FIRSTBYTE_ROUTES: {error}")))
}

/// The same, extended by the routes of a file.
pub(crate) fn table_with(py: Python<'_>, file: Option<PathBuf>) -> PyResult<Arc<RouteTable>> {
    let table = table(py)?;
    let Some(file) = file else { return Ok(table) };
    let mut table = (*table).clone();
    table.extend_from_file(&file).map_err(|error| config_error(py, &error.to_string()))?;
    Ok(Arc::new(table))
}

/// The operation of a request and whether it belongs to the weight-update family, if it is a control call.
#[pyfunction]
pub(crate) fn find_route(
    py: Python<'_>,
    method: &str,
    path: &str,
) -> PyResult<Option<(String, bool)>> {
    let table = table(py)?;
    let route = table.find(method, path);
    Ok(route.map(|route| (route.operation.to_string(), route.tag == Tag::Weights)))
}
