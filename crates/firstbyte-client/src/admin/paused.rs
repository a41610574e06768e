//! Work between a pause and a resume that is always tried.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::{runtime::Handle, task::JoinHandle};

use super::{AdminClient, AdminRequest, AdminResponse};
use crate::{error::ClientError, policy::Overlapping};

/// The clock of a resume that has none of its own.
const RESUME_WITHIN: Duration = Duration::from_secs(60);

/// What came of [`AdminClient::paused`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Paused<T> {
    /// The response to the pause.
    pub pause: AdminResponse,
    /// What the work returned.
    pub work: T,
    /// What came of the resume: look at it even if the work went well.
    pub resume: Result<AdminResponse, ClientError>,
}

impl AdminClient {
    /// Pauses the server, does `work`, and resumes the server, whatever became of the work.
    ///
    /// The resume is tried when the work fails, when it panics (the panic goes on afterwards), when
    /// the pause may have happened without an answer, and when this future is dropped before its
    /// end. It runs as a task of the runtime, so that dropping does not stop it: only the end of
    /// the runtime does. Without a time-out of its own it gets one of 60 s. It may overlap with
    /// the work's calls.
    ///
    /// # Errors
    ///
    /// The pause failed, or was answered with a status other than 2xx; the work was not begun. A
    /// [config error](ClientError::is_config) if one of the two can never be sent; then neither was.
    ///
    /// # Panics
    ///
    /// If the work panics.
    ///
    /// ```
    /// # use firstbyte_client::{AdminClient, ClientError};
    /// # async fn update(client: AdminClient) -> Result<(), ClientError> {
    /// let paused = client
    ///     .paused(client.post("/pause"), client.post("/resume"), async |client| {
    ///         client.post("/update_weights").send().await?.error_for_status()
    ///     })
    ///     .await?;
    /// paused.resume?.error_for_status()?;
    /// paused.work?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn paused<T, F, Fut>(
        &self,
        pause: AdminRequest,
        resume: AdminRequest,
        work: F,
    ) -> Result<Paused<T>, ClientError>
    where
        F: FnOnce(Self) -> Fut,
        Fut: Future<Output = T>,
    {
        pause.check()?;
        // A resume that can never be sent would leave the server paused.
        resume.check()?;
        let mut resume = Resume::armed(resume);
        let pause = match pause.send().await.and_then(AdminResponse::error_for_status) {
            Ok(pause) => pause,
            Err(error) => {
                if error.is_not_sent() || error.is_overlap() || error.is_config() {
                    resume.disarm();
                } else {
                    _ = resume.finish().await;
                }
                return Err(error);
            }
        };
        let client = self.clone();
        let work = AssertUnwindSafe(async move { work(client).await }).catch_unwind().await;
        let resume = resume.finish().await;
        match work {
            Ok(work) => Ok(Paused { pause, work, resume }),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

type Resumed = Result<AdminResponse, ClientError>;

/// Sends the resume when it is dropped, unless it was finished or disarmed.
struct Resume {
    request: Option<AdminRequest>,
    runtime: Handle,
}

impl Resume {
    fn armed(mut request: AdminRequest) -> Self {
        request.overlapping = Overlapping::Bypassing;
        request.timeout = request.timeout.or(Some(RESUME_WITHIN));
        Self { request: Some(request), runtime: Handle::current() }
    }

    fn disarm(&mut self) {
        self.request = None;
    }

    fn start(&mut self) -> Option<JoinHandle<Resumed>> {
        self.request.take().map(|request| self.runtime.spawn(request.send()))
    }

    async fn finish(mut self) -> Resumed {
        let gone = || ClientError::config("the runtime ended before the resume was sent");
        match self.start() {
            Some(task) => task.await.unwrap_or_else(|_| Err(gone())),
            None => Err(gone()),
        }
    }
}

impl Drop for Resume {
    fn drop(&mut self) {
        self.start();
    }
}
