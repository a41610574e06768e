//! One call to many servers.

use firstbyte_client::{AdminFleet, Outcome, Timeouts};
use firstbyte_testkit::{Script, ScriptedServer, response};

use crate::support::{MS, Trace, ok};

#[tokio::test]
async fn one_stuck_server_among_many_is_named_and_the_others_are_done() {
    let stuck = ScriptedServer::start(Script::new().read_request().hold()).await;
    let busy =
        ScriptedServer::start(Script::new().read_request().write(response(500, &[], ""))).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fine = [ScriptedServer::start(ok()).await, ScriptedServer::start(ok()).await];
    let trace = Trace::new();
    let timeouts = Timeouts { total: Some(300 * MS), ..Timeouts::default() };
    let urls =
        [fine[0].url(""), stuck.url(""), busy.url(""), format!("http://{gone}"), fine[1].url("")];
    let clients = urls.iter().map(|url| trace.builder(url).timeouts(timeouts).build().unwrap());
    let fleet = AdminFleet::new(clients).unwrap();
    let result = fleet.each(|client| client.post("/update_weights").send()).await;

    use Outcome::{Done, Failed, NotSent, Unknown};
    let outcomes: Vec<_> = result.targets.iter().map(|target| target.outcome).collect();
    assert_eq!(outcomes, [Done, Unknown, Failed, NotSent, Done]);
    assert_eq!((result.count(Done), result.count(Unknown)), (2, 1));
    let slowest = result.slowest().unwrap();
    assert_eq!(slowest.target, stuck.addr().to_string());
    assert_eq!((slowest.wall, slowest.waited.0), (result.wall, 0));
    assert!(result.wall.as_millis_f64() >= 299.0);
    for target in &result.targets {
        assert_eq!(target.wall + target.waited, result.wall);
    }
    assert!(result.targets[0].waited.as_millis_f64() > 100.0, "the others waited");

    let again = fleet.each(|client| client.post("/update_weights").send()).await;
    let refused = again.targets[1].result.as_ref().unwrap_err();
    assert!(refused.is_overlap(), "single flight per target: {refused}");
    assert_eq!(stuck.posts(), 1);
}

#[tokio::test]
async fn a_target_can_be_in_a_fleet_once() {
    let trace = Trace::new();
    let clients = ["http://10.0.0.7:8000", "http://10.0.0.7:8000/"].map(|url| trace.client(url));
    assert!(AdminFleet::new(clients).unwrap_err().is_config());
    let empty = AdminFleet::new([]).unwrap();
    assert!(empty.each(|client| client.post("/pause").send()).await.slowest().is_none());
}
