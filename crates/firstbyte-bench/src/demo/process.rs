//! The mock as a process of its own, which never outlives this one.

use std::{ffi::OsString, io, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdin, Command},
};

/// How long the mock may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running `firstbyte mock`.
///
/// It ends when its standard input does, so it goes with this process whatever happens; dropping
/// this value kills it.
#[derive(Debug)]
pub(super) struct MockProcess {
    addr: SocketAddr,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl MockProcess {
    /// Starts `program mock` on a port of the kernel's choice, with logs in `out`.
    pub(super) async fn start(
        program: &[OsString],
        out: &Path,
        tokens_per_second: f64,
        reload_ms: u64,
    ) -> io::Result<Self> {
        let (program, arguments) =
            program.split_first().ok_or_else(|| io::Error::other("no program to start"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["mock", "--port", "0", "--until-stdin-closes"])
            .arg("--log")
            .arg(out.join(super::SERVER_LOG))
            .arg("--json")
            .arg(out.join(super::EVENTS))
            .args(["--tokens-per-second", &tokens_per_second.to_string()])
            .args(["--reload-ms", &reload_ms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // Its own group: Ctrl-C is for this process, which ends the mock when it has printed.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no pipe to the mock"))?;
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        let reading = stdout.read_line(&mut line);
        tokio::time::timeout(PATIENCE, reading).await??;
        let addr = ready_addr(&line).ok_or_else(|| {
            io::Error::other(format!("the mock didn't say where it is: {line:?}"))
        })?;
        Ok(Self { addr, child, stdin })
    }

    pub(super) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets it end by itself, so that its logs are whole; kills it if it doesn't.
    pub(super) async fn stop(mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            // It is gone already if this fails.
            _ = self.child.kill().await;
        }
    }
}

/// The address in the line that `firstbyte mock` prints when it is ready.
fn ready_addr(line: &str) -> Option<SocketAddr> {
    line.split_whitespace().find_map(|word| word.strip_prefix("addr=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_ready_line() {
        let line = "firstbyte mock ready addr=127.0.0.1:8000 url=http://127.0.0.1:8000 pid=7\n";
        assert_eq!(ready_addr(line), Some(([127, 0, 0, 1], 8000).into()));
        assert_eq!(ready_addr("error: address in use\n"), None);
    }
}
