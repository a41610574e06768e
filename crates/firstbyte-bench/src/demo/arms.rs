//! Reloads without load, then interleaved under load by three kinds of client.

use std::time::Duration;

use firstbyte_client::{AdminClient, ConnectionMode, HyperTransport};
use firstbyte_core::{Split, Timestamp};
use serde_json::json;

use super::{
    Demo, DemoError,
    report::{IDLE, KEEP_ALIVE, ONE_SHOT, Report, SHARED},
};
use crate::load::{StreamLoad, Tally};

/// How often it is looked whether the streams are open.
const LOOK: Duration = Duration::from_millis(100);

impl Demo<'_> {
    /// All arms, with the streams that they need.
    pub(super) async fn measure_arms(&self, report: &mut Report) -> Result<(), DemoError> {
        let shared = HyperTransport::builder()
            .connection_mode(ConnectionMode::KeepAlive { max_connections: self.options.pool })
            .build()?;
        let kept = HyperTransport::builder()
            .connection_mode(ConnectionMode::KeepAlive { max_connections: 1 })
            .build()?;
        let one_shot = HyperTransport::builder().build()?;
        let clients = [
            (SHARED, self.client(shared.clone(), self.mock)?),
            (KEEP_ALIVE, self.client(kept, self.mock)?),
            (ONE_SHOT, self.client(one_shot, self.mock)?),
        ];

        // The first call of a client opens connections and warms caches; nobody is interested.
        for (name, client) in &clients {
            self.say(format!("warm-up: {name}"));
            log_queue(report, self.reload(client).await?);
        }
        for round in 1..=self.options.rounds {
            self.say(format!("{IDLE}: reload {round} of {}", self.options.rounds));
            let split = self.reload(&clients[0].1).await?;
            keep(report, IDLE, split);
        }

        let load = StreamLoad::start(&shared.client(), &self.stream_config(), &self.recorder)
            .map_err(DemoError::new)?;
        let result = self.measure_under_load(report, &clients, load.tally()).await;
        report.completions = (load.tally().completions(), load.tally().errors());
        load.stop().await;
        result
    }

    async fn measure_under_load(
        &self,
        report: &mut Report,
        clients: &[(&'static str, AdminClient)],
        tally: &Tally,
    ) -> Result<(), DemoError> {
        let slots = self.options.pool.min(self.options.streams);
        // A stream or two may be between two completions.
        let enough = i64::try_from(slots * 9 / 10).unwrap_or(i64::MAX).max(1);
        while tally.open() < enough {
            self.say(format!("load: {} of {slots} streams", tally.open()));
            if tally.errors() > self.options.streams as u64 {
                return Err(DemoError::new("the streams fail; see server.log"));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.rest(report, tally).await;
        for round in 0..self.options.rounds {
            // Another order in every round, so that none of them always comes first.
            for turn in 0..clients.len() {
                let (name, client) = &clients[(round + turn) % clients.len()];
                self.say(format!("round {} of {}: {name}", round + 1, self.options.rounds));
                let (tokens, start) = (tally.tokens(), self.now());
                let split = self.reload(client).await?;
                let seconds = self.now().since(start).as_secs_f64();
                keep(report, name, split);
                if let Some(arm) = report.arm_mut(name) {
                    arm.rate.add(tally.tokens() - tokens, seconds);
                }
            }
            report.completions = (tally.completions(), tally.errors());
        }
        self.rest(report, tally).await;
        Ok(())
    }

    /// Measures the token rate while no control call goes on.
    async fn rest(&self, report: &mut Report, tally: &Tally) {
        self.say("token rate without control calls".into());
        let (tokens, start) = (tally.tokens(), self.now());
        tokio::time::sleep(Duration::from_secs_f64(self.options.quiet_seconds)).await;
        report.quiet.add(tally.tokens() - tokens, self.now().since(start).as_secs_f64());
    }

    /// One traced reload of the weights.
    pub(super) async fn reload(&self, client: &AdminClient) -> Result<Split, DemoError> {
        let answer = client.post("/reload_weights").json(&json!({})).send().await?;
        Ok(answer.error_for_status()?.split)
    }

    fn now(&self) -> Timestamp {
        self.recorder.clock().now()
    }
}

fn keep(report: &mut Report, name: &str, split: Split) {
    log_queue(report, split);
    if let Some(arm) = report.arm_mut(name) {
        arm.calls.push(split);
    }
}

fn log_queue(report: &mut Report, split: Split) {
    report.logged_queue_ms.extend(split.queue().map(|queue| queue.as_millis_f64()));
}
