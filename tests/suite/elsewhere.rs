//! A broker that someone else runs: the services know of it only what environment variables say.

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::report;
use testcontainers_modules::kafka::apache;
use testcontainers_modules::testcontainers::ImageExt as _;
use testcontainers_modules::testcontainers::runners::SyncRunner as _;

use crate::broker::IMAGE;
use crate::claim::claims;
use crate::cluster::Cluster;
use crate::kafka::{Entrance, Kafka};
use crate::pair::{received, replicas, send, stop_all};
use crate::stage::Stage;

claims! {
    the_pair_works_through_environment_variables_alone_on_a_broker_that_we_did_not_configure(3);
}

fn the_pair_works_through_environment_variables_alone_on_a_broker_that_we_did_not_configure(
    _: &Stage,
) -> Result<String> {
    if let Some(named) = Kafka::named() {
        return the_pair_works(named.entrance());
    }
    // Configured by the authors of that module, for anybody. As root, because it puts its start script into a folder that is
    // not in every build of the image its user's.
    let broker = apache::Kafka::default().with_jvm_image().with_tag(IMAGE.1).with_user("root").start()?;
    let bootstrap_servers = format!("127.0.0.1:{}", broker.get_host_port_ipv4(apache::KAFKA_PORT)?);
    the_pair_works(Entrance { bootstrap_servers, account: None })
}

fn the_pair_works(entrance: Entrance) -> Result<String> {
    // The broker's people make the topic. A `Process` gets the variables named here and in `pair`, no others, and no arguments.
    let cluster = Cluster::with_topic(&entrance, 10)?;
    let variables = cluster.variables();
    let mut replicas = replicas(&cluster, "g", 2, &[]);
    let producer = send(&cluster, 100)?;
    replicas[0].wait_until("all", |_| received(&replicas) >= 100);
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    let names: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).collect();
    Ok(format!("{}: 100 sent, 100 received, 0 repeated", names.join(", ")))
}
