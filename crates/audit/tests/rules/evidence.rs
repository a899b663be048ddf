//! Log lines of a producer and two replicas, written one by one, and the reports on them.

use audit::{Account, Class, Options, Report, each_line};
use message::RunId;

const GROUP_AND_TOPIC: &str = r#""group_id":"g","topic":"t""#;

/// Log lines of the producer `p` and of the replicas `a` and `b`, on partition 0 of one topic. The sessions of both replicas begin at
/// offset 0 unless [`Evidence::without_sessions`] says otherwise.
#[derive(Clone)]
pub(crate) struct Evidence {
    run: RunId,
    pub(crate) lines: Vec<String>,
}

impl Evidence {
    /// The first lines of the producer and of both replicas.
    pub(crate) fn new() -> Self {
        Self::without_sessions().begun("a", "earliest", 0).begun("b", "committed", 0)
    }

    /// The start lines of the producer and of both replicas.
    pub(crate) fn without_sessions() -> Self {
        let run = RunId::new();
        let mut evidence = Self { run, lines: Vec::new() };
        evidence.line(
            "p",
            &format!(
                r#""message":"service starting","service":"producer-svc","version":"1","topic":"t","run":"{run}""#
            ),
        );
        for replica in ["a", "b"] {
            evidence.line(
                replica,
                &format!(r#""message":"service starting","service":"consumer-svc","version":"1",{GROUP_AND_TOPIC}"#),
            );
        }
        evidence
    }

    /// Lines and ranges added from here on belong to `run`.
    pub(crate) fn of_run(mut self, run: RunId) -> Self {
        self.run = run;
        self
    }

    /// Adds a line with the next number of its instance.
    pub(crate) fn line(&mut self, instance: &str, content: &str) {
        let instance = format!(r#""instance":"{instance}""#);
        let seq = self.lines.iter().filter(|line| line.contains(&instance)).count();
        self.lines.push(format!(r#"{{{content},{instance},"seq":{seq}}}"#));
    }

    /// Takes out the line with this number, as a log shipper does that loses lines.
    pub(crate) fn without_line(mut self, instance: &str, seq: usize) -> Self {
        let end = format!(r#""instance":"{instance}","seq":{seq}}}"#);
        let count = self.lines.len();
        self.lines.retain(|line| !line.ends_with(&end));
        assert_eq!(self.lines.len(), count - 1, "one line is taken out");
        self
    }

    /// A session begins at `offset`, because of `start`.
    pub(crate) fn begun(mut self, instance: &str, start: &str, offset: i64) -> Self {
        let begin = format!(r#""partitions":[0],"owned":[0],"begin":{{"{start}":[[0,{offset}]]}}"#);
        self.line(instance, &format!(r#""message":"partitions assigned",{GROUP_AND_TOPIC},{begin}"#));
        self
    }

    /// A session ends at `position`.
    pub(crate) fn ended(mut self, instance: &str, position: i64) -> Self {
        let end = format!(r#""partitions":[0],"owned":[],"positions":[[0,{position}]]"#);
        self.line(instance, &format!(r#""message":"partitions revoked",{GROUP_AND_TOPIC},{end}"#));
        self
    }

    pub(crate) fn reset(mut self, instance: &str, from: i64, to: i64, log_start: i64) -> Self {
        let reset = format!(r#""partition":0,"from":{from},"to":{to},"log_start":{log_start}"#);
        self.line(instance, &format!(r#""message":"position reset",{GROUP_AND_TOPIC},{reset}"#));
        self
    }

    pub(crate) fn stopped(mut self, instance: &str, count: u64) -> Self {
        self.line(instance, &format!(r#""message":"service stopped","exit_code":0,"reason":"done","count":{count}"#));
        self
    }

    pub(crate) fn range(&self, offset: [i64; 2], pseq: [u64; 2]) -> String {
        format!(r#"{{"partition":0,"offset":{offset:?},"run":"{}","pseq":{pseq:?}}}"#, self.run)
    }

    pub(crate) fn acknowledged(mut self, offset: [i64; 2], pseq: [u64; 2]) -> Self {
        let (run, range) = (self.run, self.range(offset, pseq));
        self.line("p", &format!(r#""message":"messages delivered","count":0,"rate_per_sec":0,"latency_ms":{{"p50":0,"p99":0,"max":0}},"outstanding":0,"topic":"t","run":"{run}","ranges":[{range}]"#));
        self
    }

    pub(crate) fn not_delivered(mut self, outcome: &str, pseq: [u64; 2]) -> Self {
        let (run, count) = (self.run, pseq[1] - pseq[0] + 1);
        self.line("p", &format!(r#""message":"messages not delivered","outcome":"{outcome}","count":{count},"num":[],"topic":"t","partition":0,"pseq":[{pseq:?}],"run":"{run}","error":"e""#));
        self
    }

    pub(crate) fn closed(mut self, acknowledged: u64, rejected: u64, unknown: u64, last: u64) -> Self {
        let (run, accepted) = (self.run, acknowledged + rejected + unknown);
        self.line("p", &format!(r#""message":"run closed","run":"{run}","topic":"t","accepted":{accepted},"acknowledged":{acknowledged},"rejected":{rejected},"unknown":{unknown},"partitions":[{{"partition":0,"last_pseq":{last}}}]"#));
        self
    }

    /// The run is closed by two lines, one for each of its two partitions, of which the evidence has only the first.
    pub(crate) fn closed_in_part(mut self, acknowledged: u64, last: u64) -> Self {
        self = self.closed(acknowledged, 0, 0, last);
        let line = self.lines.last_mut().expect("the line was added");
        *line = line.replace(r#""partitions""#, r#""partition_count":2,"partitions""#);
        self
    }

    pub(crate) fn received_range(mut self, by: &str, range: &str) -> Self {
        self.line(by, &format!(r#""message":"messages received","count":0,"rate_per_sec":0,"latency_ms":{{"p50":0,"p99":0,"max":0}},{GROUP_AND_TOPIC},"ranges":[{range}]"#));
        self
    }

    pub(crate) fn received(self, by: &str, offset: [i64; 2], pseq: [u64; 2]) -> Self {
        let range = self.range(offset, pseq);
        self.received_range(by, &range)
    }

    /// The report if these lines are all that was written.
    pub(crate) fn report(&self) -> Report {
        self.report_of(&Options::complete())
    }

    /// The report if lines of other replicas, or the last lines of these processes, may be missing.
    pub(crate) fn report_of_partial_evidence(&self) -> Report {
        self.report_of(&Options::default())
    }

    /// Computes the report, and checks that it is the same with the lines in reverse order, and with each line read twice.
    pub(crate) fn report_of(&self, options: &Options) -> Report {
        let read = |lines: &[String]| {
            let mut account = Account::new(options.clone());
            let mut counts = audit::Lines::default();
            each_line(lines.join("\n").as_bytes(), &mut counts, |line| account.add(line)).expect("memory can be read");
            assert_eq!(counts.read, lines.len() as u64, "{lines:#?}");
            account.report()
        };
        let forward = read(&self.lines);
        assert_eq!(forward.to_string(), read(&[&self.lines[..], &self.lines[..]].concat()).to_string());
        let backward = read(&self.lines.iter().rev().cloned().collect::<Vec<_>>());
        for max_repeats in [0, 1, u64::MAX] {
            assert_eq!(forward.verdict(max_repeats), backward.verdict(max_repeats), "{forward}\n{backward}");
        }
        assert_eq!(forward.groups[0].count(Class::Repeated), backward.groups[0].count(Class::Repeated));
        assert_eq!(forward.groups[0].count(Class::ProducedTwice), backward.groups[0].count(Class::ProducedTwice));
        forward
    }
}
