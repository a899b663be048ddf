//! A loop that panics, with everything in its message that it was given: the log ends with that, and no secret shows.

use std::process::{Command, ExitCode};
use std::time::Duration;

use journal::Starting;
use kafka_config::{AppliesTo, Connection, ConsumerSettings, Environment, Problems, RuntimeSettings};
use service::{Ending, Handles, Metrics, Service, Shutdown};

const CANARY: &str = "hunter2-6fbe0c1d";
/// Set in the process whose loop panics, which is this test once more.
const IS_CHILD: &str = "PANICKING_CHILD";
const NAME: &str = "a_panic_ends_the_process_and_shows_no_secret";

struct Panicking;

impl Service for Panicking {
    const NAME: &'static str = "panicking";
    const VERSION: &'static str = "0";
    const ABOUT: &'static str = "panics";
    const APPLIES_TO: AppliesTo = AppliesTo::Consumer;
    type Settings = ConsumerSettings;
    type Metrics = ();

    fn read_settings(environment: &Environment) -> Result<ConsumerSettings, Problems> {
        ConsumerSettings::from_environment(environment)
    }

    fn connection(settings: &ConsumerSettings) -> &Connection {
        &settings.connection
    }

    fn runtime(settings: &ConsumerSettings) -> &RuntimeSettings {
        &settings.runtime
    }

    fn starting(&self, settings: &ConsumerSettings) -> Starting {
        Starting {
            service: Self::NAME.to_owned(),
            version: Self::VERSION.to_owned(),
            topic: settings.connection.topic.clone(),
            run: None,
            group_id: None,
            settings: Default::default(),
        }
    }

    fn labels(_: &ConsumerSettings) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    fn stall_limit(_: &ConsumerSettings) -> Duration {
        Duration::from_secs(60)
    }

    fn register_metrics(_: &Metrics, _: &ConsumerSettings) {}

    fn work(self, settings: ConsumerSettings, (): (), handles: Handles, shutdown: &Shutdown) -> Ending {
        panic!("everything at hand: {settings:?} {handles:?} {shutdown:?} {:?}", Environment::of_process())
    }
}

#[test]
fn a_panic_ends_the_process_and_shows_no_secret() {
    if std::env::var_os(IS_CHILD).is_some() {
        let exit_code = service::start(Panicking, std::future::pending());
        assert_eq!(exit_code, ExitCode::FAILURE);
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .envs([(IS_CHILD, "1"), ("RUST_BACKTRACE", "full"), ("RUST_LOG", "trace"), ("LOG_FORMAT", "json")])
        .envs([("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")])
        .envs([("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY)])
        .env("KAFKA_PROP_SASL_KERBEROS_PRINCIPAL", CANARY)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{text}");
    // Negative controls: the panic and what it prints are in the text that is searched.
    for expected in ["everything at hand", "sasl.password", "stack backtrace", r#""reason":"the loop panicked""#] {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
    assert!(!text.contains(CANARY), "{text}");
}
