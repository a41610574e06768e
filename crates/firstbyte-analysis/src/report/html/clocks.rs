//! Queue and requests in progress over time, a pair of charts for each clock.

use super::{axis::Axis, page::Page, plot::Plot};
use crate::report::{Clock, Point, Report, captions};

/// Of the charts, in pixels.
const QUEUE_HEIGHT: f64 = 180.0;
const IN_FLIGHT_HEIGHT: f64 = 60.0;

pub(super) fn write(report: &Report, page: &mut Page) {
    if report.clocks.list.is_empty() {
        return;
    }
    page.ours("<section id=\"time\"><h2>Queue over time</h2>");
    for clock in &report.clocks.list {
        write_clock(clock, page);
    }
    page.note(captions::left_out(report.clocks.left_out, "clocks"));
    page.note(captions::without_moment(report));
    page.ours("</section>");
}

fn write_clock(clock: &Clock, page: &mut Page) {
    page.ours("<figure>");
    let across = Axis::linear(clock.length_s);
    let largest =
        |of: fn(&Point) -> Option<f64>| clock.points.iter().filter_map(of).fold(0.0, f64::max);
    if clock.with_queue > 0 {
        let most = largest(queue);
        let plot = Plot { across, upwards: Axis::linear(most), height: QUEUE_HEIGHT };
        let label = format!(
            "Queue over time: {} of {} calls, at most {most:.1} ms",
            clock.with_queue, clock.calls
        );
        page.ours("<p class=\"unit\">queue, ms</p>");
        draw(clock, plot, queue, &label, page);
    }
    if clock.with_in_flight > 0 {
        let most = largest(in_flight);
        let plot = Plot { across, upwards: Axis::linear(most), height: IN_FLIGHT_HEIGHT };
        let label = format!(
            "Requests in progress over time: {} of {} calls, at most {most}",
            clock.with_in_flight, clock.calls
        );
        page.ours("<p class=\"unit\">requests in progress</p>");
        draw(clock, plot, in_flight, &label, page);
    }
    if clock.with_queue + clock.with_in_flight > 0 {
        page.ours("<p class=\"unit across\">seconds</p>");
    }
    page.ours("<figcaption>");
    page.text(captions::queue(clock));
    if clock.with_in_flight > 0 {
        page.text(format_args!(" Below: {}", captions::in_flight(clock)));
    }
    page.text(captions::bands(clock).map_or(String::new(), |bands| format!(" {bands}")));
    page.ours("</figcaption></figure>");
}

fn queue(point: &Point) -> Option<f64> {
    point.queue.map(|queue| queue.as_millis_f64())
}

fn in_flight(point: &Point) -> Option<f64> {
    point.in_flight.map(f64::from)
}

fn draw(clock: &Clock, plot: Plot, of: fn(&Point) -> Option<f64>, label: &str, page: &mut Page) {
    plot.draw(page, label, |page| {
        for (from, to) in &clock.bands {
            band(&plot, *from, *to, page);
        }
        // What can be followed to its waterfall comes last: it lies above the others.
        let (slow, others): (Vec<&Point>, Vec<&Point>) =
            clock.points.iter().partition(|point| point.slowest.is_some());
        for point in others.into_iter().chain(slow) {
            if let Some(value) = of(point) {
                dot(&plot, point, value, page);
            }
        }
    });
}

fn band(plot: &Plot, from: f64, to: f64, page: &mut Page) {
    let share = |at: f64| plot.across.place(at);
    page.empty(
        "rect",
        &[
            ("class", &"update"),
            ("x", &plot.x(from)),
            ("width", &super::plot::percent((share(to) - share(from)) * 0.98)),
            ("y", &8),
            ("height", &plot.height),
        ],
    );
}

fn dot(plot: &Plot, point: &Point, value: f64, page: &mut Page) {
    let title = format!(
        "{}: {:.1} s, queue {} ms, {} requests in progress",
        point.id,
        point.at_s,
        captions::ms(point.queue),
        point.in_flight.map_or("-".to_owned(), |n| n.to_string()),
    );
    let (x, y) = (plot.x(point.at_s), plot.y(value));
    let circle = |page: &mut Page, class: &str, radius: &str| {
        page.open("circle", &[("class", &class), ("cx", &x), ("cy", &y), ("r", &radius)]);
        page.element("title", &[], &title);
        page.close("circle");
    };
    match point.slowest {
        None => circle(page, "dot", "2.5"),
        Some(place) => {
            let (link, label) =
                (format!("#call-{}", place + 1), format!("{title}; one of the slowest"));
            page.open("a", &[("href", &link), ("data-call", &(place + 1)), ("aria-label", &label)]);
            circle(page, "dot slow", "4");
            page.close("a");
        }
    }
}
