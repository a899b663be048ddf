//! Settings of the services: environment variables in, checked values and a librdkafka configuration out.
//!
//! Three stages, so that a reader of the error never has to come back for the next one:
//!
//! 1. [`Environment`] collects the variables once, drops empty ones, reads `*_FILE` secrets, and `envy` maps the known
//!    names to fields.
//! 2. Every field is checked, alone and together with others. All [`Problems`] are returned at once.
//! 3. librdkafka checks each property by itself. Nothing is contacted for that.
//!
//! This is the only crate that knows names of librdkafka properties. No value of a secret leaves it except inside
//! the [`rdkafka::ClientConfig`] that the client is created from: don't print that type, its `Debug` is not complete
//! in what it hides.

mod check;
mod choices;
mod connection;
mod consumer;
mod defaults;
mod environment;
mod passthrough;
mod problem;
mod producer;
mod properties;
mod runtime;
mod table;
mod traces;
mod variable;

pub use choices::{AutoOffsetReset, LogFormat, LogMessages, Rate};
pub use connection::Connection;
pub use consumer::ConsumerSettings;
pub use environment::Environment;
pub use problem::{Problem, Problems};
pub use producer::ProducerSettings;
pub use properties::Properties;
pub use runtime::{RuntimeSettings, http_addr};
pub use table::{env_example, help, markdown};
pub use traces::TracesSettings;
pub use variable::{AppliesTo, VARIABLES, Variable};
