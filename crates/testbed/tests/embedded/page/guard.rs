//! Who is let in.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::tab::{Sandbox, Tab};

fn sandbox() -> Sandbox {
    Sandbox::start(&["--consumers", "1", "--partitions", "2"])
}

/// The whole answer to a request with these header lines.
fn ask(address: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_page_comes_with_a_policy_that_lets_nothing_else_in() {
    let mut sandbox = sandbox();
    let host = format!("Host: {}\r\n", sandbox.address);
    for path in ["/", "/main.js", "/style.css", "/icon.svg"] {
        let answer = ask(&sandbox.address, path, &host).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{path}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{path}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}: {answer}");
        assert!(!answer.contains("access-control-allow"), "{path}: {answer}");
        assert!(!answer.contains(&sandbox.token), "only the link has the token");
    }
    assert!(ask(&sandbox.address, "/../Cargo.toml", &host).starts_with("HTTP/1.1 404"));
    sandbox.finish();
}

#[test]
fn another_host_origin_or_token_is_refused() {
    let mut sandbox = sandbox();
    let address = sandbox.address.clone();
    let port = address.rsplit(':').next().unwrap();
    let origin = format!("http://{address}");
    for headers in [
        format!("Host: localhost:{port}\r\n"),
        format!("Host: attacker.example:{port}\r\n"),
        format!("Host: {address}\r\nOrigin: http://attacker.example\r\n"),
        format!("Host: {address}\r\nSec-Fetch-Site: cross-site\r\n"),
    ] {
        assert!(ask(&address, "/", &headers).starts_with("HTTP/1.1 403"), "{headers}");
    }
    for (host, origin) in [
        (format!("localhost:{port}"), origin.clone()),
        (format!("attacker.example:{port}"), format!("http://attacker.example:{port}")),
        (address.clone(), "http://attacker.example".to_owned()),
        (address.clone(), "null".to_owned()),
        (address.clone(), String::new()),
    ] {
        assert!(Tab::connect(&address, &host, &origin).is_err(), "{host} {origin}");
    }
    for wrong in
        [json!({ "token": "" }), json!({ "token": "0".repeat(32) }), json!({ "command": "pause", "id": 1 }), json!(1)]
    {
        let mut tab = Tab::connect(&address, &address, &origin).unwrap();
        tab.send(&wrong);
        while tab.read() {}
        assert!(!tab.state.contains_key("topic"), "{wrong} was let in");
    }
    // The control: with the right ones a tab is let in, and nothing of the above was carried out.
    assert_eq!(sandbox.tab().state["producer"]["state"], "running");
    sandbox.finish();
}

#[test]
fn without_a_page_nothing_listens() {
    let mut sandbox =
        testbed::Process::start(testbed::binary("sandbox"), &["--no-page", "--count", "3", "--rate", "10"], &[]);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(!sandbox.text().contains("http://"), "{}", sandbox.text());
}
