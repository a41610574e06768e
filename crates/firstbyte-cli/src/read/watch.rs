//! `firstbyte watch`: what is going on, from logs that are being written.

mod lines;
mod screen;
mod terminal;

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use firstbyte_analysis::{
    diagnose::{Rules, Thresholds},
    ingest::inputs,
    live::{Finished, Follow, Live},
};
use firstbyte_core::{Clock, Timestamp};

use self::terminal::Terminal;
use super::diagnose::Judging;
use crate::{
    bars::plain,
    call::seconds,
    exit::{self, Error, Exit},
    signal,
};

const EXAMPLES: &str = "Examples:
  firstbyte watch orchestrator.log server.log
  firstbyte watch --model large 'logs/*.log'
  firstbyte watch run.log | grep target=vllm-1
  firstbyte watch run.log --json --for 600 | jq 'select(.wall > 1000)'

Files are followed by their names: one that is rotated, cut or not there yet is read on. Of one that is there, the last \
4 MiB are read first. On a terminal there is a view that is drawn anew, and q quits; elsewhere, and with --json, a line \
for each call, an interval after its end, so that the server's lines can be there; notices go to the standard error. \
What is wrong now is of the calls that ended within the last 10 minutes of the log; what was wrong before has its age.";

/// Follows logs that are being written: calls in progress, the last calls, and what is wrong now
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP_PRINTED))]
pub(crate) struct Args {
    /// Logs: text and JSON lines in any mix and with any prefix; a pattern is what it matches at the start
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Look for new lines after so long
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// Stop after so long [default: never]
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    length: Option<Duration>,
    /// So many calls are kept; all numbers are of these
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    calls: usize,
    #[command(flatten)]
    judging: Judging,
    /// Print one JSON object for each call; durations in milliseconds
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let (rules, thresholds) = args.judging.rules()?;
    let inputs = inputs(&args.logs).map_err(Error::usage)?;
    let follow = Follow::new(inputs.iter().map(|input| input.path().to_owned()).collect())
        .map_err(Error::usage)?;
    let live = Live::new(follow.names(), args.calls);
    let is_screen = io::stdout().is_terminal() && !args.json;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::new)?;
    let watch = Watch {
        follow,
        live,
        rules,
        thresholds,
        json: args.json,
        terminal: None,
        clock: Clock::system(),
        rate: Rate::default(),
        notices: Vec::new(),
        earlier: 0,
    };
    runtime.block_on(watch.run(is_screen, args.interval, args.length))
}

struct Watch {
    follow: Follow,
    live: Live,
    rules: Rules,
    thresholds: Thresholds,
    json: bool,
    terminal: Option<Terminal>,
    clock: Clock,
    rate: Rate,
    /// The last ones, the last of all last, and how many were before these.
    notices: Vec<String>,
    earlier: usize,
}

/// Lines per second since the last look.
#[derive(Default)]
struct Rate {
    before: Option<(Timestamp, u64)>,
    per_second: Option<f64>,
}

impl Watch {
    async fn run(
        mut self,
        is_screen: bool,
        interval: Duration,
        length: Option<Duration>,
    ) -> Result<Exit, Error> {
        // Before the terminal is another one: what ended the process now would leave it so.
        let (mut stops, mut suspensions) = match is_screen {
            true => (signal::stops_at_a_terminal(), signal::suspensions()),
            false => (signal::stops(), signal::Signals::default()),
        };
        if is_screen {
            self.terminal = Some(Terminal::enter()?);
        }
        let end = async {
            match length {
                Some(length) => tokio::time::sleep(length).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(end);
        let (mut keys, mut sizes) = (terminal::quit_keys(is_screen), signal::resizes());
        let exit = loop {
            if self.look()?.is_closed {
                return Ok(Exit::Ok);
            }
            let next = tokio::time::sleep(interval);
            tokio::pin!(next);
            let exit = loop {
                tokio::select! {
                    biased;
                    () = stops.told() => break Some(Exit::Interrupted),
                    () = &mut end => break Some(Exit::Ok),
                    Some(()) = keys.recv() => break Some(Exit::Ok),
                    () = sizes.told() => self.draw()?,
                    () = suspensions.told() => self.suspend()?,
                    () = &mut next => break None,
                }
            };
            if let Some(exit) = exit {
                break exit;
            }
        };
        // What ended since the last look is told, too.
        for _ in 0..2 {
            self.look()?;
        }
        Ok(exit)
    }

    /// Stops until somebody makes this process go on, and draws what there was then.
    fn suspend(&self) -> Result<(), Error> {
        self.terminal.as_ref().map_or(Ok(()), Terminal::suspend)?;
        self.draw()
    }

    /// Reads what is new and shows it.
    fn look(&mut self) -> Result<Shown, Error> {
        let live = &mut self.live;
        let said = self.follow.poll(|source, line| live.take(source, line));
        let finished = self.live.finished();
        self.rate.take(self.clock.now(), self.live.lines());
        if self.terminal.is_none() {
            for sentence in &said {
                lines::notice(&plain(sentence));
            }
            return lines::print(&finished, self.json);
        }
        self.notices.extend(said.iter().map(|sentence| plain(sentence)));
        self.earlier += self.notices.drain(..self.notices.len().saturating_sub(screen::MOST)).len();
        self.draw()?;
        Ok(Shown::default())
    }

    fn draw(&self) -> Result<(), Error> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let view = self.live.view(&self.rules, self.thresholds);
        let recent: Vec<&Finished> = self.live.recent().collect();
        let head = screen::Head {
            files: self.follow.names().len(),
            per_second: self.rate.per_second,
            notices: &self.notices,
            earlier: self.earlier,
        };
        terminal.draw(|size| screen::lines(&head, &view, &recent, size))
    }
}

/// What became of what was printed.
#[derive(Default)]
struct Shown {
    /// Nobody reads it any more.
    is_closed: bool,
}

impl Rate {
    fn take(&mut self, now: Timestamp, lines: u64) {
        if let Some((then, before)) = self.before {
            let seconds = now.since(then).as_secs_f64();
            self.per_second = (seconds > 0.0).then(|| (lines - before) as f64 / seconds);
        }
        self.before = Some((now, lines));
    }
}
