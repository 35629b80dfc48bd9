//! The detection error trade-off (ISO/IEC 19795-1): which miss rate each false-alarm rate costs.

use serde::Serialize;

/// Points that are kept of a curve.
const MAX_POINTS: usize = 100;

/// The error rates at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Scores at or above it are accepted.
    pub threshold: f32,
    /// Share of the impostors that are accepted.
    pub false_alarm_rate: f64,
    /// Share of the genuine scores that are refused.
    pub miss_rate: f64,
}

/// A curve, and the operating point on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Det {
    /// At the threshold in use.
    pub operating_point: Point,
    /// Those that no other threshold beats in one rate without losing in the other, the lowest threshold first;
    /// between two of them no threshold does better than the former's false-alarm and the latter's miss rate.
    pub points: Vec<Point>,
}

impl Det {
    /// The trade-off of scores; a clip in which nothing was found has negative infinity, and no threshold
    /// accepts it. `None` without a score of either kind.
    pub fn of(mut genuine: Vec<f32>, mut impostors: Vec<f32>, threshold: f32) -> Option<Self> {
        if genuine.is_empty() || impostors.is_empty() {
            return None;
        }
        genuine.sort_by(f32::total_cmp);
        impostors.sort_by(f32::total_cmp);
        let at = |threshold: f32| {
            let below = |scores: &[f32]| scores.partition_point(|score| *score < threshold);
            let share = |part: usize, scores: &[f32]| part as f64 / scores.len() as f64;
            Point {
                threshold,
                false_alarm_rate: share(impostors.len() - below(&impostors), &impostors),
                miss_rate: share(below(&genuine), &genuine),
            }
        };
        // Just above a genuine score only misses are to be had.
        let mut points: Vec<Point> = Vec::new();
        for score in genuine.iter().filter(|score| score.is_finite()) {
            let point = at(*score);
            if points.last().is_none_or(|last| point.false_alarm_rate < last.false_alarm_rate) {
                points.push(point);
            }
        }
        if points.len() > MAX_POINTS {
            points =
                (0..MAX_POINTS).map(|index| points[index * (points.len() - 1) / (MAX_POINTS - 1)]).collect();
        }
        Some(Self { operating_point: at(threshold), points })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(threshold: f32, false_alarm_rate: f64, miss_rate: f64) -> Point {
        Point { threshold, false_alarm_rate, miss_rate }
    }

    #[test]
    fn a_curve_equals_one_counted_by_hand() {
        let genuine = vec![5.0, 1.0, 3.0, 2.0];
        let impostors = vec![2.5, 0.0, f32::NEG_INFINITY, 2.0];
        let det = Det::of(genuine, impostors, 2.25).unwrap();
        // From 2 on: 1 of 4 missed, 2 and 2.5 accepted, as from 1 on, where none is missed.
        assert_eq!(det.points, [point(1.0, 0.5, 0.0), point(3.0, 0.0, 0.5)]);
        assert_eq!(det.operating_point, point(2.25, 0.25, 0.5));
    }

    #[test]
    fn clips_without_a_score_are_accepted_at_no_threshold() {
        let nothing = f32::NEG_INFINITY;
        let det = Det::of(vec![nothing, 2.0], vec![nothing, nothing], 1.0).unwrap();
        assert_eq!(det.points, [point(2.0, 0.0, 0.5)]);
        let det = Det::of(vec![nothing], vec![1.0], 0.5).unwrap();
        assert_eq!((det.points, det.operating_point), (vec![], point(0.5, 1.0, 1.0)));
        assert_eq!(Det::of(vec![], vec![1.0], 0.5), None);
        assert_eq!(Det::of(vec![1.0], vec![], 0.5), None);
    }

    #[test]
    fn a_thinned_curve_keeps_its_ends() {
        let genuine: Vec<f32> = (0..10_000).map(|n| n as f32).collect();
        let impostors = genuine.iter().map(|score| score - 5_000.5).collect();
        let points = Det::of(genuine, impostors, 0.0).unwrap().points;
        assert_eq!(points.len(), MAX_POINTS);
        assert_eq!((points[0].miss_rate, points[MAX_POINTS - 1].false_alarm_rate), (0.0, 0.0));
        assert!(points.windows(2).all(|two| two[0].threshold < two[1].threshold));
    }
}
