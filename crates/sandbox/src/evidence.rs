//! The evidence: the log lines of all services, accounted for as they arrive and kept for a second reading.

use std::collections::BTreeMap;
use std::io::{BufReader, Seek as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use audit::{Account, Lines, Options, Report, each_line};
use journal::{Entry, Line};
use tempfile::NamedTempFile;

use crate::broker::GroupObserver;

const WATCH_EVERY: Duration = Duration::from_millis(250);
const WATCH_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of a partition on the broker.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) group: String,
    pub(crate) partition: i32,
    /// The broker has deleted everything below this offset.
    pub(crate) oldest: i64,
    /// The offset after the newest message.
    pub(crate) end: i64,
    /// The group has committed everything below this offset; `None` if it has committed nothing.
    pub(crate) committed: Option<i64>,
}

/// Reports the state of every partition several times a second, until the returned sender is dropped.
pub(crate) fn watch(
    group: &str,
    observer: GroupObserver,
    report: impl Fn(PartitionState) + Send + 'static,
) -> Sender<()> {
    let (keep_watching, stopped) = channel();
    let group = group.to_owned();
    std::thread::spawn(move || {
        while stopped.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
            // A request that fails is repeated in the next round.
            let Ok(offsets) = observer.committed(WATCH_TIMEOUT) else { continue };
            let offsets: BTreeMap<i32, i64> = offsets.into_iter().collect();
            for partition in observer.partitions() {
                let committed = offsets.get(&partition).copied();
                let Ok((oldest, end)) = observer.log(partition, WATCH_TIMEOUT) else { break };
                report(PartitionState { group: group.clone(), partition, oldest, end, committed });
            }
        }
    });
    keep_watching
}

/// What the services' lines and the broker's partitions show so far.
pub(crate) struct Evidence {
    topic: String,
    account: Account,
    file: NamedTempFile,
    /// Each group's next offset in each partition when its state was last reported.
    last_next: BTreeMap<(String, i32), i64>,
    /// The name of the service behind each instance.
    services: BTreeMap<String, String>,
}

impl Evidence {
    /// Nothing is known yet about the messages of `topic`.
    pub(crate) fn new(topic: &str) -> Result<Self> {
        let file = NamedTempFile::with_suffix(".jsonl").context("could not create the file for the evidence")?;
        Ok(Self {
            topic: topic.to_owned(),
            account: Account::new(Options::complete()),
            file,
            last_next: BTreeMap::new(),
            services: BTreeMap::new(),
        })
    }

    pub(crate) fn add_text(&mut self, text: &str) -> Result<()> {
        writeln!(self.file, "{text}").context("could not write the evidence to its file")
    }

    pub(crate) fn add_line(&mut self, service: &str, line: &Line) {
        if matches!(line.entry, Entry::Starting(_)) {
            self.services.insert(line.instance.clone(), service.to_owned());
        }
        self.account.add(line);
    }

    pub(crate) fn add_state(&mut self, state: &PartitionState) {
        let PartitionState { ref group, partition, oldest, .. } = *state;
        // The group may have skipped deleted messages since the last report, so its position at that time decides which ones.
        let next = self.account.next_offsets(group).find(|(known, _)| *known == partition).map_or(0, |(_, next)| next);
        let last_next = self.last_next.insert((group.clone(), partition), next).unwrap_or(0);
        self.account.mark_deleted(&self.topic, partition, last_next, oldest - 1);
    }

    /// How many acknowledged messages the group has not reached.
    pub(crate) fn in_flight(&self, group: &str) -> u64 {
        self.account.in_flight(group)
    }

    /// The report without the details of each offender, which cost a second reading of all lines.
    pub(crate) fn brief_report(&self) -> Report {
        self.account.report()
    }

    pub(crate) fn report(&mut self) -> Result<Report> {
        let mut report = self.account.report();
        let file = self.file.as_file_mut();
        file.rewind().context("could not read the evidence")?;
        let mut lines = Lines::default();
        each_line(BufReader::new(&*file), &mut lines, |line| report.add_details(line))?;
        report.lines = lines;
        Ok(report)
    }

    /// Puts the names of the services in front of their instances in `text`.
    pub(crate) fn name_services(&self, text: &str) -> String {
        let add_name = |text: String, (instance, service): (&String, &String)| {
            text.replace(instance.as_str(), &format!("{service} ({instance})"))
        };
        self.services.iter().fold(text.to_owned(), add_name)
    }

    /// Keeps the file for the user to look at, and returns its path.
    pub(crate) fn keep(&mut self) -> Result<String> {
        let path = self.file.path().to_owned();
        self.file.disable_cleanup(true);
        Ok(path.display().to_string())
    }
}
