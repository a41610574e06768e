//! One fault at a time, injected on real sockets, and the split of the calls that meet it.

use std::{net::SocketAddr, time::Duration};

use firstbyte_client::{AdminClient, ConnectionMode, HyperTransport};
use serde_json::{Value, json};

use super::{
    Demo, DemoError,
    report::{FaultRow, Report},
};
use crate::{
    breakdown::Part,
    load::{StreamConfig, StreamLoad},
    relay::Relay,
};

/// A fault that a demo injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Injected {
    /// Streams hold all connections of a small pool.
    Pool,
    /// The listen backlog is full.
    Connect,
    /// The way to the server and back is slow.
    Network,
    /// The server accepts late.
    LateAccept,
    /// The server's event loop stands still.
    BlockedLoop,
    /// The server's handler waits before it calls the engine.
    Handler,
    /// The engine is slow.
    Engine,
}

impl Injected {
    /// All faults, from the client to the engine.
    pub const ALL: [Self; 7] = [
        Self::Pool,
        Self::Connect,
        Self::Network,
        Self::LateAccept,
        Self::BlockedLoop,
        Self::Handler,
        Self::Engine,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Connect => "connect",
            Self::Network => "network",
            Self::LateAccept => "late accept",
            Self::BlockedLoop => "blocked loop",
            Self::Handler => "server handler",
            Self::Engine => "engine",
        }
    }

    /// The part of the wall time that it must show up in.
    ///
    /// Off Linux the kernel's part is unknown, and with it the network's.
    #[must_use]
    pub const fn part(self) -> Part {
        match self {
            Self::Pool => Part::Pool,
            Self::Connect => Part::Connect,
            Self::Handler => Part::Handler,
            Self::Engine => Part::Rpc,
            Self::Network if cfg!(target_os = "linux") => Part::Network,
            Self::LateAccept | Self::BlockedLoop if cfg!(target_os = "linux") => Part::Kernel,
            Self::Network | Self::LateAccept | Self::BlockedLoop => Part::Unattributed,
        }
    }
}

impl Demo<'_> {
    /// Every fault in turn, without load but for the pool's own streams.
    pub(super) async fn inject_all(&self, report: &mut Report) -> Result<(), DemoError> {
        let calls = self.options.fault_calls;
        for injected in Injected::ALL.into_iter().filter(|_| calls > 0) {
            self.say(format!("fault: {}", injected.as_str()));
            let row = FaultRow { injected, what: self.describe(injected), calls: Vec::new() };
            report.faults.push(row);
            for _ in 0..calls {
                let split = self.inject(injected).await?;
                report.logged_queue_ms.extend(split.queue().map(|queue| queue.as_millis_f64()));
                if let Some(row) = report.faults.last_mut() {
                    row.calls.push(split);
                }
            }
        }
        Ok(())
    }

    async fn inject(&self, injected: Injected) -> Result<firstbyte_core::Split, DemoError> {
        let delay = self.delay();
        match injected {
            Injected::Pool => self.call_with_a_full_pool().await,
            Injected::Connect => {
                let relay = Relay::full_backlog(self.mock, delay).await?;
                self.call_once(relay.addr()).await
            }
            Injected::Network => {
                let relay = Relay::slow(self.mock, delay / 2).await?;
                self.call_once(relay.addr()).await
            }
            Injected::LateAccept => {
                self.call_with(json!({"late_accept_ms": millis(delay)}), Duration::ZERO).await
            }
            Injected::BlockedLoop => {
                // A standstill begins with the change; the call comes when it is well under way.
                let block = millis(delay) + millis(LEAD);
                let faults = json!({"block_loop_ms": block, "block_loop_every_ms": block + 10_000});
                self.call_with(faults, LEAD).await
            }
            Injected::Handler => {
                self.call_with(json!({"handler_queue_ms": millis(delay)}), Duration::ZERO).await
            }
            Injected::Engine => {
                self.call_with(json!({"engine_ms": self.engine_ms()}), Duration::ZERO).await
            }
        }
    }

    /// One call while streams hold every connection of its client.
    async fn call_with_a_full_pool(&self) -> Result<firstbyte_core::Split, DemoError> {
        const SLOTS: usize = 2;
        let mode = ConnectionMode::KeepAlive { max_connections: SLOTS };
        let transport = HyperTransport::builder().connection_mode(mode).build()?;
        // Each stream takes as long as the fault is meant to, and the call is next in line.
        let config = StreamConfig {
            streams: SLOTS,
            slots: SLOTS,
            max_tokens: self.options.tokens(self.delay().as_secs_f64()),
            staggered: false,
            ..self.stream_config()
        };
        let load = StreamLoad::start(&transport.client(), &config, &self.recorder)
            .map_err(DemoError::new)?;
        load.tally().wait_for_open(SLOTS).await;
        let split = self.reload(&self.client(transport, self.mock)?).await;
        load.stop().await;
        split
    }

    /// One call with a fault of the mock, which is taken away again; `lead` passes in between.
    async fn call_with(
        &self,
        faults: Value,
        lead: Duration,
    ) -> Result<firstbyte_core::Split, DemoError> {
        self.set_faults(&faults).await?;
        tokio::time::sleep(lead).await;
        let split = self.call_once(self.mock).await;
        let none = json!({"late_accept_ms": 0, "block_loop_ms": 0, "block_loop_every_ms": 1000,
                          "handler_queue_ms": 0, "engine_ms": 0});
        self.set_faults(&none).await?;
        split
    }

    async fn call_once(&self, addr: SocketAddr) -> Result<firstbyte_core::Split, DemoError> {
        self.reload(&self.client(HyperTransport::builder().build()?, addr)?).await
    }

    async fn set_faults(&self, faults: &Value) -> Result<(), DemoError> {
        let client = AdminClient::builder(firstbyte_core::Recorder::disabled())
            .base_url(format!("http://{}", self.mock))
            .build()?;
        client.post("/mock/faults").json(faults).send().await?.error_for_status()?;
        Ok(())
    }

    /// How long the faults of the queue last: clearly more than what counts as slow.
    fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.options.thresholds.queue_ms * 2.0 / 1e3)
    }

    fn engine_ms(&self) -> u64 {
        (self.options.thresholds.rpc_ms * 1.5) as u64
    }

    fn describe(&self, injected: Injected) -> String {
        let delay = millis(self.delay());
        match injected {
            Injected::Pool => format!("2 of 2 connections busy for {delay} ms"),
            Injected::Connect => "listen backlog full: SYN dropped".into(),
            Injected::Network => format!("relay, {} ms each way", delay / 2),
            Injected::LateAccept => format!("accept {delay} ms late"),
            Injected::BlockedLoop => format!("event loop stands still {delay} ms"),
            Injected::Handler => format!("handler waits {delay} ms"),
            Injected::Engine => format!("engine {} ms slower", self.engine_ms()),
        }
    }
}

/// Enough for the mock to begin to stand still.
const LEAD: Duration = Duration::from_millis(50);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
