//! Whatever arrives from outside is read or refused, and never more. The fuzz targets in `tests/fuzz` check the same with other bytes.

#[path = "../../../tests/fuzz/properties.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use it as a library")]
mod properties;

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// The files that the fuzz targets begin with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds").join(target);
    let files = std::fs::read_dir(&folder).expect("the seeds are there");
    files.map(|file| std::fs::read(file.expect("it is there").path()).expect("it can be read")).collect()
}

/// Any bytes, or a seed in which some bytes were replaced, removed or doubled.
fn input(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    let change = (any::<Index>(), 0..4_u8, any::<u8>());
    let changed = (any::<Index>(), vec(change, 0..8)).prop_map(move |(seed, changes)| {
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        for (index, kind, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    });
    prop_oneof![1 => vec(any::<u8>(), 0..300), 4 => changed]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_decoded_as_json_or_refused(bytes in input("value")) {
        properties::value(&bytes);
    }

    #[test]
    fn any_key_is_one_that_a_producer_wrote_or_foreign(bytes in input("key")) {
        properties::key(&bytes);
    }

    #[cfg(feature = "otel")]
    #[test]
    fn any_headers_name_the_sending_span_or_none(bytes in input("headers")) {
        properties::headers(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_log_has_a_report(bytes in input("log")) {
        properties::log(&bytes);
    }

    #[test]
    fn any_settings_are_accepted_or_refused_and_show_no_secret(bytes in input("settings")) {
        properties::settings(&bytes);
    }
}
