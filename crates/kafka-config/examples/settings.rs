//! Prints the documentation of the settings: `cargo run -p kafka-config --example settings -- markdown` prints
//! `docs/settings.md`, the same with `env` prints `.env.example`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("markdown") => print(&kafka_config::markdown()),
        Some("env") => print(&kafka_config::env_example()),
        _ => {
            eprintln!("usage: settings markdown|env");
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "printing is all this example does")]
fn print(text: &str) {
    print!("{text}");
}
