//! A claim, and the test that checks it.

use anyhow::Result;

use crate::protocol::Protocol;
use crate::resources::Resources;

/// Returns the numbers that it saw, as a text for the table, or an error.
pub(crate) type Test = Box<dyn FnOnce(&Resources) -> Result<String> + Send>;

/// A claim and its test.
pub(crate) struct Claim {
    /// The path of the test function.
    pub(crate) name: &'static str,
    /// The group protocol, if the test runs with several.
    pub(crate) protocol: Option<Protocol>,
    /// The highest number of service processes that the test runs at the same time.
    pub(crate) processes: usize,
    /// The test.
    pub(crate) test: Test,
}

impl Claim {
    /// The claim as a sentence: the name of the function, with blanks instead of underscores.
    pub(crate) fn sentence(&self) -> String {
        self.name.rsplit("::").next().unwrap_or(self.name).replace('_', " ")
    }

    /// The name that selects the test on the command line.
    pub(crate) fn title(&self) -> String {
        let name = self.name.split_once("::").map_or(self.name, |(_, name)| name);
        self.protocol.map_or_else(|| name.to_owned(), |protocol| format!("{name} [{protocol}]"))
    }
}

/// Lists the tests of a file: the function, in parentheses the number of its processes, and the protocols with which it runs.
macro_rules! claims {
    ($($name:ident($processes:literal) $(on $protocols:expr)?;)*) => {
        /// The tests of this file.
        pub(crate) fn claims() -> Vec<$crate::claim::Claim> {
            [$($crate::claim::claims!(@ $name, $processes $(, $protocols)?)),*].into_iter().flatten().collect()
        }
    };
    (@ $name:ident, $processes:literal) => {
        vec![$crate::claim::Claim {
            name: concat!(module_path!(), "::", stringify!($name)),
            protocol: None,
            processes: $processes,
            test: Box::new($name),
        }]
    };
    (@ $name:ident, $processes:literal, $protocols:expr) => {
        $protocols
            .into_iter()
            .map(|protocol| $crate::claim::Claim {
                name: concat!(module_path!(), "::", stringify!($name)),
                protocol: Some(protocol),
                processes: $processes,
                test: Box::new(move |resources| $name(resources, protocol)),
            })
            .collect::<Vec<_>>()
    };
}
pub(crate) use claims;
