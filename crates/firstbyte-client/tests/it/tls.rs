//! TLS: who is trusted, who is told who we are.

use firstbyte_client::{AdminClient, ConnectionMode};
use firstbyte_core::{Phase, Recorder, field};
use firstbyte_testkit::{ScriptedServer, TlsFixture};

use crate::support::{Trace, micros, ok};

#[tokio::test]
async fn an_authority_that_was_added_is_trusted() {
    let tls = TlsFixture::new();
    let server = ScriptedServer::start_tls(ok(), tls.server_config()).await;
    let trace = Trace::new();
    let client = trace.builder(&server.url("")).root_certificate(tls.ca_pem()).build().unwrap();
    assert_eq!(&*client.post("/update_weights").send().await.unwrap().body, b"{}");
    assert!(micros(&trace.only("client.done"), field::TLS).unwrap() > 0);
}

#[tokio::test]
async fn a_kept_tls_connection_is_used_again() {
    let tls = TlsFixture::new();
    let script = ok().keep_alive_loop();
    let server = ScriptedServer::start_tls(script, tls.server_config()).await;
    let trace = Trace::new();
    let mode = ConnectionMode::KeepAlive { max_connections: 1 };
    let builder = trace.builder(&server.url("")).root_certificate(tls.ca_pem());
    let client = builder.connection_mode(mode).build().unwrap();
    for _ in 0..3 {
        client.post("/update_weights").send().await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(micros(&trace.named("client.done")[2], field::TLS), None);
}

#[tokio::test]
async fn an_unknown_authority_and_a_wrong_name_are_not_sent_to() {
    let (tls, stranger) = (TlsFixture::new(), TlsFixture::new());
    let server = ScriptedServer::start_tls(ok(), tls.server_config()).await;
    let trace = Trace::new();
    let right_name = server.url("");
    // The certificate is for localhost, 127.0.0.1 and ::1.
    let wrong_name = right_name.replace("127.0.0.1", "0.0.0.0");
    for (url, root) in [(&right_name, stranger.ca_pem()), (&wrong_name, tls.ca_pem())] {
        let client = trace.builder(url).root_certificate(root).build().unwrap();
        let error = client.post("/update_weights").send().await.unwrap_err();
        assert!(error.is_not_sent(), "{error}");
        assert_eq!((error.reason(), error.phase()), ("certificate", Some(Phase::Tls)));
    }
    assert_eq!(server.connections(), 2, "a certificate does not get better by trying again");
    assert_eq!(server.posts(), 0);
}

#[tokio::test]
async fn a_server_that_wants_to_know_us_gets_our_certificate() {
    let tls = TlsFixture::new();
    let server = ScriptedServer::start_tls(ok(), tls.server_config_requiring_client()).await;
    let trace = Trace::new();
    let builder = trace.builder(&server.url("")).root_certificate(tls.ca_pem());
    let known = builder.identity(tls.client_identity_pem()).build().unwrap();
    known.post("/update_weights").send().await.unwrap();
    let nobody = trace.builder(&server.url("")).root_certificate(tls.ca_pem()).build().unwrap();
    let error = nobody.post("/update_weights").send().await.unwrap_err();
    assert!(!error.is_status(), "{error}");
    assert_eq!(server.posts(), 1);
}

#[test]
fn certificates_that_cannot_be_used_are_refused_when_building() {
    let tls = TlsFixture::new();
    let builder = || AdminClient::builder(Recorder::disabled()).base_url("https://localhost");
    for builder in [
        builder().root_certificate("no PEM"),
        builder().identity("no PEM"),
        builder().identity(tls.ca_pem()),
    ] {
        assert!(builder.build().unwrap_err().is_config());
    }
}
