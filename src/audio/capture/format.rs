//! In which form a device is asked to record.

use std::fmt;
use std::num::NonZeroU16;

use cpal::{SampleFormat, SupportedStreamConfigRange as Range};

use crate::audio::{INPUT_RATES, OUTPUT_RATE};

/// Which channels of a device are heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelChoice {
    /// The mean of all.
    #[default]
    Mix,
    /// One, counted from 1.
    Only(NonZeroU16),
}

/// The form in which a device records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Rate in Hz.
    pub rate: u32,
    pub channels: u16,
    /// How a sample is written.
    pub samples: SampleFormat,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} Hz, {} channel{}",
            self.rate,
            self.channels,
            if self.channels == 1 { "" } else { "s" }
        )?;
        write!(f, ", {}", self.samples)
    }
}

/// Sample formats, best first. The one-bit formats of some players are left out.
const SAMPLES: [SampleFormat; 12] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::I16,
    SampleFormat::F64,
    SampleFormat::I64,
    SampleFormat::U32,
    SampleFormat::U24,
    SampleFormat::U64,
    SampleFormat::U16,
    SampleFormat::I8,
    SampleFormat::U8,
];
/// Most channels of a real device; a converter in front of one claims many more.
const REAL_CHANNELS: u16 = 8;

/// The best of what a device offers; `None` if nothing of it can be used.
///
/// 16 kHz if possible, since then nothing needs to be resampled here, otherwise what is nearest to 48 kHz. For a
/// mix the fewest channels, so that a sound server mixes them. For a chosen channel all that there are, so
/// that no server mixes them; from a converter, which offers any number, no more than needed, but two.
pub(super) fn choose(offered: &[Range], choice: ChannelChoice) -> Option<Format> {
    let most = offered.iter().map(Range::channels).max()?;
    let channels = |range: &Range| match choice {
        ChannelChoice::Mix => Some(range.channels()),
        ChannelChoice::Only(number) if range.channels() < number.get() => None,
        ChannelChoice::Only(_) if most <= REAL_CHANNELS => Some(most - range.channels()),
        ChannelChoice::Only(_) => range.channels().checked_sub(2),
    };
    let candidate = |range: &Range| {
        let samples = SAMPLES.iter().position(|&format| format == range.sample_format())?;
        let rate = best_rate(range)?;
        let from_best = if rate == OUTPUT_RATE { 0 } else { 1 + rate.abs_diff(48_000) };
        let format = Format { rate, channels: range.channels(), samples: range.sample_format() };
        Some(((from_best, channels(range)?, samples), format))
    };
    offered.iter().filter_map(candidate).min_by_key(|&(order, _)| order).map(|(_, format)| format)
}

fn best_rate(range: &Range) -> Option<u32> {
    let lowest = range.min_sample_rate().max(*INPUT_RATES.start());
    let highest = range.max_sample_rate().min(*INPUT_RATES.end());
    let best = if (lowest..=highest).contains(&OUTPUT_RATE) { OUTPUT_RATE } else { 48_000 };
    (lowest <= highest).then(|| best.clamp(lowest, highest))
}

#[cfg(test)]
mod tests {
    use cpal::SupportedBufferSize::Unknown;

    use super::*;

    fn only(number: u16) -> ChannelChoice {
        ChannelChoice::Only(NonZeroU16::new(number).unwrap())
    }

    fn ranges(channels: &[u16], rates: &[(u32, u32)], samples: &[SampleFormat]) -> Vec<Range> {
        let mut ranges = Vec::new();
        for &samples in samples {
            for &channels in channels {
                let range = |&(low, high): &_| Range::new(channels, low, high, Unknown, samples);
                ranges.extend(rates.iter().map(range));
            }
        }
        ranges
    }

    fn chosen(offered: &[Range], choice: ChannelChoice) -> Option<(u32, u16, SampleFormat)> {
        choose(offered, choice).map(|format| (format.rate, format.channels, format.samples))
    }

    #[test]
    fn the_native_format_is_preferred() {
        let many: Vec<u16> = (1..=64).collect();
        let converter = ranges(&many, &[(4_000, 4_294_967_295)], &[SampleFormat::I16, SampleFormat::F32]);
        assert_eq!(chosen(&converter, ChannelChoice::Mix), Some((16_000, 1, SampleFormat::F32)));
        assert_eq!(chosen(&converter, only(1)), Some((16_000, 2, SampleFormat::F32)));
        assert_eq!(chosen(&converter, only(4)), Some((16_000, 4, SampleFormat::F32)));
    }

    #[test]
    fn a_chosen_channel_opens_all_channels_of_the_device() {
        let array = ranges(&[1, 6], &[(16_000, 16_000)], &[SampleFormat::I16]);
        assert_eq!(chosen(&array, only(1)), Some((16_000, 6, SampleFormat::I16)));
        assert_eq!(chosen(&array, ChannelChoice::Mix), Some((16_000, 1, SampleFormat::I16)));
        assert_eq!(chosen(&array, only(7)), None);
    }

    #[test]
    fn a_plain_sound_card_is_accepted() {
        let card = [(44_100, 44_100), (48_000, 48_000), (96_000, 96_000)];
        let card = ranges(&[2], &card, &[SampleFormat::I16, SampleFormat::I32]);
        assert_eq!(chosen(&card, ChannelChoice::Mix), Some((48_000, 2, SampleFormat::I32)));
        let telephone = ranges(&[1], &[(8_000, 8_000)], &[SampleFormat::U8]);
        assert_eq!(chosen(&telephone, ChannelChoice::Mix), Some((8_000, 1, SampleFormat::U8)));
    }

    #[test]
    fn unusable_formats_are_not_chosen() {
        assert_eq!(choose(&[], ChannelChoice::Mix), None);
        let too_slow = ranges(&[1], &[(4_000, 6_000)], &[SampleFormat::I16]);
        assert_eq!(choose(&too_slow, ChannelChoice::Mix), None);
        let one_bit = ranges(&[2], &[(44_100, 44_100)], &[SampleFormat::DsdU8]);
        assert_eq!(choose(&one_bit, ChannelChoice::Mix), None);
    }
}
