//! A claim, and the test that checks it.

use anyhow::Result;

use crate::resources::Resources;

/// Returns the numbers that it saw, as a text for the table, or an error.
pub(crate) type Test = Box<dyn FnOnce(&Resources) -> Result<String> + Send>;

/// A claim and its test.
pub(crate) struct Claim {
    /// The path of the test function.
    pub(crate) name: &'static str,
    /// With what the test runs, such as a group protocol, if it runs with several.
    pub(crate) variant: Option<String>,
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
        self.variant.as_ref().map_or_else(|| name.to_owned(), |variant| format!("{name} [{variant}]"))
    }
}

/// Lists the tests of a file: the function, in parentheses the number of its processes, and the variants with which it runs.
macro_rules! claims {
    ($($name:ident($processes:literal) $(on $variants:expr)?;)*) => {
        /// The tests of this file.
        pub(crate) fn claims() -> Vec<$crate::claim::Claim> {
            [$($crate::claim::claims_of!($name($processes) $(on $variants)?)),*].into_iter().flatten().collect()
        }
    };
}
pub(crate) use claims;

/// The claims of one test function, one for each variant.
macro_rules! claims_of {
    ($name:ident($processes:literal)) => {
        vec![$crate::claim::Claim {
            name: concat!(module_path!(), "::", stringify!($name)),
            variant: None,
            processes: $processes,
            test: Box::new($name),
        }]
    };
    ($name:ident($processes:literal) on $variants:expr) => {
        $variants
            .into_iter()
            .map(|variant| $crate::claim::Claim {
                name: concat!(module_path!(), "::", stringify!($name)),
                variant: Some(variant.to_string()),
                processes: $processes,
                test: Box::new(move |resources| $name(resources, variant)),
            })
            .collect::<Vec<_>>()
    };
}
pub(crate) use claims_of;
