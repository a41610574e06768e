//! The example says what went wrong, and its exit code too.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::process::Command;

use firstbyte_testkit::{Script, ScriptedServer, response};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_success_is_an_error() {
    for (status, code, said) in [(200, 0, ""), (404, 1, "was answered with status 404 Not Found")] {
        let script = Script::new().read_request().write(response(status, &[], ""));
        let server = ScriptedServer::start(script).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_example-admin-client"));
        let output = command.arg(server.url("")).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(said), "{errors}");
    }
}
