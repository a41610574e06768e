//! `firstbyte mock`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{ArgAction, ValueEnum};
use firstbyte_bench::mock::{Config, Faults, MockServer, RpcReport};
use firstbyte_core::Recorder;
use tokio::io::AsyncReadExt;

use crate::{
    exit::{self, Error, Exit},
    runtime, signal,
};

const EXAMPLES: &str = "Examples:
  firstbyte mock                                   a healthy server on 127.0.0.1:8000
  firstbyte mock --port 0 --reload-ms 3000         a slow engine, on a port that is free
  curl -d '{\"late_accept_ms\": 500}' http://127.0.0.1:8000/mock/faults
                                                   the same faults at run time, by their keys";

/// A mock inference server: streamed completions, control routes, and faults on demand
///
/// It answers /v1/completions, /v1/chat/completions, /v1/models, /health, and the control routes of
/// vLLM, SGLang, prime-rl, AReaL, SkyRL and TRL. When it is ready it prints one line: `firstbyte mock
/// ready addr= url= faults= pid=`. Ctrl-C and SIGTERM end it.
///
/// GET /mock/faults shows the faults in force; POST changes the keys that are in the body, which are
/// those of the options below with _ for -.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP_ENDLESS))]
pub(crate) struct Args {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 takes any that is free
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Allow a --host that others can reach: the server protects nothing
    #[arg(long)]
    allow_remote: bool,
    /// Append the server's events to FILE as text lines
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Append the server's events to FILE as JSON lines
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Tokens per second of every completion
    #[arg(long, value_name = "RATE", default_value_t = 10.0)]
    tokens_per_second: f64,
    /// How long the engine takes to update or reload weights, or to load an adapter
    #[arg(long, value_name = "MS", default_value_t = 200)]
    reload_ms: u64,
    /// Accept connections this much late
    #[arg(long, value_name = "MS", default_value_t = 0)]
    late_accept_ms: u64,
    /// Let the event loop stand still for this long, again and again
    #[arg(long, value_name = "MS", default_value_t = 0)]
    block_loop_ms: u64,
    /// From one standstill of the event loop to the next
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    block_loop_every_ms: u64,
    /// Let the handler of a control call wait this long before it calls the engine
    #[arg(long, value_name = "MS", default_value_t = 0)]
    handler_queue_ms: u64,
    /// Make every call of the engine this much longer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    engine_ms: u64,
    /// Answer control calls with this status and leave the engine alone
    #[arg(long, value_name = "CODE")]
    fail_status: Option<u16>,
    /// Answer control calls with a connection reset
    #[arg(long)]
    reset: bool,
    /// What to say of the engine's time, in the header and in the body
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Report::Truth)]
    rpc_ms_report: Report,
    /// Whether control calls get a Server-Timing header
    #[arg(long, value_name = "on|off", value_parser = on_off(), default_value = "on", action = ArgAction::Set)]
    server_timing: bool,
    /// End when the standard input does; for programs that start a mock
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Report {
    Truth,
    Missing,
    /// An hour more than the truth
    Lying,
}

fn on_off() -> impl clap::builder::TypedValueParser<Value = bool> {
    use clap::builder::TypedValueParser as _;
    clap::builder::PossibleValuesParser::new(["on", "off"]).map(|value| value == "on")
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    if !args.host.is_loopback() && !args.allow_remote {
        return Err(Error::usage(format!(
            "--host {} can be reached from other hosts; add --allow-remote if that is meant",
            args.host
        )));
    }
    let mut recorder = Recorder::builder();
    if let Some(path) = &args.log {
        recorder = recorder.text_file(path);
    }
    if let Some(path) = &args.json {
        recorder = recorder.json_file(path);
    }
    let config = Config {
        addr: SocketAddr::new(args.host, args.port),
        faults: args.faults().validate().map_err(Error::usage)?,
        recorder: recorder.build().map_err(Error::new)?,
    };
    // One thread, like the event loop of a Python server: what blocks it blocks everything.
    let one_thread =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::new)?;
    let recorder = config.recorder.clone();
    exit::close(&recorder, runtime::run(one_thread, serve(config, args.until_stdin_closes)))
}

async fn serve(config: Config, until_stdin_closes: bool) -> Result<Exit, Error> {
    let wanted = config.addr;
    let server = MockServer::bind(config).await.map_err(|e| {
        Error::new(format!("cannot listen on {wanted}: {e}; choose another --port, or 0 for any"))
    })?;
    let (addr, pid) = (server.addr(), std::process::id());
    exit::print(format!(
        "firstbyte mock ready addr={addr} url=http://{addr} faults=http://{addr}/mock/faults \
         pid={pid}\n"
    ))?;
    let stop = async move {
        tokio::select! {
            () = signal::stop() => {}
            () = end_of_stdin(), if until_stdin_closes => {}
        }
    };
    server.serve(stop).await.map_err(Error::new)?;
    Ok(Exit::Ok)
}

async fn end_of_stdin() {
    // Whatever happens to a pipe, in the end it means that the other side is gone.
    _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
}

impl Args {
    fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        faults.late_accept_ms = self.late_accept_ms;
        faults.block_loop_ms = self.block_loop_ms;
        faults.block_loop_every_ms = self.block_loop_every_ms;
        faults.handler_queue_ms = self.handler_queue_ms;
        faults.engine_ms = self.engine_ms;
        faults.reload_ms = self.reload_ms;
        faults.tokens_per_second = self.tokens_per_second;
        faults.fail_status = self.fail_status;
        faults.reset = self.reset;
        faults.rpc_ms_report = match self.rpc_ms_report {
            Report::Truth => RpcReport::Truth,
            Report::Missing => RpcReport::Missing,
            Report::Lying => RpcReport::Lying,
        };
        faults.server_timing = self.server_timing;
        faults
    }
}
