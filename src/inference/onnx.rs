//! What an ONNX file says, as far as the two networks need it. Anything else in a file is a [`Unsupported`],
//! never run as if it had not been said.

use bytes::Bytes;
use prost::Message;

use super::geometry::Geometry;
use super::layer::{Weights, Window};

/// Why a file is not the network that it should be.
#[derive(Debug, thiserror::Error)]
pub enum Unsupported {
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
    /// A number of outputs that the integer kernels do not compute together.
    #[error("a layer has {0} outputs, which is not a multiple of 32")]
    Outputs(usize),
    /// The manifest states another geometry than the kernels have.
    #[error("they turn {0}, which is not what the manifest states")]
    Geometry(Geometry),
    /// Bytes that are no protobuf message.
    #[error("not an ONNX file: byte {0} cannot be read")]
    Malformed(usize),
    /// Beyond what a model of this kind needs.
    #[error("more than {most} {what}, which no encoder needs")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        most: u64,
    },
    /// A constant whose values are not as many as its sizes say, or lie elsewhere.
    #[error("constant {0:?} does not hold as many values as its sizes say")]
    Constant(String),
}

/// The part of ONNX's `ModelProto` that is read; numbers of fields are those of `onnx.proto`.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// Operations in the order of their use.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// Weights and other constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// What the network is given.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<Value>,
    /// What it gives.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<Value>,
}

/// `ValueInfoProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// By which operations refer to it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it is.
    #[prost(message, optional, tag = "2")]
    pub of: Option<Type>,
}

/// `TypeProto`, if it is that of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// `TypeProto.Tensor`.
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// `TensorShapeProto`.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShape>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShape {
    /// One for each axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// Its size, if that is not open.
    #[prost(int64, optional, tag = "1")]
    pub value: Option<i64>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of values and constants.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values that it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its name in ONNX.
    #[prost(string, tag = "4")]
    pub operator: String,
    /// Settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
    /// Empty for ONNX's own operators.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// `AttributeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Name of the setting.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// An integer.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// A text.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// Several integers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    /// By which operations refer to it.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Little-endian, row-major; a part of the file, not copied.
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
}

impl Graph {
    /// Of a file.
    pub fn read(onnx: Bytes) -> Result<Self, Unsupported> {
        Ok(Model::decode(onnx)?.graph.unwrap_or_default())
    }
}

impl Node {
    /// Says that `setting` of this operation, the file's `index`th, is not the network's.
    pub fn setting(&self, index: usize, setting: &str) -> Unsupported {
        Unsupported::Setting { index, operator: self.operator.clone(), setting: setting.into() }
    }

    /// Fails with the first attribute that is not `fine`; that gets its name, its integers if none is
    /// negative, and all of it.
    pub fn attributes(
        &self,
        index: usize,
        mut fine: impl FnMut(&str, &[usize], &Attribute) -> bool,
    ) -> Result<(), Unsupported> {
        for attribute in &self.attribute {
            let ints: Option<Vec<_>> = attribute.ints.iter().map(|int| usize::try_from(*int).ok()).collect();
            if !ints.is_some_and(|ints| fine(&attribute.name, &ints, attribute)) {
                return Err(self.setting(index, &attribute.name));
            }
        }
        Ok(())
    }

    /// The name of the one value that it makes.
    pub fn only_output(&self, index: usize) -> Result<&str, Unsupported> {
        match &self.output[..] {
            [output] => Ok(output),
            _ => Err(self.setting(index, "output")),
        }
    }

    /// How a convolution of one group moves its kernel of size `kernel` (time, or time and bands).
    pub fn window(&self, index: usize, kernel: &[usize]) -> Result<Window, Unsupported> {
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

impl Tensor {
    /// Sizes, if none is negative.
    pub fn dims(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect()
    }

    /// Whether these are its sizes.
    pub fn has_shape(&self, shape: &[usize]) -> bool {
        self.dims().is_some_and(|dims| dims == shape)
    }

    /// The values, if they are of this type and as many as the sizes say.
    fn values<T, const BYTES: usize>(&self, data_type: i32, of: fn([u8; BYTES]) -> T) -> Option<Vec<T>> {
        let count = self.dims()?.iter().try_fold(1usize, |count, dim| count.checked_mul(*dim))?;
        let (values, rest) = self.raw_data.as_chunks::<BYTES>();
        let whole = self.data_type == data_type && values.len() == count && rest.is_empty();
        whole.then(|| values.iter().map(|bytes| of(*bytes)).collect())
    }

    /// Values of type FLOAT.
    pub fn f32s(&self) -> Option<Vec<f32>> {
        self.values(1, f32::from_le_bytes)
    }

    /// Values of type INT64.
    pub fn i64s(&self) -> Option<Vec<i64>> {
        self.values(7, i64::from_le_bytes)
    }

    /// Values of type FLOAT, FLOAT16 (finite ones) or INT8.
    pub fn weights(&self) -> Option<Weights> {
        let finite = |halves: &Vec<u16>| halves.iter().all(|half| half & 0x7c00 != 0x7c00);
        let f32s = || self.f32s().map(Weights::F32);
        let f16s = || self.values(10, u16::from_le_bytes).filter(finite).map(Weights::F16);
        let int8s = || self.values(3, i8::from_le_bytes).map(Weights::Int8);
        f32s().or_else(f16s).or_else(int8s)
    }
}
