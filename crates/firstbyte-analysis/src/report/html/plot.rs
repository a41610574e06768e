//! The frame of a chart: numbers at its left and below it, lines between.
//!
//! Across, everything is in per cent, so that a chart is as wide as its place and its numbers stay readable; upwards,
//! in pixels.

use super::{axis::Axis, page::Page};

/// Between the frame and the first and last place, in per cent.
const MARGIN: f64 = 1.0;
/// More numbers do not fit below a chart on a narrow screen.
const MOST_TICKS: usize = 6;
/// Above the chart.
const TOP: f64 = 8.0;
/// For the numbers below it.
const BELOW: f64 = 22.0;

/// A chart's axes, and its height in pixels without the numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot {
    pub(super) across: Axis,
    pub(super) upwards: Axis,
    pub(super) height: f64,
}

/// A share of the width, as an attribute has it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

impl Plot {
    /// Where a value is across.
    pub(super) fn x(&self, value: f64) -> String {
        percent((MARGIN + (100.0 - 2.0 * MARGIN) * self.across.place(value)) / 100.0)
    }

    /// How wide a stretch of a linear axis is.
    pub(super) fn width(&self, length: f64) -> String {
        percent((100.0 - 2.0 * MARGIN) * self.across.place(length) / 100.0)
    }

    /// Where a value is upwards, in pixels.
    pub(super) fn y(&self, value: f64) -> String {
        format!("{:.1}", TOP + self.height * (1.0 - self.upwards.place(value)))
    }

    /// How tall it is from one value up to another, in pixels; equal ones can be seen too.
    pub(super) fn tall(&self, from: f64, to: f64) -> String {
        let tall = self.height * (self.upwards.place(to) - self.upwards.place(from));
        format!("{:.1}", tall.max(1.0))
    }

    /// Draws the frame; `content` draws into it.
    pub(super) fn draw(&self, page: &mut Page, label: &str, content: impl FnOnce(&mut Page)) {
        let whole = TOP + self.height + BELOW;
        page.open("div", &[("class", &"plot"), ("role", &"group"), ("aria-label", &label)]);
        page.open("svg", &[("class", &"y"), ("height", &whole), ("aria-hidden", &"true")]);
        for (value, written) in self.upwards.ticks(MOST_TICKS) {
            page.element(
                "text",
                &[("x", &"100%"), ("dx", &-6), ("y", &self.y(value)), ("dy", &4)],
                written,
            );
        }
        page.close("svg");
        page.open("svg", &[("class", &"area"), ("height", &whole)]);
        for (value, _) in self.upwards.ticks(MOST_TICKS) {
            let y = self.y(value);
            page.empty("line", &[("class", &"grid"), ("x2", &"100%"), ("y1", &y), ("y2", &y)]);
        }
        content(page);
        self.numbers_below(page);
        page.close("svg");
        page.close("div");
    }

    fn numbers_below(&self, page: &mut Page) {
        let y = TOP + self.height + BELOW - 6.0;
        for (value, written) in self.across.ticks(MOST_TICKS) {
            let place = self.across.place(value);
            // The outer ones stay within the frame.
            let anchor = if place < 0.04 {
                "start"
            } else if place > 0.96 {
                "end"
            } else {
                "middle"
            };
            page.element(
                "text",
                &[
                    ("x", &self.x(value)),
                    ("y", &y),
                    ("text-anchor", &anchor),
                    ("aria-hidden", &"true"),
                ],
                written,
            );
        }
    }

    /// Draws a line through points of values. Only shapes with a size of their own can be in per cent, so it has a
    /// square of 1000 by 1000, which is stretched over the chart.
    pub(super) fn line(
        &self,
        page: &mut Page,
        points: &[(f64, f64)],
        class: &str,
        arm: usize,
        title: &str,
    ) {
        let place = |axis: Axis, value: f64| axis.place(value) * 1000.0;
        let points = points.iter().map(|(x, y)| {
            format!("{:.1},{:.1} ", place(self.across, *x), 1000.0 - place(self.upwards, *y))
        });
        page.open(
            "svg",
            &[
                ("x", &format!("{MARGIN}%")),
                ("y", &TOP),
                ("width", &format!("{}%", 100.0 - 2.0 * MARGIN)),
                ("height", &self.height),
                ("viewBox", &"0 0 1000 1000"),
                ("preserveAspectRatio", &"none"),
                ("overflow", &"visible"),
            ],
        );
        let points: String = points.collect();
        page.open(
            "polyline",
            &[("class", &class), ("data-arm", &arm), ("points", &points.trim_end())],
        );
        page.element("title", &[], title);
        page.close("polyline");
        page.close("svg");
    }
}
