//! What the terminal says at the beginning.

use super::Demonstration;

impl Demonstration {
    pub(super) fn introduce(&self, link: Option<&str>) {
        let (consumers, partitions) = (self.plan.consumers, self.plan.partitions);
        let (rate, count) = (self.plan.rate, self.plan.count);
        if let Some(story) = self.plan.story {
            self.screen.headline(&format!("Story: {}", story.title));
            if let Some(link) = link {
                self.screen.print(&format!("Watch it in a browser: {link}"));
            }
            self.screen.print("");
            return;
        }
        let replicas = if consumers == 1 { "replica" } else { "replicas" };
        let end = if count == 0 { String::new() } else { format!(", {count} in all,") };
        let (topic, group) = (self.kafka.topic(), self.kafka.group());
        let broker = if self.model.broker.is_own {
            "A Kafka broker runs in this process".to_owned()
        } else {
            format!("This uses the Kafka at {}", self.model.broker.address)
        };
        self.screen.headline(&format!(
            "{broker}; beside it 1 producer and {consumers} {replicas} of the consumer group `{group}`."
        ));
        self.screen.print(&format!(
            "The producer sends {rate} messages/s{end} to topic `{topic}`. Each of its {partitions} partitions belongs to one replica.\n"
        ));
        if let Some(link) = link {
            self.screen.print(&format!("Watch it and take part in a browser: {link}\n"));
        }
        self.screen.print("Try this in another terminal, and watch how the group shares the partitions:");
        for service in &self.services {
            let effect = match service.name.as_str() {
                "consumer-1" if consumers > 1 && self.model.broker.is_own => "; the others take over after some 7 s",
                "consumer-1" if consumers > 1 => "; the others take over when its session has timed out",
                _ => "",
            };
            self.screen.print(&format!("  kill -9 {:<8}  kill {}{effect}", service.pid(), service.name));
        }
        self.screen.print(&format!(
            "  kill -USR1 {:<5}  add a replica\n\n\
             Ctrl-C stops everything in order and prints the verdict: did every message arrive, and none twice?\n\
             The first messages are received after about 3 s, when the group has formed.\n",
            std::process::id()
        ));
    }
}
