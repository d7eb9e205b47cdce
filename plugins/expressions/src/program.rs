//! A mapping as the evaluator reads it: a text, because that is what a plugin receives as
//! its settings.
//!
//! It is a sequence of instructions for a stack machine. An instruction is one character,
//! followed by its operands: numbers, texts with their length, and, where it can fail, the
//! part of the expression that a failure names. There are no loops, so a program ends after
//! at most as many instructions as it has.

/// The first character of every program. No JSON document starts with it.
pub(crate) const FORMAT: u8 = b'1';

/// The instructions, in the order of evaluation: the operands of an operation are on the
/// stack, the last one on top.
pub(crate) mod op {
    /// Pushes a text.
    pub(crate) const TEXT: u8 = b't';
    /// Pushes a whole number, written as a text.
    pub(crate) const INTEGER: u8 = b'i';
    /// Pushes a fraction: its bits in hexadecimal.
    pub(crate) const FLOAT: u8 = b'f';
    pub(crate) const TRUE: u8 = b'T';
    pub(crate) const FALSE: u8 = b'F';
    pub(crate) const NONE: u8 = b'N';
    pub(crate) const MISSING: u8 = b'M';
    /// Pushes a field of `user`: its number in [`crate::user::FIELDS`].
    pub(crate) const FIELD: u8 = b'u';
    /// Pushes a user attribute.
    pub(crate) const ATTRIBUTE: u8 = b'a';
    /// Pushes an entry of the client metadata.
    pub(crate) const METADATA: u8 = b'm';
    /// Pushes an intermediate value.
    pub(crate) const LOAD: u8 = b'l';
    /// Pops an intermediate value, and keeps it.
    pub(crate) const STORE: u8 = b's';
    /// Makes a list of so many values.
    pub(crate) const LIST: u8 = b'[';
    /// Makes a map of so many names and values.
    pub(crate) const MAP: u8 = b'{';
    /// The member of that name, which is constant.
    pub(crate) const MEMBER: u8 = b'.';
    /// The member of that name or index.
    pub(crate) const ITEM: u8 = b']';
    /// Of a value, start, stop and step.
    pub(crate) const SLICE: u8 = b':';
    /// One operand: its number in [`crate::operators::UNARY`].
    pub(crate) const UNARY: u8 = b'-';
    /// Two operands: its number in [`crate::operators::BINARY`].
    pub(crate) const BINARY: u8 = b'+';
    /// Joins so many texts.
    pub(crate) const CONCAT: u8 = b'~';
    /// A chain of comparisons, such as `a < b < c`: their number, and each one's number in
    /// [`crate::operators::BINARY`].
    pub(crate) const CHAIN: u8 = b'<';
    /// Jumps over so many bytes if the value counts as false, and otherwise pops it.
    pub(crate) const AND: u8 = b'&';
    /// Jumps over so many bytes if the value counts as true, and otherwise pops it.
    pub(crate) const OR: u8 = b'^';
    /// Pops a condition, and jumps over so many bytes if it counts as false.
    pub(crate) const UNLESS: u8 = b'?';
    /// Jumps over so many bytes.
    pub(crate) const JUMP: u8 = b'>';
    /// A filter: its number in [`crate::filters::FILTERS`], and the number of its arguments.
    pub(crate) const FILTER: u8 = b'|';
    /// A filter of each member of a list.
    pub(crate) const EACH: u8 = b'e';
    /// A test: its number in [`crate::tests::TESTS`], and the number of its arguments.
    pub(crate) const TEST: u8 = b'q';
    /// The members of a list that pass a test, or do not.
    pub(crate) const SELECT: u8 = b'S';
    /// The members of a list that have an attribute that passes a test, or does not.
    pub(crate) const SELECT_MEMBER: u8 = b'A';
    /// An attribute of each member of a list.
    pub(crate) const EACH_MEMBER: u8 = b'E';
    /// The expressions of this key follow; failures name it.
    pub(crate) const KEY: u8 = b'k';
    /// Pops the value of an attribute of the item, whose name is the key's.
    pub(crate) const PUT: u8 = b'p';
    /// The same; if the value is missing, the attribute is left out.
    pub(crate) const PUT_OPTIONAL: u8 = b'o';
    /// The same; if the value is missing or empty, the attribute is left out.
    pub(crate) const PUT_UNLESS_EMPTY: u8 = b'O';
    /// Pops a condition, and jumps over so many bytes unless it is true.
    pub(crate) const SKIP_WHEN: u8 = b'W';
    /// Pops the reason, and ends: the user is skipped.
    pub(crate) const SKIP: u8 = b'X';
}

/// A part of an expression: its first character, counted from 1, and its length in
/// characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The first character, counted from 1.
    pub at: usize,
    /// The number of characters.
    pub length: usize,
}

/// Reads a program.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// The program ends in the middle, or does not come from the compiler.
#[derive(Debug)]
pub(crate) struct Broken;

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next character; `None` at the end.
    pub(crate) fn op(&mut self) -> Option<u8> {
        let op = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(op)
    }

    /// Five bits a character, the lowest ones first. A character from `P` on says that
    /// another one follows.
    pub(crate) fn number(&mut self) -> Result<usize, Broken> {
        let (mut number, mut shift) = (0_usize, 0_u32);
        loop {
            let digit = self.op().ok_or(Broken)?.wrapping_sub(b'0');
            number |= usize::from(digit & 31).checked_shl(shift).ok_or(Broken)?;
            match digit {
                0..32 => return Ok(number),
                32..64 => shift += 5,
                _ => return Err(Broken),
            }
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Broken> {
        let length = self.number()?;
        let end = self.at.checked_add(length).ok_or(Broken)?;
        let text = self.text.get(self.at..end).ok_or(Broken)?;
        self.at = end;
        Ok(text)
    }

    pub(crate) fn part(&mut self) -> Result<Part, Broken> {
        Ok(Part {
            at: self.number()?,
            length: self.number()?,
        })
    }

    pub(crate) fn skip(&mut self, bytes: usize) -> Result<(), Broken> {
        self.at = self.at.checked_add(bytes).ok_or(Broken)?;
        Ok(())
    }
}

/// Writes a program.
#[cfg(feature = "compiler")]
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) String);

#[cfg(feature = "compiler")]
impl Writer {
    pub(crate) fn op(&mut self, op: u8) -> &mut Self {
        self.0.push(char::from(op));
        self
    }

    pub(crate) fn number(&mut self, mut number: usize) -> &mut Self {
        loop {
            let digit = u8::try_from(number & 31).unwrap_or_default();
            number >>= 5;
            let more = if number == 0 { 0 } else { 32 };
            self.0.push(char::from(b'0' + digit + more));
            if more == 0 {
                return self;
            }
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len()).0.push_str(text);
        self
    }

    pub(crate) fn part(&mut self, part: Part) -> &mut Self {
        self.number(part.at).number(part.length)
    }

    /// A jump over `code`, and the code.
    pub(crate) fn over(&mut self, op: u8, code: &Self) -> &mut Self {
        self.op(op).text(&code.0)
    }
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        let numbers = [0, 1, 31, 32, 1023, 1024, 123_456_789, usize::MAX];
        for number in numbers {
            writer.number(number);
        }
        let part = Part { at: 40, length: 7 };
        writer.text("").text("Köln").part(part).op(op::PUT);
        let mut reader = Reader::new(&writer.0);
        for number in numbers {
            assert_eq!(reader.number().unwrap(), number);
        }
        assert_eq!(reader.text().unwrap(), "");
        assert_eq!(reader.text().unwrap(), "Köln");
        assert_eq!(reader.part().unwrap(), part);
        assert_eq!((reader.op(), reader.op()), (Some(op::PUT), None));
    }

    #[test]
    fn what_is_cut_off_is_broken() {
        for text in ["", "P", "PPPPPPPPPPPPPPPPPP0", "\u{7f}"] {
            assert!(Reader::new(text).number().is_err(), "{text}");
        }
        for text in ["5abc", "1ö", "oooooooooooo0"] {
            assert!(Reader::new(text).text().is_err(), "{text}");
        }
    }
}
