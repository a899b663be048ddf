//! The acknowledged messages that a group did not receive, by what is concluded from them.

use crate::doubt::{Doubts, Subject};
use crate::intervals::length;
use crate::offender::{Class, Offender, Offenders};
use crate::placement::{Place, Session};
use crate::run::TopicPartition;
use crate::session::Start;

/// Messages that may have been received according to lines that are not here.
#[derive(Debug, Default)]
pub(super) struct Uncertain {
    pub(super) count: u64,
    /// About the first of them.
    example: String,
}

impl Uncertain {
    fn add(&mut self, partition: &TopicPartition, (first, last): (i64, i64), why: impl FnOnce() -> String) {
        if self.count == 0 {
            self.example = format!("the first is {partition}@{first}: {}", why());
        }
        self.count += length(first, last);
    }
}

/// What is concluded about one group.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) missing: Offenders,
    pub(super) skipped: Offenders,
    pub(super) expired: Offenders,
    /// Within a session with missing lines.
    pub(super) obscured: Uncertain,
    /// Between two sessions, although lines of a third one may be missing.
    pub(super) between: Uncertain,
    /// Before the first session.
    pub(super) before: Uncertain,
    /// The group received another message at their offset, but lines may be missing that show them.
    pub(super) displaced: u64,
    pub(super) in_flight: u64,
    pub(super) not_owed: u64,
    pub(super) expired_before: u64,
    pub(super) not_judged: u64,
    /// Deleted according to the caller of the audit.
    pub(super) deleted: u64,
}

impl Findings {
    /// Adds the messages in `interval`, all of which are in `place`. They are certain not to have been received by anybody if the
    /// evidence is complete. Messages from before the evidence are not judged if it may begin in the middle.
    pub(super) fn add(
        &mut self,
        partition: &TopicPartition,
        place: Place<'_>,
        interval: (i64, i64),
        is_certain: bool,
        is_from_here: bool,
    ) {
        let (first, last) = interval;
        let count = length(first, last);
        let class = match place {
            Place::Beyond => {
                self.in_flight += count;
                return;
            }
            Place::PassedOver => Class::Missing,
            Place::Obscured(Session { replica, .. }) => {
                return self.obscured.add(partition, interval, || format!("lines of replica {replica} are missing"));
            }
            Place::Before(Session { span, .. }) if span.start == Start::Latest => {
                self.not_owed += count;
                return;
            }
            Place::Before(Session { span, .. }) if span.start == Start::Earliest => {
                self.expired_before += count;
                return;
            }
            Place::Before(next) => return self.add_before(partition, interval, next, is_from_here),
            Place::Between(_, next) if next.span.start == Start::Cut => {
                return self.add_before(partition, interval, next, is_from_here);
            }
            Place::Deleted if is_certain => Class::Expired,
            Place::Deleted => {
                return self.between.add(partition, interval, || {
                    "the broker deleted it before a replica reached it, but the log of another replica may show it"
                        .to_owned()
                });
            }
            Place::Jumped if is_certain => Class::Skipped,
            Place::Jumped => {
                return self.between.add(partition, interval, || {
                    "a replica was reset past it before its first message, but the log of another replica may show it"
                        .to_owned()
                });
            }
            Place::Between(_, next) if is_certain => {
                if next.span.log_start.is_some_and(|log_start| first < log_start) {
                    Class::Expired
                } else {
                    Class::Skipped
                }
            }
            Place::Between(previous, next) => {
                return self.between.add(partition, interval, || {
                    format!(
                        "replica {} ended at {}, and replica {} began at {} ({})",
                        previous.replica, previous.span.end, next.replica, next.span.first, next.span.start
                    )
                });
            }
        };
        let offenders = match class {
            Class::Skipped => &mut self.skipped,
            Class::Expired => &mut self.expired,
            _ => &mut self.missing,
        };
        offenders.push(first, last, |offset| Offender::at_offset(class, partition, offset));
    }

    fn add_before(
        &mut self,
        partition: &TopicPartition,
        interval: (i64, i64),
        Session { replica, span, .. }: Session<'_>,
        is_from_here: bool,
    ) {
        if is_from_here {
            self.not_judged += length(interval.0, interval.1);
        } else {
            self.before
                .add(partition, interval, || format!("replica {replica} began at {} ({})", span.first, span.start));
        }
    }

    /// The doubts about the group `id`.
    pub(super) fn doubts(&self, id: &str, doubts: &mut Doubts) {
        let Self { obscured, between, before, displaced, in_flight, deleted, .. } = self;
        let mut add_about = |subject, count: u64, doubt: String| {
            if count > 0 {
                doubts.push_about(subject, format!("group {id}: {count} acknowledged messages {doubt}"));
            }
        };
        add_about(Subject::InFlight { group: id.to_owned() }, *in_flight, "are still in flight".to_owned());
        let mut add = |count, doubt| add_about(Subject::Other, count, doubt);
        add(
            obscured.count,
            format!("are not in the lines of its replicas, but some of these are missing; {}", obscured.example),
        );
        add(
            between.count,
            format!(
                "lie between two of its sessions; {}. The log of a replica, or the last lines of a killed one, may not be here; pass \
                 --complete if all are",
                between.example
            ),
        );
        add(
            before.count,
            format!(
                "lie before its first session here; {}. Give the audit the logs of the replicas that read before, or pass --from-here",
                before.example
            ),
        );
        add(
            *displaced,
            "have an offset at which the group received another message. Lines that are not here may show them; pass --complete if all are"
                .to_owned(),
        );
        add(*deleted, "were deleted by the broker before the group read them".to_owned());
    }
}
