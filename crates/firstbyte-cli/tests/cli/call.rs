use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use firstbyte_core::json;
use firstbyte_testkit::{Script, ScriptedServer, TlsFixture, response};

use crate::support::{Mock, firstbyte, ms, run, signal, stderr, stdout, wait_until};

#[test]
fn a_call_of_our_server_is_a_waterfall_of_both_halves() {
    let mock = Mock::start(&["--reload-ms", "50"]);
    let output = run(&["call", &mock.url("/reload_weights"), "-d", "{}"]);
    let out = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.starts_with("POST http://127.0.0.1:"), "{out}");
    assert!(out.contains("ms = rpc 5") && out.contains(" + queue "), "{out}");
    let mut names = out.lines().filter(|line| line.contains(" ms ")).skip(1);
    for name in ["setup", "connect", "send", "wait", "  network", "  kernel", "  handler", "  rpc"]
    {
        assert!(names.next().is_some_and(|line| line.starts_with(name)), "{name} in {out}");
    }
    assert!(out.lines().last().unwrap().contains("] client.done wall_ms="), "{out}");
    assert!(!out.contains('\x1b'), "no colours where there is no terminal");
}

/// Runs a call against a server of one script, and returns the requests too.
fn call_scripted(
    script: Script,
    args: &[&str],
) -> (Output, Vec<firstbyte_testkit::RecordedRequest>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = ScriptedServer::start(script).await;
        let mut command = firstbyte(&["call", &server.url("/my/reload?token=secret")]);
        command.args(args).env("FB_TOKEN", "canary");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output, server.requests())
    })
}

#[test]
fn of_a_server_that_is_not_ours_it_says_what_is_unknown_and_why() {
    let script = Script::new().read_request().write(response(200, &[], "done"));
    let (output, _) = call_scripted(script, &[]);
    let out = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains("rpc and queue unknown"), "{out}");
    assert!(out.contains("\n  unattributed "), "{out}");
    assert!(out.contains("rpc is unknown: the server sent neither"), "{out}");
    assert!(out.contains("flags=rpc_missing"), "{out}");
}

#[test]
fn the_request_is_what_the_arguments_say_and_no_secret_is_shown() {
    let script = Script::new().read_request().write(response(200, &[], "{\"rpc_ms\": 0.1}"));
    let args = [
        "-X",
        "PUT",
        "-d",
        r#"{"step": 7}"#,
        "-H",
        "X-Mine: yes",
        "--token-env",
        "FB_TOKEN",
        "--connection",
        "keep-alive",
        "--timeout",
        "30",
    ];
    let (output, requests) = call_scripted(script, &args);
    let request = &requests[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("PUT", "/my/reload?token=secret")
    );
    assert_eq!(&request.body[..], br#"{"step": 7}"#);
    let header = |name| request.header(name).unwrap_or_default();
    assert_eq!(header("authorization"), "Bearer canary");
    assert_eq!(
        (header("x-mine"), header("content-type")),
        ("yes".into(), "application/json".into())
    );
    assert_eq!(header("x-trace-id").len(), 16);
    let shown = stdout(&output) + &stderr(&output);
    assert!(!shown.contains("secret") && !shown.contains("canary"), "{shown}");
}

#[test]
fn a_header_can_be_given_again_and_a_token_must_be_one_line() {
    let script = Script::new().read_request().write(response(200, &[], "{}"));
    let args = ["-H", "a: 1", "-H", "A: 2", "-H", "authorization: x", "--token-env", "FB_TOKEN"];
    let (_, requests) = call_scripted(script, &args);
    let head = String::from_utf8(requests[0].head.to_vec()).unwrap();
    assert!(head.contains("a: 1\r\na: 2\r\n"), "{head}");
    assert_eq!(head.matches("authorization: ").count(), 1, "{head}");

    let mut command = firstbyte(&["call", "http://h/", "--token-env", "FB_TOKEN", "--watch", "1"]);
    let output = command.env("FB_TOKEN", "canary\ncanary").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
}

#[test]
fn an_environment_variable_without_a_value_is_as_none() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = firstbyte(&["call", &format!("http://{closed}/pause")]);
    let output = command.env("FIRSTBYTE_ROUTES", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn why_a_certificate_is_not_trusted_is_said_and_another_authority_can_be() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tls = TlsFixture::new();
    let script = Script::new().read_request().write(response(200, &[], "{}"));
    let server = runtime.block_on(ScriptedServer::start_tls(script, tls.server_config()));
    let url = server.url("/pause");
    let out = stdout(&run(&["call", &url]));
    assert!(out.contains("\n  because: invalid peer certificate: UnknownIssuer\n"), "{out}");

    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(&ca, tls.ca_pem()).unwrap();
    let wrong_name = url.replace("127.0.0.1", "0.0.0.0");
    let out = stdout(&run(&["call", &wrong_name, "--cacert", ca.to_str().unwrap()]));
    assert!(out.contains("because: ") && out.contains("not valid for name"), "{out}");
    let output = run(&["call", &url, "--cacert", ca.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn of_a_packed_answer_it_says_that_it_was_not_unpacked() {
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let script = Script::new().read_request().write(response(200, &headers, "\x1f\u{8b}"));
    let out = stdout(&call_scripted(script, &[]).0);
    assert!(out.contains("(content-encoding: gzip)") && !out.contains("sent neither"), "{out}");
}

#[test]
fn the_body_can_come_from_a_file_and_the_lines_go_to_one() {
    let dir = tempfile::tempdir().unwrap();
    let (body, log) = (dir.path().join("body.json"), dir.path().join("calls.log"));
    fs::write(&body, "[1]").unwrap();
    let script = Script::new().read_request().write(response(200, &[], ""));
    let data = format!("@{}", body.display());
    let (_, requests) = call_scripted(script, &["-d", &data, "--log", log.to_str().unwrap()]);
    assert_eq!(&requests[0].body[..], b"[1]");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("] client.send url=") && log.contains("] client.done wall_ms="), "{log}");
}

#[test]
fn watching_repeats_the_call_with_a_summary() {
    let mock = Mock::start(&[]);
    let output = run(&["call", &mock.url("/pause"), "--watch", "0.01", "-n", "3"]);
    let out = stdout(&output);
    assert_eq!(out.matches("client.done").count(), 3, "{out}");
    assert!(out.contains("\nn=1 wall_ms min ") && out.contains("\nn=3 wall_ms min "), "{out}");
}

/// The exit code, or `None` for a command that does not end within some seconds.
fn code_in_time(mut child: Child) -> Option<i32> {
    for _ in 0..500 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

#[test]
fn watching_ends_when_nobody_reads_any_more() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (more, last) in [
        (&["--watch", "0.5"][..], "n=1 "),
        (&["--watch", "1000"], "n=1 "),
        (&["--watch", "1000", "--json"], "{"),
    ] {
        let script = Script::new().read_request().write(response(200, &[], "{}"));
        let server = runtime.block_on(ScriptedServer::start(script));
        let url = server.url("/pause");
        let mut command = firstbyte(&["call", &url]);
        let mut child = command.args(more).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with(last)));
        drop(lines);
        assert_eq!(code_in_time(child), Some(0), "{more:?}");
        assert_eq!(server.posts(), 1, "nobody asked for a second one");
    }
}

/// A pipe in the place of the system's certificates: reading them takes until somebody writes.
fn slow_certificates(dir: &tempfile::TempDir) -> PathBuf {
    let pipe = dir.path().join("certificates.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

#[test]
fn a_timeout_ends_the_command_although_a_thread_is_blocked() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = firstbyte(&["call", "https://127.0.0.1:1/pause", "--timeout", "0.2"]);
    command.env("SSL_CERT_FILE", slow_certificates(&dir)).env_remove("SSL_CERT_DIR");
    let child = command.stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(code_in_time(child), Some(1));
}

#[test]
fn making_tls_ready_is_setup_and_no_wait_for_a_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tls = TlsFixture::new();
    let script = Script::new().read_request().write(response(200, &[], "{}"));
    let server = runtime.block_on(ScriptedServer::start_tls(script, tls.server_config()));
    let dir = tempfile::tempdir().unwrap();
    let certificates = slow_certificates(&dir);
    let url = server.url("/pause");
    let mut command = firstbyte(&["call", &url, "--connection", "keep-alive", "--json"]);
    command.env("SSL_CERT_FILE", &certificates).env_remove("SSL_CERT_DIR");
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    // Ends when the command opens the other side.
    let mut writer = fs::OpenOptions::new().write(true).open(&certificates).unwrap();
    std::thread::park_timeout(Duration::from_millis(300));
    std::io::Write::write_all(&mut writer, tls.ca_pem().as_ref()).unwrap();
    drop(writer);
    let out = stdout(&child.wait_with_output().unwrap());
    let done = json::parse(out.lines().last().unwrap().as_bytes()).unwrap();
    assert!(ms(&done, "setup_ms") >= 290.0, "{out}");
    assert!(ms(&done, "pool_ms") < 200.0, "{out}");
}

#[test]
fn json_output_is_the_events_and_nothing_else() {
    let mock = Mock::start(&[]);
    let out = stdout(&run(&["call", &mock.url("/pause"), "--json", "-n", "2"]));
    let names: Vec<_> = out
        .lines()
        .map(|line| json::parse(line.as_bytes()).unwrap().name.unwrap().into_owned())
        .collect();
    assert_eq!(names, ["client.send", "client.done", "client.send", "client.done"]);
}

#[test]
fn a_call_that_fails_is_exit_code_1_and_says_whether_it_may_be_sent_again() {
    let script = Script::new().read_request().write(response(503, &[], "engine is dead\x1b[2J"));
    let (output, _) = call_scripted(script, &[]);
    let out = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("503 Service Unavailable") && out.contains("answer: engine is dead"));
    assert!(!out.contains('\x1b'), "{out:?}");

    let (output, _) = call_scripted(Script::new().read_request().reset(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("may or may not have done it"), "{}", stdout(&output));

    let (output, requests) =
        call_scripted(Script::new().read_request().hold(), &["--timeout", "0.2"]);
    assert_eq!((output.status.code(), requests.len()), (Some(1), 1), "never sent twice");
    assert!(stdout(&output).contains("client.fail"), "{}", stdout(&output));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&["call", &format!("http://{closed}/pause")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("may be sent again"), "{}", stdout(&output));
}

#[test]
fn what_the_system_said_of_a_failed_call_is_among_the_events_too() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&["call", &format!("http://{closed}/pause"), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let out = stdout(&output);
    let fail = json::parse(out.lines().last().unwrap().as_bytes()).unwrap();
    assert_eq!(fail.text("error"), Some("connect_refused"), "{out}");
    assert!(
        fail.text("cause").is_some_and(|cause| cause.starts_with("Connection refused")),
        "{out}"
    );
}

#[test]
fn ctrl_c_ends_a_stuck_call_and_says_where_it_was() {
    // The kernel completes the handshake and takes the request; nobody ever reads it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/pause", silent.local_addr().unwrap());
    let mut child = firstbyte(&["call", &url]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut connection, _) = silent.accept().unwrap();
    connection.read_exact(&mut [0; 16]).unwrap();
    wait_until("the signal", || signal("INT", child.id()));
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{out}");
    assert!(out.contains("client.fail") && out.contains("phase=wait"), "{out}");
    assert!(out.contains("interrupted: n=0"), "{out}");
    assert!(out.contains("may or may not have done it"), "{out}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_that_cannot_be_written_is_an_error_although_the_call_went_well() {
    let script = Script::new().read_request().write(response(200, &[], "done"));
    let (output, _) = call_scripted(script, &["--log", "/dev/full"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("events that were not written to the log: 2; "),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("200 OK"), "{}", stdout(&output));
}

#[test]
fn a_password_in_what_is_no_url_is_not_shown() {
    for url in ["http://user:CAN/canary@h:1/x", "user:canary@h:1/x", "http://h:x/p?canary="] {
        let output = run(&["call", url]);
        assert_eq!(output.status.code(), Some(2));
        assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
    }
}
