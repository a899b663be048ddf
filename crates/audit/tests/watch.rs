//! An account that is looked at while lines arrive: what is pending, and when it becomes a doubt or a violation. Time is simulated.

#[path = "command/lines.rs"]
mod lines;

use std::time::{Duration, Instant};

use audit::{Account, Lines, Options, State, Watch, each_line};

use crate::lines::{PRODUCER, REPLICA, producer, proven, replica, violated};

struct Simulation {
    watch: Watch,
    lines: Lines,
    now: Instant,
}

impl Simulation {
    fn new(account: Account) -> Self {
        Self { watch: Watch::new(account, 0), lines: Lines::default(), now: Instant::now() }
    }

    fn add(&mut self, text: &str) {
        let (watch, now) = (&mut self.watch, self.now);
        each_line(text.as_bytes(), &mut self.lines, |line| watch.add(line, now)).expect("memory can be read");
    }

    /// The state after so many more seconds, in each of which it is shown.
    fn after(&mut self, seconds: u64) -> State {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.watch.state(self.lines, self.now, false);
        }
        self.watch.state(self.lines, self.now, false)
    }
}

#[test]
fn a_missing_line_is_pending_for_ten_seconds_and_then_a_doubt() {
    let mut simulation = Simulation::new(Account::default());
    let lines = proven();
    let lost = lines.lines().find(|line| line.contains(REPLICA) && line.contains("\"seq\":4")).expect("the line");
    simulation.add(&lines.replace(&format!("{lost}\n"), ""));
    let state = simulation.after(8);
    assert!(state.doubts.is_empty() && state.pending.iter().any(|doubt| doubt.contains(REPLICA)), "{state:?}");
    let state = simulation.after(3);
    assert!(state.so_far == "insufficient" && state.doubts.iter().any(|doubt| doubt.contains(REPLICA)), "{state:?}");
    simulation.add(&format!("{lost}\n"));
    let state = simulation.after(0);
    assert_eq!((state.so_far, state.doubts.len(), state.pending.len()), ("proven", 0, 0), "{state:?}");
}

#[test]
fn messages_in_flight_are_pending_while_they_are_young_however_long_there_are_some() {
    let (sent, got) = (producer(100), replica("g", 0..100));
    let mut simulation = Simulation::new(Account::default());
    simulation.add(&(sent[0].clone() + &got[..2].concat()));
    for second in 0..60 {
        // The replica is two seconds behind.
        simulation.add(&sent[second + 1]);
        if second >= 2 {
            simulation.add(&got[second]);
        }
        let state = simulation.after(1);
        assert!(second < 11 || (state.doubts.is_empty() && state.so_far == "proven"), "{second}: {state:?}");
        assert!(second < 2 || state.pending.iter().any(|pending| pending.contains("in flight")), "{second}: {state:?}");
    }
    // It stands still.
    let state = simulation.after(12);
    assert!(state.doubts.iter().any(|doubt| doubt.contains("in flight")), "{state:?}");
}

#[test]
fn a_violation_that_a_late_line_explains_is_never_shown_as_one() {
    let (sent, got) = (producer(5), replica("g", 0..5));
    let mut simulation = Simulation::new(Account::new(Options::complete()));
    simulation.add(&(sent.concat() + &got[..3].concat() + &got[5..].concat()));
    assert_ne!(simulation.after(8).so_far, "violated");
    simulation.add(&got[3..5].concat());
    assert_eq!(simulation.after(20).so_far, "proven");
    let mut control = Simulation::new(Account::new(Options::complete()));
    control.add(&violated());
    assert_eq!(control.after(0).so_far, "violated", "a repeat rests on lines that are there");
}

#[test]
fn messages_in_flight_are_pending_also_if_the_log_begins_in_the_middle() {
    let (sent, got) = (producer(5), replica("g", 0..5));
    let options = Options { is_from_here: true, ..Options::default() };
    let mut simulation = Simulation::new(Account::new(options));
    simulation.add(&(sent[1..].concat() + &got[1..5].concat()));
    let state = simulation.after(5);
    assert!(state.doubts.is_empty() && state.pending.iter().any(|pending| pending.contains("in flight")), "{state:?}");
    let state = simulation.after(10);
    assert!(state.doubts.iter().any(|doubt| doubt.contains("in flight")), "{state:?}");
}

#[test]
fn nothing_is_proven_before_a_line_is_read_and_nothing_gets_older_while_lines_are_still_being_read() {
    let mut simulation = Simulation::new(Account::new(Options::complete()));
    assert_eq!(simulation.after(1).so_far, "insufficient");
    let (sent, got) = (producer(5), replica("g", 0..5));
    simulation.add(&(sent.concat() + &got[..3].concat() + &got[5..].concat()));
    for _ in 0..30 {
        simulation.now += Duration::from_secs(1);
        let state = simulation.watch.state(simulation.lines, simulation.now, true);
        assert!(state.so_far == "insufficient" && state.doubts.is_empty(), "{state:?}");
    }
    simulation.add(&got[3..5].concat());
    assert_eq!(simulation.after(1).so_far, "proven");
}

#[test]
fn offenders_are_named_also_when_their_lines_arrived_long_ago() {
    let mut simulation = Simulation::new(Account::new(Options::complete()));
    simulation.add(&violated());
    for number in 0..30_000 {
        simulation.add(&format!("{{\"message\":\"stop requested\",\"instance\":\"other\",\"seq\":{number}}}\n"));
    }
    let (report, _) = simulation.watch.report(simulation.lines);
    let named: Vec<_> = report.offenders().map(|offender| (offender.num, offender.by.first().cloned())).collect();
    assert_eq!(named, [(Some(2), Some(PRODUCER.to_owned())), (Some(1), Some(REPLICA.to_owned()))]);
}
