//! Score normalisation of template costs.

/// How many of the lowest template costs are averaged.
const TEMPLATES_USED: usize = 3;
/// How many of the lowest cohort costs are averaged.
const COHORT_USED: usize = 6;

/// T-norm of DTW costs: how much closer the audio is to the templates than to general speech.
///
/// Mean of the six lowest cohort costs less the mean of the three lowest template costs. Positive
/// when the audio resembles the phrase more than it resembles anything else. Negative infinity
/// when no template could be aligned.
pub fn t_norm(template_costs: &[f32], cohort_costs: &[f32]) -> f32 {
    let score = mean_of_lowest(cohort_costs, COHORT_USED) - mean_of_lowest(template_costs, TEMPLATES_USED);
    // An audio shorter than the cohort's templates leaves both sides infinite.
    if score.is_finite() { score } else { f32::NEG_INFINITY }
}

/// Mean of the `count` lowest values; infinite for none.
fn mean_of_lowest(values: &[f32], count: usize) -> f32 {
    debug_assert!(count <= 8);
    let mut lowest = [f32::INFINITY; 8];
    let lowest = &mut lowest[..count];
    for &value in values {
        let mut carried = value;
        for slot in lowest.iter_mut() {
            if carried < *slot {
                std::mem::swap(slot, &mut carried);
            }
        }
    }
    let used = count.min(values.len());
    if used == 0 { f32::INFINITY } else { lowest[..used].iter().sum::<f32>() / used as f32 }
}

/// Median; zero for no values.
pub fn median(values: &[f32]) -> f32 {
    crate::features::level::percentile(&mut values.to_vec(), 0.5)
}
