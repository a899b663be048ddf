//! The charts: messages per second and the highest latency, by time.

use maud::{Markup, html};

use super::axis::Axis;
use super::lanes::ticks;
use super::text::{millis, number};
use crate::timeline::{Bucket, Time, TimelineReport};

/// The height of a chart in the units of its drawing; the style sheet says how high it is on the screen.
const HEIGHT: f64 = 100.0;

/// Messages per second and latencies, on the same time axis.
pub(super) fn charts(timeline: &TimelineReport, axis: &Axis) -> Markup {
    let per_second = |count: u64| count as f64 / timeline.bucket_seconds.max(1) as f64;
    let acknowledged = |bucket: &Bucket| per_second(bucket.acknowledged);
    let received = |bucket: &Bucket| per_second(bucket.received);
    let latency = |bucket: &Bucket| bucket.received_latency_max.unwrap_or_default();
    // One scale for both, so that they can be compared.
    let highest = highest(timeline, axis, acknowledged).max(highest(timeline, axis, received));
    html! {
        (chart(timeline, axis, "acknowledged per second", "sent", highest, rate, acknowledged))
        (chart(timeline, axis, "received per second", "got", highest, rate, received))
        (chart(timeline, axis, "highest latency of a received message", "slow", self::highest(timeline, axis, latency), millis, latency))
        div.lanes { (ticks(axis)) }
    }
}

fn highest(timeline: &TimelineReport, axis: &Axis, value: impl Fn(&Bucket) -> f64) -> f64 {
    shown(timeline, axis).map(value).fold(0.0, f64::max)
}

fn shown<'a>(timeline: &'a TimelineReport, axis: &'a Axis) -> impl Iterator<Item = &'a Bucket> {
    let width = bucket_millis(timeline);
    timeline.buckets.iter().filter(move |bucket| bucket.time.0 + width > axis.from.0 && bucket.time <= axis.to)
}

fn chart(
    timeline: &TimelineReport,
    axis: &Axis,
    label: &str,
    class: &str,
    highest: f64,
    unit: impl Fn(f64) -> String,
    value: impl Fn(&Bucket) -> f64,
) -> Markup {
    let mut path = String::new();
    for bucket in shown(timeline, axis) {
        let (from, to) = (axis.percent(bucket.time), axis.percent(Time(bucket.time.0 + bucket_millis(timeline))));
        let height = if highest > 0.0 { value(bucket) / highest * HEIGHT } else { 0.0 };
        // A gap between the bars, unless they are narrow.
        let width = (to - from) * 10.0;
        let width = if width > 6.0 { width - 1.5 } else { width };
        path.push_str(&format!("M{:.1} {HEIGHT}v-{height:.1}h{width:.1}v{height:.1}z", from * 10.0));
    }
    let title = format!("{label}, highest {}", unit(highest));
    html! {
        figure.chart {
            figcaption { (label) " " b { "highest " (unit(highest)) } }
            svg viewBox=(format!("0 0 1000 {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(title) class=(class) {
                path d=(path) {}
            }
        }
    }
}

fn bucket_millis(timeline: &TimelineReport) -> i64 {
    i64::try_from(timeline.bucket_seconds).unwrap_or(1).saturating_mul(1000)
}

fn rate(per_second: f64) -> String {
    if per_second >= 10.0 { number(per_second.round() as u64) } else { format!("{per_second:.1}") }
}
