//! The sandbox built as the README says, `-p sandbox`: without TLS, and therefore without OpenSSL.
//!
//! A build of the whole workspace unifies the features of all packages, which brings TLS back, so this build has a target
//! directory of its own. It compiles librdkafka once more, about 90 s on two cores; later builds are incremental.

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::Process;

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).args(arguments).arg("--locked");
    cargo
}

fn sandbox() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-alone");
    let mut build = cargo(&["build", "--quiet", "-p", "sandbox"]);
    // Debug information costs time and a gigabyte, and nobody debugs this binary.
    let status = build.arg("--target-dir").arg(&target).env("CARGO_PROFILE_DEV_DEBUG", "0").status();
    assert!(status.expect("cargo starts").success());
    target.join("debug/sandbox")
}

#[test]
fn built_alone_it_is_free_of_openssl_works_and_refuses_tls() {
    for (package, has_openssl) in [("sandbox", false), ("producer-svc", true)] {
        let tree = cargo(&["tree", "-p", package, "-e", "normal,build"]).output().expect("cargo starts");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout);
        assert_eq!(tree.contains("openssl"), has_openssl, "{tree}");
    }

    let program = sandbox();
    let mut demonstration = Process::start(program.clone(), &["--count", "5", "--rate", "10"], &[]);
    assert_eq!(demonstration.wait().code(), Some(0), "{}", demonstration.text());
    assert!(demonstration.text().contains("received 5  different 5"), "{}", demonstration.text());

    let settings =
        [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_TOPIC", "demo"), ("KAFKA_SECURITY_PROTOCOL", "SSL")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut producer = Process::start(program, &["producer"], &settings);
    assert_eq!(producer.wait().code(), Some(64), "{}", producer.text());
}
