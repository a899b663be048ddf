//! Sends the messages of a partition's turn that are due.

use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _};

use super::Sender;
use crate::client::batch::BATCH_MAX;
use crate::client::topic::Handover;
use crate::partitions::{Partitions, Turn};
use crate::schedule::Schedule;

/// What became of the messages that were to be sent.
pub(super) enum SendResult {
    /// This many were accepted, at least one.
    Accepted(u64),
    /// Neither the queue nor any partition's share of it has room.
    NoRoom,
    Refused(Code),
}

impl Sender<'_> {
    /// Sends at most `due` messages, those that are left of the present turn or are the next turn.
    pub(super) fn send(
        &mut self,
        first_num: u64,
        due: u64,
        schedule: &Schedule,
        partitions: &mut Partitions,
        now: Instant,
    ) -> SendResult {
        let delivery = self.producer.context();
        let turn = {
            let mut books = delivery.books();
            books.set_now(now);
            partitions.next(|partition| books.backlog.room(partition))
        };
        let Some(Turn { partition, first_pseq, left }) = turn else { return SendResult::NoRoom };
        // A message with headers cannot be part of a batch, so the batch ends before it.
        let mut headers = None;
        self.batch.start();
        for i in 0..due.min(left).min(BATCH_MAX) {
            headers = delivery.traces.headers();
            if headers.is_some() {
                break;
            }
            self.batch.push(first_num + i, first_pseq + i, delivery.due_micros(schedule.due_at(i, now)));
        }
        let Handover { mut accepted, mut refusal } = self.topic.produce(partition, &self.batch);
        if let Some(headers) = headers
            && refusal.is_none()
        {
            let i = accepted as u64;
            self.batch.push(first_num + i, first_pseq + i, delivery.due_micros(schedule.due_at(i, now)));
            match self.send_with_headers(partition, headers) {
                Ok(()) => accepted += 1,
                Err(code) => refusal = Some(code),
            }
        }
        if accepted > 0 {
            let accepted = accepted as u64;
            delivery.books().enter_accepted(partition, accepted);
            partitions.advance(accepted);
            return SendResult::Accepted(accepted);
        }
        match refusal {
            Some(Code::QueueFull) | None => SendResult::NoRoom,
            Some(code) => SendResult::Refused(code),
        }
    }

    /// Sends the last message of the batch.
    fn send_with_headers(&self, partition: i32, headers: OwnedHeaders) -> Result<(), Code> {
        let Some(message) = self.batch.messages().last() else { return Ok(()) };
        let record = BaseRecord::with_opaque_to(&self.name, message.due_micros)
            .partition(partition)
            .key(message.key)
            .payload(message.value)
            .timestamp(self.batch.timestamp())
            .headers(headers);
        self.producer.send(record).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Fail))
    }
}
