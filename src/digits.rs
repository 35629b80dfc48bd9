//! Single-precision numbers with the digits that they have: 1.56, not 1.559999942779541.

use serde::Serialize;
use serde_json::Value;

/// `value` as JSON. It goes through text, where a number of 32 bits gets the shortest digits that are its own: widened
/// to 64 bits, it would get digits that nobody measured.
pub fn json(value: &(impl Serialize + ?Sized)) -> Value {
    // Nothing that is shown can fail to become JSON.
    serde_json::to_string(value).and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
}

/// The number of 64 bits that is written with the same digits.
pub fn widen(value: f32) -> f64 {
    // Whatever a number is written as can be read again.
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_get_no_digits_of_their_own() {
        assert_eq!(json(&[1.56f32, 0.1]).to_string(), "[1.56,0.1]");
        assert_eq!(widen(1.56).to_string(), "1.56");
        assert_eq!((widen(f32::INFINITY), widen(-0.0)), (f64::INFINITY, 0.0));
        assert!(widen(f32::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn widening_keeps_every_number(value in any::<f32>().prop_filter("a number", |value| !value.is_nan())) {
            prop_assert_eq!(widen(value) as f32, value);
        }
    }
}
