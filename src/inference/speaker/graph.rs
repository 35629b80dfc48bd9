//! The speaker encoder's graph, read operation by operation.

use pulp::Arch;

use super::super::layer::Window;
use super::super::matcher::{GraphMatcher, Input};
use super::super::onnx::{Graph, Unsupported};
use super::{
    BLOCKS, Block, Clamped, Conv, DENSE, DenseLayer, EMBEDDING, FBANK_BANDS, FIRST, GROWTH, HIDDEN,
    HIDDEN_LINE, Kernels, PLANES, SQUEEZED, Step, WIDTH, one,
};

impl Kernels {
    /// [`Kernels::new`] with the instructions of `arch`.
    pub(in crate::inference) fn for_arch(graph: &Graph, arch: Arch) -> Result<Self, Unsupported> {
        let (mut matcher, input) = GraphMatcher::new(graph)?;
        let plane = matcher.op("Unsqueeze", &[Input::Value(input), Input::Integers(&[1])], &[])?;
        let (head, plane) = head(&mut matcher, plane)?;

        let shape = [FIRST, WIDTH, 5, FBANK_BANDS / 8];
        let window = Window { strides: [2, 1], pads: [2, 0], ..Window::PLAIN };
        let (mut first, value) = matcher.convolution(plane, &shape, window)?;
        let value = matcher.op("Squeeze", &[Input::Value(value), Input::Integers(&[3])], &[])?;
        let mut value = matcher.relu(&mut first, value)?;
        let first = Conv::new(&first, &PLANES[PLANES.len() - 1], &DENSE, 0)?;

        let mut channels = FIRST;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (index, (count, dilation)) in BLOCKS.into_iter().enumerate() {
            let mut layers = Vec::with_capacity(count);
            for _ in 0..count {
                let (layer, next) = dense_layer(&mut matcher, value, channels, dilation)?;
                layers.push(layer);
                (value, channels) = (next, channels + GROWTH);
            }
            let (clamp, mut layer, next) = matcher.clamped(value, &[channels / 2, channels, 1])?;
            (value, channels) = (next, channels / 2);
            if index == BLOCKS.len() - 1 {
                value = matcher.relu(&mut layer, value)?;
            }
            blocks.push(Block {
                layers,
                transit: Clamped { clamp, conv: Conv::new(&layer, &DENSE, &DENSE, 0)? },
            });
        }

        let value = statistics(&mut matcher, value)?;
        let (layer, value) = matcher.convolution(value, &[EMBEDDING, 2 * channels, 1], Window::PLAIN)?;
        let last = Conv::new(&layer, &one(2 * channels), &one(EMBEDDING), 0)?;
        let value = matcher.op("Squeeze", &[Input::Value(value), Input::Integers(&[2])], &[])?;
        matcher.end(graph, value)?;
        Ok(Self { head, first, blocks, last, arch })
    }
}

/// The layers up to the last of [`PLANES`].
fn head<'a>(matcher: &mut GraphMatcher<'a>, plane: &'a str) -> Result<(Vec<Step>, &'a str), Unsupported> {
    let mut steps = Vec::new();
    let same = Window { pads: [1; 2], ..Window::PLAIN };
    let half = Window { strides: [1, 2], ..same };
    let mut step = |layer, from: usize, to: usize| {
        steps.push(Step { conv: Conv::new(&layer, &PLANES[from], &PLANES[to], 0)?, from, to });
        Ok::<_, Unsupported>(())
    };
    let square = [WIDTH, WIDTH, 3, 3];

    let (mut layer, value) = matcher.convolution(plane, &[WIDTH, 1, 3, 3], same)?;
    let mut value = matcher.relu(&mut layer, value)?;
    step(layer, 0, 1)?;
    // The bands are halved from `wide` on; `hidden` is between the two convolutions of a residual block.
    for (wide, hidden, narrow) in [(1, 2, 3), (3, 4, 5)] {
        for halved in [true, false] {
            // A smaller network has one residual block where the whole one has two.
            if !halved && matcher.narrows_ahead() {
                continue;
            }
            let (mut layer, inner) = matcher.convolution(value, &square, if halved { half } else { same })?;
            let inner = matcher.relu(&mut layer, inner)?;
            step(layer, if halved { wide } else { narrow }, hidden)?;
            let (mut layer, inner) = matcher.convolution(inner, &square, same)?;
            let mut cut = value;
            if halved {
                let window = Window { strides: half.strides, ..Window::PLAIN };
                let (layer, short) = matcher.convolution(value, &[WIDTH, WIDTH, 1, 1], window)?;
                step(layer, wide, narrow)?;
                cut = short;
            }
            let sum = matcher.of_two("Add", inner, cut)?;
            value = matcher.relu(&mut layer, sum)?;
            layer.adds = true;
            step(layer, hidden, narrow)?;
        }
    }
    let (mut layer, plane) = matcher.convolution(value, &square, half)?;
    let plane = matcher.relu(&mut layer, plane)?;
    step(layer, 5, 6)?;
    Ok((steps, plane))
}

fn dense_layer<'a>(
    matcher: &mut GraphMatcher<'a>,
    value: &'a str,
    channels: usize,
    dilation: usize,
) -> Result<(DenseLayer, &'a str), Unsupported> {
    let width = if matcher.outputs_ahead() == Some(HIDDEN / 2) { HIDDEN / 2 } else { HIDDEN };
    let (clamp, mut linear, hidden) = matcher.clamped(value, &[width, channels, 1])?;
    let hidden = matcher.relu(&mut linear, hidden)?;
    let window = Window { dilations: [dilation, 1], pads: [dilation, 0], ..Window::PLAIN };
    let (local, found) = matcher.convolution(hidden, &[GROWTH, width, 3], window)?;
    let context = matcher.op("ReduceMean", &[Input::Value(hidden)], &[("axes", &[2])])?;
    let (mut squeeze, context) = matcher.convolution(context, &[SQUEEZED, width, 1], Window::PLAIN)?;
    let context = matcher.relu(&mut squeeze, context)?;
    let (mask, context) = matcher.convolution(context, &[GROWTH, SQUEEZED, 1], Window::PLAIN)?;
    let context = matcher.of("Sigmoid", context)?;
    let masked = matcher.of_two("Mul", found, context)?;
    let value = matcher.op("Concat", &[Input::Value(value), Input::Value(masked)], &[("axis", &[1])])?;
    let layer = DenseLayer {
        hidden: Clamped { clamp, conv: Conv::new(&linear, &DENSE, &HIDDEN_LINE, 0)? },
        width,
        local: Conv::new(&local, &HIDDEN_LINE, &DENSE, channels)?,
        squeeze: Conv::new(&squeeze, &one(width), &one(SQUEEZED), 0)?,
        mask: Conv::new(&mask, &one(SQUEEZED), &one(GROWTH), 0)?,
    };
    Ok((layer, value))
}

/// Mean and unbiased standard deviation over time, as the file spells them out: it counts the frames by adding
/// up a channel of ones.
fn statistics<'a>(matcher: &mut GraphMatcher<'a>, value: &'a str) -> Result<&'a str, Unsupported> {
    let time = Input::Integers(&[2]);
    let mean = matcher.op("ReduceMean", &[Input::Value(value)], &[("axes", &[2])])?;
    let centred = matcher.of_two("Sub", value, mean)?;
    let squares = matcher.of_two("Mul", centred, centred)?;
    let total = matcher.op("ReduceSum", &[Input::Value(squares), time], &[])?;
    let [start, end, axis] = [&[0], &[1], &[1]].map(|integer| Input::Integers(integer));
    let channel = matcher.op("Slice", &[Input::Value(centred), start, end, axis], &[])?;
    let zeros = matcher.op("Mul", &[Input::Value(channel), Input::Number(0.0)], &[])?;
    let ones = matcher.op("Add", &[Input::Value(zeros), Input::Number(1.0)], &[])?;
    let frames = matcher.op("ReduceSum", &[Input::Value(ones), Input::Integers(&[2])], &[])?;
    let others = matcher.op("Sub", &[Input::Value(frames), Input::Number(1.0)], &[])?;
    let variance = matcher.of_two("Div", total, others)?;
    let deviation = matcher.of("Sqrt", variance)?;
    matcher.op("Concat", &[Input::Value(mean), Input::Value(deviation)], &[("axis", &[1])])
}
