//! Error rates of a set of decisions (terms of ISO/IEC 19795-1) and their confidence intervals.

use std::collections::BTreeMap;

/// Resamplings for an interval.
const RESAMPLED: usize = 2_000;
/// Share of them beyond each end of a 95 % interval.
const TAIL: f64 = 0.025;

/// The equal error rate, 0 to 1: at some threshold, the share of `genuine` scores below it equals the share of
/// `impostors` at or above it. `None` where either is empty.
pub fn equal_error_rate(genuine: &[f32], impostors: &[f32]) -> Option<f64> {
    if genuine.is_empty() || impostors.is_empty() {
        return None;
    }
    let mut all: Vec<(f32, bool)> = genuine.iter().map(|score| (*score, true)).collect();
    all.extend(impostors.iter().map(|score| (*score, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut missed, mut accepted) = (0.0, 1.0);
    let mut best = (1.0f64, 0.5);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        for (_, genuine_one) in equal {
            if *genuine_one {
                missed += 1.0 / genuine.len() as f64;
            } else {
                accepted -= 1.0 / impostors.len() as f64;
            }
        }
        let gap: f64 = missed - accepted;
        if gap.abs() < best.0 {
            best = (gap.abs(), (missed + accepted) / 2.0);
        }
    }
    Some(best.1.max(0.0))
}

/// 95 % interval of a mean of `values`, each with its group (the owner of its task), by bootstrap over the groups.
pub fn interval(values: &[(&str, f64)]) -> (f64, f64) {
    let mut groups: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (group, value) in values {
        let sums = groups.entry(group).or_default();
        *sums = (sums.0 + value, sums.1 + 1.0);
    }
    let groups: Vec<(f64, f64)> = groups.into_values().collect();
    if groups.is_empty() {
        return (0.0, 0.0);
    }
    let mut random = fastrand::Rng::with_seed(0);
    let mut means: Vec<f64> = (0..RESAMPLED)
        .map(|_| {
            let drawn = (0..groups.len()).map(|_| groups[random.usize(..groups.len())]);
            let (sum, count) = drawn.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
            sum / count
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLED - 1) as f64).round() as usize];
    (at(TAIL), at(1.0 - TAIL))
}

/// Upper 95 % bound (one-sided, exact Poisson) of a rate at which `events` were seen in one unit of time: 3.0
/// for none.
pub fn rate_bound(events: usize) -> f64 {
    rate_of(events, 0.05)
}

/// 95 % interval (two-sided, exact Poisson) of a rate at which `events` were seen in one unit of time.
pub fn rate_interval(events: usize) -> (f64, f64) {
    let low = events.checked_sub(1).map_or(0.0, |fewer| rate_of(fewer, 1.0 - TAIL));
    (low, rate_of(events, TAIL))
}

/// The rate at which `events` or fewer are seen with this `probability`.
fn rate_of(events: usize, probability: f64) -> f64 {
    let tail = |rate: f64| {
        let mut term = (-rate).exp();
        let mut sum = term;
        for count in 1..=events {
            term *= rate / count as f64;
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (0.0f64, 2.0 * events as f64 + 10.0);
    for _ in 0..60 {
        let middle = low.midpoint(high);
        if tail(middle) > probability { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_bounds_agree_with_published_tables() {
        // Tables of the chi-squared distribution: half its 95 % quantile with 2 (n + 1) degrees of freedom.
        for (events, bound) in [(0, 2.9957), (1, 4.7439), (4, 9.1535), (10, 16.9622)] {
            assert!((rate_bound(events) - bound).abs() < 1e-3, "{events}: {}", rate_bound(events));
        }
        // F. Garwood, "Fiducial limits for the Poisson distribution", 1936.
        for (events, limits) in [(0, (0.0, 3.6889)), (1, (0.0253, 5.5716)), (10, (4.7954, 18.3904))] {
            let (low, high) = rate_interval(events);
            assert!(
                (low - limits.0).abs() < 1e-3 && (high - limits.1).abs() < 1e-3,
                "{events}: {low} {high}"
            );
        }
    }

    #[test]
    fn equal_error_rates_do_not_depend_on_scale() {
        assert_eq!(equal_error_rate(&[], &[1.0]), None);
        assert_eq!(equal_error_rate(&[2.0, 3.0], &[0.0, 1.0]), Some(0.0));
        let (genuine, impostors) = ([1.0, 3.0, 4.0, 5.0], [f32::NEG_INFINITY, 0.0, 0.5, 2.0]);
        assert_eq!(equal_error_rate(&genuine, &impostors), Some(0.25));
        let squeezed = |scores: [f32; 4]| scores.map(|score| score.max(-9.0) / 100.0);
        assert_eq!(equal_error_rate(&squeezed(genuine), &squeezed(impostors)), Some(0.25));
        assert_eq!(equal_error_rate(&[1.0, 1.0], &[1.0, 1.0]), Some(0.5));
    }

    #[test]
    fn intervals_resample_groups_not_clips() {
        let same: Vec<(&str, f64)> = (0..1000).map(|n| (["a", "b"][n % 2], (n % 2) as f64)).collect();
        assert_eq!(interval(&same), (0.0, 1.0));
        let (low, high) = interval(&[("a", 0.5), ("b", 0.5)]);
        assert_eq!((low, high), (0.5, 0.5));
    }
}
