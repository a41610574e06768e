//! The same call to many servers at once.

use std::{collections::HashSet, fmt};

use firstbyte_core::{Clock, Micros, Timestamp};
use futures_util::future::join_all;

use crate::{
    admin::{AdminClient, AdminResponse},
    error::ClientError,
};

/// One client per server.
///
/// ```
/// use firstbyte_client::{AdminClient, AdminFleet, Outcome};
/// use firstbyte_core::Recorder;
/// # use firstbyte_testkit::{Script, ScriptedServer, response};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), firstbyte_client::ClientError> {
/// # let script = Script::new().read_request().write(response(200, &[], ""));
/// # let (a, b) = (ScriptedServer::start(script.clone()).await, ScriptedServer::start(script).await);
/// # let urls = [a.url(""), b.url("")];
/// let clients = urls
///     .iter()
///     .map(|url| AdminClient::builder(Recorder::disabled()).base_url(url).build())
///     .collect::<Result<Vec<_>, _>>()?;
/// let fleet = AdminFleet::new(clients)?;
/// let result = fleet.each(|client| client.post("/update_weights").send()).await;
/// assert!(result.targets.iter().all(|target| target.outcome == Outcome::Done));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AdminFleet {
    clients: Vec<AdminClient>,
}

/// What became of a call on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Answered with 2xx.
    Done,
    /// Answered otherwise, or with a body that is too large.
    Failed,
    /// Request bytes were accepted and no whole answer came back.
    Unknown,
    /// No request byte was accepted; also when the call was refused here.
    NotSent,
}

/// What became of a call on all servers.
#[derive(Debug)]
#[non_exhaustive]
pub struct FanOut {
    /// In the order of the fleet.
    pub targets: Vec<TargetResult>,
    /// From the start of the fan-out to the end of the last call.
    pub wall: Micros,
}

/// What became of a call on one server of a fan-out.
#[derive(Debug)]
#[non_exhaustive]
pub struct TargetResult {
    /// The server, as [`AdminClient::target`] names it.
    pub target: String,
    /// The result in one word.
    pub outcome: Outcome,
    /// The result.
    pub result: Result<AdminResponse, ClientError>,
    /// From the start of the fan-out to the end of this call, all attempts included.
    pub wall: Micros,
    /// From the end of this call to the end of the slowest one: how long this server waited for
    /// the others, if nothing may go on before all are done.
    pub waited: Micros,
}

impl AdminFleet {
    /// A fleet of these clients.
    ///
    /// # Errors
    ///
    /// A [config error](ClientError::is_config) if two of them have the same target: each server
    /// takes one operation at a time.
    pub fn new(clients: impl IntoIterator<Item = AdminClient>) -> Result<Self, ClientError> {
        let clients: Vec<_> = clients.into_iter().collect();
        let mut targets = HashSet::new();
        match clients.iter().find(|client| !targets.insert(client.target())) {
            None => Ok(Self { clients }),
            Some(twice) => {
                let message =
                    format!("two clients of the fleet have the target {}", twice.target());
                Err(ClientError::config(message))
            }
        }
    }

    /// The clients, in the order of the results.
    #[must_use]
    pub fn clients(&self) -> &[AdminClient] {
        &self.clients
    }

    /// Makes a call on every server at the same time, and waits for all of them.
    ///
    /// A server that is stuck keeps the result waiting until one of the call's clocks runs out;
    /// meanwhile `client.waiting` tells which one it is. Dropping the future cancels all calls.
    pub async fn each<F, Fut>(&self, call: F) -> FanOut
    where
        F: Fn(AdminClient) -> Fut,
        Fut: Future<Output = Result<AdminResponse, ClientError>>,
    {
        self.each_since(Clock::system().now(), call).await
    }

    /// The same for a fan-out that began at `start`, a moment of [`Clock::system`]: where it is handed to another thread, or
    /// where its requests take time to be made.
    pub async fn each_since<F, Fut>(&self, start: Timestamp, call: F) -> FanOut
    where
        F: Fn(AdminClient) -> Fut,
        Fut: Future<Output = Result<AdminResponse, ClientError>>,
    {
        let clock = Clock::system();
        let calls = self.clients.iter().map(|client| {
            let call = call(client.clone());
            let clock = &clock;
            async move {
                let result = call.await;
                let wall = Micros::from(clock.now().since(start));
                let target = client.target().to_owned();
                let outcome = Outcome::of(&result);
                TargetResult { target, outcome, result, wall, waited: Micros(0) }
            }
        });
        let mut targets = join_all(calls).await;
        let wall = targets.iter().map(|target| target.wall).max().unwrap_or_default();
        for target in &mut targets {
            target.waited = wall - target.wall;
        }
        FanOut { targets, wall }
    }
}

impl FanOut {
    /// The server that the others waited for; `None` for an empty fleet.
    #[must_use]
    pub fn slowest(&self) -> Option<&TargetResult> {
        self.targets.iter().max_by_key(|target| target.wall)
    }

    /// How many servers ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.targets.iter().filter(|target| target.outcome == outcome).count()
    }
}

impl Outcome {
    /// The outcome of a call.
    #[must_use]
    pub fn of(result: &Result<AdminResponse, ClientError>) -> Self {
        match result {
            Ok(response) if response.status.is_success() => Self::Done,
            Err(error) if error.is_outcome_unknown() => Self::Unknown,
            Err(error) if error.is_not_sent() || error.is_overlap() || error.is_config() => {
                Self::NotSent
            }
            _ => Self::Failed,
        }
    }

    /// The outcome as a word: `done`, `failed`, `unknown`, `not_sent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
