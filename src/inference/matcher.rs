//! Matches an ONNX graph against the order of operations that it must have: the speaker encoder.

use std::collections::HashMap;

use super::layer::{Activation, Convolution, Window};
use super::onnx::{Graph, Node, Tensor, Unsupported};

/// What an operation must be given.
pub enum Input<'a> {
    /// What an operation before made.
    Value(&'a str),
    /// Constant integers.
    Integers(&'a [i64]),
    /// One constant number.
    Number(f32),
}

/// Matches the operations of a graph one after the other.
pub struct GraphMatcher<'a> {
    nodes: &'a [Node],
    next: usize,
    constants: HashMap<&'a str, &'a Tensor>,
}

/// What happens to each channel before a convolution: `scale min(max(x, low), high)`.
pub struct Clamp {
    /// `[channels]`.
    pub low: Vec<f32>,
    /// `[channels]`.
    pub high: Vec<f32>,
    /// `[channels]`.
    pub scale: Vec<f32>,
}

impl<'a> GraphMatcher<'a> {
    /// At the first operation; with the name of the one input.
    pub fn new(graph: &'a Graph) -> Result<(Self, &'a str), Unsupported> {
        let constants = graph.initializer.iter().map(|constant| (constant.name.as_str(), constant)).collect();
        match &graph.input[..] {
            [input] => Ok((Self { nodes: &graph.node, next: 0, constants }, &input.name)),
            _ => Err(Unsupported::Length { found: graph.node.len() }),
        }
    }

    /// Ends with `value`, which must be the file's one output.
    pub fn end(self, graph: &Graph, value: &str) -> Result<(), Unsupported> {
        match &graph.output[..] {
            [output] if output.name == value && self.next == self.nodes.len() => Ok(()),
            _ => Err(Unsupported::Length { found: self.nodes.len() }),
        }
    }

    fn node(&self) -> Result<&'a Node, Unsupported> {
        self.nodes.get(self.next).ok_or(Unsupported::Length { found: self.nodes.len() })
    }

    fn unsupported(&self, node: &Node, setting: &str) -> Unsupported {
        node.setting(self.next, setting)
    }

    /// The next of the operations to come that is one of these.
    fn ahead(&self, operators: &[&str]) -> Option<&'a Node> {
        self.nodes[self.next..].iter().find(|node| operators.contains(&node.operator.as_str()))
    }

    /// How many outputs the next weights have.
    pub fn outputs_ahead(&self) -> Option<usize> {
        let stored = self.ahead(&["Cast", "DequantizeLinear"])?.input.first()?;
        self.constant(stored)?.dims()?.first().copied()
    }

    /// Whether the next convolution leaves bands out.
    pub fn narrows_ahead(&self) -> bool {
        let strides = |node: &Node| {
            node.attribute.iter().any(|one| one.name == "strides" && one.ints.get(1) > Some(&1))
        };
        self.ahead(&["Conv"]).is_some_and(strides)
    }

    /// The next operation, which must be this one; gives the name of what it makes.
    fn take(&mut self, operator: &str) -> Result<(&'a Node, &'a str), Unsupported> {
        let node = self.node()?;
        if node.operator != operator || !node.domain.is_empty() {
            return Err(Unsupported::Operator { index: self.next, operator: node.operator.clone() });
        }
        let output = node.only_output(self.next)?;
        Ok((node, output))
    }

    /// Takes an operation with these inputs and settings; gives the name of what it makes.
    pub fn op(
        &mut self,
        operator: &str,
        inputs: &[Input<'_>],
        settings: &[(&str, &[i64])],
    ) -> Result<&'a str, Unsupported> {
        let (node, output) = self.take(operator)?;
        let fits = |(name, input): (&String, &Input<'_>)| match input {
            Input::Value(value) => name == value,
            Input::Integers(values) => {
                self.constant(name).and_then(Tensor::i64s).is_some_and(|found| found == *values)
            }
            Input::Number(value) => {
                self.constant(name).and_then(Tensor::f32s).is_some_and(|found| found == [*value])
            }
        };
        if node.input.len() != inputs.len() || !node.input.iter().zip(inputs).all(fits) {
            return Err(self.unsupported(node, "input"));
        }
        for attribute in &node.attribute {
            let one = [attribute.i];
            let found = if attribute.ints.is_empty() { &one } else { &attribute.ints[..] };
            if !settings.contains(&(&attribute.name, found)) {
                return Err(self.unsupported(node, &attribute.name));
            }
        }
        if node.attribute.len() != settings.len() {
            return Err(self.unsupported(node, "number of settings"));
        }
        self.next += 1;
        Ok(output)
    }

    /// [`GraphMatcher::op`] of one value, without settings.
    pub fn of(&mut self, operator: &str, value: &str) -> Result<&'a str, Unsupported> {
        self.op(operator, &[Input::Value(value)], &[])
    }

    /// [`GraphMatcher::op`] of two values, without settings.
    pub fn of_two(&mut self, operator: &str, left: &str, right: &str) -> Result<&'a str, Unsupported> {
        self.op(operator, &[Input::Value(left), Input::Value(right)], &[])
    }

    /// Takes the convolution of `value` with its weights, of `shape`, which has no bands in a kernel over time
    /// alone.
    pub fn convolution(
        &mut self,
        value: &str,
        shape: &[usize],
        window: Window,
    ) -> Result<(Convolution, &'a str), Unsupported> {
        let (weight, layer) = self.weight(shape)?;
        self.convolve(value, weight, layer, shape, window)
    }

    /// Takes what limits and scales each channel of `value`, and a convolution of one frame with all of it.
    pub fn clamped(
        &mut self,
        mut value: &'a str,
        shape: &[usize; 3],
    ) -> Result<(Clamp, Convolution, &'a str), Unsupported> {
        let channels = shape[1];
        let mut low = vec![f32::NEG_INFINITY; channels];
        let mut high = vec![f32::INFINITY; channels];
        for (operator, limits) in [("Max", &mut low), ("Min", &mut high)] {
            if self.node()?.operator == operator {
                (*limits, value) = self.scaled(operator, value, channels)?;
            }
        }
        let (weight, layer) = self.weight(shape)?;
        let (scale, weight) = self.scaled("Mul", weight, channels)?;
        let (layer, value) = self.convolve(value, weight, layer, shape, Window::PLAIN)?;
        Ok((Clamp { low, high, scale }, layer, value))
    }

    /// Takes an operation of `value` and a number for each of `channels`.
    fn scaled(
        &mut self,
        operator: &str,
        value: &str,
        channels: usize,
    ) -> Result<(Vec<f32>, &'a str), Unsupported> {
        let (node, output) = self.take(operator)?;
        let numbers = match &node.input[..] {
            [first, second] if first == value => self.f32s(second, &[channels, 1]),
            _ => None,
        };
        let numbers = numbers.ok_or_else(|| self.unsupported(node, "input"))?;
        self.next += 1;
        Ok((numbers, output))
    }

    /// Takes stored weights of `shape` and gives the name that they have in use; their bias is not known yet.
    fn weight(&mut self, shape: &[usize]) -> Result<(&'a str, Convolution), Unsupported> {
        let outputs = shape[0];
        let node = self.node()?;
        let unsupported = self.unsupported(node, "weight");
        let [stored, rest @ ..] = &node.input[..] else { return Err(unsupported) };
        let Some(tensor) = self.constant(stored).filter(|tensor| tensor.has_shape(shape)) else {
            return Err(unsupported);
        };
        let Some(weights) = tensor.weights() else { return Err(unsupported) };
        let shape = [outputs, shape[1], shape[2], shape.get(3).copied().unwrap_or(1)];
        let mut layer = Convolution::new(shape, weights, vec![0.0; outputs]);
        let name = match rest {
            [] => self.op("Cast", &[Input::Value(stored)], &[("to", &[1])])?,
            [scale] => {
                let scales = self.f32s(scale, &[outputs]);
                layer.scale = scales.filter(|scales| scales.iter().all(|x| *x > 0.0)).ok_or(unsupported)?;
                let inputs = [Input::Value(stored), Input::Value(scale)];
                self.op("DequantizeLinear", &inputs, &[("axis", &[0])])?
            }
            _ => return Err(unsupported),
        };
        Ok((name, layer))
    }

    fn convolve(
        &mut self,
        value: &str,
        weight: &str,
        mut layer: Convolution,
        shape: &[usize],
        window: Window,
    ) -> Result<(Convolution, &'a str), Unsupported> {
        let (node, output) = self.take("Conv")?;
        let bias = match &node.input[..] {
            [first, second, bias] if first == value && second == weight => self.f32s(bias, &shape[..1]),
            _ => None,
        };
        layer.bias = bias.ok_or_else(|| self.unsupported(node, "input"))?;
        if node.window(self.next, &shape[2..])? != window {
            return Err(self.unsupported(node, "strides, dilations or pads"));
        }
        layer.window = window;
        self.next += 1;
        Ok((layer, output))
    }

    /// Takes a Relu of what the layer makes, and makes it a part of the layer.
    pub fn relu(&mut self, layer: &mut Convolution, value: &'a str) -> Result<&'a str, Unsupported> {
        layer.activation = Activation::RELU;
        self.of("Relu", value)
    }

    fn constant(&self, name: &str) -> Option<&'a Tensor> {
        self.constants.get(name).copied()
    }

    fn f32s(&self, name: &str, shape: &[usize]) -> Option<Vec<f32>> {
        self.constant(name).filter(|tensor| tensor.has_shape(shape))?.f32s()
    }
}
