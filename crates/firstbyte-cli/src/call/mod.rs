//! `firstbyte call`: one traced call against any server, and where its time went.

mod lines;
mod request;
mod summary;
mod waterfall;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use firstbyte_client::{
    AdminClient, AdminResponse, ClientError, ConnectionMode, HyperTransport, RetryPolicy, Timeouts,
};
use firstbyte_core::{Recorder, RouteTable, recorder::FileFormat};

use self::{lines::Lines, request::Request, summary::Running};
use crate::{
    bars::Style,
    exit::{self, Error, Exit, Reader},
    runtime, signal,
};

const EXAMPLES: &str = "Examples:
  firstbyte call http://127.0.0.1:8000/reload_weights
  firstbyte call http://vllm:8000/pause --token-env VLLM_API_KEY --timeout 30
  firstbyte call -X GET http://vllm:8000/is_paused --watch 5 -n 12
  firstbyte call http://vllm:8000/update_weights -d @update.json --log calls.log
  firstbyte call https://10.0.0.7/pause --cacert our-ca.pem

Any HTTP server will do. What a server doesn't say is shown as unattributed, with the reason.";

/// Between two calls, how often to look whether anybody reads.
const LOOK: Duration = Duration::from_secs(1);

/// Makes one traced control call and shows where its time went
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP_PRINTED))]
pub(crate) struct Args {
    /// URL of the control route
    url: String,
    /// Method of the request
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "POST")]
    request: String,
    /// Body of the request, sent as application/json; @FILE reads it from a file
    #[arg(short, long, value_name = "JSON|@FILE")]
    data: Option<String>,
    /// Header of the request; can be given again
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Environment variable whose value is sent as a bearer token
    #[arg(long, value_name = "VAR")]
    token_env: Option<String>,
    /// Trust the certificates in this PEM file, too, next to those of the system, or of SSL_CERT_FILE
    /// and SSL_CERT_DIR where they are set
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// A new connection per call, or one that is kept between the calls of --watch
    #[arg(long, value_enum, default_value_t = Connection::OneShot)]
    connection: Connection,
    /// Give up after this long [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Call again after this long, until Ctrl-C, -n calls, or nobody reads the output any more
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    watch: Option<Duration>,
    /// How many calls [default: 1, without bound with --watch]
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print events as JSON lines instead of a waterfall
    #[arg(long)]
    json: bool,
    /// Append the events to FILE as text lines
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Connection {
    OneShot,
    KeepAlive,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero() && *duration <= Duration::from_secs(86_400 * 7))
        .ok_or_else(|| {
            format!("{text} is not between 1e-9 and 604800 seconds (a nanosecond and a week)")
        })
}

pub(crate) fn run(args: &Args) -> Result<Exit, Error> {
    let request = Request::new(args)?;
    let lines = Lines::new(if args.json { FileFormat::Json } else { FileFormat::Text });
    let mut recorder = Recorder::builder().sink(lines.clone());
    if let Some(path) = &args.log {
        recorder = recorder.text_file(path);
    }
    let recorder = recorder.build().map_err(Error::new)?;
    let client = client(args, &request, recorder.clone())?;
    request.of(&client).check().map_err(Error::usage)?;
    let one_thread =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::new)?;
    let running = Running::default();
    let mut session = Session { args, request, client, recorder, lines, running };
    let result = runtime::run(one_thread, async {
        tokio::select! {
            biased;
            () = signal::stop() => session.interrupted(),
            result = session.calls() => result,
        }
    });
    exit::close(&session.recorder, result)
}

fn client(args: &Args, request: &Request, recorder: Recorder) -> Result<AdminClient, Error> {
    let mode = match args.connection {
        Connection::OneShot => ConnectionMode::OneShot,
        Connection::KeepAlive => ConnectionMode::KeepAlive { max_connections: 1 },
    };
    let mut builder = AdminClient::builder(recorder);
    if let Some(path) = &args.cacert {
        builder = builder.root_certificate(certificates(path)?);
    }
    builder
        .base_url(request.base_url())
        .connection_mode(mode)
        .retry(RetryPolicy::never())
        .routes(RouteTable::from_env().map_err(Error::usage)?)
        .timeouts(Timeouts { total: args.timeout, ..Timeouts::default() })
        .build()
        .map_err(Error::usage)
}

/// What `--cacert` names, if it can be trusted: the client's own error would name a setting of the client.
fn certificates(path: &Path) -> Result<Vec<u8>, Error> {
    let shown = path.display();
    let pem =
        fs::read(path).map_err(|e| Error::usage(format!("cannot read --cacert {shown}: {e}")))?;
    match HyperTransport::builder().root_certificate(pem.as_slice()).build() {
        Ok(_) => Ok(pem),
        Err(_) => Err(Error::usage(format!(
            "--cacert {shown}: there is no PEM certificate in it that can be used"
        ))),
    }
}

/// Waits for so long, or until nobody reads the output any more: who reads it may wait for the end.
async fn pause(time: Duration) -> Reader {
    let wait = tokio::time::sleep(time);
    tokio::pin!(wait);
    while tokio::time::timeout(LOOK, &mut wait).await.is_err() {
        if exit::reader() == Reader::Gone {
            return Reader::Gone;
        }
    }
    exit::reader()
}

/// The calls of one command.
struct Session<'a> {
    args: &'a Args,
    request: Request,
    client: AdminClient,
    recorder: Recorder,
    lines: Lines,
    running: Running,
}

impl Session<'_> {
    async fn calls(&mut self) -> Result<Exit, Error> {
        let endless = if self.args.watch.is_some() { u64::MAX } else { 1 };
        let count = self.args.count.unwrap_or(endless);
        let mut exit = Exit::Ok;
        for call in 1..=count {
            let answer = self.request.of(&self.client).send().await;
            if !answer.as_ref().is_ok_and(|response| response.status.is_success()) {
                exit = Exit::Failed;
            }
            self.running.add(&answer);
            let reader = self.show(&answer, count > 1)?;
            if call == count || reader == Reader::Gone {
                break;
            }
            // No server gets a call that nobody asks for.
            if pause(self.args.watch.unwrap_or_default()).await == Reader::Gone {
                break;
            }
        }
        Ok(exit)
    }

    /// Shows one call, its lines, and the summary if there are others.
    fn show(
        &self,
        answer: &Result<AdminResponse, ClientError>,
        more: bool,
    ) -> Result<Reader, Error> {
        let lines = self.lines();
        if self.args.json {
            return exit::print_one_of_many(lines);
        }
        let waterfall = waterfall::render(&self.request.title(), answer, &Style::of_stdout());
        let summary = if more { format!("{}\n\n", self.running) } else { String::new() };
        exit::print_one_of_many(waterfall + &lines + &summary)
    }

    /// The lines since the last time.
    fn lines(&self) -> String {
        // No sink stalls for that long; if one does, its lines are shown with the next call.
        self.recorder.flush(Duration::from_secs(1));
        self.lines.take(!self.args.json)
    }

    /// The call was dropped; its line says in which phase.
    fn interrupted(&self) -> Result<Exit, Error> {
        exit::print(self.lines())?;
        if !self.args.json {
            if self.client.unknown().is_some() {
                exit::print(format!("{}\n", waterfall::MAY_HAVE_HAPPENED))?;
            }
            exit::print(format!("interrupted: {}\n", self.running))?;
        }
        Ok(Exit::Interrupted)
    }
}
