//! What a user or a story can ask for. The page sends these as JSON.

use serde::Deserialize;

use crate::model::Reset;
use crate::stories::Name;

/// A command.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Command {
    /// Start a replica in a group that exists.
    Add {
        group: String,
        #[serde(default)]
        reset: Reset,
        /// End after this many messages; 0: never.
        #[serde(skip)]
        max_messages: u64,
    },
    /// Start a replica in a group that does not exist yet; without a name, in the next free one.
    NewGroup {
        #[serde(skip)]
        name: Option<String>,
        #[serde(default)]
        reset: Reset,
        #[serde(skip)]
        max_messages: u64,
    },
    /// SIGTERM.
    Stop { replica: String },
    /// SIGKILL.
    Kill { replica: String },
    /// SIGSTOP.
    Freeze { replica: String },
    /// SIGCONT.
    Thaw { replica: String },
    /// Send this many messages per second.
    Rate { per_sec: f64 },
    /// Send nothing.
    Pause {},
    /// Send again.
    Resume {},
    /// Take the broker away.
    BrokerDown {},
    /// Bring it back.
    BrokerUp {},
    /// Begin anew and play a story.
    Story { name: Name },
    /// Begin anew without a story.
    Restart {},
    /// Stop everything in order and judge.
    Finish {},
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_strictly() {
        let read = serde_json::from_str::<Command>;
        let add = Command::Add { group: "g".to_owned(), reset: Reset::Latest, max_messages: 0 };
        assert_eq!(read(r#"{"command":"add","group":"g","reset":"latest"}"#).unwrap(), add);
        assert_eq!(read(r#"{"command":"pause"}"#).unwrap(), Command::Pause {});
        for wrong in [
            r#"{}"#,
            r#"{"command":"explode"}"#,
            r#"{"command":"kill"}"#,
            r#"{"command":"kill","replica":1}"#,
            r#"{"command":"kill","replica":"a","pid":1}"#,
            r#"{"command":"pause","for":1}"#,
            r#"{"command":"add","group":"g","reset":"error"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
