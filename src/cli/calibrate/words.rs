//! Expectations in plain words.

use wakeword::calibrate::Expectation;

/// Both of them: "about 1 false wake in 3 days of sound, about 1 in 20 calls missed".
pub fn plain(expected: &Expectation) -> String {
    format!("{}, {} calls missed", wakes(expected.false_per_hour), share(expected.miss_rate))
}

/// How often something happens that comes so many times in an hour of sound.
fn wakes(per_hour: f64) -> String {
    let hours = 1.0 / per_hour;
    let one = |time: f64, unit: &str| format!("about 1 false wake in {time:.0} {unit} of sound");
    match hours {
        _ if per_hour >= 1.5 => format!("about {per_hour:.0} false wakes in an hour of sound"),
        _ if hours < 1.5 => "about 1 false wake in an hour of sound".into(),
        _ if hours < 36.0 => one(hours, "hours"),
        _ => one(hours / 24.0, "days"),
    }
}

/// One in how many a share is.
fn share(share: f64) -> String {
    match 1.0 / share {
        few if few < 1.5 => "nearly all".into(),
        few if few < 10.0 => format!("about 1 in {few:.0}"),
        // No more digits than the estimate is worth.
        many => format!("about 1 in {:.0}", (many / 5.0).round() * 5.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_read_as_they_are() {
        let expected = |false_per_hour, miss_rate| {
            plain(&Expectation { threshold: 1.6, false_per_hour, miss_rate, others_rate: 0.01 })
        };
        assert_eq!(
            expected(1.0 / 72.0, 0.05),
            "about 1 false wake in 3 days of sound, about 1 in 20 calls missed"
        );
        assert_eq!(expected(0.1, 0.5), "about 1 false wake in 10 hours of sound, about 1 in 2 calls missed");
        assert_eq!(expected(1.0, 0.3), "about 1 false wake in an hour of sound, about 1 in 3 calls missed");
        assert_eq!(expected(12.2, 0.9), "about 12 false wakes in an hour of sound, nearly all calls missed");
    }
}
