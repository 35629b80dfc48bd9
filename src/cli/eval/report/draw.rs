//! Curves as SVG. Colours are names for what the page's style sheet says, which knows light from dark.

use std::f64::consts::PI;
use std::ops::Range;

use anyhow::anyhow;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use wakeword::batch::eval::det::{Det, Point};

/// Colours of the curves, by day and by night, told apart by those who see few colours too. A list that is longer
/// begins again.
pub const COLOURS: [[&str; 2]; 8] = [
    ["#0072B2", "#56B4E9"],
    ["#D55E00", "#FF9F5A"],
    ["#009E73", "#3DD6A5"],
    ["#B0408A", "#F09AD0"],
    ["#8A6D00", "#E0C341"],
    ["#5B4FCF", "#A9A1FF"],
    ["#7A7A7A", "#B5B5B5"],
    ["#A3262A", "#FF7B7F"],
];
const SIZE: (u32, u32) = (480, 440);
const LOW_SIZE: (u32, u32) = (480, 340);
const TEXT: (&str, i32) = ("sans-serif", 14);
/// Shares at which the axes of an error trade-off are labelled, in percent; the first and one of the last are
/// their ends.
const TICKS: [f64; 13] = [0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 95.0, 99.0];
/// The least of [`TICKS`] at which the axes end.
const LEAST_END: usize = 8;
/// Width of a bar of a distribution, and how far from the threshold the last ones are.
const BIN: f32 = 0.1;
const BINS: i32 = 20;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The colour of the `index`th curve.
fn colour(index: usize) -> RGBColor {
    let text = COLOURS[index % COLOURS.len()][0];
    let part = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_default();
    RGBColor(part(1), part(3), part(5))
}

/// An SVG of `size` that `draw` fills.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn,
) -> anyhow::Result<String> {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    draw(&area).and_then(|()| Ok(area.present()?)).map_err(|error| anyhow!("drawing: {error}"))?;
    drop(area);
    Ok(text)
}

/// A chart with room for the labels of its axes.
fn chart<'a, 'b>(
    area: &'a DrawingArea<SVGBackend<'b>, plotters::coord::Shift>,
) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart.margin(8).margin_right(16).x_label_area_size(42).y_label_area_size(54);
    chart
}

/// Axes, a light grid and the names of the axes.
fn mesh<X, Y>(chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>, [x, y]: [&str; 2]) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut mesh = chart.configure_mesh();
    mesh.max_light_lines(0).bold_line_style(BLACK.mix(0.15)).axis_style(BLACK.mix(0.6));
    mesh.label_style(TEXT).axis_desc_style(TEXT).x_desc(x).y_desc(y).draw()?;
    Ok(())
}

/// An axis of error rates on which normally distributed scores give straight lines. Rates beyond it lie on its end.
struct Deviates {
    /// Number of its last tick.
    end: usize,
}

impl Deviates {
    /// One that ends beyond `rate`.
    fn beyond(rate: f64) -> Self {
        let end = TICKS.iter().position(|tick| tick / 100.0 > rate).unwrap_or(TICKS.len() - 1);
        Self { end: end.max(LEAST_END) }
    }
}

impl Ranged for Deviates {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, rate: &f64, limit: (i32, i32)) -> i32 {
        let Range { start, end } = self.range();
        let axis = RangedCoordf64::from(normal_deviate(start)..normal_deviate(end));
        axis.map(&normal_deviate(rate.clamp(start, end)), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Only what is labelled has a line.
        let ticks = if hint.weight().allow_light_points() { &[] } else { &TICKS[..=self.end] };
        ticks.iter().map(|percent| percent / 100.0).collect()
    }

    fn range(&self) -> Range<f64> {
        TICKS[0] / 100.0..TICKS[self.end] / 100.0
    }
}

impl ValueFormatter<f64> for Deviates {
    fn format(rate: &f64) -> String {
        // Dividing by 100 and multiplying again does not give all of the ticks back.
        format!("{}", (100_000.0 * rate).round() / 1_000.0)
    }
}

/// Error trade-offs; a circle marks each operating point.
pub fn trade_offs<'a>(curves: impl Iterator<Item = Option<&'a Det>> + Clone) -> anyhow::Result<String> {
    let operating = curves.clone().flatten().map(|det| det.operating_point);
    let axis = |rate: fn(Point) -> f64| Deviates::beyond(operating.clone().map(rate).fold(0.0, f64::max));
    let (across, up) = (axis(|point| point.false_alarm_rate), axis(|point| point.miss_rate));
    let ends = (across.range().end, up.range().end);
    let equal = ends.0.min(ends.1);
    svg(SIZE, |area| {
        let mut chart = chart(area).build_cartesian_2d(across, up)?;
        mesh(&mut chart, ["false-alarm rate, %", "miss rate, %"])?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (equal, equal)], BLACK.mix(0.25)))?;
        for (index, det) in curves.clone().enumerate() {
            let Some(det) = det else { continue };
            chart.draw_series(LineSeries::new(steps(det, ends), colour(index).stroke_width(2)))?;
            let here = det.operating_point;
            let mark = Circle::new((here.false_alarm_rate, here.miss_rate), 5, colour(index).filled());
            chart.draw_series([mark])?;
        }
        Ok(())
    })
}

/// From point to point as the threshold rises: first misses are added, then false alarms fall. Points beyond the
/// ends of the axes would be drawn as lines along the edges.
fn steps(det: &Det, (most_false_alarms, most_misses): (f64, f64)) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    let mut before = 1.0;
    let inside =
        |point: &&Point| point.false_alarm_rate <= most_false_alarms && point.miss_rate <= most_misses;
    for point in det.points.iter().filter(inside) {
        line.extend([(before, point.miss_rate), (point.false_alarm_rate, point.miss_rate)]);
        before = point.false_alarm_rate;
    }
    line.push((before, 1.0));
    line
}

/// How the scores of each group are distributed: its share in each step of 0.1; the threshold is marked.
pub fn distributions(groups: &[Vec<f32>], threshold: f32) -> anyhow::Result<String> {
    let shares: Vec<Vec<f64>> = groups.iter().map(|scores| histogram(scores, threshold)).collect();
    let most = shares.iter().flatten().copied().fold(1.0, f64::max);
    let score = |bin: i32| f64::from(threshold + BIN * bin as f32);
    let across: Range<f64> = score(-BINS)..score(BINS);
    svg(LOW_SIZE, |area| {
        let mut chart = chart(area).build_cartesian_2d(across, 0.0..1.1 * most)?;
        mesh(&mut chart, ["fused score", "share of the clips, %"])?;
        for (index, shares) in shares.iter().enumerate() {
            // Lines along the foot of the picture would hide each other.
            let mut filled = (-BINS..).zip(shares).filter(|(_, share)| **share > 0.0).map(|(bin, _)| bin);
            let Some(first) = filled.next() else { continue };
            let last = filled.last().unwrap_or(first);
            let bars = (-BINS..).zip(shares).filter(|(bin, _)| (first..=last).contains(bin));
            let tops = bars.flat_map(|(bin, share)| [(score(bin), *share), (score(bin + 1), *share)]);
            let line = std::iter::once((score(first), 0.0)).chain(tops).chain([(score(last + 1), 0.0)]);
            chart.draw_series(LineSeries::new(line, colour(index).stroke_width(2)))?;
        }
        let here = f64::from(threshold);
        chart.draw_series(LineSeries::new([(here, 0.0), (here, 1.1 * most)], BLACK.mix(0.6)))?;
        Ok(())
    })
}

/// Percent of `scores` in each bin around `threshold`; the outermost hold what lies beyond them, but for clips
/// without a score.
fn histogram(scores: &[f32], threshold: f32) -> Vec<f64> {
    let mut shares = vec![0.0; 2 * BINS as usize];
    for score in scores.iter().filter(|score| score.is_finite()) {
        let bin = ((score - threshold) / BIN).floor() as i32;
        shares[(bin.clamp(-BINS, BINS - 1) + BINS) as usize] += 100.0 / scores.len() as f64;
    }
    shares
}

/// The normal deviate below which a share of `rate` lies, between 0 and 1; to 1 % of it, enough to draw (S. Winitzki,
/// "A handy approximation for the error function and its inverse", 2008).
fn normal_deviate(rate: f64) -> f64 {
    const A: f64 = 0.147;
    let log = (4.0 * rate * (1.0 - rate)).ln();
    let half = 2.0 / (PI * A) + log / 2.0;
    let size = ((half * half - log / A).sqrt() - half).max(0.0).sqrt();
    (2.0f64).sqrt() * size.copysign(rate - 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_agrees_with_tables_of_the_normal_distribution() {
        for (rate, deviate) in
            [(0.5, 0.0), (0.0005, -3.2905), (0.01, -2.3263), (0.2, -0.8416), (0.95, 1.6449)]
        {
            assert!((normal_deviate(rate) - deviate).abs() < 0.01, "{rate}: {}", normal_deviate(rate));
        }
    }

    #[test]
    fn a_curve_has_only_points_that_thresholds_reach() {
        let line = |ends| Det::of(vec![1.0, 3.0], vec![0.0, 2.0], 1.0).map(|det| steps(&det, ends));
        let corners = [(1.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5), (0.0, 1.0)];
        assert_eq!(line((1.0, 1.0)).as_deref(), Some(&corners[..]));
        assert_eq!(line((0.4, 1.0)).as_deref(), Some(&[(1.0, 0.5), (0.0, 0.5), (0.0, 1.0)][..]));
        assert_eq!(line((1.0, 0.4)).as_deref(), Some(&[(1.0, 0.0), (0.5, 0.0), (0.5, 1.0)][..]));
    }

    #[test]
    fn the_outer_bins_hold_what_lies_beyond() {
        let shares = histogram(&[-90.0, 1.55, 1.65, 90.0, f32::NEG_INFINITY], 1.6);
        let filled: Vec<(usize, f64)> =
            shares.into_iter().enumerate().filter(|(_, share)| *share > 0.0).collect();
        assert_eq!(filled, [(0, 20.0), (19, 20.0), (20, 20.0), (39, 20.0)]);
    }
}
