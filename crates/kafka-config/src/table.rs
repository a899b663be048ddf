//! The documentation of the settings, generated from the table that the code reads its defaults from.

use std::fmt::Write as _;

use crate::librdkafka::defaults;
use crate::settings::passthrough::{FIXED, HAS_A_SETTING};
use crate::variables::variable::{AppliesTo, VARIABLES, Variable};

const SECTIONS: [(AppliesTo, &str); 3] =
    [(AppliesTo::Both, "Both services"), (AppliesTo::Producer, "producer-svc"), (AppliesTo::Consumer, "consumer-svc")];

const MARKDOWN_INTRO: &str = "\
# Settings

The services read all their settings from environment variables. [`.env.example`](../.env.example) lists the same variables
as a file to copy.

- **A variable that is set to an empty value counts as unset.**
- **Wrong settings are reported all at once**: the service contacts no broker, prints every problem with the name of its
  variable to standard error, and exits with code 64. No message contains a value, because it could be a secret.
- **Unknown variables** that start with `KAFKA_`, `PRODUCER_` or `CONSUMER_` cause a warning that names the nearest known
  variable. They change nothing.
- **Secrets can come from files**: `KAFKA_SASL_PASSWORD_FILE=/run/secrets/password` reads `KAFKA_SASL_PASSWORD` from that
  file, without one trailing line end. Every variable that is listed with `_FILE` below has this form.
- **TLS, SCRAM and OAUTHBEARER** require a binary that was built with the cargo feature `tls`, which is on by default in both
  services and off in the sandbox. Without it, a setting that asks for one of them is reported as a problem.

This page is generated: `cargo run -p kafka-config --example settings -- markdown > docs/settings.md`
";

const PROPERTIES_INTRO: &str = "\
## Any other librdkafka property

`KAFKA_PROP_<NAME>` sets a [librdkafka property][properties] that has no setting of its own. The name is in capitals, with `_`
for `.`: `KAFKA_PROP_QUEUED_MIN_MESSAGES=1000` sets `queued.min.messages`. `KAFKA_PROP_<NAME>_FILE` reads the value from a
file. Values count as secrets, except that of `KAFKA_PROP_DEBUG`: they are redacted from the errors and log lines of librdkafka
if they are at least 4 bytes long. A property that starts with `ssl.` turns TLS on, like `KAFKA_SSL_*`.

Properties whose names contain a `_` cannot be set: they are callbacks, or the client library sets them itself.

[properties]: https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md

The services set these properties. A `KAFKA_PROP_*` variable can replace the value unless it is refused (see below):

| Property | Value | Service | Reason |
|---|---|---|---|
";

fn section(applies_to: AppliesTo) -> impl Iterator<Item = &'static Variable> {
    VARIABLES.iter().copied().filter(move |variable| variable.applies_to == applies_to)
}

/// The content of `docs/settings.md`: all settings of both services, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(MARKDOWN_INTRO);
    for (applies_to, title) in SECTIONS {
        out.push_str(&format!(
            "\n## {title}\n\n| Variable | Meaning | Values | Default | Reason |\n|---|---|---|---|---|\n"
        ));
        for Variable { name, meaning, values, default, reason, secret, .. } in section(applies_to) {
            let name = if *secret { format!("`{name}`, `{name}_FILE`") } else { format!("`{name}`") };
            let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
            out.push_str(&format!("| {name} | {meaning} | {values} | {default} | {reason} |\n"));
        }
    }
    out.push('\n');
    out.push_str(PROPERTIES_INTRO);
    for (service, list) in [
        ("both", defaults::BOTH),
        ("producer", defaults::PRODUCER),
        ("consumer", defaults::CONSUMER),
        ("consumer, `classic`", defaults::CLASSIC_GROUP),
    ] {
        for (name, value, reason) in list {
            out.push_str(&format!("| `{name}` | `{value}` | {service} | {reason} |\n"));
        }
    }
    out.push_str("\nThese properties are refused because they have a setting of their own:\n\n| Property | Setting |\n|---|---|\n");
    for (name, setting) in HAS_A_SETTING {
        out.push_str(&format!("| `{name}` | `{setting}` |\n"));
    }
    out.push_str(
        "\nThese properties are refused because they would break a guarantee:\n\n| Property | Guarantee |\n|---|---|\n",
    );
    for (name, guarantee) in FIXED {
        out.push_str(&format!("| `{name}` | {guarantee} |\n"));
    }
    out
}

/// The content of `.env.example`: every variable with its default. A variable is commented out unless it is required.
#[must_use]
pub fn env_example() -> String {
    let mut out = String::from(
        "# Every setting of both services with its default. Copy this file to .env and change what you need.\n\
         # docker-compose.yml passes on the variables that it names, deploy/compose/external.yml passes on all.\n\
         # Each secret can come from a file instead: KAFKA_SASL_PASSWORD_FILE=/run/secrets/password\n\
         # docs/settings.md lists the same settings as tables, and explains KAFKA_PROP_<NAME>.\n",
    );
    for (applies_to, title) in SECTIONS {
        writeln!(out, "\n# --- {title} ---").unwrap_or_default();
        for Variable { name, meaning, values, default, reason, .. } in section(applies_to) {
            let comment = if reason.starts_with("required") { "" } else { "#" };
            let value = match (comment, *default) {
                ("", _) => (*reason).to_owned(),
                (_, "") => format!("default: {reason}"),
                _ => format!("default: {default} ({reason})"),
            };
            let text = format!("# {}.\n#   values: {values}\n#   {value}", capitalized(meaning)).replace('`', "");
            writeln!(out, "{text}\n{comment}{name}={default}").unwrap_or_default();
        }
    }
    out
}

/// The settings of one service as plain text, for `--help`.
#[must_use]
pub fn help(service: AppliesTo) -> String {
    let mut out = String::from("Settings (environment variables):\n");
    for (applies_to, _) in SECTIONS.iter().filter(|(section, _)| *section == AppliesTo::Both || *section == service) {
        for Variable { name, meaning, values, default, reason, secret, .. } in section(*applies_to) {
            let file = if *secret {
                format!("\n      or set {name}_FILE to the path of a file with the value")
            } else {
                String::new()
            };
            let default = if default.is_empty() { (*reason).to_owned() } else { format!("default: {default}") };
            let text = format!("{}\n      {values} [{default}]{file}", capitalized(meaning)).replace('`', "");
            writeln!(out, "  {name}\n      {text}").unwrap_or_default();
        }
    }
    out.push_str("  KAFKA_PROP_<NAME>\n      Any other librdkafka property, in capitals and with _ for .\n");
    out
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
