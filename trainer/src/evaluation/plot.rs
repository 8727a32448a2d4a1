//! A picture of the report: accuracy against coverage, and calibration.

use super::report::Report;
use super::score::{CalibrationBin, CoveragePoint};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

const SIZE_PX: (u32, u32) = (1200, 560);
const FAMILY: &str = "sans-serif";

/// Draws accuracy against coverage (left) and confidence against accuracy (right) as a PNG.
///
/// # Errors
/// When the picture cannot be written.
pub fn plot_report(report: &Report, path: &Path) -> Result<()> {
    crate::plotfont::register();
    let root = BitMapBackend::new(path, SIZE_PX).into_drawing_area();
    draw(report.protocol.name(), &report.coverage, &report.calibration, &root)
        .map_err(|error| anyhow!("{}: the plot cannot be drawn: {error}", path.display()))
}

/// The same as the text of an SVG element.
///
/// # Errors
/// Never in practice: it is drawn in memory.
pub fn plot_svg(title: &str, coverage: &[CoveragePoint], calibration: &[CalibrationBin]) -> Result<String> {
    crate::plotfont::register();
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, SIZE_PX).into_drawing_area();
    draw(title, coverage, calibration, &root)
        .map_err(|error| anyhow!("the plot cannot be drawn: {error}"))?;
    drop(root);
    // With a view box in place of a size it fits any width.
    let (width, height) = SIZE_PX;
    let size = format!("width=\"{width}\" height=\"{height}\" viewBox");
    Ok(svg.replacen(&size, "viewBox", 1))
}

fn draw<DB: DrawingBackend>(
    title: &str,
    coverage: &[CoveragePoint],
    calibration: &[CalibrationBin],
    root: &DrawingArea<DB, plotters::coord::Shift>,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE_PX.0 / 2);
    let mut chart = ChartBuilder::on(&left)
        .caption(format!("Accuracy against coverage ({title})"), (FAMILY, 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(54)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("share of samples answered")
        .y_desc("right stem and direction")
        .label_style((FAMILY, 15))
        .draw()?;
    chart.draw_series(LineSeries::new([(0.0, 0.9), (1.0, 0.9)], &BLACK.mix(0.4)))?;
    chart.draw_series(LineSeries::new(
        coverage.iter().map(|point| (point.coverage, point.accuracy)),
        BLUE.stroke_width(2),
    ))?;
    let mut chart = ChartBuilder::on(&right)
        .caption("Calibration", (FAMILY, 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(54)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("confidence")
        .y_desc("right stem and direction")
        .label_style((FAMILY, 15))
        .draw()?;
    chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], &BLACK.mix(0.4)))?;
    let bins = || calibration.iter().filter(|bin| bin.samples > 0.0);
    let most = bins().map(|bin| bin.samples).fold(1.0, f64::max);
    chart.draw_series(LineSeries::new(
        bins().map(|bin| (bin.confidence, bin.accuracy)),
        BLUE.stroke_width(2),
    ))?;
    chart.draw_series(bins().map(|bin| {
        // A bin's disc has an area in proportion to its samples.
        let radius = 3.0 + 11.0 * (bin.samples / most).sqrt();
        Circle::new((bin.confidence, bin.accuracy), radius as i32, BLUE.mix(0.6).filled())
    }))?;
    root.present()
}
