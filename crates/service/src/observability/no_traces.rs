//! Stands in for `traces.rs` in binaries built without the feature `otel`. Does nothing and costs nothing.

use std::time::Duration;

use kafka_config::TracesSettings;
use rdkafka::message::{BorrowedMessage, OwnedHeaders};
use tracing::warn;

use crate::native::message::NativeMessage;
use crate::process::failure::Failure;
use crate::process::identity::Identity;
use crate::process::shutdown::Shutdown;

/// No traces.
#[derive(Debug)]
pub struct Traces;

/// Records nothing.
#[derive(Debug)]
pub struct Processing;

impl Traces {
    /// Logs a warning if the settings ask for traces.
    ///
    /// # Errors
    /// Never fails.
    pub fn start(settings: Option<&TracesSettings>, _: &Identity, _: &[(&'static str, &str)]) -> Result<Self, Failure> {
        if settings.is_some() {
            let next_step = "build with `--features otel`, or unset OTEL_EXPORTER_OTLP_ENDPOINT";
            warn!(next_step, "this binary was built without traces");
        }
        Ok(Self)
    }

    /// No headers.
    #[inline]
    pub fn headers(&self) -> Option<OwnedHeaders> {
        None
    }

    /// Records nothing.
    #[inline]
    pub fn sent(&self, _: &BorrowedMessage<'_>, _: Duration, _: Option<&'static str>) {}

    /// Records nothing.
    #[inline]
    pub fn process(&self, _: NativeMessage<'_>) -> Processing {
        Processing
    }

    /// Exports nothing.
    pub fn finish(&self, _: &Shutdown) {}
}
