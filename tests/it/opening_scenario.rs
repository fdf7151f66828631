//! The opening scenario: A dies, its callers B to F all fail with it, and six teams would be paged.

use crate::api::{Api, culprit};
use crate::lab::Played;
use crate::machine::quiet;
use crate::server::Server;
use crate::waiting::until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Rest, failure and the time to name it, as the scenario file has them, with room to spare.
const NAMED_WITHIN: Duration = Duration::from_secs(180);
/// How long the outage is watched for a second page after the first.
const WATCHED: Duration = Duration::from_secs(30);

/// Scenario: A dies, B to F all fail.
/// Guarantees: there is exactly one incident, it names A, and B to F are what it shakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_incident_names_the_one_that_died() {
    let _machine = quiet().await;
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let api = Api::new(&server);
    let mut demo = Played::start("opening.toml", &server, folder.path());

    let first = until("incident", NAMED_WITHIN, || async {
        api.incidents().await.into_iter().next()
    })
    .await;
    let seen = Instant::now();
    while seen.elapsed() < WATCHED {
        demo.goes_well();
        let incidents = api.incidents().await;
        assert_eq!(
            incidents.len(),
            1,
            "one incident, not {}: {incidents:#?}",
            incidents.len()
        );
        assert_eq!(incidents[0]["id"], first["id"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let incident = api.incidents().await.remove(0);
    assert_eq!(culprit(&incident).to_lowercase(), "a", "{incident:#}");
    let affected: Vec<Value> = incident["affected"].as_array().expect("a list").clone();
    let affected: BTreeSet<String> = affected
        .iter()
        .filter_map(|one| one["service"].as_str())
        .map(str::to_lowercase)
        .collect();
    let callers: BTreeSet<String> = ["b", "c", "d", "e", "f"].map(str::to_owned).into();
    assert!(affected.is_superset(&callers), "{affected:?}");
    server.stop().await;
}
