//! Where traces are sent and how many, in OpenTelemetry's own variables
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). Its SDK reads the other `OTEL_*`
//! variables by itself.

use serde::Deserialize;

use crate::settings::checker::Checker;
use crate::settings::choices::{OTEL_TRACES_SAMPLERS, SWITCH};
use crate::variables::variable::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG,
};

#[derive(Default, Deserialize)]
struct RawTraces {
    exporter_otlp_endpoint: Option<String>,
    sdk_disabled: Option<String>,
    traces_sampler: Option<String>,
    traces_sampler_arg: Option<String>,
}

/// The collector that traces are sent to, and how many messages are traced.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesSettings {
    /// URL of the collector without the path `/v1/traces` (`OTEL_EXPORTER_OTLP_ENDPOINT`).
    pub endpoint: String,
    /// The fraction of messages that is traced, from 0 to 1 (`OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`).
    pub ratio: f64,
}

impl TracesSettings {
    /// Checks all variables, and returns `None` if no collector is named or traces are disabled.
    pub(crate) fn read(checker: &mut Checker<'_>) -> Option<Self> {
        let raw: RawTraces = checker.fields("OTEL_");
        let is_disabled = checker.choice(&OTEL_SDK_DISABLED, raw.sdk_disabled.as_deref(), SWITCH);
        let fixed_ratio = checker.choice(&OTEL_TRACES_SAMPLER, raw.traces_sampler.as_deref(), OTEL_TRACES_SAMPLERS);
        let ratio = ratio(raw.traces_sampler_arg.as_deref(), checker);
        let endpoint = raw.exporter_otlp_endpoint?.trim().trim_end_matches('/').to_owned();
        let host = endpoint.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.contains(['@', '?', '#']) || host.contains(char::is_whitespace) {
            let hint = "set it to an address such as http://host:4318, near the service: traces are sent without TLS and \
                        without an account";
            checker.problem(&OTEL_EXPORTER_OTLP_ENDPOINT, "is not a supported address of a collector", hint);
        }
        (!is_disabled).then_some(Self { endpoint, ratio: fixed_ratio.unwrap_or(ratio) })
    }
}

fn ratio(raw: Option<&str>, checker: &mut Checker<'_>) -> f64 {
    match raw.unwrap_or(OTEL_TRACES_SAMPLER_ARG.default).trim().parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
        _ => {
            let hint = "set it to a decimal number from 0 to 1, such as 0.01";
            checker.problem(&OTEL_TRACES_SAMPLER_ARG, "is not a ratio", hint);
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::librdkafka::features::Features;
    use crate::variables::environment::Environment;

    /// The settings, and the variables that have a problem.
    fn read(pairs: &[(&str, &str)]) -> (Option<TracesSettings>, Vec<String>) {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let mut checker = Checker::new(&environment, Features::linked());
        let traces = TracesSettings::read(&mut checker);
        (traces, checker.problems.into_iter().map(|problem| problem.variable).collect())
    }

    #[test]
    fn traces_are_on_if_a_collector_is_named_and_not_disabled() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let traces = |ratio| Some(TracesSettings { endpoint: "http://collector:4318".to_owned(), ratio });
        assert_eq!(read(&[]), (None, vec![]));
        assert_eq!(read(&[endpoint]), (traces(1.0), vec![]));
        assert_eq!(read(&[endpoint, ("OTEL_SDK_DISABLED", "true")]), (None, vec![]));
        assert_eq!(read(&[endpoint, ("OTEL_TRACES_SAMPLER", "always_off")]), (traces(0.0), vec![]));
        let sampler = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        assert_eq!(read(&[endpoint, sampler, ("OTEL_TRACES_SAMPLER_ARG", "0.01")]), (traces(0.01), vec![]));
        assert_eq!(read(&[endpoint, sampler]), (traces(1.0), vec![]));
    }

    #[test]
    fn an_invalid_value_is_reported_under_its_variable() {
        for bad in ["collector:4318", "https://collector:4318", "http://", "http://user:secret@collector:4318"] {
            assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", bad)]).1, ["OTEL_EXPORTER_OTLP_ENDPOINT"], "{bad}");
        }
        let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
        assert_eq!(read(&[sampler, ("OTEL_TRACES_SAMPLER_ARG", "2")]).1, ["OTEL_TRACES_SAMPLER_ARG"]);
        assert_eq!(read(&[("OTEL_TRACES_SAMPLER", "xray")]).1, ["OTEL_TRACES_SAMPLER"]);
        assert_eq!(read(&[("OTEL_SDK_DISABLED", "1")]).1, ["OTEL_SDK_DISABLED"]);
    }
}
