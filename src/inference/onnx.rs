//! What an ONNX file says, as far as the two networks need it. Anything else in a file is a [`Misfit`],
//! never run as if it had not been said.

use prost::Message as _;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType;
pub use tract_onnx::pb::{
    AttributeProto as Attribute, GraphProto as Graph, NodeProto as Node, TensorProto as Tensor,
};

use super::conv::Weights;

/// Why a file is not the network that it should be.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// Not an ONNX file.
    #[error("not an ONNX file: {0}")]
    Unreadable(#[from] prost::DecodeError),
    /// An operation that the network does not have.
    #[error("operation {index} is {operator}, which this network does not have")]
    Operator {
        /// Place in the file.
        index: usize,
        /// Its name in ONNX.
        operator: String,
    },
    /// An operation that works in another way than the network's.
    #[error("operation {index} ({operator}) has another {setting} than this network")]
    Setting {
        /// Place in the file.
        index: usize,
        /// Its name in ONNX.
        operator: String,
        /// What differs.
        setting: String,
    },
    /// Sizes that do not follow from each other.
    #[error("the sizes of layer {layer} do not fit this network")]
    Sizes {
        /// Convolutions and poolings before it.
        layer: usize,
    },
    /// Fewer or more operations than the network has.
    #[error("it has {found} operations, this network has more or fewer")]
    Length {
        /// Operations in the file.
        found: usize,
    },
}

/// How the kernel of a convolution moves: over time, then over bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// From one output to the next.
    pub strides: [usize; 2],
    /// From one weight to the next.
    pub dilations: [usize; 2],
    /// Zeros on either side.
    pub pads: [usize; 2],
}

impl Window {
    /// Step by step, without padding.
    pub const PLAIN: Self = Self { strides: [1; 2], dilations: [1; 2], pads: [0; 2] };
}

/// The graph of a file.
pub fn read(onnx: &[u8]) -> Result<Graph, Misfit> {
    Ok(ModelProto::decode(onnx)?.graph.unwrap_or_default())
}

/// What an operation says of itself.
pub trait Operation {
    /// Says that `setting` of this operation, the file's `index`th, is not the network's.
    fn setting(&self, index: usize, setting: &str) -> Misfit;

    /// Fails with the first attribute that is not `fine`; that gets its name, its integers if none is
    /// negative, and all of it.
    fn attributes(
        &self,
        index: usize,
        fine: impl FnMut(&str, &[usize], &Attribute) -> bool,
    ) -> Result<(), Misfit>;

    /// The name of the one value that it makes.
    fn only_output(&self, index: usize) -> Result<&str, Misfit>;

    /// How a convolution of one group moves its kernel of size `kernel` (time, or time and bands).
    fn window(&self, index: usize, kernel: &[usize]) -> Result<Window, Misfit>;
}

impl Operation for Node {
    fn setting(&self, index: usize, setting: &str) -> Misfit {
        Misfit::Setting { index, operator: self.op_type.clone(), setting: setting.into() }
    }

    fn attributes(
        &self,
        index: usize,
        mut fine: impl FnMut(&str, &[usize], &Attribute) -> bool,
    ) -> Result<(), Misfit> {
        for attribute in &self.attribute {
            let ints: Option<Vec<_>> = attribute.ints.iter().map(|int| usize::try_from(*int).ok()).collect();
            if !ints.is_some_and(|ints| fine(&attribute.name, &ints, attribute)) {
                return Err(self.setting(index, &attribute.name));
            }
        }
        Ok(())
    }

    fn only_output(&self, index: usize) -> Result<&str, Misfit> {
        match &self.output[..] {
            [output] => Ok(output),
            _ => Err(self.setting(index, "output")),
        }
    }

    fn window(&self, index: usize, kernel: &[usize]) -> Result<Window, Misfit> {
        let mut window = Window::PLAIN;
        let axes = kernel.len().min(2);
        self.attributes(index, |name, ints, attribute| match name {
            "strides" | "dilations" if ints.len() == axes && !ints.contains(&0) => {
                let steps = if name == "strides" { &mut window.strides } else { &mut window.dilations };
                steps[..axes].copy_from_slice(ints);
                true
            }
            "pads" if ints.len() == 2 * axes && ints[..axes] == ints[axes..] => {
                window.pads[..axes].copy_from_slice(&ints[..axes]);
                true
            }
            "group" => attribute.i == 1,
            "auto_pad" => attribute.s == b"NOTSET",
            "kernel_shape" => ints == kernel,
            _ => false,
        })?;
        Ok(window)
    }
}

/// What a constant holds: little-endian, row-major.
pub trait Constant {
    /// Sizes, if none is negative.
    fn sizes(&self) -> Option<Vec<usize>>;

    /// Whether these are its sizes.
    fn has_shape(&self, shape: &[usize]) -> bool {
        self.sizes().is_some_and(|sizes| sizes == shape)
    }

    /// The values, if they are of this type and as many as the sizes say.
    fn values<T, const BYTES: usize>(&self, data_type: DataType, of: fn([u8; BYTES]) -> T) -> Option<Vec<T>>;

    /// Values of type FLOAT.
    fn f32s(&self) -> Option<Vec<f32>> {
        self.values(DataType::Float, f32::from_le_bytes)
    }

    /// Values of type INT64.
    fn i64s(&self) -> Option<Vec<i64>> {
        self.values(DataType::Int64, i64::from_le_bytes)
    }

    /// Values of type FLOAT, FLOAT16 (finite ones) or INT8.
    fn weights(&self) -> Option<Weights> {
        let finite = |halves: &Vec<u16>| halves.iter().all(|half| half & 0x7c00 != 0x7c00);
        let f32s = || self.f32s().map(Weights::F32);
        let f16s = || self.values(DataType::Float16, u16::from_le_bytes).filter(finite).map(Weights::F16);
        let int8s = || self.values(DataType::Int8, i8::from_le_bytes).map(Weights::Int8);
        f32s().or_else(f16s).or_else(int8s)
    }
}

impl Constant for Tensor {
    fn sizes(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect()
    }

    fn values<T, const BYTES: usize>(&self, data_type: DataType, of: fn([u8; BYTES]) -> T) -> Option<Vec<T>> {
        let count = self.sizes()?.iter().try_fold(1usize, |count, size| count.checked_mul(*size))?;
        let (values, rest) = self.raw_data.as_chunks::<BYTES>();
        let whole = self.data_type() == data_type && values.len() == count && rest.is_empty();
        whole.then(|| values.iter().map(|bytes| of(*bytes)).collect())
    }
}
