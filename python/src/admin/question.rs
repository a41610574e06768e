//! A call whose outcome is unknown asks its probe, which is Python and runs where the caller waits.

use std::sync::{Arc, Mutex, PoisonError};

use firstbyte_client::{AdminRequest, Probed};
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

/// Hands a question on to who waits for the call.
pub(super) type Asks = Arc<dyn Fn(Answer) + Send + Sync>;

/// A call that asks whether it happened, when its outcome is unknown.
pub(super) fn probed(request: AdminRequest, asks: Asks) -> AdminRequest {
    request.probe(move |_| {
        let asks = Arc::clone(&asks);
        async move {
            let (answer, answered) = oneshot::channel();
            asks(answer);
            answered.await.unwrap_or(Probed::Unclear)
        }
    })
}
