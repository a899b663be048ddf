//! From environment variables to a service that can log: the same first steps for both.

use std::process::ExitCode;
use std::sync::Arc;

use journal::{Entry, Format, Journal, Level, Starting};
use kafka_config::{Connection, Environment, LogFormat, Problem, Problems, RuntimeSettings};
use serde_json::{Map, Value, json};
use tracing::warn;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::logging;

/// A service that knows its settings and can log.
#[derive(Debug)]
pub struct Begun<S> {
    /// Checked settings.
    pub settings: S,
    /// Where lines go.
    pub journal: Arc<Journal>,
    /// Who it is.
    pub identity: Identity,
}

/// Who a process is, in what it shows of itself.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The service's name.
    pub service: String,
    /// Its version.
    pub version: String,
    /// The name of this process: 8 hex digits.
    pub instance: String,
    /// Its name for the broker.
    pub client_id: String,
}

/// Reads the settings, opens the log and writes the line `service starting`.
///
/// # Errors
/// The exit code, after every problem was printed to standard error.
pub fn begin<S>(
    read: impl FnOnce(&Environment) -> Result<S, Problems>,
    parts: impl FnOnce(&S) -> (&Connection, &RuntimeSettings, Starting),
) -> Result<Begun<S>, ExitCode> {
    let environment = Environment::of_process();
    let filter = EnvFilter::try_new(environment.log_filter()).map_err(|_| {
        let hint = "give directives such as `info` or `warn,librdkafka=debug`";
        Problem::new("RUST_LOG", "is no filter", hint)
    });
    let (settings, filter) = match (read(&environment), filter) {
        (Ok(settings), Ok(filter)) => (settings, filter),
        (settings, filter) => {
            let mut problems = settings.err().map_or(Vec::new(), |problems| problems.0);
            problems.extend(filter.err());
            let failure = Failure::Settings(Problems(problems));
            eprintln!("{failure}");
            return Err(ExitCode::from(failure.exit_code()));
        }
    };
    let (connection, runtime, mut starting) = parts(&settings);
    starting.settings.extend(about(connection, runtime));
    let format = match runtime.log_format {
        LogFormat::Auto => Format::auto(),
        LogFormat::Text => Format::Text { colour: false },
        LogFormat::Json => Format::Json,
    };
    // `stdout()` buffers a line; the journal hands it whole lines and flushes.
    let identity = Identity {
        service: starting.service.clone(),
        version: starting.version.clone(),
        instance: uuid::Uuid::new_v4().simple().to_string()[..8].to_owned(),
        client_id: connection.client_id.clone(),
    };
    let out = Box::new(std::io::stdout());
    let journal = Arc::new(Journal::new(format, &identity.client_id, &identity.instance, out));
    logging::install(Arc::clone(&journal), filter);

    if let Err(error) = journal.record(Level::Info, &Entry::Starting(starting)) {
        let failure = Failure::Journal(error);
        eprintln!("{}", failure.chain());
        return Err(ExitCode::from(failure.exit_code()));
    }
    for (variable, nearest) in environment.unknown() {
        match nearest {
            Some(nearest) => warn!(variable, did_you_mean = nearest, "unknown variable ignored"),
            None => warn!(variable, "unknown variable ignored"),
        }
    }
    if connection.exposes_password {
        let next_step = "use SASL_SSL, or a SCRAM mechanism";
        warn!(next_step, "password crosses the network in the clear");
    }
    Ok(Begun { settings, journal, identity })
}

fn about(connection: &Connection, runtime: &RuntimeSettings) -> Map<String, Value> {
    let settings = json!({
        "bootstrap_servers": connection.bootstrap_servers,
        "security_protocol": connection.security_protocol,
        "sasl_mechanism": connection.sasl_mechanism,
        "http_addr": runtime.http_addr,
        "shutdown_timeout_ms": u64::try_from(runtime.shutdown_timeout.as_millis()).unwrap_or(u64::MAX),
    });
    match settings {
        Value::Object(settings) => settings.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
