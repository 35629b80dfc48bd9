//! What a model file may come to, checked on its bytes before anything of it is decoded: a message of two bytes takes a
//! hundred times as many in memory.

use super::onnx::Unsupported;

/// Operations of a graph; published speaker encoders have up to some thousands.
const MAX_NODES: u64 = 10_000;
/// Names, settings, sizes and everything else that becomes a value of its own.
const MAX_ENTRIES: u64 = 250_000;
/// Values of one constant.
const MAX_VALUES: u64 = 64 << 20;
/// Graphs within settings of operations.
const MAX_DEPTH: usize = 8;

/// Messages of `onnx.proto` that are looked into.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

/// What a field of a message holds.
enum Content {
    Message(Kind),
    /// Messages of other kinds, which no more than this many bytes of make an entry.
    Opaque,
    /// Numbers of at least one byte each.
    Numbers,
    Plain,
}

impl Kind {
    /// What field `number` of such a message holds.
    fn content(self, number: u64) -> Content {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Content::Message(Self::Graph),
            (Self::Graph, 1) => Content::Message(Self::Node),
            (Self::Node, 5) => Content::Message(Self::Attribute),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Content::Message(Self::Tensor),
            (Self::Model, 8 | 14 | 20 | 25)
            | (Self::Graph, 11..=16)
            | (Self::Node, 9)
            | (Self::Attribute, 14 | 15 | 22 | 23)
            | (Self::Tensor, 3 | 13 | 16) => Content::Opaque,
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) => Content::Numbers,
            _ => Content::Plain,
        }
    }
}

/// Refuses a file that would take too much memory or time to decode, whose constants do not fit their sizes, or whose
/// weights lie in other files.
pub fn check(onnx: &[u8]) -> Result<(), Unsupported> {
    Scan { file: onnx, nodes: 0, entries: 0 }.message(Kind::Model, 0, onnx.len(), 0)
}

struct Scan<'a> {
    file: &'a [u8],
    nodes: u64,
    entries: u64,
}

/// A constant as far as it was read.
struct Constant {
    values: Option<u64>,
    data_type: u64,
    raw: Option<u64>,
    external: bool,
    name: String,
}

/// A field of a message: its number, its integer or length, and where its bytes are.
struct Field {
    number: u64,
    integer: Option<u64>,
    start: usize,
    end: usize,
}

impl Scan<'_> {
    fn message(&mut self, kind: Kind, start: usize, end: usize, depth: usize) -> Result<(), Unsupported> {
        if depth > 4 * MAX_DEPTH {
            return Err(Unsupported::TooLarge { what: "graphs in each other", most: MAX_DEPTH as u64 });
        }
        let mut constant =
            Constant { values: Some(1), data_type: 0, raw: None, external: false, name: String::new() };
        let mut at = start;
        while at < end {
            let field = self.field(at, end)?;
            at = field.end;
            let length = (field.end - field.start) as u64;
            self.entries += 1;
            match kind.content(field.number) {
                _ if field.integer.is_some() => {}
                Content::Message(inner) => {
                    self.nodes += u64::from(inner == Kind::Node);
                    self.message(inner, field.start, field.end, depth + 1)?;
                }
                Content::Opaque | Content::Numbers => self.entries += length / 8,
                Content::Plain => {}
            }
            if self.nodes > MAX_NODES {
                return Err(Unsupported::TooLarge { what: "operations", most: MAX_NODES });
            }
            if self.entries > MAX_ENTRIES {
                return Err(Unsupported::TooLarge { what: "names and settings", most: MAX_ENTRIES });
            }
            if kind == Kind::Tensor {
                self.constant(&mut constant, &field)?;
            }
        }
        if kind == Kind::Tensor { constant.check() } else { Ok(()) }
    }

    fn constant(&self, constant: &mut Constant, field: &Field) -> Result<(), Unsupported> {
        match (field.number, field.integer) {
            (1, Some(dim)) => constant.multiply(dim),
            (1, None) => {
                let mut at = field.start;
                while at < field.end {
                    constant.multiply(self.varint(&mut at, field.end)?);
                }
            }
            (2, Some(data_type)) => constant.data_type = data_type,
            (8, None) => {
                constant.name = String::from_utf8_lossy(&self.file[field.start..field.end]).into_owned();
            }
            (9, None) => constant.raw = Some((field.end - field.start) as u64),
            (13, _) | (14, Some(1..)) => constant.external = true,
            _ => {}
        }
        Ok(())
    }

    /// The field at `at` of a message that goes on until `end`.
    fn field(&self, mut at: usize, end: usize) -> Result<Field, Unsupported> {
        let begin = at;
        let tag = self.varint(&mut at, end)?;
        let (length, integer) = match tag & 7 {
            // No message has a field 0.
            _ if tag >> 3 == 0 => return Err(Unsupported::Malformed(begin)),
            0 => (0, Some(self.varint(&mut at, end)?)),
            1 => (8, None),
            2 => (self.varint(&mut at, end)?, None),
            5 => (4, None),
            _ => return Err(Unsupported::Malformed(begin)),
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= end - at);
        let Some(length) = length else { return Err(Unsupported::Malformed(begin)) };
        Ok(Field { number: tag >> 3, integer, start: at, end: at + length })
    }

    fn varint(&self, at: &mut usize, end: usize) -> Result<u64, Unsupported> {
        let begin = *at;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.file[..end].get(*at).ok_or(Unsupported::Malformed(begin))?;
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Unsupported::Malformed(begin))
    }
}

impl Constant {
    fn multiply(&mut self, dim: u64) {
        let values = self.values.and_then(|values| values.checked_mul(dim));
        self.values = values.filter(|values| *values <= MAX_VALUES);
    }

    fn check(self) -> Result<(), Unsupported> {
        let fits = |values: u64, raw: u64| self.bytes().is_some_and(|bytes| values * bytes == raw);
        match (self.values, self.raw) {
            (Some(values), Some(raw)) if !self.external && fits(values, raw) => Ok(()),
            (Some(_), None) if !self.external => Ok(()),
            _ => Err(Unsupported::Constant(self.name)),
        }
    }

    /// Bytes of a value by `TensorProto.DataType`.
    fn bytes(&self) -> Option<u64> {
        match self.data_type {
            2 | 3 | 9 => Some(1),
            4 | 5 | 10 | 16 => Some(2),
            1 | 6 | 12 => Some(4),
            7 | 11 | 13 | 14 => Some(8),
            15 => Some(16),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of `bytes`.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = Vec::new();
        for mut varint in [usize::from(number) << 3 | 2, bytes.len()] {
            while varint >= 0x80 {
                field.push(varint as u8 | 0x80);
                varint >>= 7;
            }
            field.push(varint as u8);
        }
        field.extend_from_slice(bytes);
        field
    }

    #[track_caller]
    fn assert_refused(onnx: &[u8], reason: &str) {
        let found = check(onnx).unwrap_err().to_string();
        assert!(found.contains(reason), "{found}");
    }

    #[test]
    fn empty_messages_are_counted_before_they_are_decoded() {
        let nodes = field(1, b"").repeat(20_000);
        assert_refused(&field(7, &nodes), "more than 10000 operations");
        for number in [5, 11, 12, 13, 15] {
            let many = field(number, b"").repeat(1_000_000);
            assert_refused(&field(7, &many), "more than 250000 names and settings");
        }
        let names = field(1, b"").repeat(1_000_000);
        assert_refused(&field(7, &field(1, &names)), "names and settings");
        // One message of another kind, full of empty ones.
        assert_refused(&field(25, &field(1, b"").repeat(4_000_000)), "names and settings");
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        let tensor = |dims: &[u64], data: &[u8]| {
            let dims = dims.iter().flat_map(|dim| {
                let varint = (0..10).map(|n| (dim >> (7 * n)) as u8 & 0x7f | if n < 9 { 0x80 } else { 0 });
                std::iter::once(0x08).chain(varint).collect::<Vec<_>>()
            });
            let tensor = [dims.collect(), vec![0x10, 1], field(8, b"weight"), field(9, data)].concat();
            field(7, &field(5, &tensor))
        };
        assert!(check(&tensor(&[2, 3], &[0; 24])).is_ok());
        for dims in
            [&[1 << 32, 1 << 32][..], &[u64::MAX, u64::MAX], &[u64::MAX], &[1 << 40], &[2, 4], &[1 << 62, 4]]
        {
            assert_refused(&tensor(dims, &[0; 24]), "constant \"weight\"");
        }
    }

    #[test]
    fn weights_in_another_file_are_refused() {
        let tensor = [field(8, b"weight"), field(13, b"")].concat();
        assert_refused(&field(7, &field(5, &tensor)), "constant \"weight\"");
    }

    #[test]
    fn graphs_within_graphs_end_somewhere() {
        let graph = (0..20).fold(Vec::new(), |graph, _| field(1, &field(5, &field(6, &graph))));
        assert_refused(&field(7, &graph), "graphs in each other");
    }
}
