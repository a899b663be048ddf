//! A broker with a configuration that this project did not choose. The services know of it only what environment variables say.

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::report;
use testcontainers_modules::kafka::apache;
use testcontainers_modules::testcontainers::ImageExt as _;
use testcontainers_modules::testcontainers::runners::SyncRunner as _;

use crate::broker::IMAGE;
use crate::claim::claims;
use crate::kafka::{Endpoint, Kafka};
use crate::pair::{received, replicas, send, stop_all};
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    environment_variables_alone_suffice_on_a_broker_configured_by_others(3);
}

fn environment_variables_alone_suffice_on_a_broker_configured_by_others(_: &Resources) -> Result<String> {
    if let Some(named) = Kafka::named() {
        return the_pair_works(named.endpoint());
    }
    // The configuration is that of testcontainers' Kafka module. As root, because the module writes its start script to a folder
    // in which, in some builds of the image, its user may not write.
    let broker = apache::Kafka::default().with_jvm_image().with_tag(IMAGE.1).with_user("root").start()?;
    let bootstrap_servers = format!("127.0.0.1:{}", broker.get_host_port_ipv4(apache::KAFKA_PORT)?);
    the_pair_works(Endpoint { bootstrap_servers, account: None })
}

fn the_pair_works(endpoint: Endpoint) -> Result<String> {
    // The services do not create the topic. A `Process` gets the variables named here and in `pair`, no others, and no arguments.
    let topic = Topic::create(&endpoint, 10)?;
    let variables = topic.variables();
    let mut replicas = replicas(&topic, "g", 2, &[]);
    let producer = send(&topic, 100)?;
    replicas[0].wait_until("all messages", |_| received(&replicas) >= 100);
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    let names: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).collect();
    Ok(format!("{}: 100 sent, 100 received, 0 repeated", names.join(", ")))
}
