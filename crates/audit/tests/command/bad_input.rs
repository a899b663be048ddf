//! Input that is not what it should be: counted, read or refused clearly; never a panic, never a wrong 0.

use std::io::Write as _;

use crate::audit;
use crate::lines::{proven, replica};

fn in_directory(name: &str, content: &[u8]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(name);
    std::fs::write(&path, content).expect("a file");
    (directory, path.display().to_string())
}

#[test]
fn input_without_lines_of_the_services_proves_nothing() {
    let binary: Vec<u8> = (0..200_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let utf16: Vec<u8> = proven().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for input in [
        &b""[..],
        b"\n\n\n",
        b"{",
        b"{}\n[]\nnull\n",
        &binary,
        &[0; 100_000],
        &utf16,
        &"[".repeat(100_000).into_bytes(),
    ] {
        for format in ["text", "json", "html"] {
            let (code, text, _) = audit(&["--format", format], input);
            assert_eq!(code, Some(3), "{format}: {text}");
        }
    }
}

#[test]
fn foreign_lines_and_a_line_without_an_end_are_skipped() {
    let mut input = b"\xff\xfe\x00 not UTF-8\n{\"instance\": 7}\n{\"level\":\"INFO\"}\n".to_vec();
    input.extend(proven().into_bytes());
    input.extend(vec![b'x'; 20_000_000]);
    let (code, text, _) = audit(&[], &input);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("4 of other programs skipped, 0 damaged"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_line_without_an_end_does_not_fill_the_memory() {
    // 64 MiB of address space are enough for the program and a line of 1 MiB, and not for the input.
    let mut child = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 65536; exec \"$0\" -", env!("CARGO_BIN_EXE_audit")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = child.stdin.take().expect("a pipe");
    let part = vec![b'{'; 1_000_000];
    (0..200).for_each(|_| input.write_all(&part).expect("audit reads"));
    drop(input);
    assert_eq!(child.wait().expect("audit ends").code(), Some(3));
}

#[test]
fn a_line_that_was_swallowed_by_another_is_no_proof() {
    let whole = proven();
    let lines: Vec<&str> = whole.lines().collect();
    // The last two lines of the producer are the exception: they leave what a producer leaves that was killed before them.
    let closed = lines.iter().position(|line| line.contains("run closed")).expect("the line");
    for number in (0..lines.len() - 1).filter(|number| ![closed, closed + 1].contains(number)) {
        // The line feed is gone.
        let glued = lines.iter().enumerate().map(|(i, line)| format!("{line}{}", if i == number { "" } else { "\n" }));
        let (code, text, _) = audit(&[], glued.collect::<String>().as_bytes());
        assert_eq!(code, Some(3), "{number}: {text}");
    }
}

#[test]
fn what_can_not_be_read_is_refused_with_its_name() {
    let (directory, file) = in_directory("whole.log", proven().as_bytes());
    let loop_to_itself = directory.path().join("loop.log");
    std::os::unix::fs::symlink(&loop_to_itself, &loop_to_itself).expect("a link");
    let absent = directory.path().join("absent.log").display().to_string();
    let in_a_file = format!("{file}/x.log");
    let mut refused = vec![
        (absent, "could not open"),
        (in_a_file, "could not open"),
        (directory.path().display().to_string(), "is a directory"),
        (loop_to_itself.display().to_string(), "could not open"),
    ];
    if cfg!(target_os = "linux") {
        // Can be opened and not be read.
        refused.push(("/proc/self/mem".to_owned(), "could not read"));
    }
    for (path, why) in refused {
        for follow in [&[][..], &["--follow"]] {
            // The file before it can be read, and would be proven alone.
            let (code, out, error) = audit(&[follow, &[&file, &path]].concat(), b"");
            assert_eq!(code, Some(2), "{path}: {out}{error}");
            assert!(error.contains(why) && error.contains(&path) && !out.contains("PROVEN"), "{path}: {out}{error}");
        }
    }
}

#[test]
fn a_compressed_file_that_is_damaged_or_that_should_grow_is_refused() {
    let (_directory, path) = in_directory("x.log.gz", &[0x1f, 0x8b, 8, 0, 1, 2, 3]);
    let (code, _, error) = audit(&[&path], b"");
    assert!(code == Some(2) && error.contains(&path), "{error}");
    let (code, _, error) = audit(&["--follow", &path], b"");
    assert!(code == Some(2) && error.contains("compressed"), "{error}");
}

#[test]
fn clocks_that_jump_do_not_change_the_verdict() {
    for other in ["1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "-", "2026-02-30T10:00:00.000Z"] {
        for place in 0..replica("g", 0..5).len() {
            let mut lines: Vec<String> = proven().lines().map(|line| format!("{line}\n")).collect();
            lines[place] = lines[place].replace(&lines[place][14..38].to_owned(), other);
            for format in ["text", "json", "html"] {
                let (code, text, _) = audit(&["--complete", "--format", format], lines.concat().as_bytes());
                assert_eq!(code, Some(0), "{other} {place} {format}: {text}");
            }
        }
    }
}

#[test]
fn impossible_numbers_are_no_proof_and_no_panic() {
    for (from, to) in [
        ("\"offset\":2", "\"offset\":-1"),
        ("\"offset\":2", "\"offset\":9223372036854775807"),
        ("\"pseq\":3", "\"pseq\":18446744073709551615"),
        ("\"pseq\":3", "\"pseq\":0"),
        ("\"partition\":0", "\"partition\":-2147483648"),
        ("\"latency_ms\":1.5", "\"latency_ms\":1e308"),
    ] {
        let input = proven().replace(from, to);
        for format in ["text", "json", "html"] {
            let (code, text, _) = audit(&["--format", format], input.as_bytes());
            assert!(code == Some(3) || (from.contains("latency") && code == Some(0)), "{to}: {code:?} {text}");
        }
    }
}
