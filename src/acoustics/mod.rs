//! Speech as it sounds elsewhere: in noise, in a room, over the telephone.

mod diffuse;
mod noise;
pub mod room;
mod spectrum;
mod telephone;

pub use diffuse::reverberated;
pub use noise::noisy;
pub use telephone::telephone;
