//! Requests in progress, without a coroutine of ours around them.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pyo3::{prelude::*, types::PyWeakrefReference};

/// The coroutines of the application that are alive: each is held by whoever awaits it, and by nobody
/// else, so that it goes when its request ends, however that happens.
///
/// A weak reference tells when. It costs nothing while the request runs, which a coroutine around it
/// would: one more resumption for every chunk.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<Alive>>);

type Alive = HashMap<usize, Py<PyWeakrefReference>, BuildHasherDefault<ByAddress>>;

impl InFlight {
    /// Counts this coroutine until it is gone. An error if it is nothing that can be watched so.
    #[inline]
    pub(crate) fn enter(
        &self,
        coroutine: &Bound<'_, PyAny>,
        leave: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let watch = PyWeakrefReference::new_with(coroutine, leave)?;
        self.alive().insert(watch.as_ptr() as usize, watch.unbind());
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.alive().len()
    }

    /// Tells the applications of a process apart.
    pub(crate) fn app(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    fn alive(&self) -> MutexGuard<'_, Alive> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What weak references call when their coroutine goes.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct Leaving(pub(crate) InFlight);

#[pymethods]
impl Leaving {
    fn left(&self, watch: &Bound<'_, PyAny>) {
        let gone = self.0.alive().remove(&(watch.as_ptr() as usize));
        drop(gone);
    }
}

/// An address needs no hashing beyond taking its alignment away.
#[derive(Debug, Default)]
struct ByAddress(u64);

impl Hasher for ByAddress {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
