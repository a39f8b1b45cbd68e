//! The few pieces of CBOR that a report is made of, written and read by hand: a report may be large, so what it
//! claims about itself is charged against a budget before anything is allocated.

use std::mem::size_of;

/// Major types of RFC 8949.
const UNSIGNED: u8 = 0;
const ARRAY: u8 = 4;
const NULL: u8 = 0xf6;

/// Writes an unsigned number in its shortest form.
pub(crate) fn unsigned(out: &mut Vec<u8>, value: u64) {
    head(out, UNSIGNED, value);
}

/// Writes the head of an array of `length` items.
pub(crate) fn array(out: &mut Vec<u8>, length: usize) {
    head(out, ARRAY, length as u64);
}

/// Writes null.
pub(crate) fn null(out: &mut Vec<u8>) {
    out.push(NULL);
}

fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Why bytes can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Not what stands here, not in its shortest form, or cut off.
    Form,
    /// It would take more memory than allowed.
    Budget,
}

/// What the next item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Null,
    Unsigned(u64),
    Array(usize),
}

/// Reads from the front of a slice, with a budget for what is made of it.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    budget: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], budget: u64) -> Self {
        Self { rest: bytes, budget }
    }

    /// Takes memory from the budget, before it is allocated.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Wrong> {
        self.budget = self.budget.checked_sub(bytes as u64).ok_or(Wrong::Budget)?;
        Ok(())
    }

    /// An empty vector with room for `length` items, charged.
    pub(crate) fn room<T>(&mut self, length: usize) -> Result<Vec<T>, Wrong> {
        // 16 bytes: what an allocation costs by itself.
        let bytes = length.checked_mul(size_of::<T>()).ok_or(Wrong::Budget)?;
        self.charge(if length == 0 { 0 } else { bytes.saturating_add(16) })?;
        Ok(Vec::with_capacity(length))
    }

    pub(crate) fn item(&mut self) -> Result<Item, Wrong> {
        if self.rest.first() == Some(&NULL) {
            self.take(1)?;
            return Ok(Item::Null);
        }
        match self.head()? {
            (UNSIGNED, value) => Ok(Item::Unsigned(value)),
            (ARRAY, length) => {
                let length = usize::try_from(length).map_err(|_| Wrong::Form)?;
                // Every item takes at least a byte.
                if length > self.rest.len() { Err(Wrong::Form) } else { Ok(Item::Array(length)) }
            }
            _ => Err(Wrong::Form),
        }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Wrong> {
        match self.item()? {
            Item::Unsigned(value) => Ok(value),
            _ => Err(Wrong::Form),
        }
    }

    pub(crate) fn small(&mut self) -> Result<u32, Wrong> {
        u32::try_from(self.unsigned()?).map_err(|_| Wrong::Form)
    }

    pub(crate) fn array(&mut self) -> Result<usize, Wrong> {
        match self.item()? {
            Item::Array(length) => Ok(length),
            _ => Err(Wrong::Form),
        }
    }

    /// The bytes of one item of any kind, at most `limit` of them.
    pub(crate) fn raw(&mut self, limit: usize) -> Result<&'a [u8], Wrong> {
        let start = self.rest;
        let mut items = 1_u64;
        while items > 0 {
            let (major, value) = self.head()?;
            items -= 1;
            match major {
                0 | 1 | 7 => {}
                2 | 3 => {
                    self.take(usize::try_from(value).map_err(|_| Wrong::Form)?)?;
                }
                4 => items = items.checked_add(value).ok_or(Wrong::Form)?,
                5 => items = value.checked_mul(2).and_then(|n| items.checked_add(n)).ok_or(Wrong::Form)?,
                _ => return Err(Wrong::Form),
            }
            if start.len() - self.rest.len() > limit {
                return Err(Wrong::Budget);
            }
        }
        start.get(..start.len() - self.rest.len()).ok_or(Wrong::Form)
    }

    pub(crate) fn end(&self) -> Result<(), Wrong> {
        if self.rest.is_empty() { Ok(()) } else { Err(Wrong::Form) }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Wrong::Form)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Major type and argument. Only the shortest form; of the simple values their bits.
    fn head(&mut self) -> Result<(u8, u64), Wrong> {
        let first = *self.take(1)?.first().ok_or(Wrong::Form)?;
        let (major, short) = (first >> 5, first & 31);
        let (length, least) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(Wrong::Form),
        };
        let value = self.take(length)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        if major != 7 && value < least {
            return Err(Wrong::Form);
        }
        Ok((major, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for value in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            unsigned(&mut bytes, value);
            assert_eq!(bytes, serde_cbor::to_vec(&value).unwrap());
            assert_eq!(Reader::new(&bytes, 0).unsigned(), Ok(value));
        }
        assert_eq!(Reader::new(&[0x18, 23], 0).unsigned(), Err(Wrong::Form));
        assert_eq!(Reader::new(&[0x19, 0], 0).unsigned(), Err(Wrong::Form));
    }

    #[test]
    fn an_array_longer_than_the_rest_is_refused_at_its_head() {
        assert_eq!(Reader::new(&[0x9a, 0xff, 0xff, 0xff, 0xff], u64::MAX).array(), Err(Wrong::Form));
        let mut reader = Reader::new(&[0x82, 0, 0], 31);
        let length = reader.array().unwrap();
        assert_eq!(reader.room::<u64>(length).unwrap_err(), Wrong::Budget);
    }
}
