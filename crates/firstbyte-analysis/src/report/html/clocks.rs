//! Queue and requests in progress over time, a pair of charts for each clock.

use super::{axis::Axis, page::Page, plot::Plot};
use crate::report::{Clock, Column, Point, Report, Spread, captions, columns::COLUMNS};

/// Of the charts, in pixels.
const QUEUE_HEIGHT: f64 = 180.0;
const IN_FLIGHT_HEIGHT: f64 = 60.0;

/// What a chart is of.
#[derive(Clone, Copy)]
struct Shown {
    of_point: fn(&Point) -> Option<f64>,
    of_column: fn(&Column) -> Option<Spread>,
    /// In words, with the unit of its numbers.
    name: &'static str,
    unit: &'static str,
}

const QUEUE: Shown = Shown {
    of_point: |point| point.queue.map(|queue| queue.as_millis_f64()),
    of_column: |column| column.queue,
    name: "queue",
    unit: " ms",
};

const IN_FLIGHT: Shown = Shown {
    of_point: |point| point.in_flight.map(f64::from),
    of_column: |column| column.in_flight,
    name: "requests in progress",
    unit: "",
};

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
    let largest = |shown: Shown| {
        clock
            .columns
            .iter()
            .filter_map(shown.of_column)
            .map(|spread| spread.max)
            .fold(0.0, f64::max)
    };
    if clock.with_queue > 0 {
        let most = largest(QUEUE);
        let plot = Plot { across, upwards: Axis::linear(most), height: QUEUE_HEIGHT };
        let label = format!(
            "Queue over time: {} of {} calls, at most {most:.1} ms",
            clock.with_queue, clock.calls
        );
        page.ours("<p class=\"unit\">queue, ms</p>");
        draw(clock, plot, QUEUE, &label, page);
    }
    if clock.with_in_flight > 0 {
        let most = largest(IN_FLIGHT);
        let plot = Plot { across, upwards: Axis::linear(most), height: IN_FLIGHT_HEIGHT };
        let label = format!(
            "Requests in progress over time: {} of {} calls, at most {most}",
            clock.with_in_flight, clock.calls
        );
        page.ours("<p class=\"unit\">requests in progress</p>");
        draw(clock, plot, IN_FLIGHT, &label, page);
    }
    if clock.with_queue + clock.with_in_flight > 0 {
        page.ours("<p class=\"unit across\">seconds</p>");
    }
    page.ours("<figcaption>");
    page.text(captions::queue(clock));
    page.text(format_args!(" {}", captions::points(clock)));
    if clock.with_in_flight > 0 {
        page.text(format_args!(" Below: {}", captions::in_flight(clock)));
    }
    page.text(captions::bands(clock).map_or(String::new(), |bands| format!(" {bands}")));
    page.ours("</figcaption></figure>");
}

fn draw(clock: &Clock, plot: Plot, shown: Shown, label: &str, page: &mut Page) {
    plot.draw(page, label, |page| {
        for (from, to) in &clock.bands {
            band(&plot, *from, *to, page);
        }
        for column in clock.columns.iter().filter(|_| clock.has_columns()) {
            if let Some(spread) = (shown.of_column)(column) {
                spread_of(&plot, clock, column, spread, shown, page);
            }
        }
        // What can be followed to its waterfall comes last: it lies above the others.
        let (slow, others): (Vec<&Point>, Vec<&Point>) =
            clock.points.iter().partition(|point| point.slowest.is_some());
        for point in others.into_iter().chain(slow) {
            if let Some(value) = (shown.of_point)(point) {
                dot(&plot, point, value, page);
            }
        }
    });
}

fn band(plot: &Plot, from: f64, to: f64, page: &mut Page) {
    page.empty(
        "rect",
        &[
            ("class", &"update"),
            ("x", &plot.x(from)),
            ("width", &plot.width(to - from)),
            ("y", &8),
            ("height", &plot.height),
        ],
    );
}

/// The calls of a column, as they lie.
fn spread_of(
    plot: &Plot,
    clock: &Clock,
    column: &Column,
    spread: Spread,
    shown: Shown,
    page: &mut Page,
) {
    let at = |columns: f64| clock.length_s * columns / COLUMNS as f64;
    let from = column.place as f64;
    let Spread { n, min, low, median, high, max } = spread;
    let Shown { name, unit, .. } = shown;
    let middle = plot.x(at(from + 0.5));
    let (bottom, top) = (plot.y(min), plot.y(max));
    page.open("g", &[("class", &"column")]);
    let line = |page: &mut Page, class: &str, x: [&str; 2], y: [&str; 2]| {
        let [(x1, x2), (y1, y2)] = [x, y].map(|[from, to]| (from.to_owned(), to.to_owned()));
        page.empty(
            "line",
            &[("class", &class), ("x1", &x1), ("x2", &x2), ("y1", &y1), ("y2", &y2)],
        );
    };
    line(page, "range", [&middle, &middle], [&bottom, &top]);
    let (left, right) = (plot.x(at(from + 0.1)), plot.x(at(from + 0.9)));
    page.empty(
        "rect",
        &[
            ("class", &"middle"),
            ("x", &left),
            ("width", &plot.width(at(0.8))),
            ("y", &plot.y(high)),
            ("height", &plot.tall(low, high)),
        ],
    );
    let half = plot.y(median);
    line(page, "median", [&left, &right], [&half, &half]);
    page.element(
        "title",
        &[],
        format_args!(
            "{:.1} to {:.1} s, n {n}: {name} from {min:.1} to {max:.1}{unit}, the middle half from {low:.1} to {high:.1}{unit}, \
             the median {median:.1}{unit}",
            at(from),
            at(from + 1.0),
        ),
    );
    page.close("g");
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
