//! Types: every value is checked where it leaves and where it arrives.
//!
//! Values are in their JSON form: bytes are base64 text, a point is an object, an optional is null or its value.

use serde_json::{json, Map, Number, Value};

/// The type of a parameter or result.
#[derive(Clone, Debug)]
pub enum Type {
    Any,
    Bool,
    String,
    /// A signed integer of so many bits.
    Int(u32),
    /// An unsigned integer of so many bits.
    Uint(u32),
    Float32,
    Float64,
    Bytes,
    Point,
    List(Box<Type>),
    Map(Box<Type>),
    Optional(Box<Type>),
}

/// The names of the simple types. There is no `raw`: serde_json writes the exponents of numbers in a form of its own.
pub const NAMES: &[&str] = &[
    "any", "bool", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
    "float64", "bytes", "point",
];

impl Type {
    /// The type of a name, or of an object with one member: `"int64"`, `{"list": "int64"}`; None for any other.
    pub fn parse(of: &Value) -> Option<Type> {
        if let Some((kind, inner)) = of.as_object().and_then(|kinds| kinds.iter().next()) {
            let inner = Box::new(Type::parse(inner)?);
            return match kind.as_str() {
                "list" => Some(Type::List(inner)),
                "map" => Some(Type::Map(inner)),
                "optional" => Some(Type::Optional(inner)),
                _ => None,
            };
        }
        Some(match of.as_str()? {
            "any" => Type::Any,
            "bool" => Type::Bool,
            "string" => Type::String,
            "int8" => Type::Int(8),
            "int16" => Type::Int(16),
            "int32" => Type::Int(32),
            "int64" => Type::Int(64),
            "uint8" => Type::Uint(8),
            "uint16" => Type::Uint(16),
            "uint32" => Type::Uint(32),
            "uint64" => Type::Uint(64),
            "float32" => Type::Float32,
            "float64" => Type::Float64,
            "bytes" => Type::Bytes,
            "point" => Type::Point,
            _ => return None,
        })
    }
}

/// A value does not fit its type.
#[derive(Debug)]
pub struct Mismatch {
    what: String,
    place: String,
}

impl Mismatch {
    fn new(expected: &str, value: &Value) -> Mismatch {
        let got = match value {
            Value::Null => "null".to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string().chars().take(40).collect(),
            Value::String(_) => "a string".to_string(),
            Value::Array(_) => "an array".to_string(),
            Value::Object(_) => "an object".to_string(),
        };
        Mismatch { what: format!("expected {expected}, got {got}"), place: String::new() }
    }

    fn within(mut self, place: &str) -> Mismatch {
        self.place.insert_str(0, place);
        self
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        let at = if self.place.is_empty() { String::new() } else { format!(", at ${}", self.place) };
        write!(to, "{}{at}", self.what)
    }
}

/// As many values as types, each checked; `what` they are is said in the error.
pub fn check_all(types: &[Type], values: Value, what: &str) -> Result<Vec<Value>, Mismatch> {
    let Value::Array(values) = values else {
        return Err(Mismatch::new(&format!("an array of {what}"), &values));
    };
    if values.len() != types.len() {
        let what = format!("expected {} {what}, got {}", types.len(), values.len());
        return Err(Mismatch { what, place: String::new() });
    }
    let pairs = types.iter().zip(values).enumerate();
    pairs.map(|(i, (of, value))| check(of, value).map_err(|error| error.within(&format!("[{i}]")))).collect()
}

/// The value as its type has it.
pub fn check(of: &Type, value: Value) -> Result<Value, Mismatch> {
    match (of, value) {
        (Type::Any, value) => Ok(value),
        (Type::Bool, value @ Value::Bool(_)) => Ok(value),
        (Type::String, value @ Value::String(_)) => Ok(value),
        (Type::Bytes, Value::String(text)) if is_base64(text.as_bytes()) => Ok(Value::String(text)),
        (Type::Int(bits), Value::Number(number)) => integer(*bits, number),
        (Type::Uint(bits), Value::Number(number)) => unsigned(*bits, number),
        (Type::Float64, Value::Number(number)) => float("float64", number.to_string().parse(), &number),
        (Type::Float32, Value::Number(number)) => {
            float("float32", number.to_string().parse::<f32>().map(f64::from), &number)
        }
        (Type::Point, Value::Object(fields)) => point(fields),
        (Type::Optional(_), Value::Null) => Ok(Value::Null),
        (Type::Optional(inner), value) => check(inner, value),
        (Type::List(inner), Value::Array(items)) => {
            let items = items.into_iter().enumerate();
            items.map(|(i, item)| check(inner, item).map_err(|error| error.within(&format!("[{i}]")))).collect()
        }
        (Type::Map(inner), Value::Object(members)) => {
            let mut checked = Map::new();
            for (key, item) in members {
                let item = check(inner, item).map_err(|error| error.within(&format!(".{key}")))?;
                checked.insert(key, item);
            }
            Ok(Value::Object(checked))
        }
        (of, value) => Err(Mismatch::new(&format!("{of:?}").to_lowercase(), &value)),
    }
}

fn integer(bits: u32, number: Number) -> Result<Value, Mismatch> {
    let limit = i64::MAX >> (64 - bits);
    match number.as_i64() {
        Some(value) if (-limit - 1..=limit).contains(&value) => Ok(json!(value)),
        _ => Err(Mismatch::new(&format!("int{bits}"), &Value::Number(number))),
    }
}

fn unsigned(bits: u32, number: Number) -> Result<Value, Mismatch> {
    match number.as_u64() {
        Some(value) if value <= u64::MAX >> (64 - bits) => Ok(json!(value)),
        _ => Err(Mismatch::new(&format!("uint{bits}"), &Value::Number(number))),
    }
}

fn float<E>(name: &str, parsed: Result<f64, E>, number: &Number) -> Result<Value, Mismatch> {
    match parsed.ok().and_then(Number::from_f64) {
        Some(value) => Ok(Value::Number(value)), // None for an infinity
        None => Err(Mismatch::new(name, &Value::Number(number.clone()))),
    }
}

/// Unknown fields are left out, and so is an empty label.
fn point(mut fields: Map<String, Value>) -> Result<Value, Mismatch> {
    let mut field = |name: &str, of: Type, empty: Value| {
        check(&of, fields.remove(name).unwrap_or(empty)).map_err(|error| error.within(&format!(".{name}")))
    };
    let mut point = json!({"x": field("x", Type::Int(64), json!(0))?, "y": field("y", Type::Float64, json!(0.0))?});
    let label = field("label", Type::String, json!(""))?;
    if label != "" {
        point["label"] = label;
    }
    Ok(point)
}

/// Whether a text is standard base64 with padding.
fn is_base64(text: &[u8]) -> bool {
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = &text[..text.len() - padding];
    text.len() % 4 == 0 && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
