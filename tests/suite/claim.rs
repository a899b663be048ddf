//! A claim, and the test of it.

use anyhow::Result;

use crate::protocol::Protocol;
use crate::stage::Stage;

/// Gives the numbers that it saw, or fails.
pub(crate) type Test = Box<dyn FnOnce(&Stage) -> Result<String> + Send>;

/// What a test shows.
pub(crate) struct Claim {
    /// The name of the function with the file it stands in.
    pub(crate) name: &'static str,
    /// The protocol, if the claim holds for several.
    pub(crate) protocol: Option<Protocol>,
    /// How many service processes it starts at most at the same time.
    pub(crate) processes: usize,
    /// The test.
    pub(crate) test: Test,
}

impl Claim {
    /// The claim as a sentence.
    pub(crate) fn sentence(&self) -> String {
        self.name.rsplit("::").next().unwrap_or(self.name).replace('_', " ")
    }

    /// The name to choose it by on the command line.
    pub(crate) fn title(&self) -> String {
        let name = self.name.split_once("::").map_or(self.name, |(_, name)| name);
        self.protocol.map_or_else(|| name.to_owned(), |protocol| format!("{name} [{protocol}]"))
    }
}

/// Lists the tests of a file: the function, the processes that it starts, and the protocols that it is to run on.
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
                test: Box::new(move |stage| $name(stage, protocol)),
            })
            .collect::<Vec<_>>()
    };
}
pub(crate) use claims;
