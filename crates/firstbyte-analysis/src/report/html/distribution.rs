//! How wall and queue are distributed, a line for each arm.

use super::{axis::Axis, page::Page, plot::Plot};
use crate::report::{Arm, Distribution, Report, captions};

const HEIGHT: f64 = 180.0;
/// Ways to draw a line: no two arms have both in common.
const COLOURS: usize = 6;
const DASHES: usize = 4;

pub(super) fn write(report: &Report, page: &mut Page) {
    if report.distributions.is_empty() {
        return;
    }
    page.ours("<section id=\"distribution\"><h2>Distribution</h2>");
    legend(&report.arms.list, page);
    page.ours("<div class=\"pair\">");
    for distribution in &report.distributions {
        draw(distribution, &report.arms.list, page);
    }
    page.ours("</div></section>");
}

/// How the line of an arm is drawn.
fn class(arm: usize) -> String {
    format!("step colour-{} dash-{}", arm % COLOURS, arm % DASHES)
}

fn legend(arms: &[Arm], page: &mut Page) {
    page.ours("<ul class=\"legend arms\">");
    for (place, arm) in arms.iter().enumerate() {
        page.open("li", &[("data-arm", &place)]);
        page.ours("<svg class=\"swatch\" width=\"34\" height=\"12\" aria-hidden=\"true\">");
        page.empty("line", &[("class", &class(place)), ("x2", &34), ("y1", &6), ("y2", &6)]);
        page.ours("</svg>");
        page.name(arm.name());
        page.ours("</li>");
    }
    page.ours("</ul>");
}

fn draw(distribution: &Distribution, arms: &[Arm], page: &mut Page) {
    let values = distribution.arms.iter().flat_map(|arm| &arm.steps);
    let values: Vec<f64> = values.map(|(time, _)| time.as_millis_f64()).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let across = Axis::decades(least, values.iter().copied().fold(0.0, f64::max));
    let plot = Plot { across, upwards: Axis::linear(100.0), height: HEIGHT };
    let name = distribution.metric.as_str();
    page.ours("<figure><p class=\"unit\">");
    page.text(format_args!("{name}: % of calls that took at most so many ms"));
    page.ours("</p>");
    plot.draw(page, &format!("Distribution of {name}"), |page| {
        for (place, (steps, arm)) in distribution.arms.iter().zip(arms).enumerate() {
            let Some((first, _)) = steps.steps.first() else { continue };
            // It rises at a value, and stays until the next.
            let mut line = vec![(first.as_millis_f64(), 0.0)];
            for (time, share) in &steps.steps {
                let at = time.as_millis_f64();
                line.push((at, line.last().map_or(0.0, |last| last.1)));
                line.push((at, share * 100.0));
            }
            plot.line(page, &line, &class(place), place, &format!("{}, n {}", arm.name(), steps.n));
        }
    });
    page.ours("<figcaption>");
    page.text(captions::distribution(distribution));
    let counts = distribution.arms.iter().zip(arms).filter(|(steps, _)| steps.n > 0);
    let counts: Vec<String> =
        counts.map(|(steps, arm)| format!("{} {}", arm.name(), steps.n)).collect();
    page.text(format_args!(" n: {}.", counts.join(", ")));
    page.ours("</figcaption></figure>");
}
