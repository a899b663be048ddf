//! Where traces go, and how many, in OpenTelemetry's own variables. Those that are not here are read by its SDK.

use serde::Deserialize;

use crate::check::Check;
use crate::choices::OTEL_TRACES_SAMPLERS;
use crate::variable::{OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG};

#[derive(Deserialize)]
pub(crate) struct RawTraces {
    exporter_otlp_endpoint: Option<String>,
    sdk_disabled: Option<String>,
    traces_sampler: Option<String>,
    traces_sampler_arg: Option<String>,
}

/// Traces are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesSettings {
    /// The collector, without a path for traces.
    pub endpoint: String,
    /// Which part of the messages is traced, 0 to 1.
    pub ratio: f64,
}

impl TracesSettings {
    pub(crate) fn read(raw: RawTraces, check: &mut Check<'_>) -> Option<Self> {
        let is_disabled =
            check.choice(&OTEL_SDK_DISABLED, raw.sdk_disabled.as_deref(), &[("false", false), ("true", true)]);
        let by_name = check.choice(&OTEL_TRACES_SAMPLER, raw.traces_sampler.as_deref(), OTEL_TRACES_SAMPLERS);
        let ratio = ratio(raw.traces_sampler_arg.as_deref(), check);
        let endpoint = raw.exporter_otlp_endpoint?.trim().trim_end_matches('/').to_owned();
        let host = endpoint.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.contains(['@', '?', '#']) || host.contains(char::is_whitespace) {
            let hint = "give http://host:4318, a collector nearby: traces are sent without TLS and without a login";
            check.problem(&OTEL_EXPORTER_OTLP_ENDPOINT, "is no such address", hint);
        }
        (!is_disabled).then_some(Self { endpoint, ratio: by_name.unwrap_or(ratio) })
    }
}

fn ratio(raw: Option<&str>, check: &mut Check<'_>) -> f64 {
    match raw.unwrap_or(OTEL_TRACES_SAMPLER_ARG.default).trim().parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => ratio,
        _ => {
            check.problem(
                &OTEL_TRACES_SAMPLER_ARG,
                "is no part of a whole",
                "give a decimal from 0 to 1, such as 0.01",
            );
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn read(pairs: &[(&str, &str)]) -> (Option<TracesSettings>, Vec<&'static str>) {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let mut check = Check::new(&environment);
        let traces = TracesSettings::read(environment.fields("OTEL_").unwrap(), &mut check);
        let known = [OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG];
        let named = |name: &String| known.iter().find(|variable| variable.name == name).unwrap().name;
        (traces, check.problems.iter().map(|problem| named(&problem.variable)).collect())
    }

    #[test]
    fn there_are_traces_for_who_names_a_collector() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let wanted = |ratio| Some(TracesSettings { endpoint: "http://collector:4318".to_owned(), ratio });
        assert_eq!(read(&[]), (None, vec![]));
        assert_eq!(read(&[endpoint]), (wanted(1.0), vec![]));
        assert_eq!(read(&[endpoint, ("OTEL_SDK_DISABLED", "true")]), (None, vec![]));
        assert_eq!(read(&[endpoint, ("OTEL_TRACES_SAMPLER", "always_off")]), (wanted(0.0), vec![]));
        let by_ratio = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        assert_eq!(read(&[endpoint, by_ratio, ("OTEL_TRACES_SAMPLER_ARG", "0.01")]), (wanted(0.01), vec![]));
        assert_eq!(read(&[endpoint, by_ratio]), (wanted(1.0), vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for bad in ["collector:4318", "https://collector:4318", "http://", "http://user:secret@collector:4318"] {
            assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", bad)]).1, ["OTEL_EXPORTER_OTLP_ENDPOINT"], "{bad}");
        }
        let by_ratio = ("OTEL_TRACES_SAMPLER", "traceidratio");
        assert_eq!(read(&[by_ratio, ("OTEL_TRACES_SAMPLER_ARG", "2")]).1, ["OTEL_TRACES_SAMPLER_ARG"]);
        assert_eq!(read(&[("OTEL_TRACES_SAMPLER", "xray")]).1, ["OTEL_TRACES_SAMPLER"]);
        assert_eq!(read(&[("OTEL_SDK_DISABLED", "1")]).1, ["OTEL_SDK_DISABLED"]);
    }
}
