//! The trade-off as a picture.

use anyhow::anyhow;
use plotters::prelude::*;
use wakeword::calibrate::Expectation;

const SIZE: (u32, u32) = (720, 420);
/// What is drawn of shares and rates.
const DRAWN: (f64, f64) = (0.001, 10.0);

/// Misses against false wakes, one point a threshold, as SVG; `chosen` is marked.
pub fn svg(title: &str, table: &[Expectation], chosen: &Expectation) -> anyhow::Result<String> {
    let mut text = String::new();
    draw(&mut text, title, table, chosen).map_err(|error| anyhow!("drawing: {error}"))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    table: &[Expectation],
    chosen: &Expectation,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    // A curve ends where it leaves the picture at its foot.
    let curve = |part: fn(&Expectation) -> f64| {
        let points = table.iter().map(move |one| (f64::from(one.threshold), part(one).min(DRAWN.1)));
        points.filter(|(_, height)| *height >= DRAWN.0).collect::<Vec<_>>()
    };
    let (first, last) = (table.first().unwrap_or(chosen), table.last().unwrap_or(chosen));
    let across = f64::from(first.threshold)..f64::from(last.threshold);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(across, (DRAWN.0..DRAWN.1).log_scale())?;
    chart.configure_mesh().x_desc("threshold").y_desc("share, or times an hour").draw()?;
    let curves = [
        ("calls missed", BLUE, curve(|one| one.miss_rate)),
        ("false wakes an hour", RED, curve(|one| one.false_per_hour)),
        ("others with the phrase accepted", GREEN, curve(|one| one.others_rate)),
    ];
    for (name, colour, points) in curves {
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    let here = f64::from(chosen.threshold);
    chart.draw_series(LineSeries::new([(here, DRAWN.0), (here, DRAWN.1)], BLACK.mix(0.5)))?;
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    area.present()?;
    Ok(())
}
