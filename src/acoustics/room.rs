//! Rooms with speech at two metres, simulated by the image method (J. B. Allen, D. A. Berkley, "Image method
//! for efficiently simulating small-room acoustics", JASA 65, 1979).

use std::f64::consts::PI;

use super::spectrum::convolve;
use crate::features::SAMPLE_RATE;

/// In metres per second.
const SPEED_OF_SOUND: f64 = 343.0;
/// From the mouth to the microphone, in metres.
const DISTANCE: f64 = 2.0;
/// Shortest and longest width, depth and height of a room, in metres.
const SIZES: [(f64, f64); 3] = [(4.0, 7.0), (3.0, 5.0), (2.4, 2.9)];
/// Nothing is nearer to a wall, in metres.
const FROM_WALLS: f64 = 0.4;
/// Half the length of a pulse, and all of it, in samples.
const PULSE: usize = 20;
const LENGTH: usize = 2 * PULSE + 1;
/// Places of echoes between two samples.
const PHASES: usize = 32;
/// How much longer or shorter sound may last than asked for.
const TOLERANCE: f64 = 0.05;
/// How often walls are tried that come nearer to it.
const TRIES: usize = 8;
/// Rooms of each reverberation time.
const ROOMS: u64 = 8;

/// Rooms of one reverberation time; everything in them is chosen by a seed.
pub struct Rooms {
    responses: Vec<Vec<f32>>,
}

impl Rooms {
    /// Rooms in which sound falls by 60 dB in `rt60` seconds, more than 0.
    pub fn new(rt60: f32, seed: u64) -> Self {
        let pulses = Pulses::new();
        Self { responses: (0..ROOMS).map(|room| response(&pulses, f64::from(rt60), seed, room)).collect() }
    }

    /// `samples` as heard in a room, `choice` says which; as long and on the whole as loud as before.
    pub fn apply(&self, samples: &mut [f32], choice: usize) {
        convolve(samples, &self.responses[choice % self.responses.len()]);
    }
}

/// The impulse response from mouth to microphone, of unit energy; begins with the direct sound.
fn response(pulses: &Pulses, rt60: f64, seed: u64, room: u64) -> Vec<f32> {
    let scene = Scene::draw(seed.wrapping_mul(ROOMS).wrapping_add(room));
    // In flat rooms echoes along the walls outlast what Eyring's formula says: it gives the first try.
    let mut asked = rt60;
    let mut response = scene.response(pulses, asked, rt60);
    for _ in 0..TRIES {
        let found = reverberation(&response) / rt60;
        if (found - 1.0).abs() <= TOLERANCE {
            break;
        }
        asked /= found.clamp(0.5, 2.0);
        response = scene.response(pulses, asked, rt60);
    }
    let energy: f64 = response.iter().map(|x| x * x).sum();
    response.iter().map(|x| (x / energy.sqrt()) as f32).collect()
}

/// Seconds in which sound falls by 60 dB: three times those in which the energy that is still to come falls
/// from -5 to -25 dB (T20 of ISO 3382).
fn reverberation(response: &[f64]) -> f64 {
    let whole: f64 = response.iter().map(|x| x * x).sum();
    let mut left = whole;
    let (mut start, mut end) = (0, 0);
    for x in response {
        let level = left / whole;
        start += usize::from(level > 10f64.powf(-0.5));
        end += usize::from(level > 10f64.powf(-2.5));
        left -= x * x;
    }
    3.0 * (end - start) as f64 / SAMPLE_RATE as f64
}

/// Who is where in a room; metres.
struct Scene {
    size: [f64; 3],
    microphone: [f64; 3],
    mouth: [f64; 3],
}

impl Scene {
    fn draw(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut between = |low: f64, high: f64| low + (high - low) * random.f64();
        let size = SIZES.map(|(least, most)| between(least, most));
        loop {
            let [x, y, _] = size.map(|length| between(FROM_WALLS, length - FROM_WALLS));
            let (microphone, angle) = ([x, y, between(0.6, 1.2)], between(0.0, 2.0 * PI));
            let height = between(1.2, 1.7);
            let along = (DISTANCE * DISTANCE - (height - microphone[2]).powi(2)).sqrt();
            let mouth = [x + along * angle.cos(), y + along * angle.sin(), height];
            if (0..2).all(|axis| (FROM_WALLS..size[axis] - FROM_WALLS).contains(&mouth[axis])) {
                return Self { size, microphone, mouth };
            }
        }
    }

    /// The response of `length` seconds of walls that give a reverberation of `rt60` by Eyring's formula.
    fn response(&self, pulses: &Pulses, rt60: f64, length: f64) -> Vec<f64> {
        let [x, y, z] = self.size;
        let (volume, surface) = (x * y * z, 2.0 * (x * y + y * z + z * x));
        // What walls reflect of the pressure.
        let reflected = (-0.161 * volume / (surface * rt60) / 2.0).exp();
        let rate = SAMPLE_RATE as f64;
        let latest = DISTANCE + SPEED_OF_SOUND * length;
        let mut response = vec![0.0; (length * rate) as usize + LENGTH];
        let images: Vec<_> = (0..3).map(|axis| self.images(axis, latest)).collect();
        for (dx, wx) in &images[0] {
            for (dy, wy) in &images[1] {
                for (dz, wz) in &images[2] {
                    let distance = (dx * dx + dy * dy + dz * dz).sqrt();
                    if distance < latest {
                        let delay = (distance - DISTANCE) / SPEED_OF_SOUND * rate;
                        pulses.place(&mut response, delay, reflected.powi(wx + wy + wz) / distance);
                    }
                }
            }
        }
        response
    }

    /// How far from the microphone along `axis` the images of the mouth are, and behind how many walls.
    fn images(&self, axis: usize, latest: f64) -> Vec<(f64, i32)> {
        let most = (latest / (2.0 * self.size[axis])).ceil() as i32;
        let image = |n: i32, mirrored: i32| {
            let place = f64::from(1 - 2 * mirrored) * self.mouth[axis] + 2.0 * f64::from(n) * self.size[axis];
            (place - self.microphone[axis], (n - mirrored).abs() + n.abs())
        };
        (-most..=most).flat_map(|n| [image(n, 0), image(n, 1)]).collect()
    }
}

/// The pulses by which an echo is placed between two samples: sincs under a Hann window, for each of
/// [`PHASES`] places between them.
struct Pulses(Vec<[f64; LENGTH]>);

impl Pulses {
    fn new() -> Self {
        let pulse = |phase: usize| {
            std::array::from_fn(|tap| {
                let t = tap as f64 - PULSE as f64 - phase as f64 / PHASES as f64;
                let sinc = if t == 0.0 { 1.0 } else { (PI * t).sin() / (PI * t) };
                sinc * (0.5 + 0.5 * (PI * t / (PULSE + 1) as f64).cos())
            })
        };
        Self((0..PHASES).map(pulse).collect())
    }

    /// Adds one of `strength` at `delay` samples after the direct sound, which itself lies half a pulse after the
    /// start, so that nothing of it is cut off.
    fn place(&self, response: &mut [f64], delay: f64, strength: f64) {
        let place = (delay * PHASES as f64).round() as usize;
        let slots = response.get_mut(place / PHASES..).unwrap_or_default();
        for (slot, tap) in slots.iter_mut().zip(&self.0[place % PHASES]) {
            *slot += strength * tap;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_the_reverberation_time_asked_for() {
        for rt60 in [0.3, 0.6] {
            let rooms = Rooms::new(rt60, 7);
            for response in &rooms.responses {
                let response: Vec<f64> = response.iter().map(|x| f64::from(*x)).collect();
                let found = reverberation(&response) / f64::from(rt60);
                assert!((0.94..1.06).contains(&found), "{found} of {rt60} s");
            }
            assert_ne!(rooms.responses[0], rooms.responses[1]);
            assert_eq!(rooms.responses, Rooms::new(rt60, 7).responses);
        }
    }

    #[test]
    fn decay_times_are_measured_correctly() {
        let decay: Vec<f64> = (0..16_000).map(|n| 10f64.powf(-3.0 * f64::from(n) / 8000.0)).collect();
        assert!((reverberation(&decay) - 0.5).abs() < 0.01);
    }

    #[test]
    fn the_direct_sound_comes_first_and_strongest() {
        let response = response(&Pulses::new(), 0.4, 1, 0);
        let loudest = (0..response.len()).max_by(|a, b| response[*a].abs().total_cmp(&response[*b].abs()));
        assert_eq!(loudest, Some(PULSE));
        let mut samples = vec![0.0; 4000];
        samples[100] = 1.0;
        Rooms { responses: vec![response.clone()] }.apply(&mut samples, 0);
        assert!(samples[..100].iter().all(|x| x.abs() < 1e-5));
        assert!((samples[100 + PULSE] - response[PULSE]).abs() < 1e-5);
    }
}
