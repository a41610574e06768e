//! A call whose outcome is unknown asks its probe, which is Python and runs where the caller waits.

use std::sync::{Mutex, PoisonError};

use firstbyte_client::Probed;
use pyo3::prelude::*;
use tokio::sync::oneshot;

use super::response::NativeResponse;

/// Where the answer goes. Without one, the outcome stays unknown.
pub(super) type Answer = oneshot::Sender<Probed>;

/// Did it happen? To be answered once.
#[pyclass(frozen, module = "firstbyte._firstbyte")]
pub(crate) struct Question(Mutex<Option<Answer>>);

impl Question {
    pub(super) fn new(answer: Answer) -> Self {
        Self(Mutex::new(Some(answer)))
    }

    fn answer(&self, probed: Probed) {
        if let Some(answer) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Whoever asked may have been given up.
            _ = answer.send(probed);
        }
    }
}

#[pymethods]
impl Question {
    /// It did: this is the call's response.
    fn applied(&self, response: &NativeResponse) {
        self.answer(Probed::Applied(response.response()));
    }

    /// It did not, and will not: the call is sent again.
    fn not_applied(&self) {
        self.answer(Probed::NotApplied);
    }

    /// It cannot be told.
    fn unclear(&self) {
        self.answer(Probed::Unclear);
    }
}

/// What a probe is that hands its question on to Python.
pub(super) async fn ask(hand_on: impl FnOnce(Answer)) -> Probed {
    let (answer, answered) = oneshot::channel();
    hand_on(answer);
    answered.await.unwrap_or(Probed::Unclear)
}
