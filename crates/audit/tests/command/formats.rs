//! `--format`.

use std::path::Path;

use serde_json::Value;

use crate::audit;
use crate::lines::{PRODUCER, RUN, proven, violated};

const SCHEMA: &str = include_str!("../../../../docs/audit-report.schema.json");
const PAGE: &str = include_str!("../../../../docs/audit-report.md");

#[test]
fn the_json_report_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let expected = [(proven(), 0, "proven"), (violated(), 1, "violated"), (String::new(), 3, "insufficient")];
    for (input, expected_code, verdict) in expected {
        let (code, json, _) = audit(&["--complete", "--format", "json"], input.as_bytes());
        let mut report: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(code, Some(expected_code), "{json}");
        assert_eq!((&report["verdict"], &report["exit_code"]), (&verdict.into(), &expected_code.into()));
        let errors: Vec<String> =
            schema.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        // The schema is strict: it refuses a field more or less.
        report["timeline"].as_object_mut().expect("an object").insert("surprise".into(), 1.into());
        assert!(!schema.is_valid(&report));
    }
}

#[test]
fn the_page_about_the_json_report_names_every_field() {
    fn names(schema: &Value, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, of_property) in properties {
                found.push(name.clone());
                names(of_property, found);
            }
        }
        for inner in
            schema.get("items").into_iter().chain(schema.get("anyOf").and_then(Value::as_array).into_iter().flatten())
        {
            names(inner, found);
        }
    }
    let mut found = Vec::new();
    names(&serde_json::from_str(SCHEMA).expect("JSON"), &mut found);
    assert!(found.len() > 80);
    let absent: Vec<_> = found.iter().filter(|name| !PAGE.contains(&format!("`{name}`"))).collect();
    assert!(absent.is_empty(), "not documented: {absent:?}");
}

#[test]
fn offenders_come_with_the_lines_that_mention_them() {
    let (_, json, _) = audit(&["--complete", "--format", "json"], violated().as_bytes());
    let report: Value = serde_json::from_str(&json).expect("JSON");
    let offender = |class: &str| {
        let offenders = report["offenders"].as_array().expect("an array");
        offenders.iter().find(|offender| offender["class"] == class).expect("such an offender").clone()
    };
    let missing = offender("missing");
    assert_eq!((&missing["offset"], &missing["num"], &missing["run"]), (&2.into(), &2.into(), &RUN.into()));
    assert_eq!(missing["lines"].as_array().map(Vec::len), Some(1));
    assert_eq!((&missing["lines"][0]["instance"], &missing["lines"][0]["seq"]), (&PRODUCER.into(), &3.into()));
    assert_eq!(offender("repeated")["lines"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_html_report_is_one_file_and_shows_what_was_found() {
    let (code, html, _) = audit(&["--complete", "--format", "html"], violated().as_bytes());
    assert_eq!(code, Some(1));
    assert!(html.starts_with("<!DOCTYPE html>"));
    for expected in ["Violated", "demo[0]@2", "Messages that break a guarantee", "prefers-color-scheme: dark", PRODUCER]
    {
        assert!(html.contains(expected), "{expected}");
    }
    for loaded in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "http://", "https://"] {
        assert!(!html.contains(loaded), "{loaded}");
    }
    let (code, html, _) = audit(&["--format", "html"], proven().as_bytes());
    assert!(code == Some(0) && html.contains("Proven"));
}

#[test]
fn everything_from_log_lines_is_escaped_in_html() {
    let hostile = r#"</style><script>alert(1)</script><img src=x onerror="alert(2)">'&"#;
    let quoted = serde_json::to_string(hostile).expect("a string is JSON");
    let mut input = violated()
        .replace("\"topic\":\"demo\"", &format!("\"topic\":{quoted}"))
        .replace("\"group_id\":\"g\"", &format!("\"group_id\":{quoted}"))
        .replace("\"reason\":\"done\"", &format!("\"reason\":{quoted}"))
        .replace("\"service\":\"producer-svc\"", &format!("\"service\":{quoted}"))
        .replace("\"instance\":\"aaaaaaaaaaaaaaaa\"", &format!("\"instance\":{quoted}"));
    // A missing line, so that the instance is named in a doubt as well.
    input = input.replace("\"seq\":6}\n", "\"seq\":9}\n");
    for complete in [&["--format", "html"][..], &["--complete", "--format", "html"]] {
        let (_, html, _) = audit(complete, input.as_bytes());
        assert!(html.contains("&lt;script&gt;alert(1)"), "the values are shown");
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("\"alert"));
        assert_eq!(html.matches("</style>").count(), 1);
    }
}

#[test]
fn the_schema_is_beside_its_page() {
    assert!(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit-report.schema.json")).exists());
    assert!(PAGE.contains("(audit-report.schema.json)"));
}
