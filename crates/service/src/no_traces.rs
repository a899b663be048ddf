//! The same as `traces.rs`, in a binary that was built without: nothing, for nothing.

use std::time::Duration;

use kafka_config::TracesSettings;
use rdkafka::message::{BorrowedMessage, OwnedHeaders};
use tracing::warn;

use crate::failure::Failure;
use crate::shutdown::Shutdown;
use crate::start::Identity;

/// There are none.
#[derive(Debug)]
pub struct Traces;

/// Nothing is recorded.
#[derive(Debug)]
pub struct Processing;

impl Traces {
    /// Tells who wants traces that this binary has none.
    ///
    /// # Errors
    /// None.
    pub fn start(settings: Option<&TracesSettings>, _: &Identity, _: &[(&'static str, &str)]) -> Result<Self, Failure> {
        if settings.is_some() {
            let next_step = "build with `--features otel`, or take OTEL_EXPORTER_OTLP_ENDPOINT away";
            warn!(next_step, "this binary was built without traces");
        }
        Ok(Self)
    }

    /// A message needs none.
    #[inline]
    pub fn headers(&self) -> Option<OwnedHeaders> {
        None
    }

    /// Nothing is recorded.
    #[inline]
    pub fn sent(&self, _: &BorrowedMessage<'_>, _: Duration, _: Option<&'static str>) {}

    /// Nothing is recorded.
    #[inline]
    pub fn process(&self, _: &BorrowedMessage<'_>) -> Processing {
        Processing
    }

    /// Nothing is left.
    pub fn finish(&self, _: &Shutdown) {}
}
