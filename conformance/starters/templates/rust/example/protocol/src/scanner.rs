//! Framing: bytes in, whole JSON objects out.
//!
//! The grammar is checked byte by byte. So a malformed message is known at its first wrong byte, and nobody waits for the
//! rest of it. The scanner keeps its state between two pieces: no byte is looked at twice.

const MAX_DEPTH: usize = 1_000;
const MAX_NUMBER: usize = 10_000;

/// What came is no message; the text says why.
#[derive(Debug, Clone)]
pub struct Malformed(pub String);

/// What may come next. Each has the bytes that may begin it; `v` stands for a number or literal.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Message,
    FirstKey,
    Key,
    Colon,
    Value,
    FirstItem,
    AfterMember,
    AfterItem,
}

impl Expected {
    fn tokens(self) -> &'static [u8] {
        match self {
            Expected::Message => b"{",
            Expected::FirstKey => b"\"}",
            Expected::Key => b"\"",
            Expected::Colon => b":",
            Expected::Value => b"{[\"v",
            Expected::FirstItem => b"{[\"v]",
            Expected::AfterMember => b",}",
            Expected::AfterItem => b",]",
        }
    }
}

/// The token that the last byte was in the middle of.
#[derive(Clone, Copy)]
enum Inside {
    Nothing,
    String,
    Escape,
    Hex(u8),
    /// A literal, of which so many bytes came.
    Literal(&'static [u8], usize),
    Number(Number, usize),
}

/// How far a number has come.
#[derive(Clone, Copy)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    /// The state after one more byte, or None where the byte does not belong to the number.
    fn next(self, byte: u8) -> Option<Number> {
        use Number::*;
        match (self, byte) {
            (Minus, b'0') => Some(Zero),
            (Minus | Integer, b'0'..=b'9') => Some(Integer),
            (Zero | Integer, b'.') => Some(Point),
            (Point | Fraction, b'0'..=b'9') => Some(Fraction),
            (Zero | Integer | Fraction, b'e' | b'E') => Some(Exponent),
            (Exponent, b'+' | b'-') => Some(ExponentSign),
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => Some(ExponentDigits),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Number::Zero | Number::Integer | Number::Fraction | Number::ExponentDigits)
    }
}

/// Finds the messages in one direction of a connection.
pub struct Scanner {
    buffer: Vec<u8>,
    open: Vec<u8>,
    expected: Expected,
    inside: Inside,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner { buffer: Vec::new(), open: Vec::new(), expected: Expected::Message, inside: Inside::Nothing }
    }
}

impl Scanner {
    /// Whether a message has begun and not ended.
    pub fn within_message(&self) -> bool {
        !self.open.is_empty()
    }

    /// Hand over each message that the next bytes complete; it is an error at the first wrong byte.
    pub fn feed(&mut self, data: &[u8], mut deliver: impl FnMut(&[u8]) -> Result<(), Malformed>) -> Result<(), Malformed> {
        let mut start = 0; // of the message that is under way
        for (at, byte) in data.iter().enumerate() {
            if self.push(*byte)? {
                self.buffer.extend_from_slice(&data[start..=at]);
                start = at + 1;
                let message = std::mem::take(&mut self.buffer);
                deliver(&message)?;
            }
        }
        self.buffer.extend_from_slice(&data[start..]);
        Ok(())
    }

    /// Take one byte; whether it ends a message.
    fn push(&mut self, byte: u8) -> Result<bool, Malformed> {
        match self.inside {
            Inside::Nothing => return self.token(byte),
            Inside::String => match byte {
                b'"' => self.inside = Inside::Nothing,
                b'\\' => self.inside = Inside::Escape,
                0..=0x1f => return Err(Malformed(format!("a string with {} in it", shown(byte)))),
                _ => {}
            },
            Inside::Escape => match byte {
                b'u' => self.inside = Inside::Hex(4),
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.inside = Inside::String,
                _ => return Err(Malformed(format!("{} behind a backslash", shown(byte)))),
            },
            Inside::Hex(left) => match byte {
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if left > 1 => self.inside = Inside::Hex(left - 1),
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => self.inside = Inside::String,
                _ => return Err(Malformed(format!("{} in an escape", shown(byte)))),
            },
            Inside::Literal(word, at) if word[at] == byte => {
                self.inside = if at + 1 == word.len() { Inside::Nothing } else { Inside::Literal(word, at + 1) };
            }
            Inside::Literal(..) => return Err(Malformed(format!("{} in a literal", shown(byte)))),
            Inside::Number(number, length) => match number.next(byte) {
                Some(_) if length > MAX_NUMBER => {
                    return Err(Malformed(format!("a number of more than {MAX_NUMBER} characters")))
                }
                Some(next) => self.inside = Inside::Number(next, length + 1),
                None if number.may_end() => {
                    self.inside = Inside::Nothing;
                    return self.token(byte);
                }
                None => return Err(Malformed(format!("{} in a number", shown(byte)))),
            },
        }
        Ok(false)
    }

    /// Take a byte between tokens; whether it ends a message.
    fn token(&mut self, byte: u8) -> Result<bool, Malformed> {
        let token = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return Ok(false),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => b'v',
            _ => byte,
        };
        let tokens = self.expected.tokens();
        if !tokens.contains(&token) {
            let names: Vec<&str> = tokens.iter().map(|token| name(*token)).collect();
            return Err(Malformed(format!("expected {}, got {}", names.join(" or "), shown(byte))));
        }
        match token {
            b'{' | b'[' if self.open.len() == MAX_DEPTH => {
                return Err(Malformed(format!("a message nested deeper than {MAX_DEPTH} levels")));
            }
            b'{' | b'[' => {
                self.open.push(token);
                self.expected = if token == b'{' { Expected::FirstKey } else { Expected::FirstItem };
            }
            b'}' | b']' => {
                self.open.pop();
                self.after_value();
                return Ok(self.open.is_empty());
            }
            b':' => self.expected = Expected::Value,
            b',' => self.expected = if self.expected == Expected::AfterMember { Expected::Key } else { Expected::Value },
            b'"' => {
                let key = matches!(self.expected, Expected::Key | Expected::FirstKey);
                self.inside = Inside::String;
                if key {
                    self.expected = Expected::Colon;
                } else {
                    self.after_value();
                }
            }
            _ => {
                self.inside = match byte {
                    b't' => Inside::Literal(b"true", 1),
                    b'f' => Inside::Literal(b"false", 1),
                    b'n' => Inside::Literal(b"null", 1),
                    b'-' => Inside::Number(Number::Minus, 1),
                    b'0' => Inside::Number(Number::Zero, 1),
                    _ => Inside::Number(Number::Integer, 1),
                };
                self.after_value();
            }
        }
        Ok(false)
    }

    fn after_value(&mut self) {
        self.expected = match self.open.last() {
            None => Expected::Message,
            Some(b'{') => Expected::AfterMember,
            Some(_) => Expected::AfterItem,
        };
    }
}

fn name(token: u8) -> &'static str {
    match token {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b'v' => "a number or literal",
        b'}' => "\"}\"",
        b']' => "\"]\"",
        b':' => "\":\"",
        _ => "\",\"",
    }
}

fn shown(byte: u8) -> String {
    format!("\"{}\"", byte.escape_ascii())
}
