//! The lines of all services: judged while they come, and kept for a second look.

use std::collections::BTreeMap;
use std::io::{BufReader, Seek as _, Write as _};

use anyhow::{Context as _, Result};
use audit::{Account, Lines, Report, each_line};
use journal::{Entry, from_line};
use tempfile::NamedTempFile;

use crate::broker::{Seen, TOPIC};

pub(crate) const GROUP: &str = "sandbox";

/// What the services have said so far.
pub(crate) struct Evidence {
    account: Account,
    file: NamedTempFile,
    /// The next offset of each partition at the last look.
    stood: BTreeMap<i32, i64>,
    /// How far the group has committed each partition.
    committed: BTreeMap<i32, i64>,
    /// Names of the instances.
    names: BTreeMap<String, String>,
}

impl Evidence {
    pub(crate) fn new() -> Result<Self> {
        let file = NamedTempFile::with_suffix(".jsonl").context("could not create the file for the evidence")?;
        Ok(Self {
            account: Account::complete(),
            file,
            stood: BTreeMap::new(),
            committed: BTreeMap::new(),
            names: BTreeMap::new(),
        })
    }

    pub(crate) fn add(&mut self, name: &str, text: &str) -> Result<()> {
        writeln!(self.file, "{text}").context("could not keep the evidence")?;
        if let Ok(line) = from_line(text) {
            if matches!(line.entry, Entry::Starting(_)) {
                self.names.insert(line.instance.clone(), name.to_owned());
            }
            self.account.add(&line);
        }
        Ok(())
    }

    /// Takes note of how a partition looks from outside: what was forgotten, and how far the group has committed.
    pub(crate) fn see(&mut self, seen: &Seen) {
        let Seen { partition, begin, committed } = *seen;
        // The group may have jumped over what was forgotten since the last look, so it counts where it stood then.
        let next = self.account.next_offsets(GROUP).find(|(of, _)| *of == partition).map_or(0, |(_, next)| next);
        let stood = self.stood.insert(partition, next).unwrap_or(0);
        self.account.forgotten(TOPIC, partition, stood, begin - 1);
        self.committed.insert(partition, committed);
    }

    /// Whether the group has received everything that was acknowledged, and committed everything that it received.
    pub(crate) fn is_caught_up(&self) -> bool {
        let is_committed =
            |(partition, next)| self.committed.get(&partition).is_some_and(|committed| *committed >= next);
        self.account.in_flight(GROUP) == 0 && self.account.next_offsets(GROUP).all(is_committed)
    }

    pub(crate) fn report(&mut self) -> Result<Report> {
        let mut report = self.account.report();
        let file = self.file.as_file_mut();
        file.rewind().context("could not read the evidence")?;
        let mut lines = Lines::default();
        each_line(BufReader::new(&*file), &mut lines, |line| report.learn(line))?;
        report.lines = lines;
        Ok(report)
    }

    /// `text` with the names of the services beside their instances.
    pub(crate) fn named(&self, text: &str) -> String {
        let with_name = |text: String, (instance, name): (&String, &String)| {
            text.replace(instance.as_str(), &format!("{name} ({instance})"))
        };
        self.names.iter().fold(text.to_owned(), with_name)
    }

    /// Leaves the file where it is, for a person to look at; gives its path.
    pub(crate) fn keep(self) -> Result<String> {
        let (_, path) = self.file.keep().context("could not keep the evidence")?;
        Ok(path.display().to_string())
    }
}
