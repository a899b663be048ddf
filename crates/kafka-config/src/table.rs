//! The documentation of the settings, printed from the table that the code reads its defaults from.

use std::fmt::Write as _;

use crate::defaults;
use crate::passthrough::{BREAKS_A_PROMISE, HAS_A_SETTING};
use crate::variable::{AppliesTo, VARIABLES, Variable};

const SECTIONS: [(AppliesTo, &str); 3] =
    [(AppliesTo::Both, "Both services"), (AppliesTo::Producer, "producer-svc"), (AppliesTo::Consumer, "consumer-svc")];

fn of(applies_to: AppliesTo) -> impl Iterator<Item = &'static &'static Variable> {
    VARIABLES.iter().filter(move |variable| variable.applies_to == applies_to)
}

/// The table for the README, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    for (applies_to, title) in SECTIONS {
        line(format!("**{title}**\n\n| variable | meaning | unit or values | default | why |\n|---|---|---|---|---|"));
        for variable in of(applies_to) {
            let Variable { name, meaning, values, default, reason, secret, .. } = variable;
            let name = if *secret { format!("`{name}`, `{name}_FILE`") } else { format!("`{name}`") };
            let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
            line(format!("| {name} | {meaning} | {values} | {default} | {reason} |"));
        }
        line(String::new());
    }
    line(
        "**Any other librdkafka property**: `KAFKA_PROP_<NAME>`, in capitals and with `_` for `.` \
        (`KAFKA_PROP_QUEUED_MIN_MESSAGES=1000` is `queued.min.messages`). Values count as secrets, and \
        `KAFKA_PROP_<NAME>_FILE` reads one from a file. These are set by us unless you set them so:\n\n\
        | property | value | for | why |\n|---|---|---|---|"
            .to_owned(),
    );
    for (who, list) in [
        ("both", defaults::BOTH),
        ("producer", defaults::PRODUCER),
        ("consumer", defaults::CONSUMER),
        ("consumer, `classic`", defaults::CLASSIC_GROUP),
    ] {
        for (name, value, reason) in list {
            line(format!("| `{name}` | `{value}` | {who} | {reason} |"));
        }
    }
    let settings: Vec<String> = HAS_A_SETTING.iter().map(|(name, _)| format!("`{name}`")).collect();
    line(format!("\nRefused, because they have a setting of their own: {}.\n", settings.join(", ")));
    line("Refused, because they would break a promise:\n".to_owned());
    for (name, promise) in BREAKS_A_PROMISE {
        line(format!("- `{name}`: {promise}"));
    }
    out
}

/// `.env.example`: every variable with its default, commented out where it has one.
#[must_use]
pub fn env_example() -> String {
    let mut out = String::from(
        "# Every setting of both services with its default; copy it to .env and change what you need.\n\
         # docker-compose.yml passes on those that it names, deploy/compose/external.yml all.\n\
         # Each secret can come from a file instead: KAFKA_SASL_PASSWORD_FILE=/run/secrets/password\n",
    );
    for (applies_to, title) in SECTIONS {
        writeln!(out, "\n# --- {title} ---").unwrap_or_default();
        for variable in of(applies_to) {
            let Variable { name, meaning, values, default, reason, .. } = variable;
            let required = if reason.starts_with("required") { "" } else { "#" };
            writeln!(out, "# {meaning} ({}); {reason}\n{required}{name}={default}", values.replace('`', ""))
                .unwrap_or_default();
        }
    }
    out
}

/// The settings of one service, for `--help`.
#[must_use]
pub fn help(service: AppliesTo) -> String {
    let mut out = String::from("Settings (environment variables):\n");
    for (applies_to, _) in SECTIONS.iter().filter(|(a, _)| *a == AppliesTo::Both || *a == service) {
        for variable in of(*applies_to) {
            let Variable { name, meaning, values, default, reason, secret, .. } = variable;
            let file = if *secret { ", or the file named by the same with _FILE" } else { "" };
            let default = if default.is_empty() { (*reason).to_owned() } else { format!("default {default}") };
            writeln!(out, "  {name}\n      {meaning}: {}{file} [{default}]", values.replace('`', ""))
                .unwrap_or_default();
        }
    }
    out.push_str("  KAFKA_PROP_<NAME>\n      any other librdkafka property, in capitals and with _ for .\n");
    out
}
