//! Runs `firstbyte`, and speaks HTTP by hand.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use firstbyte_core::{Parsed, json};
use serde_json::Value;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_firstbyte");

/// The command with these arguments, without the environment's opinions on colours.
pub(crate) fn firstbyte(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).env_remove("FIRSTBYTE_ROUTES").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    firstbyte(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Sends a signal by its name.
pub(crate) fn signal(name: &str, pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

/// Waits until `done` or, after a generous while, fails.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("waited for {what} in vain");
}

/// A running mock, which ends with the test.
pub(crate) struct Mock {
    pub(crate) addr: SocketAddr,
    pub(crate) ready: String,
    pub(crate) child: Child,
}

impl Mock {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = firstbyte(&["mock", "--port", "0", "--until-stdin-closes"]);
        let mut child =
            command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let addr = ready.split_whitespace().find_map(|word| word.strip_prefix("addr="));
        Self { addr: addr.expect(&ready).parse().unwrap(), ready, child }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Status and body of a request.
    pub(crate) fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = self.send(method, path, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.get(9..12).and_then(|code| code.parse().ok()).expect(&answer);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    /// Sends a request and leaves the answer to be read.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The JSON body of a successful request.
    pub(crate) fn json(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, body) = self.http(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Changes the faults.
    pub(crate) fn faults(&self, change: &str) {
        self.json("POST", "/mock/faults", change);
    }

    /// The last event of a traced POST.
    pub(crate) fn call(&self, path: &str) -> Parsed<'static> {
        let output = run(&["call", "--json", &self.url(path)]);
        let out = stdout(&output);
        json::parse(out.lines().last().expect("a line").as_bytes()).unwrap()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Milliseconds of a part of a call.
pub(crate) fn ms(event: &Parsed<'_>, key: &str) -> f64 {
    event.micros(key).unwrap_or_else(|| panic!("no {key} in {event:?}")).as_millis_f64()
}
