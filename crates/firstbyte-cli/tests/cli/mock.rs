use std::{
    fs,
    io::{BufRead, BufReader, Read},
    time::Duration,
};

use firstbyte_core::RouteTable;

use crate::support::{Mock, run, signal, stderr};

#[test]
fn it_says_where_it_is_and_ends_cleanly_on_both_signals() {
    for name in ["INT", "TERM"] {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("server.log");
        let mut mock = Mock::start(&["--log", log.to_str().unwrap()]);
        let (addr, pid) = (mock.addr, mock.child.id());
        assert_eq!(
            mock.ready,
            format!(
                "firstbyte mock ready addr={addr} url=http://{addr} \
                 faults=http://{addr}/mock/faults pid={pid}\n"
            )
        );
        assert_eq!(mock.http("GET", "/health", "").0, 200);
        assert!(addr.ip().is_loopback());
        // An endless stream must not keep it.
        let _stream = mock.send("POST", "/v1/completions", &completion(1_000_000, true));
        assert!(signal(name, pid));
        assert_eq!(mock.child.wait().unwrap().code(), Some(0), "SIG{name}");
        let log = fs::read_to_string(log).unwrap();
        assert!(log.lines().last().unwrap().contains("process.end"), "{log}");
    }
}

#[test]
fn every_control_route_of_every_dialect_answers_and_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.log");
    let mut mock = Mock::start(&["--reload-ms", "5", "--log", path.to_str().unwrap()]);
    let table = RouteTable::builtin();
    for route in table.iter() {
        let answer = mock.json(&route.method, &route.path, "{}");
        assert_eq!(answer["op"], *route.operation, "{}", route.path);
        assert!(answer["rpc_ms"].as_f64().is_some_and(|ms| ms >= 1.0), "{answer}");
    }
    signal("TERM", mock.child.id());
    mock.child.wait().unwrap();
    let log = fs::read_to_string(path).unwrap();
    let count = |name: &str| log.lines().filter(|line| line.contains(name)).count();
    for name in ["] server.recv", "] rpc.start", "] rpc.done", "] server.done"] {
        assert_eq!(count(name), table.iter().count(), "{name}");
    }
}

#[test]
fn weights_take_the_reload_time_and_other_operations_do_not() {
    let mock = Mock::start(&["--reload-ms", "150"]);
    let rpc_ms = |path| mock.json("POST", path, "{}")["rpc_ms"].as_f64().unwrap();
    for path in ["/update_weights", "/reload_weights", "/v1/load_lora_adapter"] {
        assert!(rpc_ms(path) >= 150.0, "{path}");
    }
    assert!(rpc_ms("/reset_prefix_cache") < 100.0);
}

#[test]
fn calls_wait_for_each_other_in_the_handler_queue() {
    let mock = Mock::start(&["--reload-ms", "300"]);
    let mut first = mock.send("POST", "/reload_weights", "{}");
    let second = mock.call("/reload_weights");
    let handler = second.micros("handler_ms").unwrap().as_millis_f64();
    assert!((100.0..400.0).contains(&handler), "{handler}");
    first.read_to_string(&mut String::new()).unwrap();
}

fn completion(max_tokens: u32, stream: bool) -> String {
    format!(r#"{{"model": "m", "prompt": "hi", "max_tokens": {max_tokens}, "stream": {stream}}}"#)
}

#[test]
fn completions_have_the_fields_of_openai() {
    let mock = Mock::start(&["--tokens-per-second", "100"]);
    let whole = mock.json("POST", "/v1/completions", &completion(3, false));
    assert_eq!(whole["object"], "text_completion");
    assert_eq!(whole["model"], "m");
    assert_eq!(whole["usage"]["completion_tokens"], 3);
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert!(whole["id"].is_string() && whole["created"].is_u64());

    let (status, body) = mock.http("POST", "/v1/completions", &completion(3, true));
    assert_eq!((status, body.matches("\"text\":").count()), (200, 3), "{body}");
    assert!(body.contains("data: [DONE]\n\n"), "{body}");

    let chat = r#"{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}"#;
    let whole = mock.json("POST", "/v1/chat/completions", chat);
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(whole["choices"][0]["message"]["role"], "assistant");
    let chat = chat.replace("\"max_tokens\": 2", "\"max_completion_tokens\": 2, \"stream\": true");
    let (_, body) = mock.http("POST", "/v1/chat/completions", &chat);
    assert_eq!(body.matches("chat.completion.chunk").count(), 2, "{body}");
    assert_eq!(mock.json("GET", "/v1/models", "")["object"], "list");
}

#[test]
fn what_is_no_completion_is_refused() {
    let mock = Mock::start(&[]);
    for (path, body) in [
        ("/v1/completions", "{}"),
        ("/v1/completions", "no json"),
        ("/v1/completions", r#"{"prompt": "hi", "max_tokens": 0}"#),
        ("/v1/chat/completions", r#"{"messages": []}"#),
    ] {
        let (status, answer) = mock.http("POST", path, body);
        assert_eq!(status, 400, "{path} {body}: {answer}");
        assert!(answer.contains("invalid_request_error"), "{answer}");
    }
}

#[test]
fn pause_stops_the_tokens_and_resume_lets_them_go_on() {
    let mock = Mock::start(&["--tokens-per-second", "50"]);
    let stream = mock.send("POST", "/v1/completions", &completion(100_000, true));
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    // Whether another token comes before the read times out.
    let mut token = || lines.by_ref().map_while(Result::ok).any(|line| line.contains("tok"));
    assert!(token());
    mock.json("POST", "/pause", "");
    assert_eq!(mock.json("GET", "/is_paused", "")["is_paused"], true);
    // What was on its way when the pause began may still come; then there is silence.
    stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let silent = (0..20).any(|_| !token());
    assert!(silent, "tokens kept coming");
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    mock.json("POST", "/resume", "");
    assert!(token(), "no token came after resume");
}

#[test]
fn it_ends_with_the_program_that_started_it() {
    let mut mock = Mock::start(&[]);
    drop(mock.child.stdin.take());
    assert_eq!(mock.child.wait().unwrap().code(), Some(0));
}

#[test]
fn it_stays_on_this_host_unless_told_otherwise() {
    let refused = run(&["mock", "--host", "0.0.0.0", "--port", "0"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--allow-remote"), "{}", stderr(&refused));
    let allowed = Mock::start(&["--host", "0.0.0.0", "--allow-remote"]);
    assert!(allowed.ready.contains("addr=0.0.0.0:"));
}

#[test]
fn a_port_that_is_taken_is_an_error_with_advice() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["mock", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("choose another --port"), "{}", stderr(&output));
}
