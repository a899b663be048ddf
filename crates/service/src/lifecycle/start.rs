//! From environment variables to a running service: the steps that both services share.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use journal::{Detail, Entry, Format, Journal, Level, Starting};
use kafka_config::{
    AppliesTo, Connection, Environment, LogFormat, LogMessages, Problem, Problems, RuntimeSettings, SaslMechanism,
};
use serde_json::{Map, Value, json};
use tracing::warn;
use tracing_subscriber::EnvFilter;

use super::supervise::{Ending, supervise};
use crate::observability::health::Health;
use crate::observability::logging;
use crate::observability::metrics::Metrics;
use crate::observability::traces::Traces;
use crate::process::failure::Failure;
use crate::process::identity::Identity;
use crate::process::shutdown::Shutdown;
use crate::process::stderr::tell;

/// What distinguishes one service from another. [`main()`](crate::main()) and [`start()`] do everything else.
pub trait Service: Send + Sized + 'static {
    /// Name of the binary.
    const NAME: &'static str;
    /// Version of the binary.
    const VERSION: &'static str;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// The settings that `--help` lists beside the common ones.
    const APPLIES_TO: AppliesTo;
    /// Checked settings.
    type Settings: Send + 'static;
    /// The service's own metrics.
    type Metrics: Send + 'static;

    /// Reads and checks the settings.
    ///
    /// # Errors
    /// All problems at once.
    fn read_settings(environment: &Environment) -> Result<Self::Settings, Problems>;

    /// The settings that concern the broker connection.
    fn connection(settings: &Self::Settings) -> &Connection;

    /// The settings that concern the process.
    fn runtime(settings: &Self::Settings) -> &RuntimeSettings;

    /// The content of the first log line. The common settings are added to it.
    fn starting(&self, settings: &Self::Settings) -> Starting;

    /// The labels of every metric.
    fn labels(settings: &Self::Settings) -> Vec<(&'static str, &str)>;

    /// The attributes of every span, beside those that are the same for both services.
    fn span_attributes(_: &Self::Settings) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// How long the loop may go without progress before only a restart can help.
    fn stall_limit(settings: &Self::Settings) -> Duration;

    /// Registers the service's own metrics.
    fn register_metrics(metrics: &Metrics, settings: &Self::Settings) -> Self::Metrics;

    /// The loop. Runs until it is done, fails, or `shutdown` is requested; it then ends within the time left.
    fn work(self, settings: Self::Settings, metrics: Self::Metrics, handles: Handles, shutdown: &Shutdown) -> Ending;
}

/// The shared facilities that the loop of a service uses.
#[derive(Debug)]
pub struct Handles {
    /// Where lines are written.
    pub journal: Arc<Journal>,
    /// Where the loop reports its state.
    pub health: Arc<Health>,
    /// Where spans are recorded.
    pub traces: Traces,
    /// Whether messages get single lines or summaries.
    pub detail: Detail,
}

/// Runs `service` with the settings of this process' environment until it is done, receives a signal, or `stop` completes.
pub fn start<S: Service>(service: S, stop: impl Future<Output = ()>) -> ExitCode {
    let (settings, journal, identity) = match begin(&service) {
        Ok(begun) => begun,
        Err(failure) => {
            tell(failure.chain());
            return ExitCode::from(failure.exit_code());
        }
    };
    let runtime = S::runtime(&settings).clone();
    let health = Health::new(S::stall_limit(&settings));
    let metrics = Metrics::new(&S::labels(&settings), &identity);
    let service_metrics = S::register_metrics(&metrics, &settings);
    let (work_journal, work_health) = (Arc::clone(&journal), Arc::clone(&health));
    supervise(&journal, &runtime, &health, metrics, stop, move |shutdown| {
        let (traces, detail) = {
            let runtime = S::runtime(&settings);
            let attributes = S::span_attributes(&settings);
            (Traces::start(runtime.traces.as_ref(), &identity, &attributes), detail(runtime.log_messages))
        };
        match traces {
            Ok(traces) => {
                let handles = Handles { journal: work_journal, health: work_health, traces, detail };
                service.work(settings, service_metrics, handles, shutdown)
            }
            Err(failure) => failure.into(),
        }
    })
}

/// Reads the settings, opens the log and writes the line `service starting`.
fn begin<S: Service>(service: &S) -> Result<(S::Settings, Arc<Journal>, Identity), Failure> {
    let environment = Environment::of_process();
    let (settings, filter) = read_settings::<S>(&environment)?;
    let (connection, runtime) = (S::connection(&settings), S::runtime(&settings));
    let identity = Identity {
        service: S::NAME.to_owned(),
        version: S::VERSION.to_owned(),
        instance: uuid::Uuid::new_v4().simple().to_string()[..16].to_owned(),
        client_id: connection.client_id.clone(),
    };
    let journal = open_journal(runtime.log_format, &identity);
    logging::install(Arc::clone(&journal), filter);

    let mut starting = service.starting(&settings);
    starting.settings.extend(common_settings(connection, runtime));
    journal.record(Level::Info, &Entry::Starting(starting)).map_err(Failure::Journal)?;
    warn_about(&environment, connection);
    Ok((settings, journal, identity))
}

/// The settings, and which lines are logged. All problems are reported at once.
fn read_settings<S: Service>(environment: &Environment) -> Result<(S::Settings, EnvFilter), Failure> {
    let filter = EnvFilter::try_new(environment.log_filter()).map_err(|_| {
        let hint = "set it to directives such as `info` or `warn,librdkafka=debug`";
        Problem::new("RUST_LOG", "is not a valid tracing filter", hint)
    });
    match (S::read_settings(environment), filter) {
        (Ok(settings), Ok(filter)) => Ok((settings, filter)),
        (settings, filter) => {
            let mut problems = settings.err().map_or(Vec::new(), |problems| problems.0);
            problems.extend(filter.err());
            // A misspelt name often explains why another setting is missing.
            for (variable, nearest) in environment.unknown() {
                let hint = nearest.map_or("remove it".to_owned(), |nearest| format!("did you mean {nearest}?"));
                problems.push(Problem::new(variable, "is not a known setting", hint));
            }
            Err(Failure::Settings(Problems(problems)))
        }
    }
}

fn open_journal(format: LogFormat, identity: &Identity) -> Arc<Journal> {
    let format = match format {
        LogFormat::Auto => Format::auto(),
        LogFormat::Text => Format::Text { colour: false },
        LogFormat::Json => Format::Json,
    };
    // `stdout()` buffers up to a line feed, and the journal writes whole lines and flushes: nothing stays behind.
    let out = Box::new(std::io::stdout());
    Arc::new(Journal::new(format, &identity.client_id, &identity.instance, out))
}

/// Logs what is permitted and probably not meant.
fn warn_about(environment: &Environment, connection: &Connection) {
    for (variable, nearest) in environment.unknown() {
        match nearest {
            Some(nearest) => warn!(variable, did_you_mean = nearest, "unknown variable ignored"),
            None => warn!(variable, "unknown variable ignored"),
        }
    }
    if connection.exposes_password {
        let next_step = "set KAFKA_SECURITY_PROTOCOL=SASL_SSL, or KAFKA_SASL_MECHANISM to a SCRAM mechanism";
        warn!(next_step, "password is sent unencrypted");
    }
    if connection.exposes_client_secret {
        let next_step = "set KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL to an address with https://";
        warn!(next_step, "client secret is sent unencrypted");
    }
    if connection.has_unsecured_token {
        let next_step = "unset KAFKA_SASL_OAUTHBEARER_CONFIG and set KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL; a broker that \
                         takes such a token takes it from anybody";
        warn!(next_step, "unsecured token is used");
    }
}

/// The settings of every service that the first line shows. None of them can hold a secret.
fn common_settings(connection: &Connection, runtime: &RuntimeSettings) -> Map<String, Value> {
    let settings = json!({
        "bootstrap_servers": connection.bootstrap_servers,
        "security_protocol": connection.security_protocol.name(),
        "sasl_mechanism": connection.sasl_mechanism.map(SaslMechanism::name),
        "http_addr": runtime.http_addr,
        "shutdown_timeout_ms": u64::try_from(runtime.shutdown_timeout.as_millis()).unwrap_or(u64::MAX),
    });
    match settings {
        Value::Object(settings) => settings.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

fn detail(setting: LogMessages) -> Detail {
    match setting {
        LogMessages::Auto => Detail::Auto,
        LogMessages::Each => Detail::Each,
        LogMessages::Summary => Detail::Summary,
    }
}
