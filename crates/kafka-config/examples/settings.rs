//! Prints the documentation of the settings: `cargo run -p kafka-config --example settings -- markdown|env`.

fn main() {
    let text = match std::env::args().nth(1).as_deref() {
        Some("env") => kafka_config::env_example(),
        _ => kafka_config::markdown(),
    };
    print(&text);
}

#[expect(clippy::print_stdout, reason = "printing is all this example does")]
fn print(text: &str) {
    print!("{text}");
}
